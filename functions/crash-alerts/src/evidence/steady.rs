//! Which revisions were seen steady, and with which one a revision in trouble is compared.

use time::{Duration, OffsetDateTime};
use watchkeeper_events::TaskDefinitionArn;

/// A revision without a health check is steady seconds after its task runs, and crashes minutes later. What breaks within a day of
/// its deployment most likely came with it: by then each hour of the day has been seen once.
const YOUNG: Duration = Duration::DAY;

/// A revision that was seen steady; of a standalone task's family, one whose task ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steady {
    /// It.
    pub revision: TaskDefinitionArn,
    /// Since when.
    pub since: OffsetDateTime,
}

/// The two newest revisions that a service (or a family) was seen steady on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SteadyRevisions {
    /// The one that was seen last.
    pub newest: Steady,
    /// When it was seen last.
    pub seen_at: OffsetDateTime,
    /// The one that was steady before it.
    pub before: Option<Steady>,
}

impl SteadyRevisions {
    /// The first that is known.
    #[must_use]
    pub fn first(revision: TaskDefinitionArn, seen_at: OffsetDateTime) -> Self {
        Self { newest: Steady { revision, since: seen_at }, seen_at, before: None }
    }

    /// As it is after another sight; none if that is no newer.
    #[must_use]
    pub fn after(&self, revision: &TaskDefinitionArn, seen_at: OffsetDateTime) -> Option<Self> {
        if seen_at <= self.seen_at {
            return None;
        }
        Some(if *revision == self.newest.revision {
            Self { seen_at, ..self.clone() }
        } else {
            let newest = Steady { revision: revision.clone(), since: seen_at };
            Self { newest, seen_at, before: Some(self.newest.clone()) }
        })
    }

    /// What a revision that is in trouble at `at` is to be compared with.
    pub(crate) fn against(&self, revision: &TaskDefinitionArn, at: OffsetDateTime) -> Against<'_> {
        let since = self.newest.since;
        match &self.before {
            _ if self.newest.revision != *revision => Against::Newest(&self.newest),
            _ if at - since >= YOUNG => Against::Itself { since },
            Some(before) => Against::Before { before, since },
            None => Against::Nothing,
        }
    }
}

/// What a revision in trouble is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Against<'a> {
    /// The one that was last seen steady.
    Newest(&'a Steady),
    /// The one that was steady before it: it is itself the newest, and young.
    Before {
        /// That one.
        before: &'a Steady,
        /// Since when it is itself.
        since: OffsetDateTime,
    },
    /// None: it ran all along.
    Itself {
        /// Since when.
        since: OffsetDateTime,
    },
    /// None is known.
    Nothing,
}

impl<'a> Against<'a> {
    /// The other revision, if there is one.
    pub(crate) fn other(self) -> Option<&'a Steady> {
        match self {
            Self::Newest(other) | Self::Before { before: other, .. } => Some(other),
            Self::Itself { .. } | Self::Nothing => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const SEVENTH: OffsetDateTime = datetime!(2026-11-01 10:00 UTC);
    const EIGHTH: OffsetDateTime = datetime!(2026-11-20 10:00 UTC);

    fn revision(number: u32) -> TaskDefinitionArn {
        let arn = format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/agent:{number}");
        TaskDefinitionArn::parse(&arn).unwrap()
    }

    /// 7, then 8, which was seen again.
    fn both() -> SteadyRevisions {
        let seen = SteadyRevisions::first(revision(7), SEVENTH);
        let seen = seen.after(&revision(7), EIGHTH - Duration::hours(1)).unwrap();
        seen.after(&revision(8), EIGHTH).unwrap().after(&revision(8), EIGHTH + Duration::minutes(1)).unwrap()
    }

    #[test]
    fn the_last_two_are_remembered_with_when_each_was_first_seen() {
        let seen = both();
        assert_eq!(seen.newest, Steady { revision: revision(8), since: EIGHTH });
        assert_eq!(seen.before, Some(Steady { revision: revision(7), since: SEVENTH }));
        assert_eq!(seen.seen_at, EIGHTH + Duration::minutes(1));
        let ninth = seen.after(&revision(9), EIGHTH + Duration::DAY).unwrap();
        assert_eq!(ninth.before.unwrap().revision, revision(8));
    }

    #[test]
    fn a_sight_that_is_no_newer_changes_nothing() {
        let seen = both();
        for (number, at) in [(7, EIGHTH), (9, EIGHTH), (8, EIGHTH + Duration::minutes(1))] {
            assert_eq!(seen.after(&revision(number), at), None);
        }
    }

    #[test]
    fn a_young_revision_is_compared_with_the_one_before_and_an_old_one_with_none() {
        let seen = both();
        let first = SteadyRevisions::first(revision(8), EIGHTH);
        let soon = EIGHTH + Duration::minutes(3);
        let newest = Against::Newest(&seen.newest);
        let before = Against::Before { before: seen.before.as_ref().unwrap(), since: EIGHTH };
        let itself = Against::Itself { since: EIGHTH };
        for (seen, number, at, against) in [
            (&seen, 8, soon, before),
            (&seen, 8, EIGHTH + Duration::hours(23), before),
            (&seen, 8, EIGHTH + Duration::hours(24), itself),
            // A task that stopped before it was seen steady.
            (&seen, 8, EIGHTH - Duration::minutes(1), before),
            (&seen, 9, soon, newest),
            (&seen, 7, soon, newest),
            (&first, 8, soon, Against::Nothing),
            (&first, 8, EIGHTH + Duration::hours(24), itself),
            (&first, 9, soon, Against::Newest(&first.newest)),
        ] {
            assert_eq!(seen.against(&revision(number), at), against, "{number} {at}");
        }
    }
}
