//! The ledger in the state table: an item for each request, one for each deletion, one for a failed update, one for each
//! request that waits.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use lambda_runtime::tracing::error;
use time::{Duration, OffsetDateTime};
use watchkeeper_aws_errors::words;

use crate::ledger::{Begun, Hold, Ledger, LedgerError, Stored, Waiting};
use crate::name::{Owner, PhysicalId};

/// The version of the items' layout.
const SCHEMA: i128 = 1;
/// CloudFormation waits an hour at most, Lambda keeps an event for six; more is for whoever looks into it.
const LIFE: Duration = Duration::days(3);
/// What waits holds secrets, so it outlives CloudFormation's patience by no more than the sweeps that clear it away.
const LIFE_AFTER_WAITING: Duration = Duration::minutes(10);

/// The state table. Needs `dynamodb:GetItem` and `dynamodb:UpdateItem` on items whose partition key begins with `request#` or
/// `resource#`, and `dynamodb:Query`, `UpdateItem` and `DeleteItem` on those of `waiting#` and the function's name.
///
/// What waits is the whole request with its `ResponseURL` (`DynamoDB` encrypts every table at rest), deleted once it is
/// answered. All of a function's share a partition key, so that one query finds them without an index.
#[derive(Debug, Clone)]
pub struct Table {
    client: aws_sdk_dynamodb::Client,
    name: String,
    waiting: String,
}

type Item = HashMap<String, AttributeValue>;

impl Table {
    /// The table of this name, for the function of that name: what waits for one function's sweep is none of another's.
    #[must_use]
    pub fn new(client: aws_sdk_dynamodb::Client, name: impl Into<String>, function: &str) -> Self {
        Self { client, name: name.into(), waiting: format!("waiting#{function}") }
    }

    /// Sets attributes of an item that lives for some days.
    async fn set(
        &self,
        doing: &'static str,
        key: (&str, &str),
        attributes: &[(&str, AttributeValue)],
    ) -> Result<(), LedgerError> {
        self.set_until(OffsetDateTime::now_utc() + LIFE, doing, key, attributes).await
    }

    async fn set_until(
        &self,
        expires: OffsetDateTime,
        doing: &'static str,
        (pk, sk): (&str, &str),
        attributes: &[(&str, AttributeValue)],
    ) -> Result<(), LedgerError> {
        let mut update = self.client.update_item().table_name(&self.name).key("pk", text(pk)).key("sk", text(sk));
        let always = [("schema", number(SCHEMA)), ("expires_at", number(expires.unix_timestamp().into()))];
        let mut sets = Vec::new();
        for (place, (name, value)) in always.iter().chain(attributes).enumerate() {
            update = update.expression_attribute_names(format!("#{place}"), *name);
            update = update.expression_attribute_values(format!(":{place}"), value.clone());
            sets.push(format!("#{place} = :{place}"));
        }
        let answer = update.update_expression(format!("SET {}", sets.join(", "))).send().await;
        answer.map(drop).map_err(|error| failed(doing, &error))
    }

    async fn get(&self, doing: &'static str, (pk, sk): (&str, &str)) -> Result<Item, LedgerError> {
        let get = self.client.get_item().table_name(&self.name).key("pk", text(pk)).key("sk", text(sk));
        let answer = get.consistent_read(true).send().await;
        answer.map(|answer| answer.item.unwrap_or_default()).map_err(|error| failed(doing, &error))
    }
}

