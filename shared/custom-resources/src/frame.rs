//! The frame: takes an invocation and sees to it that CloudFormation gets its one answer.

use std::time::{Duration, SystemTime};

use lambda_runtime::tracing::{error, info, warn};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout};

use crate::answer::Answer;
use crate::attempt::Attempt;
use crate::courier::{Courier, deliver};
use crate::envelope::{Envelope, Reply, Request, RequestType};
use crate::error::Undone;
use crate::ledger::{Begun, Hold, Ledger, LedgerError, Stored};
use crate::mode::Mode;
use crate::name::PhysicalId;
use crate::resource::ResourceType;
use crate::response_url::AllowedUrls;
use crate::unanswered;
use crate::work::{AnyType, digest};

/// What the ledger may take: an answer is worth more than a note of it.
const FOR_THE_LEDGER: Duration = Duration::from_secs(2);

/// One invocation of the function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's id of it.
    pub request_id: String,
    /// When Lambda ends it.
    pub deadline: SystemTime,
}

impl Invocation {
    /// The end of the time: Lambda's, or CloudFormation's with so much left.
    pub(crate) fn end(&self, left: Duration) -> Instant {
        Instant::now() + left.min(self.time_left())
    }

    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.duration_since(SystemTime::now()).unwrap_or_default()
    }

    /// A hold on a request for one try.
    pub(crate) fn hold(&self) -> Hold {
        let now = OffsetDateTime::now_utc();
        let holder = format!("{} {}", self.request_id, now.unix_timestamp_nanos());
        Hold { holder, from: now, until: self.deadline.into() }
    }
}

/// The frame, with the types that it serves.
pub struct Frame<L, C> {
    pub(crate) ledger: L,
    courier: C,
    pub(crate) urls: AllowedUrls,
    pub(crate) mode: Mode,
    types: Vec<Box<dyn AnyType<L>>>,
}

impl<L, C> std::fmt::Debug for Frame<L, C> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Frame").finish_non_exhaustive()
    }
}

impl<L: Ledger, C: Courier> Frame<L, C> {
    /// A frame that serves nothing yet.
    pub fn new(ledger: L, courier: C, urls: AllowedUrls) -> Self {
        Self { ledger, courier, urls, mode: Mode::Act, types: Vec::new() }
    }

    /// The same for a whole stack of Watchkeeper in this mode. One that only observes treats each declaration so, whatever
    /// that says itself; deletions succeed and change nothing.
    #[must_use]
    pub fn in_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The same, serving one type more.
    #[must_use]
    pub fn serving(mut self, resource: impl ResourceType) -> Self {
        self.types.push(Box::new(resource));
        self
    }

    /// Deals with what Lambda was invoked with: a request of CloudFormation, a batch of requests that an earlier
    /// invocation died of, or the scheduler's sweep.
    pub async fn handle(&self, event: &Value, invocation: &Invocation) -> Result<Value, Undone> {
        match event["Records"].as_array() {
            Some(records) => {
                let again = Box::pin(unanswered::batch(self, records, invocation)).await;
                let failures: Vec<_> = again.iter().map(|id| json!({"itemIdentifier": id})).collect();
                Ok(json!({"batchItemFailures": failures}))
            }
            // In boxes: the compiler gives up on a future as deep as these and the SDK's.
            None if event["watchkeeper"] == "sweep" => Box::pin(self.sweep(invocation)).await.map(|()| Value::Null),
            None => Box::pin(self.request(event, invocation)).await.map(|()| Value::Null),
        }
    }

    async fn request(&self, event: &Value, invocation: &Invocation) -> Result<(), Undone> {
        let envelope = match Envelope::read(event, &self.urls) {
            Ok(envelope) => envelope,
            Err(why) => {
                error!(%why, "not a request that can be answered");
                return Err(Undone::Unanswerable(why.to_string()));
            }
        };
        let reply = &envelope.reply;
        let now = OffsetDateTime::now_utc();
        let left = reply.time_left(now, now);
        if left.is_zero() {
            given_up(reply);
            return Ok(());
        }
        let hold = invocation.hold();
        match self.begin(reply, &hold, now).await {
            Begun::Ours { first, cut_off } => {
                // What was cut off may have been about to wait.
                let (envelope, hold) = (&envelope, &hold);
                let attempt =
                    Attempt { event, envelope, hold, first, tried: now, made: None, whole: true, waits: cut_off };
                self.attempt(attempt, invocation).await
            }
            Begun::InFlight => Err(Undone::InFlight),
            Begun::Done(stored) => {
                info!(request_id = reply.request_id, "done before: the same answer again");
                self.deliver(reply, &stored, invocation.end(left)).await
            }
        }
    }

