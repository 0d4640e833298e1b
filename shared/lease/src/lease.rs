//! Claiming, extending and releasing a key, made of the store's steps.
//!
//! Each reads a refusal for what it may be: the same call's first try, whose answer was lost.

use time::{Duration, OffsetDateTime};

use crate::error::Trouble;
use crate::item::{Answer, Step};
use crate::key::{Fence, Holder, Key};
use crate::store::Store;

/// The right to work on a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What the work is about.
    pub key: Key,
    /// Who has it.
    pub holder: Holder,
    /// Goes with every write made under it.
    pub fence: Fence,
    /// From here on anybody may take it.
    pub until: OffsetDateTime,
}

/// Whether a key is ours to work on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Ours.
    Ours(Lease),
    /// Somebody else's, and marked dirty: a run begins after this, the holder's or the sweep's.
    Busy,
}

/// Whether a lease is still ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extended {
    /// It is, for at least as long as was asked for.
    Ours(Lease),
    /// Its time ran out and somebody took it.
    Lost,
}

/// What to do with a key that was marked dirty while it was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfDirty {
    /// Keep it, to run again.
    Again {
        /// For how long.
        until: OffsetDateTime,
    },
    /// Let it go as it is, for the sweep or the next event.
    Leave,
}

/// What became of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Released {
    /// Let go, and all that was asked for is done.
    Free,
    /// Marked dirty, and still ours under a new fence: run again.
    Again(Lease),
    /// Marked dirty and let go: the sweep or the next event runs it.
    Left,
    /// Its time ran out and somebody took it; nothing was changed.
    Lost,
}

/// Claims a key, or marks it dirty for whoever has it: one of the two, with no moment between them.
pub async fn claim(
    store: &impl Store,
    key: &Key,
    holder: &Holder,
    now: OffsetDateTime,
    for_how_long: Duration,
) -> Result<Claim, Trouble> {
    let until = now + for_how_long;
    let take = Step::Take { holder: holder.clone(), now, until };
    // Goes round only when the holder let go between the two calls.
    loop {
        let found = match store.step(key, &take).await? {
            Answer::Done(item) => {
                let (key, holder, fence) = (key.clone(), holder.clone(), item.fence);
                return Ok(Claim::Ours(Lease { key, holder, fence, until }));
            }
            Answer::Refused(found) => found,
        };
        if let Some(item) = found {
            if let Some(hold) = item.hold.filter(|hold| hold.holder == *holder) {
                let (key, holder, fence) = (key.clone(), hold.holder, item.fence);
                return Ok(Claim::Ours(Lease { key, holder, fence, until: hold.until }));
            }
            if item.dirty {
                return Ok(Claim::Busy);
            }
        }
        if let Answer::Done(_) = store.step(key, &Step::Mark { now }).await? {
            return Ok(Claim::Busy);
        }
    }
}

/// Holds a key until `until`, or for as long as it was held anyway if that is later.
pub async fn extend(store: &impl Store, lease: Lease, until: OffsetDateTime) -> Result<Extended, Trouble> {
    Ok(match store.step(&lease.key, &Step::Extend { fence: lease.fence, until }).await? {
        Answer::Done(_) => Extended::Ours(Lease { until, ..lease }),
        Answer::Refused(found) => match found.filter(|item| item.fence == lease.fence).and_then(|item| item.hold) {
            Some(hold) => Extended::Ours(Lease { until: hold.until, ..lease }),
            None => Extended::Lost,
        },
    })
}

/// Lets a key go, unless it was marked dirty: then it is as `if_dirty` says.
pub async fn release(store: &impl Store, lease: Lease, if_dirty: IfDirty) -> Result<Released, Trouble> {
    match store.step(&lease.key, &Step::Free { fence: lease.fence }).await? {
        Answer::Done(_) => Ok(Released::Free),
        Answer::Refused(Some(item)) if item.fence == lease.fence => match if_dirty {
            _ if item.hold.is_none() => Ok(Released::Free),
            IfDirty::Again { until } => again(store, lease, until).await,
            IfDirty::Leave => abandon(store, lease).await,
        },
        Answer::Refused(_) => Ok(Released::Lost),
    }
}

/// Lets a key go and leaves it dirty, because the work did not come to its end.
pub async fn abandon(store: &impl Store, lease: Lease) -> Result<Released, Trouble> {
    Ok(match store.step(&lease.key, &Step::Leave { fence: lease.fence }).await? {
        Answer::Done(_) => Released::Left,
        Answer::Refused(_) => Released::Lost,
    })
}

async fn again(store: &impl Store, lease: Lease, until: OffsetDateTime) -> Result<Released, Trouble> {
    let fence = match store.step(&lease.key, &Step::Again { fence: lease.fence, until }).await? {
        Answer::Done(item) => item.fence,
        Answer::Refused(Some(item))
            if item.fence == lease.fence.next()
                && item.hold.as_ref().is_some_and(|hold| hold.holder == lease.holder) =>
        {
            item.fence
        }
        Answer::Refused(_) => return Ok(Released::Lost),
    };
    Ok(Released::Again(Lease { fence, until, ..lease }))
}
