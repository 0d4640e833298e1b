//! How far the watch is on its way round all clusters.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// A stop younger than this is left to its event, which is on its way.
pub(super) const EVENTS_TIME: Duration = Duration::minutes(1);
/// For how much longer stops are found again: clocks differ, and lists are behind.
const SLACK: Duration = Duration::minutes(2);

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The round under way; none between two.
    pub(super) round: Option<Round>,
    /// Tasks that stopped before this were all dealt with.
    #[serde(with = "time::serde::timestamp::milliseconds::option")]
    pub(super) stops_until: Option<OffsetDateTime>,
    /// The remembered service that was looked at last.
    pub(super) rechecked: Option<String>,
}

/// A round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Round {
    /// When it began.
    #[serde(with = "time::serde::timestamp::milliseconds")]
    pub(super) began_at: OffsetDateTime,
    /// Whether something of it could not be read.
    pub(super) is_faulty: bool,
    /// Clusters to come, by ARN.
    pub(super) clusters: Vec<String>,
    /// Where there are more of them.
    pub(super) more_clusters: More,
    /// The cluster it is at.
    pub(super) in_hand: Option<InHand>,
}

/// What of a cluster is to be looked at still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct InHand {
    /// Its ARN.
    pub(super) cluster: String,
    /// Services by name.
    pub(super) services: Vec<String>,
    /// Where there are more of them.
    pub(super) more_services: More,
    /// Stopped tasks by id.
    pub(super) stopped: Vec<String>,
    /// Where there are more of them.
    pub(super) more_stopped: More,
}

/// What of a list is to be asked for next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum More {
    /// Its beginning.
    #[default]
    First,
    /// What comes after; ECS's token.
    After(String),
    /// Nothing.
    Nothing,
}

impl Cursor {
    /// The round under way; a new one if there is none.
    pub(super) fn round(&mut self, now: OffsetDateTime) -> &mut Round {
        self.round.get_or_insert_with(|| Round {
            began_at: now,
            is_faulty: false,
            clusters: Vec::new(),
            more_clusters: More::First,
            in_hand: None,
        })
    }

    /// The round is over; whether all of it was read.
    pub(super) fn end(&mut self) -> bool {
        let Some(round) = self.round.take() else { return false };
        if !round.is_faulty {
            self.stops_until = Some(round.began_at - EVENTS_TIME - SLACK);
        }
        !round.is_faulty
    }
}

impl InHand {
    /// All of it.
    pub(super) fn new(cluster: String) -> Self {
        Self {
            cluster,
            services: Vec::new(),
            more_services: More::First,
            stopped: Vec::new(),
            more_stopped: More::First,
        }
    }
}

impl More {
    /// Whether there is nothing to ask for.
    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }

    /// The token to ask with.
    pub(super) fn token(&self) -> Option<String> {
        match self {
            Self::First | Self::Nothing => None,
            Self::After(token) => Some(token.clone()),
        }
    }

    /// What an answer with that token leaves.
    pub(super) fn of(token: Option<String>) -> Self {
        token.map_or(Self::Nothing, Self::After)
    }
}

/// As instants are kept.
pub(super) fn to_the_millisecond(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_millisecond(at.millisecond()).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        let now = to_the_millisecond(OffsetDateTime::now_utc());
        for more in [More::First, More::After("t".to_owned()), More::Nothing] {
            let mut cursor = Cursor { stops_until: Some(now), rechecked: Some("s".to_owned()), round: None };
            let round = cursor.round(now);
            round.clusters.push("c".to_owned());
            let mut hand = InHand::new("d".to_owned());
            hand.services.push("s".to_owned());
            hand.more_stopped = more;
            round.in_hand = Some(hand);
            let written = serde_json::to_string(&cursor).unwrap();
            assert_eq!(serde_json::from_str::<Cursor>(&written).unwrap(), cursor, "{written}");
        }
    }

    #[test]
    fn stops_are_found_again_after_a_round_with_faults() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::hours(1);
        let mut cursor = Cursor::default();
        cursor.round(now).is_faulty = true;
        assert!(!cursor.end());
        assert_eq!(cursor.stops_until, None);
        cursor.round(now);
        assert!(cursor.end());
        assert_eq!(cursor.stops_until, Some(now - Duration::minutes(3)));
    }
}
