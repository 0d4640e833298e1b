//! What can go wrong.

use crate::ledger::LedgerError;

/// Why a resource cannot be made, changed or deleted; it becomes the answer's reason, so it holds nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    reason: String,
    may_pass: bool,
}

impl Failure {
    /// For good, with this reason.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), may_pass: false }
    }

    /// Not yet: a later try may succeed. The sweep brings it, as long as CloudFormation waits.
    #[must_use]
    pub fn later(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), may_pass: true }
    }

    /// Whether a later try may succeed.
    pub fn may_pass(&self) -> bool {
        self.may_pass
    }
}

/// Why an invocation failed, so that Lambda tries it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undone {
    /// Another invocation works on the same request.
    #[error("another invocation works on this request; the next try comes when its time is over")]
    InFlight,
    /// Nobody can be told, because the event does not say where, or names a place that is not CloudFormation's.
    #[error("not a request that can be answered: {0}")]
    Unanswerable(String),
    /// CloudFormation's bucket was not reached, or refused it.
    #[error("the answer is not delivered yet: {0}")]
    NotDelivered(String),
    /// It is not known which requests wait.
    #[error("no waiting request was tried again: {0}")]
    NotSwept(#[from] LedgerError),
}
