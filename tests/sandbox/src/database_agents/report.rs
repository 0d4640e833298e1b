//! What an agent says of its work.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Where every agent says it.
pub const REPORT: &str = "/report";

/// How often something went well or wrong, and when last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Since when it has gone well without fail.
    #[serde(with = "time::serde::rfc3339::option")]
    pub well_since: Option<OffsetDateTime>,
    /// How often it went well.
    pub worked: u64,
    /// How often it did not.
    pub failed: u64,
    /// When it last went well.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_worked: Option<OffsetDateTime>,
    /// When it last did not.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_failed: Option<OffsetDateTime>,
}

impl Tally {
    /// It went well.
    pub fn worked(&mut self, at: OffsetDateTime) {
        self.worked += 1;
        self.well_since.get_or_insert(at);
        self.last_worked = Some(at);
    }

    /// It went wrong.
    pub fn failed(&mut self, at: OffsetDateTime) {
        self.failed += 1;
        self.well_since = None;
        self.last_failed = Some(at);
    }

    /// Whether the last time went well.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.well_since.is_some()
    }
}

/// What a process of an agent did since it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The agent's name.
    pub agent: String,
    /// When it began to work.
    #[serde(with = "time::serde::rfc3339")]
    pub began: OffsetDateTime,
    /// Its queries.
    pub queries: Tally,
    /// The connections that it made, or could not make.
    pub logins: Tally,
}

impl Report {
    /// Whether it logged in after `instant` and has worked since: it has the password of that time. Before its pool renews
    /// its connections an agent works with any password.
    #[must_use]
    pub fn works_since(&self, instant: OffsetDateTime) -> bool {
        let new = self.logins.last_worked.filter(|at| *at > instant);
        new.is_some_and(|login| self.queries.last_worked >= Some(login))
            && self.logins.is_well()
            && self.queries.is_well()
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn it_works_since_an_instant_if_it_logged_in_after_it_and_did_not_fail_again() {
        let instant = datetime!(2026-11-20 10:00 UTC);
        // Seconds after the instant, in order, and whether it went well then.
        let tally = |story: &[(i64, bool)]| {
            let mut tally = Tally::default();
            for (seconds, well) in story {
                let at = instant + Duration::seconds(*seconds);
                if *well { tally.worked(at) } else { tally.failed(at) }
            }
            tally
        };
        let report = |logins: &[(i64, bool)], queries: &[(i64, bool)]| Report {
            agent: "one".to_owned(),
            began: instant,
            queries: tally(queries),
            logins: tally(logins),
        };
        let again = report(&[(-9, true), (1, false), (2, true)], &[(-9, true), (1, false), (3, true), (4, true)]);
        assert!(again.works_since(instant));
        assert_eq!(again.queries.well_since, Some(instant + Duration::seconds(3)));
        assert_eq!((again.queries.worked, again.queries.failed), (3, 1));
        for no in [
            // On old connections only.
            report(&[(-9, true)], &[(-9, true), (3, true)]),
            // No query yet on the new one.
            report(&[(-9, true), (2, true)], &[(-9, true), (1, true)]),
            // It failed again.
            report(&[(2, true), (4, false)], &[(3, true)]),
            report(&[(2, true)], &[(3, true), (4, false)]),
        ] {
            assert!(!no.works_since(instant), "{no:?}");
        }
        let text = serde_json::to_string(&again).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), again);
    }
}
