//! Where messages go that cannot be understood.

use aws_sdk_sqs::types::MessageAttributeValue;

use crate::clients::Clients;
use crate::error::Trouble;

/// The function's dead-letter queue.
pub trait DeadLetters {
    /// Puts a message there, with the reason as an attribute.
    fn put(&self, body: &str, reason: &str, message_id: &str) -> impl Future<Output = Result<(), Trouble>> + Send;
}

impl DeadLetters for Clients {
    async fn put(&self, body: &str, reason: &str, message_id: &str) -> Result<(), Trouble> {
        let doing = "moving a message to the dead-letter queue";
        let attribute = |value: &str| {
            MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .map_err(|error| Trouble::Call { doing, why: error.to_string() })
        };
        self.sqs
            .send_message()
            .queue_url(&self.dead_letter_queue)
            .message_body(body)
            .message_attributes("Reason", attribute(reason)?)
            .message_attributes("MessageId", attribute(message_id)?)
            .send()
            .await
            .map(drop)
            .map_err(|error| Trouble::call(doing, &error))
    }
}
