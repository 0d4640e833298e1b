//! A call to AWS that failed, in words for the log.

use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use watchkeeper_aws_errors::words;

/// Why one message could not be dealt with now; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// AWS refused, or was not reached.
    #[error("{doing}: {why}")]
    Call {
        /// What was being done.
        doing: &'static str,
        /// AWS's own error code and words.
        why: String,
    },
    /// AWS takes too long, and somebody waits.
    #[error("there was no answer in time")]
    Unanswered,
    /// Others changed the same incident, again and again.
    #[error("others changed the same incident at the same time, again and again")]
    Overtaken,
    /// The invocation's time ends too soon to begin.
    #[error("no time left in this invocation")]
    NoTime,
}

impl Trouble {
    /// Of an SDK error.
    pub(crate) fn call<E>(doing: &'static str, error: &SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        Self::Call { doing, why: words(error) }
    }
}
