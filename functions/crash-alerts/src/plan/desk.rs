//! What goes out on its own, and what comes together in a digest.
//!
//! All incidents share one desk. It lets a message out on its own unless there is a storm (many new incidents within a short time), too
//! much has been said within the last minute, or many messages are due at once; what it keeps becomes one digest.
//!
//! The desk is one item, written with each step of each incident while there is a storm, so its size is bounded whatever comes: lines by
//! their number and bytes, of which only one digest is being sent at a time; the incidents it remembers, the spells that are ending and
//! the times by their number. Together that is below 300 KB, of the 400 KB that DynamoDB takes.

mod line;
mod spell;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::Notice;

use super::incident::Incident;
use super::rules::Rules;
pub use line::Line;
pub use spell::{Digest, Spell};

/// How many incidents it remembers to be open, of all spells together. Beyond that the oldest spells that are ending are forgotten; of one
/// that alone has more, the end is that of those that are remembered.
const OPEN: usize = 1_000;
/// How many spells may be ending at once: each waits for an incident that is still open. Beyond that the oldest is forgotten: the end of
/// its digests is never told, rather than told while something is still open, and rather than that a new storm has no id of its own.
const ENDING: usize = 20;
/// How many times of each kind it remembers, whatever the rules ask for: as many as the stack's parameters let them.
const STAMPS: usize = 1_000;
/// A late sweep that comes so soon after another one began has nothing to look at: they are sent once a minute.
const BETWEEN_SWEEPS: Duration = Duration::seconds(30);

/// The desk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desk {
    /// When incidents began to be told of, within the storm's window.
    opened: Vec<Stamp>,
    /// When messages went out, within the last minute.
    messages: Vec<Stamp>,
    /// What comes together.
    spell: Option<Spell>,
    /// Earlier ones, of which the end is yet to be told; the oldest first.
    #[serde(default)]
    ending: Vec<Spell>,
    /// When a digest of any of them was decided last.
    #[serde(default, with = "time::serde::rfc3339::option")]
    told_at: Option<OffsetDateTime>,
    /// When the last sweep began.
    #[serde(default, with = "time::serde::rfc3339::option")]
    swept_at: Option<OffsetDateTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

impl Desk {
    /// Whether there is a storm.
    #[must_use]
    pub fn storms(&self) -> bool {
        self.spell.as_ref().is_some_and(|spell| spell.storm)
    }

    /// What comes together just now, and those that are ending.
    pub fn spells(&self) -> impl Iterator<Item = &Spell> {
        self.spell.iter().chain(&self.ending)
    }

    /// The spell of which a digest is to be sent, else what comes together just now, else one that is ending.
    #[must_use]
    pub fn spell(&self) -> Option<&Spell> {
        self.spells().find(|spell| spell.outbox.is_some()).or_else(|| self.spells().next())
    }

    /// Whether a message would go out on its own now.
    #[must_use]
    pub fn is_free(&self, crowd: bool, now: OffsetDateTime, rules: &Rules) -> bool {
        let within = |stamps: &[Stamp], span| stamps.iter().filter(|Stamp(at)| now - *at < span).count();
        let storm = self.storms() || within(&self.opened, rules.storm_window) >= rules.storm_incidents.min(STAMPS);
        !crowd && !storm && within(&self.messages, Duration::MINUTE) < rules.messages_a_minute.min(STAMPS)
    }

    /// Whether this notice goes out on its own; else it waits here for the digest. `crowd`: many are due at this moment.
    pub fn admit(
        &mut self,
        incident: &Incident,
        notice: Notice,
        number: u32,
        crowd: bool,
        now: OffsetDateTime,
        rules: &Rules,
    ) -> bool {
        self.opened.retain(|Stamp(at)| now - *at < rules.storm_window);
        self.messages.retain(|Stamp(at)| now - *at < Duration::MINUTE);
        if notice == Notice::Opened {
            stamp(&mut self.opened, now);
        }
        if let Some(spell) = self.spell.as_mut().filter(|spell| spell.is_spent(now)) {
            // Nobody has looked since then.
            spell.storm = false;
        }
        let storm_goes_on = self.storms();
        let storm = storm_goes_on || self.opened.len() >= rules.storm_incidents.min(STAMPS);
        let full = self.messages.len() >= rules.messages_a_minute.min(STAMPS);
        if !storm && !full && !crowd {
            stamp(&mut self.messages, now);
            return true;
        }
        let storm_begins = storm && !storm_goes_on;
        let mut spell = match self.spell.take() {
            None => Spell::begin(incident, now),
            Some(mut before) if before.is_past(notice, storm_begins, now, rules) => {
                let next = before.succeed(incident, now);
                self.ending.push(before);
                next
            }
            Some(spell) => spell,
        };
        if storm_begins {
            spell.storm = true;
            spell.next_at = now + rules.group_wait;
        }
        let has_room = self.forget(spell.open.len());
        let line = Line::of(incident, notice, number);
        if line.is_open() {
            spell.told_of_any = true;
            if has_room && !spell.open.contains(&incident.id) {
                spell.open.push(incident.id.clone());
            }
        }
        spell.add(line);
        self.spell = Some(spell);
        false
    }

