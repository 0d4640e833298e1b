//! Calls of ECS, counted.

use std::time::Duration;

use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use time::OffsetDateTime;
use tokio::time::sleep;
use watchkeeper_aws_errors::Failed;

/// Why it does not go on now.
#[derive(Debug)]
pub(super) enum Stop {
    /// All calls are made, or the time is over.
    Spent,
    /// ECS has had too many, from whomever.
    Throttled(Failed),
    /// One failed.
    Failed(Failed),
}

impl Stop {
    /// Of an SDK error.
    pub(super) fn of<E>(doing: &'static str, error: &SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let failed = Failed::of(doing, error);
        if error.code().is_some_and(is_throttling) { Self::Throttled(failed) } else { Self::Failed(failed) }
    }
}

impl From<Failed> for Stop {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

/// The ways in which AWS says it ("Request throttling for the Amazon ECS API", and what the SDKs take for it).
fn is_throttling(code: &str) -> bool {
    code.starts_with("Throttl") || ["TooManyRequestsException", "RequestLimitExceeded"].contains(&code)
}

/// How many calls may be made still.
#[derive(Debug)]
pub(super) struct Calls {
    left: usize,
    pace: Option<Pace>,
}

#[derive(Debug)]
struct Pace {
    between: Duration,
    until: OffsetDateTime,
    clock: fn() -> OffsetDateTime,
}

impl Calls {
    /// So many, as quickly as they are answered.
    pub(super) fn new(left: usize) -> Self {
        Self { left, pace: None }
    }

    /// One every `between`, until then.
    pub(super) fn paced(self, between: Duration, until: OffsetDateTime, clock: fn() -> OffsetDateTime) -> Self {
        Self { pace: Some(Pace { between, until, clock }), ..self }
    }

    /// To be asked before each.
    pub(super) async fn take(&mut self) -> Result<(), Stop> {
        if let Some(Pace { between, until, clock }) = &self.pace {
            if clock() + *between >= *until {
                return Err(Stop::Spent);
            }
            sleep(*between).await;
        }
        self.left = self.left.checked_sub(1).ok_or(Stop::Spent)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_are_counted() {
        let mut calls = Calls::new(2);
        for _ in 0..2 {
            calls.take().await.unwrap();
        }
        assert!(matches!(calls.take().await, Err(Stop::Spent)));
    }

    #[tokio::test]
    async fn none_is_made_after_the_deadline() {
        let over = OffsetDateTime::now_utc();
        let mut calls = Calls::new(2).paced(Duration::from_millis(1), over, OffsetDateTime::now_utc);
        assert!(matches!(calls.take().await, Err(Stop::Spent)));
    }

    #[test]
    fn throttling_has_many_names() {
        for code in ["ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException"] {
            assert!(is_throttling(code), "{code}");
        }
        for code in ["AccessDeniedException", "ServerException", "ClusterNotFoundException"] {
            assert!(!is_throttling(code), "{code}");
        }
    }
}
