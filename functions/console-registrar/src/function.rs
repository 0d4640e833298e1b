//! The function: what Lambda invokes it with, and what it does about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use lambda_runtime::Error;
use lambda_runtime::tracing::{error, info, warn};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::timeout;
use watchkeeper_custom_resources::{Frame, Https, Invocation, Mode, Table as Requests};
use watchkeeper_declarations::DeclarationId;
use watchkeeper_events::{QueueMessage, ServiceArn};
use watchkeeper_lease::{Budget, Flight, FlightError, Holder};
use watchkeeper_queue::{come_again, sent_at};

use crate::clients::Clients;
use crate::declaration::{Declaration, registry_of};
use crate::follow::{self, Declarations, Done, Look, keep_in_step, sketch};
use crate::registry;
use crate::report::report;
use crate::settings::Settings;
use crate::trouble::Trouble;
use crate::wake::{Wake, wake};

/// What a run may take: some calls to ECS and the table, and a registry that is slow.
const FOR_A_RUN: Duration = Duration::from_secs(15);
/// What is kept of an invocation's time for its answer.
const TO_ANSWER: Duration = Duration::from_secs(2);
/// In which of so many minutes the sweep looks at a registry, whatever is remembered: somebody may have changed it.
const MINUTES_BETWEEN_LOOKS: u64 = 5;

/// The function.
#[derive(Debug)]
pub struct Function {
    clients: Arc<Clients>,
    frame: Frame<Requests, Https>,
    settings: Settings,
}

/// Who asked for a service to be looked at.
#[derive(Debug, Default)]
struct Asked {
    messages: Vec<String>,
    again: bool,
}

