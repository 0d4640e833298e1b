//! The topic that ops listen to.

use crate::clients::Clients;
use crate::error::Trouble;

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
    /// Publishes, and returns the message's id.
    fn publish(&self, subject: &str, body: &str) -> impl Future<Output = Result<String, Trouble>> + Send;

    /// Counts the subscriptions.
    fn subscriptions(&self) -> impl Future<Output = Result<Subscriptions, Trouble>> + Send;
}

impl Topic for Clients {
    async fn publish(&self, subject: &str, body: &str) -> Result<String, Trouble> {
        let answer = self.sns.publish().topic_arn(&self.topic).subject(subject).message(body).send().await;
        match answer {
            Ok(answer) => Ok(answer.message_id().unwrap_or_default().to_owned()),
            Err(error) => Err(Trouble::call("publishing the alert", &error)),
        }
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
