//! Declarations of registrations in the state table: what is stored, as what it says.

use aws_sdk_dynamodb::Client;
use time::OffsetDateTime;
use watchkeeper_custom_resources::{Owner, Properties};
use watchkeeper_declarations::{DeclarationId, Kind, Stored, Taken};
use watchkeeper_events::ServiceArn;
use watchkeeper_lease::Fence;

use crate::declaration::Declaration;
use crate::follow::Declarations;
use crate::slot::State;
use crate::trouble::Trouble;
use crate::wanted::Wanted;

/// Registrations: events about the service lead to them.
const REGISTRATIONS: Kind = Kind { partition: "registrations", keys: "service", nothing: r#"{"slots":{}}"# };

/// The declarations in the state table.
#[derive(Debug, Clone)]
pub struct Table(watchkeeper_declarations::Declarations);

impl Table {
    /// The table of this name.
    #[must_use]
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self(watchkeeper_declarations::Declarations::new(client, name, REGISTRATIONS))
    }

    /// Stores what a stack declares, unless another stack has declared the same agent.
    pub async fn declare(
        &self,
        id: &DeclarationId,
        owner: &Owner,
        wanted: &Wanted,
        renamed: Option<&Owner>,
        now: OffsetDateTime,
    ) -> Result<Result<(), Taken>, Trouble> {
        let keys = [wanted.service.as_str()];
        Ok(self.0.declare(id, owner, &wanted.properties, &keys, renamed, now).await?)
    }

    /// Notes that a declaration's entries are not wanted any more; says whether that is so.
    pub async fn leave(&self, id: &DeclarationId, owner: &Owner, now: OffsetDateTime) -> Result<bool, Trouble> {
        Ok(self.0.leave(id, owner, now).await?)
    }

    /// Forgets a declaration and leaves its entries as they are.
    pub async fn release(&self, id: &DeclarationId, owner: &Owner) -> Result<(), Trouble> {
        Ok(self.0.release(id, owner).await?)
    }

    /// The declarations about a service.
    pub async fn of_service(&self, service: &ServiceArn) -> Result<Vec<DeclarationId>, Trouble> {
        Ok(self.0.of(service.as_str()).await?)
    }

    /// All declarations that have entries or should have.
    pub async fn all(&self) -> Result<Vec<Result<Declaration, Trouble>>, Trouble> {
        Ok(self.0.all().await?.into_iter().map(|stored| read(stored?)).collect())
    }
}

impl Declarations for Table {
    async fn get(&self, id: &DeclarationId) -> Result<Option<Declaration>, Trouble> {
        self.0.get(id).await?.map(read).transpose()
    }

    async fn remember(&self, id: &DeclarationId, state: &State, fence: Fence) -> Result<(), Trouble> {
        let written = serde_json::to_string(state);
        let written = written.map_err(|error| Trouble::Stored { id: id.0.clone(), why: error.to_string() })?;
        Ok(self.0.remember(id, &written, fence).await?)
    }

    async fn gone(&self, id: &DeclarationId, fence: Fence) -> Result<(), Trouble> {
        Ok(self.0.gone(id, fence).await?)
    }
}

fn read(stored: Stored) -> Result<Declaration, Trouble> {
    let Stored { id, owner, properties, phase, state, .. } = stored;
    let misunderstood = |why: String| Trouble::Stored { id: id.0.clone(), why };
    let wanted = Properties::read(&properties, Wanted::read).map_err(|faults| misunderstood(faults.to_string()))?;
    let state = serde_json::from_str(&state).map_err(|error| misunderstood(format!("its state: {error}")))?;
    Ok(wanted.declaration(id, owner, phase, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_only_declared_has_no_entries() {
        assert_eq!(serde_json::to_string(&State::default()).unwrap(), REGISTRATIONS.nothing);
    }
}
