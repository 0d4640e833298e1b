//! The function: what Lambda invokes it with, and what it does about it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures_util::{StreamExt, stream};
use lambda_runtime::Error;
use lambda_runtime::tracing::{error, info, warn};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::timeout;
use watchkeeper_aws_errors::Failed;
use watchkeeper_custom_resources::{Frame, Https, Invocation, Table as Requests};
use watchkeeper_declarations::Phase;
use watchkeeper_events::QueueMessage;
use watchkeeper_lease::{Budget, Flight, FlightError, Holder, Store, single_flight};
use watchkeeper_ops::Open;
use watchkeeper_queue::{come_again, sent_at};

use crate::clients::Clients;
use crate::document::Place;
use crate::follow::{KIND, keep_in_step, key};
use crate::report;
use crate::settings::Settings;
use crate::table::Known;
use crate::trouble::Trouble;
use crate::wake::{Changed, Wake, wake};
use crate::world::Declaration;

/// What a run may take: calls to AWS, a login that is not answered.
const FOR_A_RUN: Duration = Duration::from_secs(15);
/// What is kept of an invocation's time for its answer.
const TO_ANSWER: Duration = Duration::from_secs(2);

/// The function.
#[derive(Debug)]
pub struct Function {
    clients: Arc<Clients>,
    frame: Frame<Requests, Https>,
    settings: Settings,
}

/// How many declarations are worked on at a time: a rotation concerns several, and each waits for AWS most of its time.
const AT_A_TIME: usize = 5;

/// What one batch asks for, each with the message that must come again if it is not done.
#[derive(Debug, Default)]
struct Asked {
    changed: Vec<(String, Changed)>,
    /// Secrets whose rotation failed, the error's code, and when.
    rotations: Vec<(String, Place, String, OffsetDateTime)>,
    is_sweep: bool,
    failed: Vec<String>,
}

impl Function {
    /// With these clients, and the frame that serves stacks.
    #[must_use]
    pub fn new(clients: Arc<Clients>, frame: Frame<Requests, Https>, settings: Settings) -> Self {
        Self { clients, frame, settings }
    }

    /// Deals with what Lambda was invoked with: a batch of the queue, or something of CloudFormation's.
    pub async fn handle(&self, event: Value, invocation: &Invocation) -> Result<Value, Error> {
        let of_unanswered = |records: &Vec<Value>| {
            records.iter().any(|record| record["eventSourceARN"] == self.settings.unanswered_queue.as_str())
        };
        match event["Records"].as_array() {
            Some(records) if !of_unanswered(records) => {
                let batch: SqsEvent = serde_json::from_value(event)?;
                Ok(serde_json::to_value(Box::pin(self.batch(batch, invocation)).await)?)
            }
            _ => Ok(Box::pin(self.frame.handle(&event, invocation)).await?),
        }
    }

    /// Works on each declaration that the batch concerns, once; answers with the messages that must come again.
    async fn batch(&self, batch: SqsEvent, invocation: &Invocation) -> SqsBatchResponse {
        let mut asked = self.asked(&batch).await;
        for (message_id, changed) in &asked.changed {
            // What a service's task definition reads may be new.
            if let Changed::Service(service) = changed
                && let Err(trouble) = self.clients.readers.seen(service).await
            {
                warn!(message_id, %service, %trouble, "the sweep looks at what this service reads");
            }
        }
        if !(asked.changed.is_empty() && asked.rotations.is_empty()) {
            self.events(&mut asked, invocation).await;
        }
        // Last, since it can wait and events cannot.
        if asked.is_sweep {
            Box::pin(self.sweep(invocation)).await;
        }
        asked.failed.sort();
        asked.failed.dedup();
        come_again(asked.failed)
    }

    /// Works on the declarations that events concern.
    async fn events(&self, asked: &mut Asked, invocation: &Invocation) {
        match self.known().await {
            Ok((all, open)) => {
                // One that cannot be read is told of by the sweep.
                let all: Vec<Known> = all.into_iter().flatten().collect();
                self.rotations(asked, &open, &all).await;
                let concerned = all
                    .iter()
                    .filter(|known| asked.changed.iter().any(|(_, changed)| changed.concerns(&known.declaration)));
                let open = &open;
                let work = concerned.map(async |known| (known, self.one(&known.declaration, open, invocation).await));
                let mut ended = stream::iter(work).buffer_unordered(AT_A_TIME);
                while let Some((known, ended)) = ended.next().await {
                    if let Err(trouble) = ended {
                        warn!(declaration = known.declaration.id, %trouble, "its messages must come again");
                        let of_it = |(_, changed): &&(String, Changed)| changed.concerns(&known.declaration);
                        asked.failed.extend(asked.changed.iter().filter(of_it).map(|(id, _)| id.clone()));
                    }
                }
            }
            Err(trouble) => {
                warn!(%trouble, "these messages must come again");
                let changed = asked.changed.iter().map(|(id, _)| id);
                asked.failed.extend(changed.chain(asked.rotations.iter().map(|(id, ..)| id)).cloned());
            }
        }
    }

