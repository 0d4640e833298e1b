//! crash-alerts: the messages of its queue become news of incidents, and these become few good messages to ops.
//!
//! [`plan`] decides; this file reads the batch, `observe` tells an incident its news, `dispatch` sends what was decided, and `sweep` is
//! time passing.

mod alarms;
#[cfg(test)]
mod answering;
mod clients;
mod dead_letters;
mod dispatch;
mod error;
pub mod evidence;
mod https;
mod later;
mod metric;
mod observe;
mod pacer;
pub mod plan;
mod services;
mod settings;
mod sights;
pub mod start;
mod store;
mod sweep;
mod table;
mod topic;
pub mod watch;

use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::tracing::{error, info, warn};
use time::OffsetDateTime;
use tokio::time::timeout;
use watchkeeper_events::{QueueMessage, ServiceArn, TaskStateChange};
use watchkeeper_queue::{come_again, sent_at};

pub use alarms::{ALERT_TAG, Alarms};
pub use clients::Clients;
pub use dead_letters::DeadLetters;
pub use error::Trouble;
pub use later::Later;
use metric::Metric;
pub use pacer::{BETWEEN_PUBLISHES, Pacer};
use plan::incident::{Key, News};
use plan::{Observed, Plan};
pub use services::Services;
pub use settings::{AlarmChoice, BadSetting, Settings};
pub use sights::{Look, Seen, Sights};
pub use store::{Change, Changes, Committed, Known, Store, Stored};
pub use topic::{Subscriptions, Topic};

/// What must be left of an invocation's time to begin another piece of work.
const TIME_FOR_ONE: Duration = Duration::from_secs(5);

/// What is kept of an invocation's time for its answer.
const TIME_TO_ANSWER: Duration = Duration::from_secs(1);

/// All that the function talks to.
pub trait Aws:
    Store + Sights + Topic + DeadLetters + Services + Alarms + Later + watchkeeper_lease::Store + Sync
{
}

impl<A: Store + Sights + Topic + DeadLetters + Services + Alarms + Later + watchkeeper_lease::Store + Sync> Aws for A {}

/// One invocation of the function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's id of it.
    pub request_id: String,
    /// When Lambda ends it.
    pub deadline: OffsetDateTime,
}

/// The function: its settings and what it talks to.
#[derive(Debug)]
pub struct Function<A> {
    aws: A,
    settings: Settings,
    pacer: Pacer,
    clock: fn() -> OffsetDateTime,
}

/// What several messages of a batch tell one incident.
struct Group {
    key: Key,
    news: Vec<News>,
    message_ids: Vec<String>,
    /// What stopped first.
    task: Option<Box<TaskStateChange>>,
}

/// One piece of work of a batch.
enum Work {
    Incident(Group),
    Message { id: String, plan: Plan },
}

impl<A: Aws> Function<A> {
    /// A function that talks to `aws`.
    pub fn new(aws: A, settings: Settings) -> Self {
        Self { aws, settings, pacer: Pacer::default(), clock: OffsetDateTime::now_utc }
    }

    /// The same by another clock.
    #[must_use]
    pub fn by_clock(self, clock: fn() -> OffsetDateTime) -> Self {
        Self { clock, ..self }
    }

    fn now(&self) -> OffsetDateTime {
        (self.clock)()
    }

    /// Deals with a batch in one invocation; answers with the messages that must come again.
    pub async fn batch(&self, batch: SqsEvent, invocation: &Invocation) -> SqsBatchResponse {
        let mut failed = Vec::new();
        let mut works: Vec<Work> = Vec::new();
        for message in &batch.records {
            let id = message.message_id.clone().unwrap_or_default();
            match self.in_time(invocation, self.read(message, &id)).await {
                Ok(Some(plan)) => put_with_others(&mut works, id, plan),
                Ok(None) => {}
                Err(trouble) => {
                    warn!(message_id = id, %trouble, "this message must come again");
                    failed.push(id);
                }
            }
        }
        // A sweep takes long and can wait: crashes of the same batch cannot.
        works.sort_by_key(|work| matches!(work, Work::Message { plan: Plan::Sweep { .. }, .. }));
        for work in works {
            let (ids, done) = match work {
                Work::Incident(Group { key, news, message_ids, task }) => {
                    let observed = self.observe(&key, &news, task.as_deref(), invocation);
                    (message_ids, self.in_time(invocation, observed).await)
                }
                Work::Message { id, plan } => (vec![id], self.in_time(invocation, self.follow(plan, invocation)).await),
            };
            if let Err(trouble) = done {
                warn!(message_ids = ?ids, %trouble, "these messages must come again");
                failed.extend(ids);
            }
        }
        if !failed.is_empty() {
            // Lambda counts an answer with failures as a success: without this no metric would show them.
            self.measure(Metric::FailedMessages, failed.len() as u64);
        }
        come_again(failed)
    }

