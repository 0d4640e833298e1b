//! What one message tells: one incident, or several at once.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use watchkeeper_stops::Severity;

use crate::alert::Alert;
use crate::evidence::Evidence;

/// Which turn of an incident's life is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// It began.
    Opened,
    /// More of the same came while the first message was on its way.
    More,
    /// It is more urgent now: it has happened so often, or has become worse.
    Escalated,
    /// It is still so, hours later.
    Repeated,
    /// It is over.
    Resolved,
    /// There was no trouble: a piece of work is done.
    Done,
}

/// One incident at one turn of its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The incident's id, the same through its life.
    pub incident: String,
    /// The number of this message among the incident's, from 1: the same number again is the same message again.
    pub number: u32,
    /// Which turn.
    pub notice: Notice,
    /// The words of its newest fault; of a resolved one, of what is over.
    pub alert: Alert,
    /// How urgent it is by now, which may be more than its fault is by itself.
    pub severity: Severity,
    /// How often it happened, each task or event once.
    pub count: u64,
    /// When it happened first.
    #[serde(with = "time::serde::rfc3339")]
    pub first_at: OffsetDateTime,
    /// When it happened last; of a resolved one, since when it is over.
    #[serde(with = "time::serde::rfc3339")]
    pub last_at: OffsetDateTime,
    /// Who owns the service, by its tag `watchkeeper:owner`.
    pub owner: Option<String>,
    /// Where its owners say what to do, by its tag `watchkeeper:runbook`.
    pub runbook: Option<String>,
    /// What was gathered about it.
    pub evidence: Option<Evidence>,
    /// Whatever else is to be said, a sentence each.
    pub notes: Vec<String>,
    /// Incidents that this one speaks for from now on, by their ids: nothing more comes of them.
    pub speaks_for: Vec<String>,
}

/// One message, for all channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// Of one incident.
    One(Box<Report>),
    /// Of several at once: a storm, or what would have been too many messages. It stands for itself as an incident does, with
    /// an id, and a number for each message of it.
    Digest {
        /// Its id.
        id: String,
        /// The number of this message.
        number: u32,
        /// Why these come together, in one line: `30 new incidents in 5 minutes`.
        why: String,
        /// Whether all is over that this digest, or an earlier one with its id, told of.
        over: bool,
        /// Whether they come together for their number; else because much was due at once.
        storm: bool,
        /// How urgent the most urgent was that any digest of this id told of: who heard its beginning hears its end.
        severity: Severity,
        /// Since when they are collected.
        #[serde(with = "time::serde::rfc3339")]
        since: OffsetDateTime,
        /// What it tells of.
        reports: Vec<Report>,
    },
}