    /// All declarations, and the troubles that are noted.
    async fn known(&self) -> Result<(Vec<Result<Known, Trouble>>, Open), Trouble> {
        Ok((self.clients.table.all().await?, self.clients.desk.open().await?))
    }

    /// What the messages ask for. One that cannot be understood goes to the dead-letter queue.
    async fn asked(&self, batch: &SqsEvent) -> Asked {
        let mut asked = Asked::default();
        for message in &batch.records {
            let message_id = message.message_id.clone().unwrap_or_default();
            let body = message.body.as_deref().unwrap_or_default();
            match QueueMessage::parse(body) {
                Ok(parsed) => match wake(&parsed, sent_at(message), OffsetDateTime::now_utc()) {
                    Wake::Changed(changed) => asked.changed.push((message_id, changed)),
                    Wake::RotationFailed { secret, code, at } => {
                        let at = at.or_else(|| sent_at(message)).unwrap_or_else(OffsetDateTime::now_utc);
                        asked.rotations.push((message_id, secret, code, at));
                    }
                    Wake::Sweep => asked.is_sweep = true,
                    Wake::Nothing(why) => info!(message_id, why, "nothing to do"),
                },
                Err(reason) => {
                    let reason = reason.to_string();
                    error!(message_id, reason, "a message that cannot be understood goes to the dead-letter queue");
                    if let Err(why) = self.clients.dead_letters.put(body, &reason, &message_id).await {
                        warn!(message_id, why, "this message must come again");
                        asked.failed.push(message_id);
                    }
                }
            }
        }
        asked
    }

    /// Tells of rotations that failed, and of what came after, where a declaration is concerned.
    async fn rotations(&self, asked: &mut Asked, open: &Open, all: &[Known]) {
        let failed = asked
            .rotations
            .iter()
            .map(|(message_id, secret, code, at)| (message_id, secret, Some((code.as_str(), *at))));
        let others = asked.changed.iter().filter_map(|(message_id, changed)| match changed {
            Changed::Document(secret) if !asked.rotations.iter().any(|(_, failed, ..)| failed == secret) => {
                Some((message_id, secret, None))
            }
            _ => None,
        });
        let mut again = Vec::new();
        for (message_id, secret, failure) in failed.chain(others) {
            let changed = Changed::Document(secret.clone());
            if !all.iter().any(|known| changed.concerns(&known.declaration)) {
                continue;
            }
            let told = report::rotation(&self.clients.desk, open, secret, failure, OffsetDateTime::now_utc()).await;
            if let Err(trouble) = told {
                warn!(message_id, %trouble, "this message must come again");
                again.push(message_id.clone());
            }
        }
        asked.failed.extend(again);
    }

    /// Looks at everything. What fails is tried again by the next sweep, a minute later.
    async fn sweep(&self, invocation: &Invocation) {
        // Requests that wait must not take all the time.
        let left = invocation.deadline.duration_since(SystemTime::now()).unwrap_or_default();
        let half = Invocation { deadline: SystemTime::now() + left / 2, ..invocation.clone() };
        if let Err(undone) = Box::pin(self.frame.sweep(&half)).await {
            warn!(%undone, "requests of CloudFormation may wait longer");
        }
        let (mut declarations, open) = match self.known().await {
            Ok(known) => known,
            Err(trouble) => return warn!(%trouble, "no declaration is looked at this time"),
        };
        // Where nothing is declared, nobody needs to know who reads what.
        if !declarations.is_empty()
            && let Err(trouble) = self.clients.readers.sweep().await
        {
            warn!(%trouble, "the index of readers is brought up to date later");
        }
        // If the time is not enough for all, it is not always the same ones that wait.
        let minute = OffsetDateTime::now_utc().unix_timestamp().unsigned_abs() / 60;
        let begin = usize::try_from(minute).unwrap_or_default() % declarations.len().max(1);
        declarations.rotate_left(begin);
        let unattended = match self.clients.leases.unattended(KIND, OffsetDateTime::now_utc()).await {
            Ok(keys) => keys,
            Err(trouble) => {
                warn!(%trouble, "work that was left is found when it is its minute");
                Vec::new()
            }
        };
        let (open, unattended) = (&open, &unattended);
        let is_left = |known: &Known| unattended.contains(&key(&known.declaration.id));
        let work = declarations.into_iter().map(async |known| match known {
            Ok(Known { declaration, phase: Phase::Leaving, .. }) => self.let_go(&declaration, open, invocation).await,
            Ok(known) if !is_left(&known) && !self.is_due(&known.declaration, open, minute) => Ok(()),
            Ok(known) => self.one(&known.declaration, open, invocation).await,
            Err(trouble) => self.unreadable(&trouble, open).await,
        });
        let mut ended = stream::iter(work).buffer_unordered(AT_A_TIME);
        while let Some(done) = ended.next().await {
            if let Err(trouble) = done {
                error!(%trouble, "a declaration is not in step");
            }
        }
    }

