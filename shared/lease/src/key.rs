//! What a lease is about, who holds it, and its fencing number.

use std::fmt;

use time::OffsetDateTime;

/// The kind of work that a function does on its keys, for example `registration`. The sweep asks for one kind at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub &'static str);

/// What the work is about, for example `registration#stack/agent`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    kind: Kind,
    subject: String,
}

impl Key {
    /// A key of this kind. The subject is a sort key in the table: DynamoDB refuses an empty one and one above 1,024 bytes.
    pub fn new(kind: Kind, subject: impl Into<String>) -> Self {
        Self { kind, subject: subject.into() }
    }

    /// The kind of work.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is worked on.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.kind.0, self.subject)
    }
}

/// Who holds a lease: one piece of work in one invocation, for example the request id and the message id.
///
/// A claim that is tried again after its answer was lost knows itself by this name, so two that may run at the same time
/// must never share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Holder(pub String);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The fencing number: each run under a key's lease has a higher one than every run before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub u64);

impl Fence {
    /// What the first fence of a key counts from: the time in milliseconds.
    ///
    /// A key's item may go by its TTL, while items that were written under its old fences stay. Counting from 1 again would
    /// let an old holder's writes through and refuse the new one's for good. The clock is past all old fences, since nobody
    /// claims one key a thousand times a second for the month that an item outlives its last lease.
    pub(crate) fn before_first(now: OffsetDateTime) -> Self {
        Self(u64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default())
    }

    /// The next run's.
    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
