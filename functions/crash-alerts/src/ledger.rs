//! The ledger of alerts: the intent is written before Publish, the success after.
//!
//! An item per alert, `pk` what it is about and `sk` what happened to it, so that the same thing alerts
//! once. Between intent and success the alert belongs to one invocation until that one's time runs out;
//! then whoever finds the intent sends it again, under the same id. A kill may repeat an alert; it never
//! loses one.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemOutput};
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::{AlertKey, AsOf};
use watchkeeper_events::{ServiceArn, TaskDefinitionArn};

use crate::clients::Clients;
use crate::error::Trouble;

/// The version of the items' layout.
const SCHEMA: u32 = 1;
/// How long an alert is remembered, so that late duplicates stay silent.
const ALERT_LIFE: Duration = Duration::days(30);
/// How long a steady revision is remembered; ECS repeats steady-state events every few hours.
const STEADY_LIFE: Duration = Duration::days(400);

/// Whether an alert is ours to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nobody has sent it yet.
    Ours,
    /// It was cut off once between intent and success: ours to send again.
    OursAgain,
    /// Another invocation is sending it just now.
    InFlight,
    /// It was sent.
    Sent,
}

/// Who sends an alert, and for how long nobody else may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// One message in one invocation, so that a call that is tried again finds its own intent.
    pub holder: String,
    /// Since when.
    pub from: OffsetDateTime,
    /// Until when: the invocation is over by then.
    pub until: OffsetDateTime,
}

/// The ledger.
pub trait Ledger {
    /// Writes the intent.
    fn claim(&self, key: &AlertKey, hold: &Hold) -> impl Future<Output = Result<Claim, Trouble>> + Send;

    /// Whether nothing newer about the same state was seen; remembers this one if so.
    fn is_newest(&self, news: &AsOf) -> impl Future<Output = Result<bool, Trouble>> + Send;

    /// Writes the success.
    fn record(
        &self,
        key: &AlertKey,
        message_id: &str,
        now: OffsetDateTime,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Remembers the revision that a service was seen steady on at `seen_at`; an older sight changes nothing.
    fn remember_steady(
        &self,
        service: &ServiceArn,
        revision: &TaskDefinitionArn,
        seen_at: OffsetDateTime,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;
}

impl Ledger for Clients {
    async fn claim(&self, key: &AlertKey, hold: &Hold) -> Result<Claim, Trouble> {
        let now = milliseconds(hold.from);
        let answer = self
            .dynamodb
            .put_item()
            .table_name(&self.table)
            .item("pk", text(&key.subject))
            .item("sk", text(&format!("alert#{}", key.occurrence)))
            .item("schema", number(&SCHEMA))
            .item("expires_at", number(&(hold.from + ALERT_LIFE).unix_timestamp()))
            .item("state", text("intended"))
            .item("alert_id", text(&key.alert_id()))
            .item("intended_at", number(&now))
            .item("holder", text(&hold.holder))
            .item("held_until", number(&milliseconds(hold.until)))
            .condition_expression(
                "attribute_not_exists(pk) OR (#state = :intended AND (held_until < :now OR holder = :holder))",
            )
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":intended", text("intended"))
            .expression_attribute_values(":now", number(&now))
            .expression_attribute_values(":holder", text(&hold.holder))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match answer {
            Ok(answer) => {
                let before =
                    answer.attributes().and_then(|old| old.get("holder")).and_then(|holder| holder.as_s().ok());
                Ok(if before.is_some_and(|before| *before != hold.holder) { Claim::OursAgain } else { Claim::Ours })
            }
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(found)) => {
                    let state = found.item().and_then(|item| item.get("state")).and_then(|state| state.as_s().ok());
                    Ok(if state.is_some_and(|state| state == "sent") { Claim::Sent } else { Claim::InFlight })
                }
                _ => Err(Trouble::call("writing the intent to alert", &error)),
            },
        }
    }

    async fn is_newest(&self, news: &AsOf) -> Result<bool, Trouble> {
        let answer = self
            .dynamodb
            .put_item()
            .table_name(&self.table)
            .item("pk", text(&news.subject))
            .item("sk", text(&format!("newest#{}", news.aspect)))
            .item("schema", number(&SCHEMA))
            .item("expires_at", number(&(news.at + ALERT_LIFE).unix_timestamp()))
            .item("as_of", number(&milliseconds(news.at)))
            // The same again is a repeat, which the claim deals with.
            .condition_expression("attribute_not_exists(pk) OR as_of <= :as_of")
            .expression_attribute_values(":as_of", number(&milliseconds(news.at)))
            .send()
            .await;
        unless_condition_failed("comparing the news with what is known", answer)
    }

    async fn record(&self, key: &AlertKey, message_id: &str, now: OffsetDateTime) -> Result<(), Trouble> {
        self.dynamodb
            .update_item()
            .table_name(&self.table)
            .key("pk", text(&key.subject))
            .key("sk", text(&format!("alert#{}", key.occurrence)))
            .update_expression("SET #state = :sent, message_id = :message, sent_at = :now")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":sent", text("sent"))
            .expression_attribute_values(":message", text(message_id))
            .expression_attribute_values(":now", number(&milliseconds(now)))
            .send()
            .await
            .map(drop)
            .map_err(|error| Trouble::call("recording that the alert was sent", &error))
    }

    async fn remember_steady(
        &self,
        service: &ServiceArn,
        revision: &TaskDefinitionArn,
        seen_at: OffsetDateTime,
    ) -> Result<(), Trouble> {
        let answer = self
            .dynamodb
            .put_item()
            .table_name(&self.table)
            .item("pk", text(&format!("service#{service}")))
            .item("sk", text("steady-revision"))
            .item("schema", number(&SCHEMA))
            .item("expires_at", number(&(seen_at + STEADY_LIFE).unix_timestamp()))
            .item("revision", text(revision.as_str()))
            .item("seen_at", number(&milliseconds(seen_at)))
            .condition_expression("attribute_not_exists(pk) OR seen_at < :seen_at")
            .expression_attribute_values(":seen_at", number(&milliseconds(seen_at)))
            .send()
            .await;
        unless_condition_failed("remembering a steady revision", answer).map(drop)
    }
}

/// Whether the item was put; that its condition did not hold is no error.
fn unless_condition_failed(
    doing: &'static str,
    answer: Result<PutItemOutput, SdkError<PutItemError>>,
) -> Result<bool, Trouble> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) => {
            Ok(false)
        }
        Err(error) => Err(Trouble::call(doing, &error)),
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn milliseconds(instant: OffsetDateTime) -> i128 {
    instant.unix_timestamp_nanos() / 1_000_000
}
