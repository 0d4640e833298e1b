//! What is remembered of requests, so that each is done once.

use std::fmt;

use serde_json::Value;
use time::OffsetDateTime;

use crate::name::{Owner, PhysicalId};

/// Who works on a request, and for how long nobody else does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// One try of one invocation, so that a call that is tried again finds its own hold.
    pub holder: String,
    /// Since when.
    pub from: OffsetDateTime,
    /// Until when: Lambda has ended the invocation by then.
    pub until: OffsetDateTime,
}

/// Whose a request is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Ours to work on.
    Ours {
        /// When work on it first began, which may be an earlier try that was cut off.
        first: OffsetDateTime,
        /// Whether the try before this one was cut off: it neither answered nor let the request go.
        cut_off: bool,
    },
    /// Another invocation works on it just now.
    InFlight,
    /// It was done.
    Done(Stored),
}

/// The outcome of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The answer's body.
    pub body: String,
    /// Whether CloudFormation has it.
    pub delivered: bool,
}

/// A request that waits for the sweep's next try. The event has the `ResponseURL` and may have more that is secret.
#[derive(Clone, PartialEq)]
pub struct Waiting {
    /// CloudFormation's id of the request.
    pub request_id: String,
    /// The whole of it, since it must be done again.
    pub event: Value,
    /// When work on it first began.
    pub first: OffsetDateTime,
    /// When it last had its turn: whoever waits longest for the next one comes first.
    pub tried: OffsetDateTime,
    /// What was begun to be made for it: to be undone if the request fails at last.
    pub made: Option<PhysicalId>,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Waiting").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

/// The ledger could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{doing}: {why}")]
pub struct LedgerError {
    /// What was being done.
    pub doing: &'static str,
    /// Why it failed.
    pub why: String,
}

/// The ledger. None of it is needed for an answer: without it a request is done, if need be, twice, and none waits.
pub trait Ledger: Send + Sync {
    /// Takes a request to work on.
    fn begin(&self, request_id: &str, hold: &Hold) -> impl Future<Output = Result<Begun, LedgerError>> + Send;

    /// Notes the outcome, before it is delivered.
    fn done(&self, request_id: &str, body: &str) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Notes that it was delivered.
    fn delivered(&self, request_id: &str) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Lets a request go, if this holder still has it: the next try need not wait until the hold's time is over.
    fn let_go(&self, request_id: &str, holder: &str) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Notes, or notes again, that a request waits for the sweep; until then CloudFormation waits, too.
    fn wait(&self, waiting: &Waiting, until: OffsetDateTime) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// All that wait, in any order.
    fn waiting(&self) -> impl Future<Output = Result<Vec<Waiting>, LedgerError>> + Send;

    /// Forgets that a request waited.
    fn waits_no_more(&self, request_id: &str) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Notes that a thing is about to be deleted.
    fn deleting(
        &self,
        owner: &Owner,
        id: &PhysicalId,
        at: OffsetDateTime,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Whether a deletion of it began since then.
    fn deleted_since(
        &self,
        owner: &Owner,
        id: &PhysicalId,
        since: OffsetDateTime,
    ) -> impl Future<Output = Result<bool, LedgerError>> + Send;

    /// Notes that a request about this resource, first worked on then, was begun; says whether none that is newer was.
    fn is_newest(&self, owner: &Owner, first: OffsetDateTime)
    -> impl Future<Output = Result<bool, LedgerError>> + Send;

    /// Notes that an update to these properties (by their digest) failed.
    fn update_failed(&self, owner: &Owner, digest: &str) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Forgets an update that failed, because a later one did not.
    fn update_succeeded(&self, owner: &Owner) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Whether the last update that failed was one to these properties.
    fn did_update_fail(&self, owner: &Owner, digest: &str) -> impl Future<Output = Result<bool, LedgerError>> + Send;
}
