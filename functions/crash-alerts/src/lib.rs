//! crash-alerts: the messages of its queue become at most one SNS alert each.
//!
//! [`plan`] decides; this file reads the batch, does what the plan says and reports which messages must
//! come again.

mod alarms;
mod clients;
mod dead_letters;
mod error;
mod ledger;
mod metric;
mod pacer;
pub mod plan;
mod services;
mod settings;
mod topic;

use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::tracing::{error, info, warn};
use time::OffsetDateTime;
use tokio::time::timeout;
use watchkeeper_alerts::{Alert, body, subject};
use watchkeeper_events::{QueueMessage, ServiceArn};
use watchkeeper_queue::{come_again, sent_at};

pub use alarms::{ALERT_TAG, Alarms};
pub use clients::Clients;
pub use dead_letters::DeadLetters;
pub use error::Trouble;
pub use ledger::{Claim, Hold, Ledger};
use metric::Metric;
pub use pacer::{BETWEEN_PUBLISHES, Pacer};
use plan::{Observed, Plan};
pub use services::Services;
pub use settings::{AlarmChoice, MissingSetting, Settings};
pub use topic::{Subscriptions, Topic};

/// What must be left of an invocation's time to begin another message.
const TIME_FOR_ONE: Duration = Duration::from_secs(5);

/// What is kept of an invocation's time for its answer.
const TIME_TO_ANSWER: Duration = Duration::from_secs(1);

/// One invocation of the function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's id of it.
    pub request_id: String,
    /// When Lambda ends it.
    pub deadline: SystemTime,
}

/// The function: its settings and what it talks to.
#[derive(Debug)]
pub struct Function<A> {
    aws: A,
    settings: Settings,
    pacer: Pacer,
}

impl<A: Ledger + Topic + DeadLetters + Services + Alarms> Function<A> {
    /// A function that talks to `aws`.
    pub fn new(aws: A, settings: Settings) -> Self {
        Self { aws, settings, pacer: Pacer::default() }
    }

    /// Deals with a batch in one invocation; answers with the messages that must come again.
    pub async fn batch(&self, batch: SqsEvent, invocation: &Invocation) -> SqsBatchResponse {
        let mut failed = Vec::new();
        for message in &batch.records {
            let message_id = message.message_id.as_deref().unwrap_or_default();
            let left = invocation.deadline.duration_since(SystemTime::now()).unwrap_or_default();
            let done = if left < TIME_FOR_ONE {
                Err(Trouble::NoTime)
            } else {
                // What hangs is given up while there is time to say which messages must come again.
                let dealt = timeout(left.saturating_sub(TIME_TO_ANSWER), self.message(message, message_id, invocation));
                dealt.await.unwrap_or(Err(Trouble::NoTime))
            };
            if let Err(trouble) = done {
                warn!(message_id, %trouble, "this message must come again");
                failed.push(message_id.to_owned());
            }
        }
        if !failed.is_empty() {
            // Lambda counts an answer with failures as a success: without this no metric would show them.
            self.measure(Metric::FailedMessages, failed.len() as u64);
        }
        come_again(failed)
    }

    async fn message(&self, message: &SqsMessage, message_id: &str, invocation: &Invocation) -> Result<(), Trouble> {
        let body = message.body.as_deref().unwrap_or_default();
        let parsed = match QueueMessage::parse(body) {
            Ok(parsed) => parsed,
            Err(reason) => {
                let reason = reason.to_string();
                error!(message_id, reason, "a message that cannot be understood goes to the dead-letter queue");
                return self.aws.put(body, &reason, message_id).await;
            }
        };
        let alarms = &self.settings.alarms;
        let alarm_is_tagged = match plan::alarm_to_look_up(&parsed, alarms) {
            Some(alarm) => self.aws.is_tagged(alarm).await?,
            None => false,
        };
        let observed = Observed { now: OffsetDateTime::now_utc(), sent_at: sent_at(message), alarm_is_tagged };
        match plan::plan(&parsed, alarms, observed) {
            Plan::Alert(alert) => {
                let hold = Hold {
                    holder: format!("{} {message_id}", invocation.request_id),
                    from: OffsetDateTime::now_utc(),
                    until: invocation.deadline.into(),
                };
                return self.alert(&alert, &hold).await;
            }
            // The next steady state, or the next sweep, makes good what fails here; retries would only hold up alerts.
            Plan::RememberSteadyRevision(service) => {
                if let Err(trouble) = self.remember_steady(&service).await {
                    warn!(%service, %trouble, "the steady revision is not remembered this time");
                }
            }
            Plan::CheckSubscriptions => self.check_subscriptions().await,
            Plan::Nothing(why) => info!(message_id, why, "nothing to tell"),
        }
        Ok(())
    }

    async fn alert(&self, alert: &Alert, hold: &Hold) -> Result<(), Trouble> {
        let alert_id = alert.key.alert_id();
        if let Some(news) = &alert.as_of
            && !self.aws.is_newest(news).await?
        {
            info!(alert_id, "overtaken: something newer of the same state came first");
            return Ok(());
        }
        let claim = self.aws.claim(&alert.key, hold).await?;
        let repeat = match claim {
            Claim::Ours => false,
            Claim::OursAgain => true,
            Claim::InFlight => return Err(Trouble::InFlight),
            Claim::Sent => {
                info!(alert_id, "already told");
                return Ok(());
            }
        };
        self.pacer.turn().await;
        let sns_id = self.aws.publish(&subject(alert), &body(alert, repeat)).await?;
        self.aws.record(&alert.key, &sns_id, OffsetDateTime::now_utc()).await?;
        info!(alert_id, sns_id, cause = alert.cause, repeat, "told ops");
        Ok(())
    }

    async fn remember_steady(&self, service: &ServiceArn) -> Result<(), Trouble> {
        let seen_at = OffsetDateTime::now_utc();
        if let Some(revision) = self.aws.steady_revision(service).await? {
            self.aws.remember_steady(service, &revision, seen_at).await?;
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
        println!("{}", metric.line(&self.settings.stack, count, OffsetDateTime::now_utc()));
    }
}
