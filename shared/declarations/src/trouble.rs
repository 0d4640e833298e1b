//! What keeps the table from answering.

use watchkeeper_aws_errors::Failed;

/// Why something about a declaration was not done. Whether a call that failed happened is not known; trying again is safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// DynamoDB refused, or was not reached.
    #[error(transparent)]
    Call(#[from] Failed),
    /// What is stored cannot be understood.
    #[error("the declaration {id} in the table cannot be understood: {why}")]
    Stored {
        /// Which.
        id: String,
        /// What is wrong with it.
        why: String,
    },
    /// Somebody else has worked on the declaration since.
    #[error("another invocation has taken over")]
    FencedOff,
}
