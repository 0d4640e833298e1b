//! A declaration, as it is stored.

use std::fmt;

use serde_json::Value;
use watchkeeper_custom_resources::Owner;

/// A function's kind of declarations, in names that are in the table for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The partition of all of them; `PARTITION-of#KEY` is that of what leads to them.
    pub partition: &'static str,
    /// The attribute that says what a declaration is about: a text, or a list where that is not one key.
    pub keys: &'static str,
    /// The state of what was only declared yet, as the function writes it.
    pub nothing: &'static str,
}

/// What a declaration is called. It is CloudFormation's physical id, too, and says what is declared: so no two can be about
/// the same thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeclarationId(pub String);

impl fmt::Display for DeclarationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether what it asks for is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It is.
    Kept,
    /// It is to be undone.
    Leaving,
    /// It was undone. That is remembered for a while, so that nobody who is late does it anew.
    Gone,
}

impl Phase {
    /// As it is stored.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Leaving => "leaving",
            Self::Gone => "gone",
        }
    }
}

/// A declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub id: DeclarationId,
    /// Whose it is.
    pub owner: Owner,
    /// What was declared.
    pub properties: Value,
    /// Whether it is wanted.
    pub phase: Phase,
    /// What the function remembers of its work, as it wrote it.
    pub state: String,
    /// How often its owner changed something about it.
    pub version: u64,
}

/// Who has a declaration that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken(pub Owner);
