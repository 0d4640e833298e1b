//! A time in which messages come together.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use watchkeeper_alerts::Notice;
use watchkeeper_stops::Severity;

use super::line::Line;
use crate::plan::incident::Incident;
use crate::plan::rules::Rules;

/// How many lines a digest holds …
const LINES: usize = 200;
/// … and how many bytes of them, as they are stored: a usual line has 400 to 450. What comes beyond is counted and not named.
const BYTES: usize = 90_000;

/// Any fixed value does, it only must never change.
const NAMESPACE: Uuid = Uuid::from_u128(0x5a0c_9e4b_36d1_4f57_8d02_c7f3_1b68_ae94);

/// A time in which messages come together. Ops know it by its id as they know an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spell {
    /// Its id.
    pub id: String,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub began: OffsetDateTime,
    /// How many digests there were.
    pub digests: u32,
    /// Whether it is a storm just now.
    pub storm: bool,
    /// When the next digest is due, if there is anything for it.
    #[serde(with = "time::serde::rfc3339")]
    pub next_at: OffsetDateTime,
    /// When the last digest was decided.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub told_at: Option<OffsetDateTime>,
    /// How urgent the most urgent is that it told of.
    pub severity: Severity,
    /// What the next digest tells.
    pub waiting: Vec<Line>,
    /// What more it would tell, if it could hold it.
    pub left_out: u64,
    /// The incidents that digests told of and that are not over yet, by their ids.
    pub open: Vec<String>,
    /// Whether there ever were any of which the end is not told.
    pub told_of_any: bool,
    /// A digest that is decided and not yet known to be sent.
    pub outbox: Option<Digest>,
}

/// A digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// Its number among the spell's.
    pub number: u32,
    /// What it tells.
    pub lines: Vec<Line>,
    /// What more it would tell, if it could hold it.
    pub left_out: u64,
    /// Whether all is over that its spell told of.
    pub over: bool,
    /// Whether there is a storm.
    pub storm: bool,
}

impl Spell {
    pub(super) fn begin(first: &Incident, now: OffsetDateTime) -> Self {
        let name = format!("{} {}", first.id, now.unix_timestamp_nanos());
        Self {
            id: Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string(),
            began: now,
            digests: 0,
            storm: false,
            next_at: now,
            told_at: None,
            severity: first.severity,
            waiting: Vec::new(),
            left_out: 0,
            open: Vec::new(),
            told_of_any: false,
            outbox: None,
        }
    }

    /// Whether what comes now is none of its business any more but a beginning, which ops are to be told as one: all is over that it
    /// told of, or a storm begins, or something begins after nothing was told for as long as a storm is over after. What was told
    /// before and is told again (repeated, escalated, over) goes on under its id, however old it is.
    pub(super) fn is_past(&self, notice: Notice, storm_begins: bool, now: OffsetDateTime, rules: &Rules) -> bool {
        if self.digests == 0 {
            // Its own beginning is yet to be told.
            return false;
        }
        let is_over = !self.storm && !self.told_of_any;
        let is_quiet = !self.storm && now - self.told_at.unwrap_or(self.next_at) >= rules.storm_window;
        is_over || storm_begins || (is_quiet && notice == Notice::Opened)
    }

    /// The next one, which tells what this one did not get to.
    pub(super) fn succeed(&mut self, first: &Incident, now: OffsetDateTime) -> Self {
        let waiting = std::mem::take(&mut self.waiting);
        let left_out = std::mem::take(&mut self.left_out);
        let tells = |id: &String| waiting.iter().any(|line| line.is_open() && line.incident.id == *id);
        let begins = |id: &String| waiting.iter().any(|line| line.notice == Notice::Opened && line.incident.id == *id);
        let open: Vec<_> = self.open.iter().filter(|id| tells(id)).cloned().collect();
        self.open.retain(|id| !begins(id));
        let told_of_any = left_out > 0 || waiting.iter().any(Line::is_open);
        Self { waiting, left_out, open, told_of_any, ..Self::begin(first, now) }
    }

    /// This is told by the next digest. Once something was left out, so is what follows.
    pub(super) fn add(&mut self, line: Line) {
        let has_room = || {
            let bytes: usize = self.waiting.iter().map(Line::bytes).sum();
            self.waiting.len() < LINES && bytes + line.bytes() <= BYTES
        };
        if self.left_out == 0 && has_room() {
            self.waiting.push(line);
        } else {
            // It is told of as well, though not by name.
            self.severity = self.severity.max(line.incident.severity);
            self.left_out += 1;
        }
    }

    /// A storm over which a whole window has passed without anything new is none any more.
    pub(super) fn is_spent(&self, now: OffsetDateTime) -> bool {
        self.storm && self.waiting.is_empty() && self.outbox.is_none() && now >= self.next_at
    }

    /// What waits is told.
    pub(super) fn tell(&mut self, now: OffsetDateTime, rules: &Rules) {
        self.digests += 1;
        self.told_at = Some(now);
        self.next_at = now + if self.storm { rules.storm_window } else { Duration::MINUTE };
        let lines = std::mem::take(&mut self.waiting);
        let left_out = std::mem::take(&mut self.left_out);
        self.severity = lines.iter().map(|line| line.incident.severity).fold(self.severity, Severity::max);
        let (number, over, storm) = (self.digests, !self.storm && self.open.is_empty(), self.storm);
        self.told_of_any &= !over;
        self.outbox = Some(Digest { number, lines, left_out, over, storm });
    }

    /// Whether the next digest is the first that tells of a storm.
    pub(super) fn begins_a_storm(&self) -> bool {
        self.storm && self.digests == 0
    }

    /// Whether its end is yet to be told, or something of it to be sent.
    pub(super) fn is_to_end(&self) -> bool {
        self.told_of_any || self.outbox.is_some()
    }

    /// Its end is not waited for any more.
    pub(super) fn forget(&mut self) {
        self.open.clear();
        self.told_of_any = false;
    }

    /// Whether there is nothing left to be told but its end.
    pub(super) fn may_end(&self) -> bool {
        !self.storm && self.told_of_any && self.open.is_empty() && self.waiting.is_empty() && self.outbox.is_none()
    }
}
