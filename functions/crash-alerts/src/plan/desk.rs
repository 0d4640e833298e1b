//! What goes out on its own, and what comes together in a digest.
//!
//! All incidents share one desk. It lets a message out on its own unless there is a storm (many new incidents within a short time), too
//! much has been said within the last minute, or many messages are due at once; what it keeps becomes one digest.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;
use watchkeeper_alerts::Notice;
use watchkeeper_stops::Severity;

use super::incident::Incident;
use super::rules::Rules;

/// The desk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desk {
    /// When incidents began to be told of, within the storm's window.
    opened: Vec<Stamp>,
    /// When messages went out, within the last minute.
    messages: Vec<Stamp>,
    /// What comes together.
    spell: Option<Spell>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

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
    /// How urgent the most urgent is that it told of.
    pub severity: Severity,
    /// What the next digest tells.
    pub waiting: Vec<Line>,
    /// What more it would tell, if it could hold it.
    pub left_out: u64,
    /// The incidents that digests told of and that are not over yet, by their ids.
    pub open: Vec<String>,
    /// Whether there ever were any.
    pub told_of_any: bool,
    /// A digest that is decided and not yet known to be sent.
    pub outbox: Option<Digest>,
}

/// One incident in a digest. Its words are looked up when the digest goes out; these are for one that is gone by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The incident, as it was.
    pub incident: Box<Incident>,
    /// What is told of it.
    pub notice: Notice,
    /// The number of its message.
    pub number: u32,
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

/// How many lines a digest holds. A line is below 1 KB, and there may be as many waiting as are being sent: the desk's item must stay
/// below the 400 KB that DynamoDB takes.
const LINES: usize = 200;

/// Any fixed value does, it only must never change.
const NAMESPACE: Uuid = Uuid::from_u128(0x5a0c_9e4b_36d1_4f57_8d02_c7f3_1b68_ae94);

impl Desk {
    /// Whether there is a storm.
    #[must_use]
    pub fn storms(&self) -> bool {
        self.spell.as_ref().is_some_and(|spell| spell.storm)
    }

    /// What comes together just now.
    #[must_use]
    pub fn spell(&self) -> Option<&Spell> {
        self.spell.as_ref()
    }

    /// Whether a message would go out on its own now.
    #[must_use]
    pub fn is_free(&self, crowd: bool, now: OffsetDateTime, rules: &Rules) -> bool {
        let within = |stamps: &[Stamp], span| stamps.iter().filter(|Stamp(at)| now - *at < span).count();
        let storm = self.storms() || within(&self.opened, rules.storm_window) >= rules.storm_incidents;
        !crowd && !storm && within(&self.messages, time::Duration::MINUTE) < rules.messages_a_minute
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
        self.messages.retain(|Stamp(at)| now - *at < time::Duration::MINUTE);
        if notice == Notice::Opened {
            self.opened.push(Stamp(now));
        }
        let storm = self.storms() || self.opened.len() >= rules.storm_incidents;
        let full = self.messages.len() >= rules.messages_a_minute;
        if !storm && !full && !crowd {
            self.messages.push(Stamp(now));
            return true;
        }
        let spell = self.spell.get_or_insert_with(|| Spell::begin(incident, now));
        if storm && !spell.storm {
            spell.storm = true;
            spell.next_at = spell.next_at.max(now + rules.group_wait);
        }
        if !matches!(notice, Notice::Resolved | Notice::Done) {
            spell.told_of_any = true;
            if !spell.open.contains(&incident.id) {
                spell.open.push(incident.id.clone());
            }
        }
        spell.severity = spell.severity.max(incident.severity);
        if spell.waiting.len() < LINES {
            spell.waiting.push(Line { incident: Box::new(incident.in_brief()), notice, number });
        } else {
            spell.left_out += 1;
        }
        false
    }

    /// An incident is over.
    pub fn let_go(&mut self, incident: &str) {
        if let Some(spell) = &mut self.spell {
            spell.open.retain(|id| id != incident);
        }
    }

    /// Time passes: whether anything changed.
    pub fn look(&mut self, now: OffsetDateTime, rules: &Rules) -> bool {
        let Some(spell) = &mut self.spell else { return false };
        if spell.outbox.is_some() || now < spell.next_at {
            return false;
        }
        if !spell.waiting.is_empty() {
            spell.digests += 1;
            spell.next_at = now + if spell.storm { rules.storm_window } else { time::Duration::MINUTE };
            let lines = std::mem::take(&mut spell.waiting);
            let left_out = std::mem::take(&mut spell.left_out);
            let (number, over, storm) = (spell.digests, spell.is_over(), spell.storm);
            spell.told_of_any &= !over;
            spell.outbox = Some(Digest { number, lines, left_out, over, storm });
            return true;
        }
        if spell.storm {
            // Nothing new for a whole window.
            spell.storm = false;
            return true;
        }
        if !spell.open.is_empty() {
            return false;
        }
        if spell.told_of_any {
            spell.told_of_any = false;
            spell.digests += 1;
            spell.outbox =
                Some(Digest { number: spell.digests, lines: Vec::new(), left_out: 0, over: true, storm: false });
        } else {
            self.spell = None;
        }
        true
    }

    /// A digest was sent.
    pub fn sent(&mut self, number: u32, now: OffsetDateTime) {
        if let Some(spell) = &mut self.spell
            && spell.outbox.as_ref().is_some_and(|digest| digest.number == number)
        {
            spell.outbox = None;
            self.messages.push(Stamp(now));
        }
    }
}

impl Spell {
    fn begin(first: &Incident, now: OffsetDateTime) -> Self {
        let name = format!("{} {}", first.id, now.unix_timestamp_nanos());
        Self {
            id: Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string(),
            began: now,
            digests: 0,
            storm: false,
            next_at: now,
            severity: first.severity,
            waiting: Vec::new(),
            left_out: 0,
            open: Vec::new(),
            told_of_any: false,
            outbox: None,
        }
    }

    fn is_over(&self) -> bool {
        !self.storm && self.open.is_empty()
    }
}
