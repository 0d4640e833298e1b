//! Where a value stands in a document.

use std::fmt;
use std::ops::Range;

/// A value and the bytes that it is written in.
#[derive(Clone, PartialEq, Eq)]
pub struct Slot {
    /// What a program that reads the document gets.
    pub value: String,
    /// The bytes of the document that make the value, its quotes included.
    pub range: Range<usize>,
}

/// The value may be a secret.
impl fmt::Debug for Slot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Slot").field("value", &"[redacted]").field("range", &self.range).finish()
    }
}
