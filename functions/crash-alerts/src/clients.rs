//! The AWS clients, made once.

use aws_config::SdkConfig;
use time::OffsetDateTime;
use watchkeeper_lease::{Answer, Key, Kind, LeaseTable, Step};
use watchkeeper_queue::DeadLetterQueue;

use crate::evidence::Revisions;
use crate::plan::watch::Limits;
use crate::settings::Settings;

/// Every AWS service that the function calls, with the names it calls them by.
#[derive(Debug, Clone)]
pub struct Clients {
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) ecs: aws_sdk_ecs::Client,
    pub(crate) logs: aws_sdk_cloudwatchlogs::Client,
    pub(crate) revisions: Revisions,
    pub(crate) sns: aws_sdk_sns::Client,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) leases: LeaseTable,
    pub(crate) dead_letters: DeadLetterQueue,
    pub(crate) queue: String,
    pub(crate) limits: Limits,
    pub(crate) table: String,
    pub(crate) topic: String,
    pub(crate) fifo_topic: Option<String>,
}

impl Clients {
    /// All from one configuration: one connection pool, one TLS set-up, one set of credentials.
    #[must_use]
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(config);
        let sqs = aws_sdk_sqs::Client::new(config);
        Self {
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            leases: LeaseTable::new(dynamodb.clone(), &settings.table),
            dynamodb,
            ecs: aws_sdk_ecs::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            revisions: Revisions::default(),
            sns: aws_sdk_sns::Client::new(config),
            dead_letters: DeadLetterQueue::new(sqs.clone(), &settings.dead_letter_queue),
            sqs,
            queue: settings.queue.clone(),
            limits: settings.limits,
            table: settings.table.clone(),
            topic: settings.topic.clone(),
            fifo_topic: settings.fifo_topic.clone(),
        }
    }
}

impl watchkeeper_lease::Store for Clients {
    async fn step(&self, key: &Key, step: &Step) -> Result<Answer, watchkeeper_lease::Trouble> {
        self.leases.step(key, step).await
    }

    async fn unattended(&self, kind: Kind, now: OffsetDateTime) -> Result<Vec<Key>, watchkeeper_lease::Trouble> {
        self.leases.unattended(kind, now).await
    }
}
