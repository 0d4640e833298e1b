//! What each function does with its queue in the same way.

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsMessage};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use time::OffsetDateTime;
use watchkeeper_aws_errors::words;

/// When SQS took the message (SQS Developer Guide, `SentTimestamp`, milliseconds since 1970).
#[must_use]
pub fn sent_at(message: &SqsMessage) -> Option<OffsetDateTime> {
    let milliseconds: i128 = message.attributes.get("SentTimestamp")?.parse().ok()?;
    OffsetDateTime::from_unix_timestamp_nanos(milliseconds.checked_mul(1_000_000)?).ok()
}

/// The answer to a batch of which these messages must come again.
#[must_use]
pub fn come_again(message_ids: Vec<String>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for message_id in message_ids {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = message_id;
        response.batch_item_failures.push(failure);
    }
    response
}

/// The dead-letter queue, for messages that cannot be understood: they would only come again and block others.
#[derive(Debug, Clone)]
pub struct DeadLetterQueue {
    sqs: Client,
    url: String,
}

impl DeadLetterQueue {
    /// The queue of this URL.
    #[must_use]
    pub fn new(sqs: Client, url: impl Into<String>) -> Self {
        Self { sqs, url: url.into() }
    }

    /// Puts a message there, with the reason and its own id as attributes. The error is what SQS said.
    pub async fn put(&self, body: &str, reason: &str, message_id: &str) -> Result<(), String> {
        let attribute = |value: &str| {
            let attribute = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            attribute.map_err(|error| error.to_string())
        };
        let send = self.sqs.send_message().queue_url(&self.url).message_body(body);
        let send = send.message_attributes("Reason", attribute(reason)?);
        let send = send.message_attributes("MessageId", attribute(message_id)?);
        send.send().await.map(drop).map_err(|error| words(&error))
    }
}
