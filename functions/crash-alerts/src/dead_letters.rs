//! Where messages go that cannot be understood.

use crate::clients::Clients;
use crate::error::Trouble;

/// The function's dead-letter queue.
pub trait DeadLetters {
    /// Puts a message there, with the reason as an attribute.
    fn put(&self, body: &str, reason: &str, message_id: &str) -> impl Future<Output = Result<(), Trouble>> + Send;
}

impl DeadLetters for Clients {
    async fn put(&self, body: &str, reason: &str, message_id: &str) -> Result<(), Trouble> {
        let put = self.dead_letters.put(body, reason, message_id).await;
        put.map_err(|why| Trouble::Call { doing: "moving a message to the dead-letter queue", why })
    }
}
