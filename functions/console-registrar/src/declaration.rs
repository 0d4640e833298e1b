//! A declaration, as it is stored and worked on.

use serde_json::Value;
use watchkeeper_custom_resources::Owner;
use watchkeeper_declarations::{DeclarationId, Phase};
use watchkeeper_events::ServiceArn;

use crate::plan::Declared;
use crate::registry::Target;
use crate::slot::State;

/// A declaration.
#[derive(Debug, Clone, PartialEq)]
pub struct Declaration {
    /// Its name: its registry and its agent, so that no two can be about the same agent.
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

/// The registry's own name, which is the first part of a declaration's: `REGISTRY#AGENT`. It has no `#`.
#[must_use]
pub fn registry_of(id: &DeclarationId) -> &str {
    id.0.split_once('#').map_or(&*id.0, |(registry, _)| registry)
}
