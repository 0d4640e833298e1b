//! An incident as it is stored: what is the matter with what, how often, and what ops have heard of it.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use watchkeeper_alerts::{Alert, Kind, Notice};
use watchkeeper_redact::{cut, redact};
use watchkeeper_stops::Severity;

/// What makes two faults the same incident.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// What it is about: `service#ARN`, `family#CLUSTER-ARN FAMILY`, `alarm#ARN`, `observation#…`.
    pub subject: String,
    /// What is the matter, in one stable word.
    pub cause: String,
}

/// A sort key of DynamoDB takes 1,024 bytes (Developer Guide, "Quotas"); the subject of an observation may be any text.
const LONGEST: usize = 1_000;

/// Any fixed value does, it only must never change.
const NAMESPACE: Uuid = Uuid::from_u128(0x0f8a_5c11_7d2e_4b6f_9c53_1e64_a2b7_d908);

impl Key {
    /// A key of these.
    pub fn new(subject: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { subject: subject.into(), cause: cause.into() }
    }

    /// As one text, which tells two keys apart also where it had to be cut.
    #[must_use]
    pub fn text(&self) -> String {
        let text = format!("{} {}", self.subject, self.cause);
        if text.len() <= LONGEST {
            return text;
        }
        let whole = Uuid::new_v5(&NAMESPACE, text.as_bytes());
        format!("{} {whole}", &text[..text.floor_char_boundary(LONGEST - 40)])
    }
}

/// Whether each fault counts, or only the newest state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nature {
    /// Something happened: a task stopped. It stays true whatever comes after it.
    Event,
    /// Something is so until it is not any more: an alarm, what another function observes. What is older than the newest
    /// news of it says nothing.
    State,
}

/// Something that should not have happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Of which incident.
    pub key: Key,
    /// Whether it is an event or a state.
    pub nature: Nature,
    /// When it was so.
    pub at: OffsetDateTime,
    /// Its words. `alert.key` is the occurrence: it counts once, however often it is heard of.
    pub alert: Alert,
    /// The deployment that the stopped task was part of, or that failed: `ecs-svc/…`.
    pub deployment: Option<String>,
}

/// Something is well again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Over {
    /// Which incident is over.
    pub key: Key,
    /// Since when.
    pub at: OffsetDateTime,
    /// What ops are told of it.
    pub words: String,
}

/// What an incident can hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It happened, or happened again.
    Fault(Box<Fault>),
    /// A state that was counted before is seen again, and is not what it was: see [`Incident::follows`].
    Again(Box<Fault>),
    /// It is over.
    Over(Over),
    /// There is no trouble: a piece of work is done, which is told once.
    Done(Box<Fault>),
}

impl News {
    /// The incident it is about.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Fault(fault) | Self::Again(fault) | Self::Done(fault) => &fault.key,
            Self::Over(over) => &over.key,
        }
    }
}

/// Whether it is still so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It is.
    Open,
    /// It seems to be over, since `since` by our clock; it is watched for a while before ops hear so.
    Clearing {
        /// Since when.
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
        /// What ops will be told.
        words: String,
    },
    /// It is over; the item goes once nothing is left to be told.
    Closed,
}

/// Who tells ops of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Voice {
    /// Itself.
    Own,
    /// A digest did; it is silent about its end.
    Digest,
    /// Another incident, by its id, whose symptom it is.
    Speaker(String),
    /// Nobody: it comes of a rollout that Watchkeeper began.
    Rollout {
        /// When that is over.
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
    },
}

/// A message that is decided and not yet known to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sending {
    /// Its number among the incident's.
    pub number: u32,
    /// What it tells.
    pub notice: Notice,
    /// How often it had happened.
    pub count: u64,
    /// When it was decided.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Whether there is nothing to tell but the log lines that may have come since the first message.
    pub lines_only: bool,
}

/// What ops heard last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// How often it had happened by then.
    pub count: u64,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How many of the messages were repeats for no other reason than time.
    pub repeats: u32,
    /// How urgent it was by then; not known of what was heard before this was kept.
    #[serde(default)]
    pub severity: Option<Severity>,
}

