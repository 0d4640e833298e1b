//! What is told of, and in which words.

/// What may be the matter, with all that ops read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// In one stable word.
    pub word: &'static str,
    /// `critical`, `error`, `warning` or `info`.
    pub severity: &'static str,
    /// What is said of the subject when it has begun.
    pub begun: &'static str,
    /// What is said of the subject when it is over.
    pub over: &'static str,
    /// What to do.
    pub next: &'static str,
}

/// What is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About<'a> {
    /// A registry, a secret or a declaration, by its name.
    pub subject: &'a str,
    /// What is the matter.
    pub cause: &'a Cause,
}