/// One invocation's work on declarations.
struct Round<'a> {
    invocation: &'a Invocation,
    /// Registries that did not answer: they are not asked again this time.
    silent: BTreeSet<String>,
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

    /// Works on each service that the batch names, once; answers with the messages that must come again.
    async fn batch(&self, batch: SqsEvent, invocation: &Invocation) -> SqsBatchResponse {
        let mut services: BTreeMap<String, (ServiceArn, Asked)> = BTreeMap::new();
        let mut is_sweep = false;
        let mut failed = Vec::new();
        for message in &batch.records {
            let message_id = message.message_id.clone().unwrap_or_default();
            let body = message.body.as_deref().unwrap_or_default();
            match QueueMessage::parse(body) {
                Ok(parsed) => match wake(&parsed, sent_at(message), OffsetDateTime::now_utc()) {
                    Wake::Service { service, again } => {
                        let (_, asked) =
                            services.entry(service.as_str().to_owned()).or_insert_with(|| (service, Asked::default()));
                        asked.messages.push(message_id);
                        asked.again |= again;
                    }
                    Wake::Sweep => is_sweep = true,
                    Wake::Nothing(why) => info!(message_id, why, "nothing to do"),
                },
                Err(reason) => {
                    let reason = reason.to_string();
                    error!(message_id, reason, "a message that cannot be understood goes to the dead-letter queue");
                    if let Err(why) = self.clients.dead_letters.put(body, &reason, &message_id).await {
                        warn!(message_id, why, "this message must come again");
                        failed.push(message_id);
                    }
                }
            }
        }
        let mut round = Round { invocation, silent: BTreeSet::new() };
        for (service, asked) in services.into_values() {
            if let Err(trouble) = self.service(&service, &asked, &mut round).await {
                warn!(%service, %trouble, "the messages about this service must come again");
                failed.extend(asked.messages);
            }
        }
        if is_sweep {
            Box::pin(self.sweep(&mut round)).await;
        }
        come_again(failed)
    }

    /// Brings the declarations about a service in step.
    async fn service(&self, service: &ServiceArn, asked: &Asked, round: &mut Round<'_>) -> Result<(), Trouble> {
        let mut awaits_health = false;
        let mut ended = Ok(());
        for id in self.clients.table.of_service(service).await? {
            match self.one(&id, None, round).await {
                Ok(done) => awaits_health |= done.is_some_and(|done| done.awaits_health),
                Err(trouble) => ended = ended.and(Err(trouble)),
            }
        }
        if awaits_health && asked.again {
            // If it is lost, the sweep looks.
            self.clients.recheck(service).await?;
        }
        ended
    }

    /// Looks at everything. What fails is tried again by the next sweep, a minute later.
    async fn sweep(&self, round: &mut Round<'_>) {
        // Requests that wait for a Console that is down must not take all the time.
        let left = round.invocation.deadline.duration_since(SystemTime::now()).unwrap_or_default();
        let half = Invocation { deadline: SystemTime::now() + left / 2, ..round.invocation.clone() };
        if let Err(undone) = Box::pin(self.frame.sweep(&half)).await {
            warn!(%undone, "requests of CloudFormation may wait longer");
        }
        let mut declarations = match self.clients.table.all().await {
            Ok(declarations) => declarations,
            Err(trouble) => return warn!(%trouble, "no declaration is looked at this time"),
        };
        // If the time is not enough for all, it is not always the same ones that wait.
        let minute = OffsetDateTime::now_utc().unix_timestamp().unsigned_abs() / 60;
        let begin = usize::try_from(minute).unwrap_or_default() % declarations.len().max(1);
        declarations.rotate_left(begin);
        for declaration in declarations {
            let done = match declaration {
                Ok(declaration) => {
                    let look = if is_due(&declaration.id, minute) { Look::Always } else { Look::IfNeeded };
                    self.one(&declaration.id, Some((&declaration, look)), round).await
                }
                Err(trouble) => self.unreadable(&trouble).await.map(|()| None),
            };
            if let Err(trouble) = done {
                error!(%trouble, "a declaration is not in step");
            }
        }
    }

    /// A declaration that is stored and cannot be understood: somebody must know.
    async fn unreadable(&self, trouble: &Trouble) -> Result<(), Trouble> {
        error!(%trouble, "a declaration is left alone");
        match trouble {
            Trouble::Stored { id, .. } => {
                let id = DeclarationId(id.clone());
                report(&self.clients.desk, &id, Err(trouble), OffsetDateTime::now_utc()).await
            }
            _ => Ok(()),
        }
    }

    /// Works on one declaration: because of an event, or for the sweep.
    async fn one(
        &self,
        id: &DeclarationId,
        swept: Option<(&Declaration, Look)>,
        round: &mut Round<'_>,
    ) -> Result<Option<Done>, Trouble> {
        if self.settings.mode == Mode::Observe {
            return self.only_look(id).await.map(|()| None);
        }
        if round.silent.contains(registry_of(id)) {
            return Ok(None);
        }
        let left = round.invocation.deadline.duration_since(SystemTime::now()).unwrap_or_default();
        let no_time = || Trouble::Aws { doing: "working on", why: "no time left".to_owned(), for_good: false };
        let left = left.checked_sub(TO_ANSWER).ok_or_else(no_time)?;
        let now = OffsetDateTime::now_utc;
        let budget =
            Budget { deadline: now() + left, for_a_run: time::Duration::try_from(FOR_A_RUN).unwrap_or_default() };
        let holder = Holder(format!("{} {id}", round.invocation.request_id));
        let clients = &*self.clients;
        let flight = async {
            match swept {
                None => keep_in_step(clients, id, &holder, budget, Look::IfNeeded, now).await.map(Some),
                Some((declaration, look)) => follow::sweep(clients, declaration, &holder, budget, look, now).await,
            }
        };
        let ended = timeout(left, flight).await.map_err(|_| no_time())?;
        match ended {
            Ok(Some(Flight::Ran { last, .. })) => {
                report(&self.clients.desk, id, Ok(&last), now()).await?;
                Ok(Some(last))
            }
            Ok(Some(Flight::Busy)) => {
                info!(declaration = %id, "another invocation is at work on it and looks again");
                Ok(None)
            }
            Ok(None) => Ok(None),
            Err(FlightError::Work(trouble)) => {
                warn!(declaration = %id, %trouble, "not in step; the sweep tries again");
                if matches!(trouble, Trouble::Registry(registry::Trouble::Unavailable(_))) {
                    round.silent.insert(registry_of(id).to_owned());
                }
                report(&self.clients.desk, id, Err(&trouble), now()).await?;
                // The sweep makes it good, so no message needs to come again: it would end among the dead letters.
                Ok(None)
            }
            Err(error) => Err(Trouble::Aws { doing: "taking the lease", why: error.to_string(), for_good: false }),
        }
    }

    /// What would be done, while the whole stack only observes.
    async fn only_look(&self, id: &DeclarationId) -> Result<(), Trouble> {
        if let Some(declaration) = self.clients.get(id).await? {
            let plan = sketch(&*self.clients, &declaration, OffsetDateTime::now_utc()).await?;
            if plan.touches_registry() {
                info!(declaration = %id, plan = plan.words(), "not done: the stack only observes");
            }
        }
        Ok(())
    }
}

/// Whether it is this declaration's minute; they are spread over all.
fn is_due(id: &DeclarationId, minute: u64) -> bool {
    let place = id.0.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    (place.wrapping_add(minute)).is_multiple_of(MINUTES_BETWEEN_LOOKS)
}