/// One incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id, made of its key and its first fault: a write that is tried again makes the same.
    pub id: String,
    /// What it is about.
    pub key: Key,
    /// Whether its faults are events or a state.
    pub nature: Nature,
    /// Whether it is still so.
    pub phase: Phase,
    /// How often it happened.
    pub count: u64,
    /// What it happened to first since it came back last, as in [`watchkeeper_alerts::AlertKey`]: its evidence is of this.
    pub first: String,
    /// When it happened first.
    #[serde(with = "time::serde::rfc3339")]
    pub first_at: OffsetDateTime,
    /// When it happened last.
    #[serde(with = "time::serde::rfc3339")]
    pub last_at: OffsetDateTime,
    /// When it was last heard of, by our clock.
    #[serde(with = "time::serde::rfc3339")]
    pub touched_at: OffsetDateTime,
    /// The time of the newest news that it is over.
    #[serde(with = "time::serde::rfc3339::option")]
    pub over_at: Option<OffsetDateTime>,
    /// The words of its newest fault.
    pub alert: Alert,
    /// How urgent it is by now.
    pub severity: Severity,
    /// The deployments whose tasks it was about, or that failed, the newest few.
    pub deployments: Vec<String>,
    /// Whether something of no known deployment was part of it.
    pub beyond_deployments: bool,
    /// Who tells ops.
    pub voice: Voice,
    /// What ops heard last from itself or a digest.
    pub heard: Option<Heard>,
    /// Until when what follows the first message is gathered.
    #[serde(with = "time::serde::rfc3339::option")]
    pub gathers_until: Option<OffsetDateTime>,
    /// Whether the first message had no log lines although there should be some: they are looked for once more.
    pub wants_lines: bool,
    /// Whether ops wanted to hear nothing of it when it began.
    pub was_silenced: bool,
    /// When its evidence was gathered though no message of its own asked for it.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub documented_at: Option<OffsetDateTime>,
    /// How often it came back after it had been over.
    #[serde(default)]
    pub returns: u32,
    /// How many messages there were, those to be sent with them.
    pub messages: u32,
    /// What is to be sent.
    pub outbox: Vec<Sending>,
    /// Incidents it speaks for, with what ops should know of them.
    pub speaks_for: Vec<Symptom>,
    /// The service's tags that matter here.
    pub tags: Tags,
    /// What else ops should know, a sentence each.
    pub notes: Vec<String>,
}

/// An incident that another one speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symptom {
    /// Its id.
    pub id: String,
    /// What it is about, in words: `3 crashes: container "agent" exited with code 1`.
    pub words: String,
}

/// What a service's tags say to us.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tags {
    /// `watchkeeper:owner`.
    pub owner: Option<String>,
    /// `watchkeeper:runbook`.
    pub runbook: Option<String>,
    /// `watchkeeper:silence`.
    pub silence: Option<String>,
    /// Whether `watchkeeper:ignore` is `true`.
    #[serde(default)]
    pub is_ignored: bool,
}

/// What is remembered of an incident that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// Since when it is over, by the time of the news.
    #[serde(with = "time::serde::rfc3339")]
    pub over_at: OffsetDateTime,
    /// When it had happened first; none if nothing was known of it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub first_at: Option<OffsetDateTime>,
    /// What it goes on with if it comes back; none of a state, nor where ops heard nothing of it.
    #[serde(default)]
    pub past: Option<Past>,
}

/// What an incident goes on with that comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Its id.
    pub id: String,
    /// How often it happened.
    pub count: u64,
    /// How many messages there were: a number stays that of one message.
    pub messages: u32,
    /// How often it came back before.
    pub returns: u32,
}

/// No text of an alert is kept beyond this, in bytes: an item of DynamoDB takes 400 KB, and a reason may be as long as a message.
const TEXT: usize = 4_000;

/// The same in a digest.
const BRIEF: usize = 200;

/// An alert's words without secrets, and none of them too long.
fn to_be_kept(alert: &Alert) -> Alert {
    let mut alert = alert.clone();
    let facts = alert.facts.iter_mut().map(|fact| &mut fact.value);
    let others = [&mut alert.summary, &mut alert.about].into_iter().chain(&mut alert.next_step);
    for text in facts.chain(others) {
        *text = cut(&redact(text), TEXT);
    }
    alert
}

/// How long what is told of a state may lag behind what is seen of it: each look at it tells other words ("for 31 min", "for 32 min").
const LAG: Duration = Duration::minutes(5);

