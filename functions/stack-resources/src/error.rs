//! Refusals of S3, in words for the stack's events.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use watchkeeper_aws_errors::{status, words};
use watchkeeper_custom_resources::Failure;

use crate::place::Place;

/// What S3 said of a call that failed.
pub(crate) fn failure<E>(doing: &str, place: &Place, error: &SdkError<E>) -> Failure
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let hint = match status(error) {
        Some(403) => ". The stack of Watchkeeper says with its parameter BucketObjectArns which objects it may touch",
        Some(412) => ". Somebody changed the object at the same time",
        Some(301 | 307) => ". The bucket is in another region",
        _ => "",
    };
    Failure::new(format!("{doing} {place}: {}{hint}", words(error)))
}
