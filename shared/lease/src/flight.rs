//! Work that never runs twice at once on the same key.

use time::{Duration, OffsetDateTime};

use crate::error::Trouble;
use crate::key::{Holder, Key};
use crate::lease::{Claim, IfDirty, Lease, Released, abandon, claim, release};
use crate::store::Store;

/// The time there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// When the invocation is over. The lease lasts until then: a holder that is cut off is known to be dead no later.
    pub deadline: OffsetDateTime,
    /// What must be left of it to begin a run.
    pub for_a_run: Duration,
}

impl Budget {
    fn allows_a_run(&self, now: OffsetDateTime) -> bool {
        now + self.for_a_run <= self.deadline
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flight<T> {
    /// Another is at work on the key and will see to it, or the sweep.
    Busy,
    /// The work ran.
    Ran {
        /// What the last run gave.
        last: T,
        /// How often it ran.
        runs: u32,
        /// How the lease ended.
        end: End,
    },
}

/// How a lease ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All that was asked for is done.
    Free,
    /// More was asked for and no time was left: the key is dirty, for the sweep or the next event.
    Left,
    /// The lease's time had run out, and another has the key.
    Lost,
}

/// Why the work was not done. Whoever asked for it asks again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlightError<E> {
    /// There is not enough time for a run, so it was not begun.
    #[error("no time left to begin work on {0}")]
    NoTime(Key),
    /// The lease could not be claimed or released.
    #[error(transparent)]
    Lease(#[from] Trouble),
    /// The work failed; the key is left dirty.
    #[error("{0}")]
    Work(E),
}

/// Claims the key, runs `work` and releases the key; runs again for as long as it was marked dirty meanwhile and time is left.
///
/// Dropped half-way it leaves the key held: its time runs out and the sweep finds it.
pub async fn single_flight<T, E, W: Future<Output = Result<T, E>>>(
    store: &impl Store,
    key: &Key,
    holder: &Holder,
    clock: impl Fn() -> OffsetDateTime,
    budget: Budget,
    mut work: impl FnMut(Lease) -> W,
) -> Result<Flight<T>, FlightError<E>> {
    let now = clock();
    if !budget.allows_a_run(now) {
        return Err(FlightError::NoTime(key.clone()));
    }
    let mut lease = match claim(store, key, holder, now, budget.deadline - now).await? {
        Claim::Ours(lease) => lease,
        Claim::Busy => return Ok(Flight::Busy),
    };
    let mut runs = 0;
    loop {
        let last = match work(lease.clone()).await {
            Ok(last) => last,
            Err(error) => {
                // Where this fails too, the lease's time runs out, and the sweep finds the key no less.
                let _ = abandon(store, lease).await;
                return Err(FlightError::Work(error));
            }
        };
        runs += 1;
        let if_dirty =
            if budget.allows_a_run(clock()) { IfDirty::Again { until: budget.deadline } } else { IfDirty::Leave };
        let end = match release(store, lease, if_dirty).await? {
            Released::Again(renewed) => {
                lease = renewed;
                continue;
            }
            Released::Free => End::Free,
            Released::Left => End::Left,
            Released::Lost => End::Lost,
        };
        return Ok(Flight::Ran { last, runs, end });
    }
}
