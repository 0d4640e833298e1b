//! What is wrong with a request, all of it at once.

use std::fmt;

/// One thing that is wrong. Values are not quoted: they may be secret, and the answer's reason is shown to everybody who
/// may see the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where, as `#/Content/Text`.
    pub path: String,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.path, self.what)
    }
}

/// Everything that is wrong; at least one thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.0.iter().enumerate() {
            let between = if number == 0 { "" } else { "; " };
            write!(formatter, "{between}{fault}")?;
        }
        Ok(())
    }
}
