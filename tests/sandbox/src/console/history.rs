//! What happened to the definitions, when, and by whom.

use serde::Serialize;
use time::OffsetDateTime;

use super::registry::Agent;

/// One change.
#[derive(Clone, Debug)]
pub struct Change {
    /// When.
    pub at: OffsetDateTime,
    /// What happened.
    pub event: Event,
    /// The definition after it; for one that went away, before it.
    pub agent: Agent,
    /// Through which interface; `None` when nobody asked for it.
    pub dialect: Option<Dialect>,
}

/// What happened to a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// It is new.
    Registered,
    /// It says something else.
    Changed,
    /// It was deleted.
    Deleted,
    /// The Console lost it: a fault.
    Forgotten,
    /// The agent can be reached.
    Online,
    /// It cannot.
    Offline,
}

/// An interface of the Console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Dialect {
    /// Tcl over a form.
    ScriptRunner,
    /// JSON.
    #[serde(rename = "REST")]
    Rest,
}
