//! The topic that ops listen to.

use aws_sdk_sns::operation::publish::builders::PublishFluentBuilder;
use aws_sdk_sns::types::MessageAttributeValue;
use lambda_runtime::tracing::error;
use watchkeeper_alerts::{Attribute, Rendered};

use crate::clients::Clients;
use crate::dead_letters::DeadLetters;
use crate::error::Trouble;

/// The message is a text for each protocol.
const MESSAGE_STRUCTURE: &str = "json";

/// How many of a topic's subscriptions somebody confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscriptions {
    /// These hear alerts.
    pub confirmed: u64,
    /// These do not: never confirmed, or cut off by SNS for too many e-mails at once.
    pub pending: u64,
}

impl Subscriptions {
    /// How many do not hear alerts; a topic that nobody hears counts as one.
    #[must_use]
    pub fn unheard(self) -> u64 {
        self.pending.max(u64::from(self.confirmed == 0))
    }
}

/// The topic.
pub trait Topic {
    /// Publishes for every channel, and returns the message's id. Publishing again is a duplicate that a FIFO topic drops. People
    /// hear of it also where the FIFO topic does not take it: then what its queues should have got is among the dead letters.
    fn publish(&self, rendered: &Rendered) -> impl Future<Output = Result<String, Trouble>> + Send;

    /// Counts the subscriptions.
    fn subscriptions(&self) -> impl Future<Output = Result<Subscriptions, Trouble>> + Send;
}

impl Topic for Clients {
    async fn publish(&self, rendered: &Rendered) -> Result<String, Trouble> {
        // The one that drops what is published again comes first: where the other fails, nobody hears a message twice.
        let in_order = self.publish_in_order(rendered).await;
        let answer = self.message(&self.topic, rendered)?.send().await;
        let answer = answer.map_err(|error| Trouble::call("publishing the alert", &error))?;
        if let Err(why) = in_order {
            let put = self.put(&rendered.json.to_string(), &why.to_string(), &rendered.dedup).await;
            let kept = put.map_or_else(|trouble| trouble.to_string(), |()| "it is among the dead letters".to_owned());
            error!(%why, kept, "the FIFO topic's queues do not get this alert");
        }
        Ok(answer.message_id().unwrap_or_default().to_owned())
    }

    async fn subscriptions(&self) -> Result<Subscriptions, Trouble> {
        let doing = "counting the topic's subscriptions";
        let answer = self.sns.get_topic_attributes().topic_arn(&self.topic).send().await;
        let answer = answer.map_err(|error| Trouble::call(doing, &error))?;
        let count = |name: &str| {
            let value = answer.attributes().and_then(|attributes| attributes.get(name));
            value
                .and_then(|value| value.parse().ok())
                .ok_or_else(|| Trouble::Call { doing, why: format!("SNS did not give the topic's {name}") })
        };
        Ok(Subscriptions { confirmed: count("SubscriptionsConfirmed")?, pending: count("SubscriptionsPending")? })
    }
}

impl Clients {
    /// To the FIFO topic, if there is one.
    async fn publish_in_order(&self, rendered: &Rendered) -> Result<(), Trouble> {
        let Some(topic) = &self.fifo_topic else { return Ok(()) };
        let message = self.message(topic, rendered)?;
        let message = message.message_group_id(&rendered.group).message_deduplication_id(&rendered.dedup);
        let answer = message.send().await;
        answer.map(drop).map_err(|error| Trouble::call("publishing the alert to the FIFO topic", &error))
    }

    fn message(&self, topic: &str, rendered: &Rendered) -> Result<PublishFluentBuilder, Trouble> {
        let message = self.sns.publish().topic_arn(topic).subject(&rendered.subject);
        let mut message = message.message(rendered.message()).message_structure(MESSAGE_STRUCTURE);
        for (name, value) in &rendered.attributes {
            message = message.message_attributes(*name, attribute(value)?);
        }
        Ok(message)
    }
}

fn attribute(value: &Attribute) -> Result<MessageAttributeValue, Trouble> {
    let attribute =
        MessageAttributeValue::builder().data_type(value.data_type()).string_value(value.string_value()).build();
    attribute.map_err(|error| Trouble::Call { doing: "writing the alert's attributes", why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_nobody_hears_is_as_bad_as_a_subscription_that_is_not_confirmed() {
        for (confirmed, pending, unheard) in [(1, 0, 0), (3, 2, 2), (0, 1, 1), (0, 0, 1)] {
            assert_eq!(
                Subscriptions { confirmed, pending }.unheard(),
                unheard,
                "{confirmed} confirmed, {pending} pending"
            );
        }
    }
}
