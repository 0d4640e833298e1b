//! Where incidents are kept.
//!
//! Whatever is changed together is one transaction: the faults that were not seen before, the incident that counts them, the desk that
//! lets its message out. So a fault counts once, whatever is repeated, and what is decided is stored or was not decided. Who read an
//! older version than the one that is stored changes nothing and begins again.

use time::OffsetDateTime;
use watchkeeper_alerts::{AlertKey, Evidence};
use watchkeeper_events::{RolloutBegun, ServiceArn, TaskDefinitionArn};

use crate::error::Trouble;
use crate::evidence::SteadyRevisions;
use crate::plan::desk::Desk;
use crate::plan::incident::{Incident, Key, Rest};
use crate::plan::life::Rollout;

/// Something as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// What is stored.
    pub value: T,
    /// Rises with each write; 0 is nothing stored yet.
    pub version: u64,
}

/// What is known of an incident and of what is to be told to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// It, if it lives.
    pub incident: Option<Stored<Incident>>,
    /// What is remembered of an earlier one.
    pub rest: Option<Stored<Rest>>,
    /// The faults that were seen before.
    pub seen: Vec<AlertKey>,
    /// The desk.
    pub desk: Option<Stored<Desk>>,
    /// Watchkeeper's own newest rollout of the service.
    pub rollout: Option<Rollout>,
}

/// A change of one incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The incident that was read, by id and version; none if there was none.
    pub before: Option<(String, u64)>,
    /// As it is to be; one that is closed and has nothing left to be sent goes, and its rest is remembered.
    pub after: Incident,
}

/// What is changed together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Faults that were not seen before, with the incident that counted them, if one did.
    pub seen: Vec<(AlertKey, Option<String>)>,
    /// Incidents.
    pub incidents: Vec<Change>,
    /// What is to be remembered where there is no incident; one that began since then has to hear it instead.
    pub rest: Option<(Key, Rest)>,
    /// The version of the rest that was read; 0 if there was none. An incident begins, and a rest is stored, only where it is still so:
    /// of what is over and what is not, told at the same time, each sees the other.
    pub rest_version: u64,
    /// The desk, and the version that was read.
    pub desk: Option<(u64, Desk)>,
    /// The fence of the lease under which it is done, where it is done under one.
    pub fence: Option<u64>,
}

impl Changes {
    /// The version that an incident begins with. One that comes back has the id that it had before: who read it then, and writes late,
    /// must find no version of now. A rest's version rises with each end, and nothing is written so often in one life.
    #[must_use]
    pub fn first_version(&self) -> u64 {
        (self.rest_version << 32) + 1
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn are_none(&self) -> bool {
        self.seen.is_empty() && self.incidents.is_empty() && self.rest.is_none() && self.desk.is_none()
    }
}

/// What became of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// All are stored.
    Done,
    /// Somebody was quicker: nothing is stored.
    Overtaken,
}

/// Where incidents are kept.
pub trait Store {
    /// Reads all that the next step of an incident depends on.
    fn read(
        &self,
        key: &Key,
        faults: &[AlertKey],
        service: Option<&ServiceArn>,
    ) -> impl Future<Output = Result<Known, Trouble>> + Send;

    /// Stores all changes, or none.
    fn commit(&self, changes: &Changes, now: OffsetDateTime)
    -> impl Future<Output = Result<Committed, Trouble>> + Send;

    /// One incident, by its key's text.
    fn incident(&self, key: &str) -> impl Future<Output = Result<Option<Stored<Incident>>, Trouble>> + Send;

    /// All that live, or those of one subject.
    fn live(&self, subject: Option<&str>) -> impl Future<Output = Result<Vec<Stored<Incident>>, Trouble>> + Send;

    /// The desk.
    fn desk(&self) -> impl Future<Output = Result<Stored<Desk>, Trouble>> + Send;

    /// The evidence of an incident.
    fn evidence(&self, incident: &str) -> impl Future<Output = Result<Option<Evidence>, Trouble>> + Send;

    /// Keeps an incident's evidence.
    fn keep_evidence(
        &self,
        incident: &str,
        evidence: &Evidence,
        now: OffsetDateTime,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Remembers a rollout of Watchkeeper's own.
    fn remember_rollout(&self, rollout: &RolloutBegun) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Remembers the revision that a subject (a service; or a standalone task's family, one of whose tasks ended well) was seen steady
    /// on at `seen_at`; an older sight changes nothing.
    fn remember_steady(
        &self,
        subject: &str,
        revision: &TaskDefinitionArn,
        seen_at: OffsetDateTime,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// The revisions that a subject was last seen steady on.
    fn last_steady(&self, subject: &str) -> impl Future<Output = Result<Option<SteadyRevisions>, Trouble>> + Send;
}
