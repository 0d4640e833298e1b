//! Redelivery in seconds: what a function left unfinished comes back by the queue's visibility timeout, which is minutes.
//!
//! A message that is in flight already cannot be called back: `ChangeMessageVisibility` needs its receipt handle, and only
//! the event source mapping has that. So the time-outs are made short before the message is sent, both of them, in the order
//! of size that Lambda demands (Lambda Developer Guide, "Using Lambda with Amazon SQS").

use std::time::Duration;

use serde_json::json;

use crate::aws::{Aws, AwsError};

/// A function's time-out after [`make_quick`]: enough for a message or two.
pub const FUNCTION_TIMEOUT: Duration = Duration::from_secs(8);
/// A queue's visibility timeout after [`make_quick`].
pub const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(10);

/// From now on `function` has [`FUNCTION_TIMEOUT`] for an invocation, and messages that it leaves in the queue come again
/// after [`VISIBILITY_TIMEOUT`].
pub async fn make_quick(aws: &Aws, function: &str, queue_url: &str) -> Result<(), AwsError> {
    let configuration = json!({ "Timeout": FUNCTION_TIMEOUT.as_secs() }).to_string();
    let path = format!("/2015-03-31/functions/{function}/configuration");
    aws.rest("lambda", "PUT", &path, configuration.into_bytes()).await?;
    let visibility = VISIBILITY_TIMEOUT.as_secs().to_string();
    let attributes = json!({ "QueueUrl": queue_url, "Attributes": { "VisibilityTimeout": visibility } });
    aws.json("sqs", "AmazonSQS.SetQueueAttributes", &attributes).await.map(drop)
}
