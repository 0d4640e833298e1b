//! Publishing slowly enough that SNS does not cut an e-mail subscriber off.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// SNS sets an e-mail subscription that gets more than 10 messages a second back to pending (Amazon SNS
/// quotas). The stack runs at most two of these functions at once (`MaximumConcurrency`), each sends at
/// most four a second.
pub const BETWEEN_PUBLISHES: Duration = Duration::from_millis(250);

/// Lets one publish pass every [`BETWEEN_PUBLISHES`].
#[derive(Debug, Default)]
pub struct Pacer {
    next: Mutex<Option<Instant>>,
}

impl Pacer {
    /// Waits for its turn.
    pub async fn turn(&self) {
        let mut next = self.next.lock().await;
        if let Some(at) = *next {
            sleep_until(at).await;
        }
        *next = Some(Instant::now() + BETWEEN_PUBLISHES);
    }
}
