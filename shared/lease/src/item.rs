//! A key's item and what can happen to it: absent, free, held, and dirty or not.
//!
//! Pure: the clock's time is part of a step. `store.rs` says each step again as one `UpdateItem`, and a test holds the two
//! against each other. A request may reach the store twice, or long after its caller gave it up; so every step of a holder
//! names a fence, and running again raises it: what is late finds another fence and changes nothing.

use time::OffsetDateTime;

use crate::key::{Fence, Holder};

/// What the table knows of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// That of the newest run.
    pub fence: Fence,
    /// Who has it; nobody, if it is free.
    pub hold: Option<Hold>,
    /// Work was asked for after the newest run began, or that run did not come to its end.
    pub dirty: bool,
}

impl Item {
    /// Whether there is work to do and nobody alive to do it: what the sweep takes up.
    pub fn is_unattended(&self, now: OffsetDateTime) -> bool {
        match &self.hold {
            Some(hold) => hold.until <= now,
            None => self.dirty,
        }
    }
}

/// Who has a key, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Who.
    pub holder: Holder,
    /// From here on anybody may take it.
    pub until: OffsetDateTime,
}

/// One call to the store: it happens wholly, or is refused and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Takes a key that is free or whose holder's time ran out.
    Take {
        /// For whom.
        holder: Holder,
        /// The claimant's time.
        now: OffsetDateTime,
        /// For how long.
        until: OffsetDateTime,
    },
    /// Marks a held key dirty. Refused exactly when [`Step::Take`] at the same time is not.
    Mark {
        /// The claimant's time.
        now: OffsetDateTime,
    },
    /// Lets a key go that is not dirty.
    Free {
        /// The holder's fence.
        fence: Fence,
    },
    /// Keeps a key for another run, which is what its mark asked for.
    Again {
        /// The fence of the run that ended.
        fence: Fence,
        /// For how long.
        until: OffsetDateTime,
    },
    /// Lets a key go and leaves it dirty.
    Leave {
        /// The holder's fence.
        fence: Fence,
    },
    /// Holds a key for longer; never for less.
    Extend {
        /// The holder's fence.
        fence: Fence,
        /// For how long.
        until: OffsetDateTime,
    },
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The item as it is now.
    Done(Item),
    /// The item as it was found and left.
    Refused(Option<Item>),
}

/// What a step does to a key's item.
#[must_use]
pub fn step(found: Option<Item>, step: &Step) -> Answer {
    let after = match (&found, step) {
        (None, Step::Take { holder, now, until }) => Some(held(Fence::before_first(*now).next(), holder, *until)),
        (Some(item), Step::Take { holder, now, until }) if item.hold.as_ref().is_none_or(|hold| hold.until <= *now) => {
            Some(held(item.fence.next(), holder, *until))
        }
        (Some(item), Step::Mark { now }) if item.hold.as_ref().is_some_and(|hold| hold.until > *now) => {
            Some(Item { dirty: true, ..item.clone() })
        }
        (Some(item), Step::Free { fence }) if item.fence == *fence && !item.dirty => {
            Some(Item { hold: None, ..item.clone() })
        }
        (Some(Item { fence: found, hold: Some(hold), .. }), Step::Again { fence, until }) if found == fence => {
            Some(held(fence.next(), &hold.holder, *until))
        }
        (Some(item), Step::Leave { fence }) if item.fence == *fence => {
            Some(Item { hold: None, dirty: true, ..item.clone() })
        }
        (Some(Item { fence: found, hold: Some(hold), dirty }), Step::Extend { fence, until })
            if found == fence && hold.until < *until =>
        {
            Some(Item { dirty: *dirty, ..held(*fence, &hold.holder, *until) })
        }
        _ => None,
    };
    after.map_or(Answer::Refused(found), Answer::Done)
}

fn held(fence: Fence, holder: &Holder, until: OffsetDateTime) -> Item {
    Item { fence, hold: Some(Hold { holder: holder.clone(), until }), dirty: false }
}