/// How many deployments an incident remembers.
const DEPLOYMENTS: usize = 5;

impl Incident {
    /// A new one, of its first fault.
    #[must_use]
    pub fn of(fault: &Fault, now: OffsetDateTime) -> Self {
        let name = format!("{}\n{}\n{}", fault.key.text(), fault.alert.key.subject, fault.alert.key.occurrence);
        Self {
            id: Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string(),
            key: fault.key.clone(),
            nature: fault.nature,
            phase: Phase::Open,
            count: 0,
            first: fault.alert.key.subject.clone(),
            first_at: fault.at,
            last_at: fault.at,
            touched_at: now,
            over_at: None,
            alert: to_be_kept(&fault.alert),
            severity: fault.alert.severity,
            deployments: Vec::new(),
            beyond_deployments: false,
            voice: Voice::Own,
            heard: None,
            gathers_until: None,
            wants_lines: false,
            was_silenced: false,
            documented_at: None,
            returns: 0,
            messages: 0,
            outbox: Vec::new(),
            speaks_for: Vec::new(),
            tags: Tags::default(),
            notes: Vec::new(),
        }
    }

    /// The same that ops were told to be over, which has come back.
    pub(super) fn returned(&mut self, past: &Past, first_at: Option<OffsetDateTime>) {
        self.id.clone_from(&past.id);
        self.first_at = first_at.unwrap_or(self.first_at);
        (self.count, self.messages, self.returns) = (past.count, past.messages, past.returns + 1);
    }

    /// Whether a fault that was counted before says something new: that it is more urgent by now, or after a while other words.
    #[must_use]
    pub fn follows(&self, fault: &Fault, now: OffsetDateTime) -> bool {
        let is_newest = fault.at >= self.last_at && self.over_at.is_none_or(|over_at| fault.at > over_at);
        let is_so = self.nature == Nature::State && self.phase == Phase::Open && is_newest;
        let is_other = || now - self.touched_at >= LAG && to_be_kept(&fault.alert) != self.alert;
        is_so && (fault.alert.severity > self.severity || is_other())
    }

    /// Takes in the words of a fault that was counted before.
    pub(super) fn follow(&mut self, fault: &Fault, now: OffsetDateTime) {
        self.alert = to_be_kept(&fault.alert);
        self.severity = self.severity.max(fault.alert.severity);
        self.touched_at = self.touched_at.max(now);
    }

    /// Counts a fault; the newest one's words are the incident's.
    pub(super) fn count(&mut self, fault: &Fault, now: OffsetDateTime) {
        self.count += 1;
        self.first_at = self.first_at.min(fault.at);
        if fault.at >= self.last_at {
            self.last_at = fault.at;
            self.alert = to_be_kept(&fault.alert);
        }
        self.severity = self.severity.max(fault.alert.severity);
        self.touched_at = self.touched_at.max(now);
        match &fault.deployment {
            Some(deployment) if self.deployments.contains(deployment) => {}
            Some(deployment) => {
                self.deployments.push(deployment.clone());
                if self.deployments.len() > DEPLOYMENTS {
                    self.deployments.remove(0);
                    self.beyond_deployments = true;
                }
            }
            None => self.beyond_deployments = true,
        }
    }

    /// Whether all it is about is part of this deployment.
    #[must_use]
    pub fn is_only_of(&self, deployment: &str) -> bool {
        !self.beyond_deployments && self.deployments.iter().all(|known| known == deployment)
    }

    /// What a line of a digest takes of it.
    #[must_use]
    pub fn in_brief(&self) -> Self {
        let mut brief = Self { outbox: Vec::new(), notes: Vec::new(), speaks_for: Vec::new(), ..self.clone() };
        brief.alert.facts.clear();
        brief.alert.links.clear();
        brief.alert.next_step = None;
        brief.alert.summary = cut(&brief.alert.summary, BRIEF);
        brief.alert.about = cut(&brief.alert.about, BRIEF);
        brief.tags.silence = None;
        brief
    }

    /// Whether it is about a deployment that failed.
    #[must_use]
    pub fn is_failed_deployment(&self) -> bool {
        self.alert.kind == Kind::DeploymentFailed
    }

    /// Whether it is about tasks that stopped.
    #[must_use]
    pub fn is_crash(&self) -> bool {
        self.alert.kind == Kind::Crash
    }
}
