//! One incident in a digest, in as little room as it is told in.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use watchkeeper_alerts::{Alert, AlertKey, Kind, Notice};
use watchkeeper_stops::Severity;

use crate::plan::incident::{Fault, Incident, Key, Nature, Tags};

/// No text of a line is kept beyond this, in bytes: as much as a digest tells of one, and more than a name takes.
const TEXT: usize = 256;

/// One incident in a digest. Its words are looked up when the digest goes out; these are for one that is gone by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Line {
    /// The incident, as it was, with only what a digest tells of it.
    pub incident: Box<Incident>,
    /// What is told of it.
    pub notice: Notice,
    /// The number of its message.
    pub number: u32,
}

/// A line as it is stored. Its members have the names that they have in a whole incident, which a line was once stored with.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Written {
    incident: Brief,
    notice: Notice,
    number: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Brief {
    id: String,
    count: u64,
    #[serde(with = "time::serde::rfc3339")]
    first_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    last_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    touched_at: OffsetDateTime,
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    over_at: Option<OffsetDateTime>,
    severity: Severity,
    alert: Words,
    #[serde(default)]
    tags: Owners,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Words {
    kind: Kind,
    cause: String,
    about: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    summary: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Owners {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    runbook: Option<String>,
}

impl Line {
    /// What is told of this incident, as it will be read again: what is not stored is not there before that either.
    pub(super) fn of(incident: &Incident, notice: Notice, number: u32) -> Self {
        Self { incident: Box::new(Brief::of(incident).incident()), notice, number }
    }

    /// Whether it is about something that is still so.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.notice, Notice::Resolved | Notice::Done)
    }

    /// Its size as it is stored.
    pub(super) fn bytes(&self) -> usize {
        // Texts and numbers always serialize; what would not has no room.
        serde_json::to_string(self).map_or(usize::MAX, |text| text.len())
    }
}

impl Brief {
    fn of(incident: &Incident) -> Self {
        let Incident { id, count, first_at, last_at, touched_at, over_at, severity, alert, tags, .. } = incident;
        let Alert { kind, cause, about, cluster, service, summary, .. } = alert;
        let short = |text: &Option<String>| text.as_deref().map(short);
        Self {
            id: self::short(id),
            count: *count,
            first_at: to_the_second(*first_at),
            last_at: to_the_second(*last_at),
            touched_at: to_the_second(*touched_at),
            over_at: over_at.map(to_the_second),
            severity: *severity,
            alert: Words {
                kind: *kind,
                cause: self::short(cause),
                about: self::short(about),
                cluster: short(cluster),
                service: short(service),
                summary: self::short(summary),
            },
            tags: Owners {
                owner: short(&tags.owner),
                // An address that is cut leads nowhere.
                runbook: tags.runbook.clone().filter(|runbook| runbook.len() <= TEXT),
            },
        }
    }

    /// An incident that has this of itself, and nothing else.
    fn incident(self) -> Incident {
        let Self { id, count, first_at, last_at, touched_at, over_at, severity, alert, tags } = self;
        let nothing = AlertKey { subject: String::new(), occurrence: String::new() };
        let empty = Alert {
            key: nothing,
            kind: alert.kind,
            severity,
            cause: String::new(),
            about: String::new(),
            cluster: alert.cluster,
            service: alert.service,
            summary: String::new(),
            facts: Vec::new(),
            next_step: None,
            links: Vec::new(),
        };
        let key = Key::new("", alert.cause.clone());
        let fault = Fault { key, nature: Nature::Event, at: first_at, alert: empty, deployment: None };
        let incident = Incident::of(&fault, touched_at);
        // As it was kept: it was looked through for secrets then.
        let Words { cause, about, summary, .. } = alert;
        let alert = Alert { cause, about, summary, ..incident.alert.clone() };
        let tags = Tags { owner: tags.owner, runbook: tags.runbook, ..Tags::default() };
        Incident { id, count, last_at, over_at, alert, tags, ..incident }
    }
}

impl From<Line> for Written {
    fn from(line: Line) -> Self {
        Self { incident: Brief::of(&line.incident), notice: line.notice, number: line.number }
    }
}

impl From<Written> for Line {
    fn from(written: Written) -> Self {
        Self::of(&written.incident.incident(), written.notice, written.number)
    }
}

fn to_the_second(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(0).unwrap_or(at)
}

/// Cut so that cutting it again changes nothing.
fn short(text: &str) -> String {
    if text.len() <= TEXT {
        return text.to_owned();
    }
    format!("{}...", &text[..text.floor_char_boundary(TEXT - 3)])
}
