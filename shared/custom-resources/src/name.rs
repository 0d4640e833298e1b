//! Who a resource belongs to, and what it is called.

use std::fmt;

/// The stack and the logical id that a resource is declared under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The stack's id (its ARN; a stack that is made again has another one).
    pub stack_id: String,
    /// The name in the template.
    pub logical_id: String,
}

/// Whose a thing is that carries an owner's mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The asker's.
    Ours,
    /// The same stack's, under another logical id: the name in the template was changed, and this is its successor.
    Renamed,
    /// Somebody else's.
    Theirs,
}

impl Owner {
    /// What the mark of this owner says about whose a thing is. Marks are what [`Owner::to_string`] gives.
    #[must_use]
    pub fn relation(&self, mark: &str) -> Relation {
        match mark.split_once(' ') {
            Some((stack, name)) if stack == self.stack_id && name == self.logical_id => Relation::Ours,
            Some((stack, _)) if stack == self.stack_id => Relation::Renamed,
            _ => Relation::Theirs,
        }
    }

    /// The stack's name, which its id has (`…:stack/NAME/ID`).
    #[must_use]
    pub fn stack_name(&self) -> &str {
        self.stack_id.split('/').nth(1).unwrap_or(&self.stack_id)
    }

    /// The partition of the stack: `aws`, `aws-cn`, …
    #[must_use]
    pub fn partition(&self) -> &str {
        self.stack_id.split(':').nth(1).filter(|partition| !partition.is_empty()).unwrap_or("aws")
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.stack_id, self.logical_id)
    }
}

/// What CloudFormation calls a thing. The same for every try, and enough to find the thing again without its properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhysicalId(String);

impl PhysicalId {
    /// How long it may be (CloudFormation User Guide, "Custom resource response objects").
    pub const LONGEST: usize = 1024;

    /// Of this text.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PhysicalId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_whose_a_thing_is() {
        let stack = "arn:aws:cloudformation:eu-west-1:123456789012:stack/agent/1";
        let owner = Owner { stack_id: stack.to_owned(), logical_id: "Script".to_owned() };
        assert_eq!(owner.relation(&owner.to_string()), Relation::Ours);
        assert_eq!(owner.relation(&format!("{stack} Helper")), Relation::Renamed);
        for mark in [format!("{stack}2 Script"), stack.to_owned(), String::new()] {
            assert_eq!(owner.relation(&mark), Relation::Theirs, "{mark}");
        }
        assert_eq!(owner.partition(), "aws");
    }
}