impl Ledger for Table {
    async fn begin(&self, request_id: &str, hold: &Hold) -> Result<Begun, LedgerError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("pk", text(&request(request_id)))
            .key("sk", text("outcome"))
            .update_expression(
                "SET #schema = :schema, expires_at = :expires, holder = :holder, held_until = :until, \
                 began_at = if_not_exists(began_at, :now)",
            )
            .condition_expression(
                "attribute_not_exists(body) AND \
                 (attribute_not_exists(held_until) OR held_until < :now OR holder = :holder)",
            )
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_values(":schema", number(SCHEMA))
            .expression_attribute_values(":expires", number((hold.from + LIFE).unix_timestamp().into()))
            .expression_attribute_values(":holder", text(&hold.holder))
            .expression_attribute_values(":until", number(milliseconds(hold.until)))
            .expression_attribute_values(":now", number(milliseconds(hold.from)))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match update.send().await {
            Ok(answer) => {
                let before = answer.attributes();
                let first = before.and_then(|item| instant(item, "began_at")).unwrap_or(hold.from);
                let holder = before.and_then(|item| string(item, "holder"));
                Ok(Begun::Ours { first, cut_off: holder.is_some_and(|holder| *holder != hold.holder) })
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(found)) => {
                    let item = found.item().cloned().unwrap_or_default();
                    let body = string(&item, "body").cloned();
                    let delivered = item.contains_key("delivered_at");
                    Ok(body.map_or(Begun::InFlight, |body| Begun::Done(Stored { body, delivered })))
                }
                _ => Err(failed("taking the request", &error)),
            },
        }
    }

    async fn done(&self, request_id: &str, body: &str) -> Result<(), LedgerError> {
        self.set("noting the outcome", (&request(request_id), "outcome"), &[("body", text(body))]).await
    }

    async fn delivered(&self, request_id: &str) -> Result<(), LedgerError> {
        let now = number(milliseconds(OffsetDateTime::now_utc()));
        self.set("noting that the answer is delivered", (&request(request_id), "outcome"), &[("delivered_at", now)])
            .await
    }

    async fn let_go(&self, request_id: &str, holder: &str) -> Result<(), LedgerError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("pk", text(&request(request_id)))
            .key("sk", text("outcome"))
            .update_expression("REMOVE holder, held_until")
            .condition_expression("holder = :holder")
            .expression_attribute_values(":holder", text(holder));
        match update.send().await {
            Ok(_) => Ok(()),
            // Somebody else's by now.
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(failed("letting the request go", &error)),
        }
    }

    async fn wait(&self, waiting: &Waiting, until: OffsetDateTime) -> Result<(), LedgerError> {
        let mut attributes = vec![
            ("event", text(&waiting.event.to_string())),
            ("began_at", number(milliseconds(waiting.first))),
            ("tried_at", number(milliseconds(waiting.tried))),
        ];
        attributes.extend(waiting.made.iter().map(|made| ("made", text(made.as_str()))));
        let key = (&*self.waiting, &*waiting.request_id);
        self.set_until(until + LIFE_AFTER_WAITING, "noting that a request waits", key, &attributes).await
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, LedgerError> {
        let query = self.client.query().table_name(&self.name).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", text(&self.waiting));
        let mut items = query.into_paginator().items().send();
        let mut all = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| failed("looking for waiting requests", &error))?;
            if let Some(waiting) = waiting(&item) {
                all.push(waiting);
            } else {
                // It must not keep the others waiting; it goes when it expires.
                error!(sk = ?item.get("sk"), "an item of a waiting request that cannot be understood");
            }
        }
        Ok(all)
    }

    async fn waits_no_more(&self, request_id: &str) -> Result<(), LedgerError> {
        let delete = self.client.delete_item().table_name(&self.name);
        let delete = delete.key("pk", text(&self.waiting)).key("sk", text(request_id));
        delete.send().await.map(drop).map_err(|error| failed("forgetting that a request waited", &error))
    }

    async fn deleting(&self, owner: &Owner, id: &PhysicalId, at: OffsetDateTime) -> Result<(), LedgerError> {
        let at = [("deleted_at", number(milliseconds(at)))];
        self.set("noting the deletion", (&resource(owner), &deleted(id)), &at).await
    }

    async fn deleted_since(&self, owner: &Owner, id: &PhysicalId, since: OffsetDateTime) -> Result<bool, LedgerError> {
        let item = self.get("looking for a deletion", (&resource(owner), &deleted(id))).await?;
        // To the millisecond, as it is kept.
        let since = milliseconds(since);
        Ok(instant(&item, "deleted_at").is_some_and(|at| milliseconds(at) >= since))
    }

    async fn is_newest(&self, owner: &Owner, first: OffsetDateTime) -> Result<bool, LedgerError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .key("pk", text(&resource(owner)))
            .key("sk", text("newest"))
            .update_expression("SET #schema = :schema, expires_at = :expires, first = :first")
            .condition_expression("attribute_not_exists(first) OR first <= :first")
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_values(":schema", number(SCHEMA))
            .expression_attribute_values(":expires", number((first + LIFE).unix_timestamp().into()))
            .expression_attribute_values(":first", number(milliseconds(first)));
        match update.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(false)
            }
            Err(error) => Err(failed("noting the newest request", &error)),
        }
    }

    async fn update_failed(&self, owner: &Owner, digest: &str) -> Result<(), LedgerError> {
        self.set("noting a failed update", (&resource(owner), "failed-update"), &[("digest", text(digest))]).await
    }

    async fn update_succeeded(&self, owner: &Owner) -> Result<(), LedgerError> {
        // The empty text is the digest of nothing.
        self.update_failed(owner, "").await
    }

    async fn did_update_fail(&self, owner: &Owner, digest: &str) -> Result<bool, LedgerError> {
        let item = self.get("looking for a failed update", (&resource(owner), "failed-update")).await?;
        // DynamoDB takes what has expired away days later (its developer guide, "Time to Live").
        let expires = item.get("expires_at").and_then(|at| at.as_n().ok()?.parse::<i64>().ok());
        let is_alive = expires.is_some_and(|at| at > OffsetDateTime::now_utc().unix_timestamp());
        let known = string(&item, "digest");
        Ok(is_alive && known.is_some_and(|known| known == digest))
    }
}

fn waiting(item: &Item) -> Option<Waiting> {
    Some(Waiting {
        request_id: string(item, "sk")?.clone(),
        event: serde_json::from_str(string(item, "event")?).ok()?,
        first: instant(item, "began_at")?,
        tried: instant(item, "tried_at")?,
        made: string(item, "made").map(PhysicalId::new),
    })
}

fn request(request_id: &str) -> String {
    format!("request#{request_id}")
}

fn resource(owner: &Owner) -> String {
    format!("resource#{owner}")
}

/// A sort key has at most 1,024 bytes (DynamoDB, "Quotas"), as many as a physical id: so a digest of it.
fn deleted(id: &PhysicalId) -> String {
    format!("deleted#{}", uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, id.as_str().as_bytes()))
}

fn failed<E>(doing: &'static str, error: &SdkError<E>) -> LedgerError
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    LedgerError { doing, why: words(error) }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn string<'a>(item: &'a Item, name: &str) -> Option<&'a String> {
    item.get(name)?.as_s().ok()
}

fn number(value: i128) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn milliseconds(instant: OffsetDateTime) -> i128 {
    instant.unix_timestamp_nanos() / 1_000_000
}

fn instant(item: &Item, name: &str) -> Option<OffsetDateTime> {
    let milliseconds: i128 = item.get(name)?.as_n().ok()?.parse().ok()?;
    OffsetDateTime::from_unix_timestamp_nanos(milliseconds.checked_mul(1_000_000)?).ok()
}
