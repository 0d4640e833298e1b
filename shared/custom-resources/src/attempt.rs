//! One try at a request: the work, and what comes of it; an answer, or that the sweep must try again.

use std::sync::Mutex;
use std::time::Duration;

use lambda_runtime::tracing::{info, warn};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::{Instant, timeout};

use crate::answer::{Answer, Data};
use crate::caught::caught;
use crate::courier::Courier;
use crate::envelope::{Envelope, Reply, Request, RequestType};
use crate::error::{Failure, Undone};
use crate::frame::{Frame, Invocation, failed, given_up, noted};
use crate::ledger::{Hold, Ledger, Waiting};
use crate::mode::Mode;
use crate::name::PhysicalId;
use crate::work::{AnyType, Job, digest};

/// What is kept of the time for undoing and answering.
const RESERVE: Duration = Duration::from_secs(10);
/// What is kept of it for the answer alone.
const TO_ANSWER: Duration = Duration::from_secs(6);
/// With less of CloudFormation's time a request cannot wait: the next sweep is at most a minute away and may be cut off, the
/// one after it must have the time to answer.
pub(crate) const TO_WAIT: Duration = Duration::from_mins(2).saturating_add(RESERVE);

/// One try at a request.
pub(crate) struct Attempt<'a> {
    /// The request, as it came.
    pub(crate) event: &'a Value,
    /// The same, read.
    pub(crate) envelope: &'a Envelope,
    /// By which it is ours.
    pub(crate) hold: &'a Hold,
    /// When work on it first began.
    pub(crate) first: OffsetDateTime,
    /// When it last had its turn.
    pub(crate) tried: OffsetDateTime,
    /// What an earlier try began to make.
    pub(crate) made: Option<PhysicalId>,
    /// Whether it has all the time that an invocation has. If not, another one has more.
    pub(crate) whole: bool,
    /// Whether it is, or may be, noted as waiting.
    pub(crate) waits: bool,
}

/// What came of a try.
enum Outcome {
    /// An answer, and whether it must not be kept.
    Answer(Answer, bool),
    /// The sweep tries again.
    Waits,
}

impl<L: Ledger, C: Courier> Frame<L, C> {
    /// Works on a request that is ours, and answers it unless it must wait.
    pub(crate) async fn attempt(&self, mut attempt: Attempt<'_>, invocation: &Invocation) -> Result<(), Undone> {
        let envelope = attempt.envelope;
        let reply = &envelope.reply;
        // CloudFormation counts its time from the first try.
        let left = reply.time_left(attempt.first, OffsetDateTime::now_utc());
        if left.is_zero() {
            given_up(reply);
        } else {
            let (given_up_at, deadline) = (Instant::now() + left, invocation.end(left));
            let (answer, no_echo) = match &envelope.request {
                Ok(request) => match self.outcome(request, &mut attempt, given_up_at, deadline).await {
                    Outcome::Answer(answer, no_echo) => (answer, no_echo),
                    Outcome::Waits => return Ok(()),
                },
                Err(faults) => (failed(reply, None, faults.to_string()), false),
            };
            self.finish(reply, &answer, no_echo, deadline).await?;
        }
        if attempt.waits {
            noted(self.ledger.waits_no_more(&reply.request_id)).await;
        }
        Ok(())
    }

