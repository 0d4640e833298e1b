//! A message to itself-later.

use std::time::Duration;

use serde_json::json;

use crate::clients::Clients;
use crate::error::Trouble;

/// The function's own queue.
pub trait Later {
    /// Has an incident looked at once more. The message comes once and sends no other.
    fn look_again(&self, incident: &str, after: Duration) -> impl Future<Output = Result<(), Trouble>> + Send;
}

impl Later for Clients {
    async fn look_again(&self, incident: &str, after: Duration) -> Result<(), Trouble> {
        let body = json!({"watchkeeper": "look", "incident": incident}).to_string();
        // SQS delays by 15 minutes at most (SQS API Reference, "SendMessage").
        let seconds = i32::try_from(after.as_secs().min(900)).unwrap_or(900);
        let send = self.sqs.send_message().queue_url(&self.queue).message_body(body).delay_seconds(seconds);
        send.send().await.map(drop).map_err(|error| Trouble::call("sending a message to be looked at later", &error))
    }
}