    /// What a message calls for; none if it was dealt with already.
    async fn read(&self, message: &SqsMessage, message_id: &str) -> Result<Option<Plan>, Trouble> {
        let body = message.body.as_deref().unwrap_or_default();
        let parsed = match QueueMessage::parse(body) {
            Ok(parsed) => parsed,
            Err(reason) => {
                let reason = reason.to_string();
                error!(message_id, reason, "a message that cannot be understood goes to the dead-letter queue");
                return self.aws.put(body, &reason, message_id).await.map(|()| None);
            }
        };
        let alarms = &self.settings.alarms;
        let alarm_is_tagged = match plan::alarm_to_look_up(&parsed, alarms) {
            Some(alarm) => self.aws.is_tagged(alarm).await?,
            None => false,
        };
        let observed = Observed { now: self.now(), sent_at: sent_at(message), alarm_is_tagged };
        Ok(Some(plan::plan(&parsed, alarms, observed)))
    }

    /// Does what a message calls for that is news of no incident.
    async fn follow(&self, plan: Plan, invocation: &Invocation) -> Result<(), Trouble> {
        match plan {
            Plan::Observe(news, task) => {
                self.observe(news.key(), &[(*news).clone()], task.as_deref(), invocation).await
            }
            // The next steady state, or the next sweep, makes good what fails here; retries would only hold up alerts.
            Plan::RememberSteadyRevision(service) => {
                if let Err(trouble) = self.remember_steady(&service).await {
                    warn!(%service, %trouble, "the steady revision is not remembered this time");
                }
                Ok(())
            }
            Plan::RememberRollout(rollout) => self.aws.remember_rollout(&rollout).await,
            Plan::Look(key) => self.look_once(&key, invocation).await,
            Plan::Sweep { is_late } => {
                self.sweep(is_late, invocation).await;
                Ok(())
            }
            Plan::Nothing(why) => {
                info!(why, "nothing to tell");
                Ok(())
            }
        }
    }

    /// What hangs is given up while there is time to say which messages must come again; without time nothing is begun.
    async fn in_time<T>(
        &self,
        invocation: &Invocation,
        work: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        let left = Duration::try_from(invocation.deadline - self.now()).unwrap_or_default();
        if left < TIME_FOR_ONE {
            return Err(Trouble::NoTime);
        }
        timeout(left.saturating_sub(TIME_TO_ANSWER), work).await.unwrap_or(Err(Trouble::NoTime))
    }

    async fn remember_steady(&self, service: &ServiceArn) -> Result<(), Trouble> {
        let seen_at = self.now();
        if let Some(revision) = self.aws.steady_revision(service).await? {
            self.aws.remember_steady(&plan::about_service(service), &revision, seen_at).await?;
            info!(%service, %revision, "steady");
        }
        Ok(())
    }

    async fn check_subscriptions(&self) {
        let unheard = match self.aws.subscriptions().await {
            Ok(subscriptions) => subscriptions.unheard(),
            Err(trouble) => {
                error!(%trouble, "whether somebody hears the alerts is not known, which is as bad as nobody");
                1
            }
        };
        if unheard > 0 {
            self.measure(Metric::UnconfirmedSubscriptions, unheard);
        }
    }

    fn measure(&self, metric: Metric, count: u64) {
        // On its own line, as CloudWatch wants it; the tracing layer would wrap it.
        println!("{}", metric.line(&self.settings.stack, count, self.now()));
    }
}

/// News of the same incident is told to it together.
fn put_with_others(works: &mut Vec<Work>, id: String, plan: Plan) {
    let Plan::Observe(news, task) = plan else { return works.push(Work::Message { id, plan }) };
    for work in works.iter_mut() {
        if let Work::Incident(group) = work
            && group.key == *news.key()
        {
            group.news.push(*news);
            group.message_ids.push(id);
            group.task = group.task.take().or(task);
            return;
        }
    }
    works.push(Work::Incident(Group { key: news.key().clone(), news: vec![*news], message_ids: vec![id], task }));
}