    /// Does the work, and makes an answer of whatever comes of it.
    async fn outcome(
        &self,
        request: &Request,
        attempt: &mut Attempt<'_>,
        given_up_at: Instant,
        deadline: Instant,
    ) -> Outcome {
        let reply = &attempt.envelope.reply;
        let Some(resource) = self.named(&request.resource_type) else {
            // A thing of an unknown type was never made here, so its deletion has nothing to do.
            if request.kind == RequestType::Delete {
                let physical_id =
                    reply.physical_id.clone().unwrap_or_else(|| PhysicalId::new(&*reply.owner.logical_id));
                return Outcome::Answer(Answer::Success { physical_id, data: Data::new(), no_echo: false }, false);
            }
            let known = self.names().join(", ");
            let reason = format!("there is no resource type {}; there are: {known}", request.resource_type);
            return Outcome::Answer(failed(reply, None, reason), false);
        };
        let making = Mutex::new(attempt.made.take());
        let job = Job { request, ledger: &self.ledger, first: attempt.first, mode: self.mode, making };
        let left = deadline.saturating_duration_since(Instant::now());
        let reserve = RESERVE.min(left / 2);
        let work = timeout(left.saturating_sub(reserve), caught(resource.work(&job))).await;
        // Who had not all of an invocation's time keeps its place among those that wait, and so has more the next time.
        let mut tried = OffsetDateTime::now_utc();
        let failure = match work {
            Ok(Ok(Ok(answer))) => match answer.body(reply) {
                Ok(_) => return Outcome::Answer(answer, resource.no_echo()),
                Err(too_large) => Failure::new(too_large),
            },
            Ok(Ok(Err(failure))) => failure,
            Ok(Err(_)) => Failure::new("the function panicked; its log says where"),
            Err(_) if attempt.whole => Failure::new("the time that the function has was not enough"),
            Err(_) => {
                tried = attempt.tried;
                Failure::later("the time that the sweep has was not enough")
            }
        };
        let reason = if failure.may_pass() {
            match self.wait(attempt, tried, job.made(), &failure, given_up_at).await {
                Ok(()) => return Outcome::Waits,
                Err(reason) => reason,
            }
        } else {
            failure.to_string()
        };
        let reason = self.undo(resource, &job, reason, deadline).await;
        if request.kind == RequestType::Update {
            noted(self.ledger.update_failed(&request.owner, &digest(&request.properties))).await;
        }
        Outcome::Answer(failed(reply, resource.physical_id(request), reason), resource.no_echo())
    }

    /// Leaves a request to the sweep; or says why it must be answered now.
    async fn wait(
        &self,
        attempt: &mut Attempt<'_>,
        tried: OffsetDateTime,
        made: Option<PhysicalId>,
        failure: &Failure,
        given_up_at: Instant,
    ) -> Result<(), String> {
        let Attempt { event, envelope, hold, first, .. } = *attempt;
        let reply = &envelope.reply;
        let left = given_up_at.saturating_duration_since(Instant::now());
        if left <= TO_WAIT {
            let reason = gave_up(reply, left, failure);
            return Err(match (&envelope.request, &reply.physical_id) {
                (Ok(Request { kind: RequestType::Delete, .. }), Some(id)) => format!("{reason} (so {id} may be left)"),
                _ => reason,
            });
        }
        let request_id = &reply.request_id;
        let waiting = Waiting { request_id: request_id.clone(), event: event.clone(), first, tried, made };
        // Noted before it is let go: cut off between the two, it is found again once the hold's time is over.
        if noted(self.ledger.wait(&waiting, OffsetDateTime::now_utc() + left)).await.is_none() {
            // It may be all the same, if only the answer was lost.
            attempt.waits = true;
            return Err(format!("{failure} (and the state table does not take a note to try it again later)"));
        }
        info!(owner = %reply.owner, request_id, %failure, "not yet: the sweep tries it again");
        noted(self.ledger.let_go(request_id, &hold.holder)).await;
        Ok(())
    }

    /// Takes away what a request that failed began to make; adds to the reason if that fails, too.
    async fn undo(&self, resource: &dyn AnyType<L>, job: &Job<'_, L>, reason: String, deadline: Instant) -> String {
        // Only what this request itself made. What lies under the other name of an update may be what the stack goes back to.
        let Some(id) = job.made() else { return reason };
        let left = deadline.saturating_duration_since(Instant::now());
        let to_answer = TO_ANSWER.min(left / 2);
        let why = if self.mode == Mode::Observe {
            "the whole stack only observes".to_owned()
        } else {
            match timeout(left.saturating_sub(to_answer), caught(resource.delete(job.request, &id))).await {
                Ok(Ok(Ok(()))) => return reason,
                Ok(Ok(Err(failure))) => failure.to_string(),
                Ok(Err(_)) => "a panic".to_owned(),
                Err(_) => "no time left".to_owned(),
            }
        };
        warn!(owner = %job.request.owner, %id, why, "what was made is not taken away");
        format!("{reason} (and what was made of {id} is not taken away: {why})")
    }
}

/// Says that what has to be answered with so much of CloudFormation's time left is waited for no longer, and why it waited.
pub(crate) fn gave_up(reply: &Reply, left: Duration, why: impl std::fmt::Display) -> String {
    match reply.service_timeout.saturating_sub(left).as_secs() {
        seconds @ ..120 => format!("gave up after {seconds} s: {why}"),
        seconds => format!("gave up after {} min: {why}", seconds / 60),
    }
}
