//! Declarations of documents in the state table: what is stored, as what it says.

use aws_sdk_dynamodb::Client;
use lambda_runtime::tracing::error;
use serde_json::Value;
use time::OffsetDateTime;
use watchkeeper_custom_resources::{Owner, Properties};
use watchkeeper_declarations::{DeclarationId, Declarations, Kind, Phase, Stored, Taken};
use watchkeeper_lease::Fence;

use crate::document::Place;
use crate::state::State;
use crate::trouble::Trouble;
use crate::wanted;
use crate::world::Declaration;

/// Documents that are kept in step. What is about one is found by a look at all: they are few.
const CONFIGS: Kind = Kind { partition: "configs", keys: "target", nothing: "{}" };

/// The declarations in the state table.
#[derive(Debug, Clone)]
pub struct Table(Declarations);

/// A declaration, with whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// What is worked on.
    pub declaration: Declaration,
    /// Whose it is.
    pub owner: Owner,
    /// Whether it is wanted.
    pub phase: Phase,
    /// What was declared, as it came.
    pub properties: Value,
}

impl Table {
    /// The table of this name.
    #[must_use]
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self(Declarations::new(client, name, CONFIGS))
    }

    /// Stores what a stack declares, unless another stack has declared the same document.
    pub async fn declare(
        &self,
        target: &Place,
        owner: &Owner,
        properties: &Value,
        renamed: Option<&Owner>,
        now: OffsetDateTime,
    ) -> Result<Result<(), Taken>, Trouble> {
        let target = target.to_string();
        let id = DeclarationId(target.clone());
        Ok(self.0.declare(&id, owner, properties, &[&target], renamed, now).await?)
    }

    /// Notes that a declaration is not wanted any more; says whether that is so.
    pub async fn leave(&self, id: &str, owner: &Owner, now: OffsetDateTime) -> Result<bool, Trouble> {
        Ok(self.0.leave(&DeclarationId(id.to_owned()), owner, now).await?)
    }

    /// Notes that a declaration which was leaving is gone.
    pub async fn gone(&self, id: &str, fence: Fence) -> Result<(), Trouble> {
        Ok(self.0.gone(&DeclarationId(id.to_owned()), fence).await?)
    }

    /// One, as it is now.
    pub async fn get(&self, id: &str) -> Result<Option<Known>, Trouble> {
        self.0.get(&DeclarationId(id.to_owned())).await?.map(read).transpose()
    }

    /// All that are not gone.
    pub async fn all(&self) -> Result<Vec<Result<Known, Trouble>>, Trouble> {
        Ok(self.0.all().await?.into_iter().map(|stored| read(stored?)).collect())
    }

    /// Remembers how far the work is, unless somebody with a newer fence did, or it is gone.
    pub async fn remember(&self, id: &str, state: &State, fence: Fence) -> Result<(), Trouble> {
        let written = serde_json::to_string(state);
        let written = written.map_err(|error| Trouble::Stored { id: id.to_owned(), why: error.to_string() })?;
        Ok(self.0.remember(&DeclarationId(id.to_owned()), &written, fence).await?)
    }
}

fn read(stored: Stored) -> Result<Known, Trouble> {
    let Stored { id, owner, properties, phase, state, .. } = stored;
    let misunderstood = |why: String| Trouble::Stored { id: id.0.clone(), why };
    let declared = Properties::read(&properties, wanted::read).map_err(|faults| misunderstood(faults.to_string()))?;
    // It can be found out anew; only what was going on is forgotten.
    let state = serde_json::from_str(&state).unwrap_or_else(|error| {
        error!(declaration = id.0, %error, "what was remembered of it cannot be understood");
        State::default()
    });
    let declared = declared.of_stack(owner.stack_name());
    Ok(Known { declaration: Declaration { id: id.0, declared, state }, owner, phase, properties })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_only_declared_has_no_state() {
        assert_eq!(serde_json::from_str::<State>(CONFIGS.nothing).unwrap(), State::default());
    }
}
