//! What AWS answered to a call that failed, as trouble in words for ops.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::Trouble;

/// "Not now" in an answer of status 400. The first six are throttling (Cloud Map and Route 53 each have words of their own),
/// the seventh is Route 53 still at work on the zone's last change, the rest are credentials that are about to be renewed.
const NOT_NOW: [&str; 10] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottledException",
    "TooManyRequestsException",
    "PriorRequestNotComplete",
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
];
/// An answer may quote what was sent, however long that is.
const LONGEST: usize = 400;

/// Sorts a failed call. `doing` says what was tried, and where; `listed` what the stack's parameter must name for it.
pub(super) fn trouble<E>(doing: &str, listed: &str, error: &SdkError<E, HttpResponse>) -> Trouble
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let status = watchkeeper_aws_errors::status(error);
    let code = error.code().unwrap_or_default();
    let text = format!("{doing}: {}", words(error));
    if NOT_NOW.contains(&code) || status == Some(429) || status.is_some_and(|status| status >= 500) {
        return Trouble::Unavailable(text);
    }
    match error {
        SdkError::ServiceError(_) if code.starts_with("AccessDenied") || status == Some(403) => {
            Trouble::Refused(format!(
                "{text}. Watchkeeper may write only what the parameter RegistryArns of its stack lists: {listed} must be there"
            ))
        }
        SdkError::ServiceError(_) | SdkError::ConstructionFailure(_) => Trouble::Refused(text),
        // A time-out, no connection, an answer that makes no sense.
        _ => Trouble::Unavailable(text),
    }
}

/// What was said, in a line.
pub(super) fn words<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: Error + ProvideErrorMetadata + 'static,
{
    line(&watchkeeper_aws_errors::words(error))
}

/// A text of others as one line of bounded length.
pub(super) fn line(text: &str) -> String {
    let line: String = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).take(LONGEST).collect();
    line.trim().to_owned()
}