    /// Forgets the oldest spells that are ending, where there are too many of them or of their incidents: whether there is room for one
    /// incident more besides so many.
    fn forget(&mut self, besides: usize) -> bool {
        self.ending.retain(Spell::is_to_end);
        let has_room = |ending: &[Spell]| besides + ending.iter().map(|spell| spell.open.len()).sum::<usize>() < OPEN;
        while self.ending.len() > ENDING || (besides < OPEN && !has_room(&self.ending)) {
            if let Some(oldest) = self.ending.iter().position(|spell| spell.outbox.is_none()) {
                self.ending.remove(oldest);
            } else {
                // What is being sent is not lost, only the end that would follow.
                for spell in &mut self.ending {
                    spell.forget();
                }
            }
        }
        has_room(&self.ending)
    }

    /// An incident is over.
    pub fn let_go(&mut self, incident: &str) {
        for spell in self.spell.iter_mut().chain(&mut self.ending) {
            spell.open.retain(|id| id != incident);
        }
    }

    /// Time passes: whether anything changed. One digest at a time is decided, and the next one when that is sent.
    pub fn look(&mut self, now: OffsetDateTime, rules: &Rules) -> bool {
        if self.spells().any(|spell| spell.outbox.is_some()) {
            return false;
        }
        let count = self.ending.len();
        self.ending.retain(Spell::is_to_end);
        let mut has_changed = self.ending.len() < count;
        // Besides the first one of a storm there is one a minute.
        let may_tell = self.told_at.is_none_or(|told_at| now - told_at >= Duration::MINUTE);
        if let Some(spell) = self.spell.as_mut().filter(|spell| now >= spell.next_at) {
            if spell.is_spent(now) {
                spell.storm = false;
                has_changed = true;
            } else if (!spell.waiting.is_empty() || spell.may_end()) && (may_tell || spell.begins_a_storm()) {
                spell.tell(now, rules);
                self.told_at = Some(now);
                return true;
            } else if spell.waiting.is_empty() && !spell.is_to_end() {
                self.spell = None;
                has_changed = true;
            }
        }
        if may_tell && let Some(spell) = self.ending.iter_mut().find(|spell| spell.may_end()) {
            spell.tell(now, rules);
            self.told_at = Some(now);
            has_changed = true;
        }
        has_changed
    }

    /// A digest was sent.
    pub fn sent(&mut self, number: u32, now: OffsetDateTime) {
        let mut spells = self.spell.iter_mut().chain(&mut self.ending);
        let is_it = |spell: &&mut Spell| spell.outbox.as_ref().is_some_and(|digest| digest.number == number);
        if let Some(spell) = spells.find(is_it) {
            spell.outbox = None;
            stamp(&mut self.messages, now);
        }
    }

    /// A sweep begins, and is noted; false if it is late, and another one began just now that did what it was sent for. Where all of
    /// them wait the first is as good as a young one.
    pub fn sweep_begins(&mut self, now: OffsetDateTime, is_late: bool) -> bool {
        let just_now = |swept_at: OffsetDateTime| (now - swept_at).abs() < BETWEEN_SWEEPS;
        if is_late && self.swept_at.is_some_and(just_now) {
            return false;
        }
        self.swept_at = Some(now);
        true
    }
}

/// Notes a time; of too many the oldest goes.
fn stamp(stamps: &mut Vec<Stamp>, now: OffsetDateTime) {
    stamps.push(Stamp(now));
    if stamps.len() > STAMPS {
        stamps.remove(0);
    }
}
