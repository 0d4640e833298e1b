//! The frame: takes an invocation and sees to it that CloudFormation gets its one answer.

use std::time::{Duration, SystemTime};

use lambda_runtime::tracing::{error, info, warn};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout};

use crate::answer::Answer;
use crate::caught::caught;
use crate::courier::{Courier, deliver};
use crate::envelope::{Envelope, Reply, Request, RequestType};
use crate::error::Undone;
use crate::ledger::{Begun, Hold, Ledger, LedgerError, Stored};
use crate::name::PhysicalId;
use crate::resource::ResourceType;
use crate::response_url::AllowedUrls;
use crate::unanswered;
use crate::work::{AnyType, Job, digest};

/// What is kept of the time for undoing and answering.
const RESERVE: Duration = Duration::from_secs(10);
/// What is kept of it for the answer alone.
const TO_ANSWER: Duration = Duration::from_secs(6);
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

/// The frame, with the types that it serves.
pub struct Frame<L, C> {
    pub(crate) ledger: L,
    courier: C,
    pub(crate) urls: AllowedUrls,
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
        Self { ledger, courier, urls, types: Vec::new() }
    }

    /// The same, serving one type more.
    #[must_use]
    pub fn serving(mut self, resource: impl ResourceType) -> Self {
        self.types.push(Box::new(resource));
        self
    }

    /// Deals with what Lambda was invoked with: a request of CloudFormation, or a batch of requests that an earlier
    /// invocation died of.
    pub async fn handle(&self, event: &Value, invocation: &Invocation) -> Result<Value, Undone> {
        match event["Records"].as_array() {
            Some(records) => {
                let again = Box::pin(unanswered::batch(self, records, invocation)).await;
                let failures: Vec<_> = again.iter().map(|id| json!({"itemIdentifier": id})).collect();
                Ok(json!({"batchItemFailures": failures}))
            }
            // In a box, as the other one: the compiler gives up on a future as deep as both and the SDK's.
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
        let mut deadline = deadline(invocation, reply);
        let first = match self.begin(reply, invocation).await {
            Begun::Ours { first } => {
                // CloudFormation counts its time from the first try.
                let waited = (OffsetDateTime::now_utc() - first).unsigned_abs();
                deadline = deadline.min(Instant::now() + reply.service_timeout.saturating_sub(waited));
                first
            }
            Begun::InFlight => return Err(Undone::InFlight),
            Begun::Done(stored) => {
                info!(request_id = reply.request_id, "done before: the same answer again");
                return self.deliver(reply, &stored, deadline).await;
            }
        };
        let (answer, no_echo) = match &envelope.request {
            Ok(request) => self.answer(request, reply, first, deadline).await,
            Err(faults) => (failed(reply, None, faults.to_string()), false),
        };
        self.finish(reply, &answer, no_echo, deadline).await
    }

    pub(crate) async fn begin(&self, reply: &Reply, invocation: &Invocation) -> Begun {
        let now = OffsetDateTime::now_utc();
        let holder = format!("{} {}", invocation.request_id, now.unix_timestamp_nanos());
        let hold = Hold { holder, from: now, until: invocation.deadline.into() };
        // Without the ledger the work may be done twice, which types allow for; without an answer a stack hangs.
        noted(self.ledger.begin(&reply.request_id, &hold)).await.unwrap_or(Begun::Ours { first: now })
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

    fn named(&self, resource_type: &str) -> Option<&dyn AnyType<L>> {
        self.types.iter().find(|known| known.name() == resource_type).map(AsRef::as_ref)
    }

    /// Does the work, and makes an answer of whatever comes of it; says whether it must not be kept.
    async fn answer(
        &self,
        request: &Request,
        reply: &Reply,
        first: OffsetDateTime,
        deadline: Instant,
    ) -> (Answer, bool) {
        let Some(resource) = self.named(&request.resource_type) else {
            // A thing of an unknown type was never made here, so its deletion has nothing to do.
            if request.kind == RequestType::Delete {
                let physical_id =
                    reply.physical_id.clone().unwrap_or_else(|| PhysicalId::new(&*reply.owner.logical_id));
                return (Answer::Success { physical_id, data: crate::Data::new(), no_echo: false }, false);
            }
            let known: Vec<_> = self.types.iter().map(|known| known.name()).collect();
            let reason =
                format!("there is no resource type {}; there are: {}", request.resource_type, known.join(", "));
            return (failed(reply, None, reason), false);
        };
        let job = Job { request, ledger: &self.ledger, first, making: std::sync::Mutex::default() };
        let left = deadline.saturating_duration_since(Instant::now());
        let reserve = RESERVE.min(left / 2);
        let work = timeout(left.saturating_sub(reserve), caught(resource.work(&job))).await;
        let reason = match work {
            Ok(Ok(Ok(answer))) => match answer.body(reply) {
                Ok(_) => return (answer, resource.no_echo()),
                Err(too_large) => too_large,
            },
            Ok(Ok(Err(failure))) => failure.to_string(),
            Ok(Err(_)) => "the function panicked; its log says where".to_owned(),
            Err(_) => "the time that the function has was not enough".to_owned(),
        };
        let reason = self.undo(resource, &job, reason, deadline).await;
        if request.kind == RequestType::Update {
            noted(self.ledger.update_failed(&request.owner, &digest(&request.properties))).await;
        }
        (failed(reply, resource.physical_id(request), reason), resource.no_echo())
    }

    /// Takes away what a request that failed began to make; adds to the reason if that fails, too.
    async fn undo(&self, resource: &dyn AnyType<L>, job: &Job<'_, L>, reason: String, deadline: Instant) -> String {
        // Only what this try itself made. What lies under the other name of an update may be what the stack goes back to.
        let Some(id) = job.made() else { return reason };
        let left = deadline.saturating_duration_since(Instant::now());
        let to_answer = TO_ANSWER.min(left / 2);
        let undone = timeout(left.saturating_sub(to_answer), caught(resource.delete(job.request, &id))).await;
        let why = match undone {
            Ok(Ok(Ok(()))) => return reason,
            Ok(Ok(Err(failure))) => failure.to_string(),
            Ok(Err(_)) => "a panic".to_owned(),
            Err(_) => "no time left".to_owned(),
        };
        warn!(owner = %job.request.owner, %id, why, "what was made is not taken away");
        format!("{reason} (and what was made of {id} is not taken away: {why})")
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

/// The end of the time: Lambda's or CloudFormation's.
pub(crate) fn deadline(invocation: &Invocation, reply: &Reply) -> Instant {
    let left = invocation.deadline.duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now() + left.min(reply.service_timeout)
}

/// A failure. A creation is told with the real name, if there is one, so that CloudFormation's deletion finds what is
/// left; an update keeps the name that it had, or CloudFormation would take it for a replacement.
pub(crate) fn failed(reply: &Reply, real: Option<PhysicalId>, reason: String) -> Answer {
    let name = reply.physical_id.clone().or(real);
    let physical_id = name.unwrap_or_else(|| PhysicalId::new(format!("{}-not-created", reply.owner.logical_id)));
    Answer::Failed { physical_id, reason }
}

/// The ledger's answer, unless it fails or takes too long.
async fn noted<T>(note: impl Future<Output = Result<T, LedgerError>>) -> Option<T> {
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