    /// Whether the sweep looks at it this minute: one that is settled only in some, which are spread over all.
    fn is_due(&self, declaration: &Declaration, open: &Open, minute: u64) -> bool {
        let Declaration { id, declared, state } = declaration;
        let place = id.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let its_minute = place.wrapping_add(minute).is_multiple_of(self.settings.look_minutes);
        its_minute || !state.is_settled() || report::is_in_trouble(open, &declared.target)
    }

    /// A declaration that is stored and cannot be understood: somebody must know.
    async fn unreadable(&self, trouble: &Trouble, open: &Open) -> Result<(), Trouble> {
        error!(%trouble, "a declaration is left alone");
        match trouble {
            Trouble::Stored { id, .. } => {
                let target = Place::of(id);
                report::report(&self.clients.desk, open, &target, Err(trouble), OffsetDateTime::now_utc()).await
            }
            _ => Ok(()),
        }
    }

    /// Works on one declaration.
    async fn one(&self, declaration: &Declaration, open: &Open, invocation: &Invocation) -> Result<(), Trouble> {
        let id = &declaration.id;
        let now = OffsetDateTime::now_utc;
        let (budget, left, holder) = budget(id, invocation)?;
        let ended = timeout(left, keep_in_step(&*self.clients, id, &holder, budget, now)).await;
        match ended.map_err(|_| no_time())? {
            Ok(Flight::Ran { last, .. }) => {
                report::report(&self.clients.desk, open, &declaration.declared.target, Ok(&last), now()).await
            }
            Ok(Flight::Busy) => {
                info!(declaration = id, "another invocation is at work on it and looks again");
                Ok(())
            }
            Err(FlightError::Work(trouble)) => {
                warn!(declaration = id, %trouble, "not in step; the sweep tries again");
                // The sweep makes it good, so no message needs to come again: it would end among the dead letters.
                report::report(&self.clients.desk, open, &declaration.declared.target, Err(&trouble), now()).await
            }
            Err(error) => Err(lease_trouble(&error)),
        }
    }

    /// Forgets a declaration whose deletion was cut off.
    async fn let_go(&self, declaration: &Declaration, open: &Open, invocation: &Invocation) -> Result<(), Trouble> {
        let id = &declaration.id;
        report::gone(&self.clients.desk, open, &declaration.declared.target, OffsetDateTime::now_utc()).await?;
        let (budget, left, holder) = budget(id, invocation)?;
        let clients = &self.clients;
        let key = key(id);
        let gone = single_flight(&clients.leases, &key, &holder, OffsetDateTime::now_utc, budget, |lease| {
            clients.table.gone(id, lease.fence)
        });
        match timeout(left, gone).await.map_err(|_| no_time())? {
            Ok(_) => Ok(()),
            Err(FlightError::Work(trouble)) => Err(trouble),
            Err(error) => Err(lease_trouble(&error)),
        }
    }
}

fn budget(id: &str, invocation: &Invocation) -> Result<(Budget, Duration, Holder), Trouble> {
    let left = invocation.deadline.duration_since(SystemTime::now()).unwrap_or_default();
    let left = left.checked_sub(TO_ANSWER).ok_or_else(no_time)?;
    let for_a_run = time::Duration::try_from(FOR_A_RUN).unwrap_or_default();
    let budget = Budget { deadline: OffsetDateTime::now_utc() + left, for_a_run };
    Ok((budget, left, Holder(format!("{} {id}", invocation.request_id))))
}

fn no_time() -> Trouble {
    Failed { doing: "working on", why: "no time left".to_owned(), for_good: false }.into()
}

fn lease_trouble(error: &FlightError<Trouble>) -> Trouble {
    Failed { doing: "taking the lease", why: error.to_string(), for_good: false }.into()
}
