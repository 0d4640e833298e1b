//! The AWS clients, made once.

use aws_config::SdkConfig;
use watchkeeper_queue::DeadLetterQueue;

use crate::settings::Settings;

/// Every AWS service that the function calls, with the names it calls them by.
#[derive(Debug, Clone)]
pub struct Clients {
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) ecs: aws_sdk_ecs::Client,
    pub(crate) sns: aws_sdk_sns::Client,
    pub(crate) dead_letters: DeadLetterQueue,
    pub(crate) table: String,
    pub(crate) topic: String,
}

impl Clients {
    /// All from one configuration: one connection pool, one TLS set-up, one set of credentials.
    #[must_use]
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        Self {
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            ecs: aws_sdk_ecs::Client::new(config),
            sns: aws_sdk_sns::Client::new(config),
            dead_letters: DeadLetterQueue::new(aws_sdk_sqs::Client::new(config), &settings.dead_letter_queue),
            table: settings.table.clone(),
            topic: settings.topic.clone(),
        }
    }
}
