//! What AWS said of a call that failed, in words for a log, an alert or a stack's events.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A call to AWS that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {why}")]
pub struct Failed {
    /// What was being done.
    pub doing: &'static str,
    /// AWS's own error code and words.
    pub why: String,
    /// Whether it is refused until a person changes something.
    pub for_good: bool,
}

impl Failed {
    /// Of an SDK error.
    pub fn of<E>(doing: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let for_good = error.code().is_some_and(|code| code.starts_with("AccessDenied"));
        Self { doing, why: words(error), for_good }
    }
}

/// AWS's own error code and words. An answer that the SDK could not read is given by its status alone: what is in it could
/// be anything.
pub fn words<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: Error + ProvideErrorMetadata + 'static,
{
    match (error.code(), error.message(), status(error)) {
        (Some(code), Some(message), _) => format!("{code}: {message}"),
        (Some(code), None, _) => code.to_owned(),
        (None, _, Some(status)) => format!("HTTP status {status}, without an error code"),
        (None, _, None) => DisplayErrorContext(error).to_string(),
    }
}

/// The HTTP status that AWS answered with, if it answered.
pub fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}
