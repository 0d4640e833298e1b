//! What keeps the store from answering, in words for the log.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use watchkeeper_aws_errors::words;

/// A call about a lease that failed. Whether it happened is not known; trying again is safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// DynamoDB refused, or was not reached.
    #[error("{doing} {about}: {why}")]
    Call {
        /// What was being done.
        doing: &'static str,
        /// To which key, or to which kind of keys.
        about: String,
        /// DynamoDB's own error code and words.
        why: String,
    },
    /// The item of a lease is not one.
    #[error("{doing} {about}: its item in the table has no usable attribute `{attribute}`")]
    Item {
        /// What was being done.
        doing: &'static str,
        /// To which key, or to which kind of keys.
        about: String,
        /// What is missing or of the wrong type.
        attribute: &'static str,
    },
}

impl Trouble {
    /// Of an SDK error.
    pub(crate) fn call<E>(doing: &'static str, about: &impl ToString, error: &SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        Self::Call { doing, about: about.to_string(), why: words(error) }
    }
}