    /// Takes a request; if the ledger does not know, it was first worked on at `otherwise`.
    pub(crate) async fn begin(&self, reply: &Reply, hold: &Hold, otherwise: OffsetDateTime) -> Begun {
        // Without the ledger the work may be done twice, which types allow for; without an answer a stack hangs.
        let without = Begun::Ours { first: otherwise, cut_off: false };
        noted(self.ledger.begin(&reply.request_id, hold)).await.unwrap_or(without)
    }

    /// Notes an answer and delivers it.
    pub(crate) async fn finish(
        &self,
        reply: &Reply,
        answer: &Answer,
        no_echo: bool,
        deadline: Instant,
    ) -> Result<(), Undone> {
        // Only a success can be too large, and that is seen to before.
        let body = answer.body(reply).unwrap_or_default();
        match answer {
            Answer::Success { physical_id, .. } => {
                info!(owner = %reply.owner, request_id = reply.request_id, %physical_id, "success");
            }
            Answer::Failed { physical_id, reason } => {
                warn!(owner = %reply.owner, request_id = reply.request_id, %physical_id, reason, "failed");
            }
        }
        if !no_echo {
            noted(self.ledger.done(&reply.request_id, &body)).await;
        }
        self.deliver(reply, &Stored { body, delivered: false }, deadline).await
    }

    /// Delivers an answer. One that is refused for good fails the invocation as well, so that it ends among the dead letters,
    /// where somebody is told.
    pub(crate) async fn deliver(&self, reply: &Reply, stored: &Stored, deadline: Instant) -> Result<(), Undone> {
        match deliver(&self.courier, &reply.url, &stored.body, deadline).await {
            Ok(()) => {
                if !stored.delivered {
                    noted(self.ledger.delivered(&reply.request_id)).await;
                }
                Ok(())
            }
            Err(refusal) => {
                let for_good = !refusal.may_pass();
                error!(owner = %reply.owner, request_id = reply.request_id, %refusal, for_good, "the answer is refused");
                Err(Undone::NotDelivered(refusal.to_string()))
            }
        }
    }

    /// The types that are served.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.types.iter().map(|known| known.name()).collect()
    }

    pub(crate) fn named(&self, resource_type: &str) -> Option<&dyn AnyType<L>> {
        self.types.iter().find(|known| known.name() == resource_type).map(AsRef::as_ref)
    }

    /// The failure to answer a request with that this function did not live to answer.
    pub(crate) async fn last_answer(&self, reply: &Reply, request: Option<&Request>, reason: String) -> Answer {
        let known = request.and_then(|request| Some((request, self.named(&request.resource_type)?)));
        let Some((request, resource)) = known else { return failed(reply, None, reason) };
        if request.kind == RequestType::Update {
            noted(self.ledger.update_failed(&request.owner, &digest(&request.properties))).await;
        }
        failed(reply, resource.physical_id(request), reason)
    }
}

/// Says of a request that nobody waits for it any more. A creation that was given up gets a deletion of its own.
pub(crate) fn given_up(reply: &Reply) {
    warn!(owner = %reply.owner, request_id = reply.request_id, "CloudFormation has given up on this request: nothing is done");
}

/// A failure. A creation is told with the real name, if there is one, so that CloudFormation's deletion finds what is
/// left; an update keeps the name that it had, or CloudFormation would take it for a replacement.
pub(crate) fn failed(reply: &Reply, real: Option<PhysicalId>, reason: String) -> Answer {
    let name = reply.physical_id.clone().or(real);
    let physical_id = name.unwrap_or_else(|| PhysicalId::new(format!("{}-not-created", reply.owner.logical_id)));
    Answer::Failed { physical_id, reason }
}

/// The ledger's answer, unless it fails or takes too long.
pub(crate) async fn noted<T>(note: impl Future<Output = Result<T, LedgerError>>) -> Option<T> {
    match timeout(FOR_THE_LEDGER, note).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            warn!(%error, "going on without the ledger");
            None
        }
        Err(_) => {
            warn!("going on without the ledger: it did not answer in time");
            None
        }
    }
}
