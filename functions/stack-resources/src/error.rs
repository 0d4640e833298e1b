//! Refusals of S3, in words for the stack's events.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use watchkeeper_custom_resources::Failure;

use crate::place::Place;

/// What S3 said of a call that failed.
pub(crate) fn failure<E>(doing: &str, place: &Place, error: &SdkError<E>) -> Failure
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let status = status(error);
    let said = match (error.code(), error.message(), status) {
        (Some(code), Some(message), _) => format!("{code}: {message}"),
        (Some(code), None, _) => code.to_owned(),
        (None, _, Some(status)) => format!("HTTP status {status}"),
        (None, _, None) => DisplayErrorContext(error).to_string(),
    };
    let hint = match status {
        Some(403) => ". The stack of Watchkeeper says with its parameter BucketObjectArns which objects it may touch",
        Some(412) => ". Somebody changed the object at the same time",
        Some(301 | 307) => ". The bucket is in another region",
        _ => "",
    };
    Failure::new(format!("{doing} {place}: {said}{hint}"))
}

/// The HTTP status that S3 answered with.
pub(crate) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}
