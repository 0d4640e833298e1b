//! The watch: each minute's look at all services and stopped tasks of the region, for what no event told.
//!
//! A look makes at most [`CALLS`] calls of ECS. Services that are remembered as unwell come first, then it goes on with the
//! round where the last look ended: for each cluster its services, then the tasks that stopped there. A small account is gone
//! round in every look; else a round takes about (3 × clusters + services / 10 + stopped tasks / 50) / 20 looks.
//!
//! What a look found is to be dealt with and then [`settle`]d. If that does not come about, the next look finds it again.

mod cursor;
mod ecs;
mod limits;
mod memory;
mod sight;
mod stop;
mod walk;

use lambda_runtime::tracing::warn;
use time::OffsetDateTime;
use watchkeeper_events::{ServiceArn, TaskStateChange};

use crate::error::Trouble;
use crate::plan::watch::{Change, Decision, Finding, Limits, Seen, State, decide};
pub use cursor::Cursor;
pub(crate) use ecs::missing;
pub use ecs::{Ecs, Failure, Listed};
pub use limits::WrongLimit;
pub use memory::{Memory, Recalled};
pub use sight::IGNORE_TAG;
pub(crate) use sight::tasks;
pub(crate) use stop::stopped;
use walk::Walk;
pub use walk::{CALLS, RECHECKS, STOPS};

/// What one look found.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Faults and overs of services. Those that last are found by every look.
    pub findings: Vec<Finding>,
    /// Tasks that stopped, in the order in which they did: also those whose events came, so they are to be compared by task.
    pub stopped: Vec<TaskStateChange>,
    /// Services that were seen and are tagged [`IGNORE_TAG`] = `true`; their crashes are not to be told either.
    pub ignored: Vec<ServiceArn>,
    /// What could not be read, in words.
    pub troubles: Vec<String>,
    /// Whether the round was ended by this look and nothing was left out of it.
    pub complete: bool,
    cursor: Cursor,
}

/// Looks, and remembers what must be told again later. Only the table's trouble is an error; that of ECS is in
/// [`Look::troubles`], and what could not be read keeps the state in which it was.
///
/// One look at a time: two at once disturb nothing, but find the same.
pub async fn look(
    aws: &(impl Ecs + Sync),
    store: &(impl Memory + Sync),
    limits: &Limits,
    now: OffsetDateTime,
) -> Result<Look, Trouble> {
    let now = cursor::to_the_millisecond(now);
    let Recalled { remembered, mut cursor } = store.recall().await?;
    let mut walk = Walk::new(aws, now);
    let complete = walk.recheck(&remembered, &mut cursor).await && walk.go_round(&mut cursor).await;
    let (seen, stopped, troubles) = walk.done();
    for trouble in &troubles {
        warn!(trouble, "not everything was looked at");
    }
    let Decision { findings, changes } = decide(&seen, &remembered, limits, now);
    for change in &changes {
        match change {
            Change::Remember(remembered) => store.remember(remembered).await?,
            Change::Forget(service, trouble) => store.forget(service, *trouble, None).await?,
        }
    }
    let ignored = seen.iter().filter(|seen| matches!(seen, Seen::There(found) if found.ignored));
    Ok(Look {
        findings,
        stopped,
        ignored: ignored.map(|seen| seen.service().clone()).collect(),
        troubles,
        complete,
        cursor,
    })
}

/// To be called once everything in a look is dealt with: its overs are forgotten, its stops are not found again (but for those
/// of the last minutes, and those of a round of which something could not be read), and the next look goes on where it ended.
pub async fn settle(store: &(impl Memory + Sync), look: &Look) -> Result<(), Trouble> {
    for finding in &look.findings {
        if let State::Over { at, .. } = finding.state {
            store.forget(&finding.service, finding.trouble, Some(at)).await?;
        }
    }
    store.keep(&look.cursor).await
}
