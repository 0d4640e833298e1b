//! What can go wrong.

/// Why a resource cannot be made, changed or deleted; it becomes the answer's reason, so it holds nothing secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    /// With this reason.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
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
}
