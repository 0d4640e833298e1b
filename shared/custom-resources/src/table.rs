//! The ledger in the state table: an item for each request, one for each deletion, one for a failed update.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use time::{Duration, OffsetDateTime};

use crate::ledger::{Begun, Hold, Ledger, LedgerError, Stored};
use crate::name::{Owner, PhysicalId};

/// The version of the items' layout.
const SCHEMA: i128 = 1;
/// CloudFormation waits an hour at most, Lambda keeps an event for six; more is for whoever looks into it.
const LIFE: Duration = Duration::days(3);

/// The state table.
#[derive(Debug, Clone)]
pub struct Table {
    client: aws_sdk_dynamodb::Client,
    name: String,
}

type Item = HashMap<String, AttributeValue>;

impl Table {
    /// The table of this name.
    #[must_use]
    pub fn new(client: aws_sdk_dynamodb::Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    /// Sets attributes of an item that lives for some days.
    async fn set(
        &self,
        doing: &'static str,
        (pk, sk): (&str, &str),
        attributes: &[(&str, AttributeValue)],
    ) -> Result<(), LedgerError> {
        let mut update = self.client.update_item().table_name(&self.name).key("pk", text(pk)).key("sk", text(sk));
        let expires = OffsetDateTime::now_utc() + LIFE;
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
                "attribute_not_exists(pk) OR (attribute_not_exists(body) AND (held_until < :now OR holder = :holder))",
            )
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_values(":schema", number(SCHEMA))
            .expression_attribute_values(":expires", number((hold.from + LIFE).unix_timestamp().into()))
            .expression_attribute_values(":holder", text(&hold.holder))
            .expression_attribute_values(":until", number(milliseconds(hold.until)))
            .expression_attribute_values(":now", number(milliseconds(hold.from)))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match update.send().await {
            Ok(answer) => {
                let first = answer.attributes().and_then(|item| instant(item, "began_at")).unwrap_or(hold.from);
                Ok(Begun::Ours { first })
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(found)) => {
                    let item = found.item().cloned().unwrap_or_default();
                    let body = item.get("body").and_then(|body| body.as_s().ok()).cloned();
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
        let known = item.get("digest").and_then(|known| known.as_s().ok());
        Ok(is_alive && known.is_some_and(|known| known == digest))
    }
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
    let why = match (error.code(), error.message()) {
        (Some(code), message) => format!("{code}: {}", message.unwrap_or_default()),
        (None, _) => match error.raw_response() {
            Some(answer) => format!("HTTP status {}, without an error code", answer.status().as_u16()),
            None => DisplayErrorContext(error).to_string(),
        },
    };
    LedgerError { doing, why }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
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
