//! Where leases are kept: the stack's DynamoDB table.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use time::{Duration, OffsetDateTime};

use crate::error::Trouble;
use crate::item::{Answer, Hold, Item, Step};
use crate::key::{Fence, Holder, Key, Kind};

/// The version of the items' layout.
const SCHEMA: u32 = 1;
/// How long an item outlives its last lease: a mark waits that long for a sweep.
const LIFE: Duration = Duration::days(30);

/// Where leases are kept.
pub trait Store {
    /// Does one step to the key's item, as [`crate::step`] says.
    fn step(&self, key: &Key, step: &Step) -> impl Future<Output = Result<Answer, Trouble>> + Send;

    /// For the sweep: the keys of a kind that have work to do and nobody alive to do it, because they were left dirty or their
    /// holder's time ran out.
    fn unattended(&self, kind: Kind, now: OffsetDateTime) -> impl Future<Output = Result<Vec<Key>, Trouble>> + Send;
}

/// The stack's table. Needs `dynamodb:UpdateItem`, and `dynamodb:Query` for the sweep.
///
/// All leases of a kind share a partition key, so that one query finds the unattended ones without an index. A partition takes
/// 1,000 writes a second (DynamoDB Developer Guide, partition key design), some 500 runs of one kind.
#[derive(Debug, Clone)]
pub struct LeaseTable {
    dynamodb: Client,
    table: String,
}

impl LeaseTable {
    /// The table of this name.
    pub fn new(dynamodb: Client, table: impl Into<String>) -> Self {
        Self { dynamodb, table: table.into() }
    }
}

impl Store for LeaseTable {
    async fn step(&self, key: &Key, step: &Step) -> Result<Answer, Trouble> {
        let call = self
            .dynamodb
            .update_item()
            .table_name(&self.table)
            .key("pk", partition(key.kind()))
            .key("sk", text(key.subject()))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let (doing, call) = match step {
            Step::Take { holder, now, until } => (
                "claiming",
                call.update_expression(
                    "SET #schema = :schema, expires_at = :expires_at, held_by = :holder, held_until = :until, \
                     fence = if_not_exists(fence, :before_first) + :one REMOVE dirty",
                )
                .condition_expression("attribute_not_exists(held_until) OR held_until <= :now")
                .expression_attribute_names("#schema", "schema")
                .expression_attribute_values(":schema", number(&SCHEMA))
                .expression_attribute_values(":expires_at", expiry(*until))
                .expression_attribute_values(":holder", text(&holder.0))
                .expression_attribute_values(":until", milliseconds(*until))
                .expression_attribute_values(":before_first", Fence::before_first(*now).value())
                .expression_attribute_values(":one", number(&1))
                .expression_attribute_values(":now", milliseconds(*now)),
            ),
            Step::Mark { now } => (
                "marking dirty",
                call.update_expression("SET dirty = :true")
                    .condition_expression("held_until > :now")
                    .expression_attribute_values(":true", AttributeValue::Bool(true))
                    .expression_attribute_values(":now", milliseconds(*now)),
            ),
            Step::Free { fence } => (
                "releasing",
                call.update_expression("REMOVE held_by, held_until")
                    .condition_expression("fence = :fence AND attribute_not_exists(dirty)")
                    .expression_attribute_values(":fence", fence.value()),
            ),
            Step::Again { fence, until } => (
                "keeping for another run",
                call.update_expression(
                    "SET expires_at = :expires_at, held_until = :until, fence = fence + :one REMOVE dirty",
                )
                .condition_expression("fence = :fence AND attribute_exists(held_until)")
                .expression_attribute_values(":expires_at", expiry(*until))
                .expression_attribute_values(":until", milliseconds(*until))
                .expression_attribute_values(":one", number(&1))
                .expression_attribute_values(":fence", fence.value()),
            ),
            Step::Leave { fence } => (
                "leaving dirty",
                call.update_expression("SET dirty = :true REMOVE held_by, held_until")
                    .condition_expression("fence = :fence")
                    .expression_attribute_values(":true", AttributeValue::Bool(true))
                    .expression_attribute_values(":fence", fence.value()),
            ),
            Step::Extend { fence, until } => (
                "extending the lease of",
                call.update_expression("SET expires_at = :expires_at, held_until = :until")
                    .condition_expression("fence = :fence AND held_until < :until")
                    .expression_attribute_values(":expires_at", expiry(*until))
                    .expression_attribute_values(":until", milliseconds(*until))
                    .expression_attribute_values(":fence", fence.value()),
            ),
        };
        let read = |attributes: &HashMap<String, AttributeValue>| {
            read(attributes).map_err(|attribute| Trouble::Item { doing, about: key.to_string(), attribute })
        };
        match call.send().await {
            Ok(answer) => Ok(Answer::Done(read(answer.attributes().unwrap_or(&HashMap::new()))?)),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(Answer::Refused(failed.item().map(read).transpose()?))
                }
                _ => Err(Trouble::call(doing, key, &error)),
            },
        }
    }

    async fn unattended(&self, kind: Kind, now: OffsetDateTime) -> Result<Vec<Key>, Trouble> {
        let doing = "looking for unattended keys of kind";
        let mut items = self
            .dynamodb
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .filter_expression("held_until <= :now OR (attribute_not_exists(held_until) AND attribute_exists(dirty))")
            .projection_expression("sk")
            .expression_attribute_values(":pk", partition(kind))
            .expression_attribute_values(":now", milliseconds(now))
            .into_paginator()
            .items()
            .send();
        let mut keys = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| Trouble::call(doing, &kind.0, &error))?;
            let subject = item.get("sk").and_then(|subject| subject.as_s().ok());
            let subject = subject.ok_or_else(|| Trouble::Item { doing, about: kind.0.to_owned(), attribute: "sk" })?;
            keys.push(Key::new(kind, subject));
        }
        Ok(keys)
    }
}

/// An item as the table has it, or the attribute that is at fault.
fn read(attributes: &HashMap<String, AttributeValue>) -> Result<Item, &'static str> {
    let number = |name: &'static str| {
        let value = attributes.get(name).map(|value| value.as_n().ok());
        value.map(|digits| digits.and_then(|digits| digits.parse::<u64>().ok()).ok_or(name)).transpose()
    };
    let hold = match number("held_until")? {
        Some(until) => {
            let holder = attributes.get("held_by").and_then(|holder| holder.as_s().ok()).ok_or("held_by")?;
            let until = OffsetDateTime::from_unix_timestamp_nanos(i128::from(until) * 1_000_000);
            Some(Hold { holder: Holder(holder.clone()), until: until.map_err(|_| "held_until")? })
        }
        None => None,
    };
    Ok(Item { fence: Fence(number("fence")?.ok_or("fence")?), hold, dirty: attributes.contains_key("dirty") })
}

fn partition(kind: Kind) -> AttributeValue {
    text(&format!("lease#{}", kind.0))
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn milliseconds(instant: OffsetDateTime) -> AttributeValue {
    number(&(instant.unix_timestamp_nanos() / 1_000_000))
}

fn expiry(until: OffsetDateTime) -> AttributeValue {
    number(&(until + LIFE).unix_timestamp())
}
