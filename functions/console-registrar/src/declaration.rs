//! A declaration, as it is stored and worked on.

use std::fmt;

use serde_json::Value;
use watchkeeper_custom_resources::Owner;
use watchkeeper_events::ServiceArn;

use crate::plan::Declared;
use crate::registry::Target;
use crate::slot::State;

/// What a declaration is called: its registry and its agent. So no two can be about the same agent. It is CloudFormation's
/// physical id, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeclarationId(pub String);

impl DeclarationId {
    /// The registry's own name; it has no `#`.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.0.split_once('#').map_or(&*self.0, |(registry, _)| registry)
    }
}

impl fmt::Display for DeclarationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether its entries are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// They are.
    Kept,
    /// They are to be removed.
    Leaving,
    /// They were removed. It is remembered for a while, so that nobody who is late makes it anew.
    Gone,
}

/// A declaration.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// Its name.
    pub id: DeclarationId,
    /// Whose it is.
    pub owner: Owner,
    /// The service whose tasks are registered.
    pub service: ServiceArn,
    /// What decides.
    pub declared: Declared,
    /// Where they are registered.
    pub target: Target,
    /// All that was declared, as it came.
    pub properties: Value,
    /// Whether its entries are wanted.
    pub phase: Phase,
    /// What is remembered of its entries.
    pub state: State,
}
