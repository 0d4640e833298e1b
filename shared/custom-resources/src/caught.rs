//! Panics of a resource become failures: CloudFormation would else wait an hour.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use lambda_runtime::tracing::error;

/// The work panicked. Its message stays out of answers and logs: it may quote what the work was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panicked;

/// Runs `work` to its end or to its panic.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut work = pin!(work);
    poll_fn(|context| {
        // Nothing that a panic leaves half changed is looked at again: the work is dropped.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    })
    .await
}

/// From now on a panic logs where it was, and not what it says: the standard library's own panics quote the text that they
/// are about.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(place, "a panic");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_the_work_only() {
        assert_eq!(caught(async { 5 }).await, Ok(5));
        let panics = async {
            tokio::task::yield_now().await;
            assert!(std::env::args().count() == 0, "on purpose");
        };
        assert_eq!(caught(panics).await, Err(Panicked));
    }
}
