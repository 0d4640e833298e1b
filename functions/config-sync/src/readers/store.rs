//! The index in the state table: the partition `readers`, an item for each service, and one for how far the sweep is.
//!
//! Needs `dynamodb:Query`, `GetItem`, `UpdateItem` and `DeleteItem` on it.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;
use lambda_runtime::tracing::error;
use time::OffsetDateTime;
use watchkeeper_aws_errors::Failed;

use super::cursor::Cursor;
use super::item::{Item, Reader, SCHEMA, SERVICE, milliseconds, number};

const PARTITION: &str = "readers";
const CURSOR: &str = "cursor";
/// A service that was looked at later is left as it is.
const NOT_SEEN_SINCE: &str = "attribute_not_exists(#seen_at) OR #seen_at <= :seen_at";
const KEEPING: &str = "noting how far the index of readers is";

#[derive(Debug, Clone)]
pub(super) struct Store {
    client: Client,
    table: String,
}

impl Store {
    pub(super) fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// All services. Half a read unit per 4 KB: some ten services.
    pub(super) async fn all(&self) -> Result<Vec<Reader>, Failed> {
        let query = self.client.query().table_name(&self.table);
        let query = query
            .key_condition_expression("pk = :pk AND begins_with(sk, :service)")
            .expression_attribute_values(":pk", text(PARTITION))
            .expression_attribute_values(":service", text(SERVICE));
        let mut items = query.into_paginator().items().send();
        let mut all = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| Failed::of("finding the services that read the documents", &error))?;
            if let Some(reader) = Reader::read(&item) {
                all.push(reader);
            } else {
                // The sweep writes it anew.
                error!(sk = ?item.get("sk"), "an item of the index of readers that cannot be understood");
            }
        }
        Ok(all)
    }

    /// Writes what was seen of a service.
    pub(super) async fn put(&self, reader: &Reader) -> Result<(), Failed> {
        let update = self.client.update_item().table_name(&self.table);
        let mut update =
            update.key("pk", text(PARTITION)).key("sk", service(&reader.service)).condition_expression(NOT_SEEN_SINCE);
        let mut sets = Vec::new();
        for (name, value) in reader.attributes() {
            update = update.expression_attribute_names(format!("#{name}"), name);
            update = update.expression_attribute_values(format!(":{name}"), value);
            sets.push(format!("#{name} = :{name}"));
        }
        unless_seen_since(
            "noting what a service reads",
            update.update_expression(format!("SET {}", sets.join(", "))).send().await,
        )
    }

    /// Forgets a service that was not there then.
    pub(super) async fn remove(&self, key: &str, looked_at: OffsetDateTime) -> Result<(), Failed> {
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete
            .key("pk", text(PARTITION))
            .key("sk", service(key))
            .condition_expression(NOT_SEEN_SINCE)
            .expression_attribute_names("#seen_at", "seen_at")
            .expression_attribute_values(":seen_at", milliseconds(looked_at));
        unless_seen_since("forgetting what a service read", delete.send().await)
    }

    /// How far the sweep is. What cannot be understood is a round that begins anew.
    pub(super) async fn cursor(&self) -> Result<Cursor, Failed> {
        let get = self.client.get_item().table_name(&self.table);
        let get = get.key("pk", text(PARTITION)).key("sk", text(CURSOR)).consistent_read(true);
        let answer = get.send().await.map_err(|error| Failed::of("reading how far the index of readers is", &error))?;
        Ok(answer.item().and_then(read_cursor).unwrap_or_default())
    }

    /// Notes how far the sweep is. Of two at a time the last one counts: what it leaves out of the other's is done again.
    pub(super) async fn keep(&self, cursor: &Cursor) -> Result<(), Failed> {
        let written = serde_json::to_string(cursor);
        let written = written.map_err(|error| Failed { doing: KEEPING, why: error.to_string(), for_good: true })?;
        let update = self.client.update_item().table_name(&self.table);
        let update = update
            .key("pk", text(PARTITION))
            .key("sk", text(CURSOR))
            .update_expression("SET #schema = :schema, #cursor = :cursor")
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_names("#cursor", "cursor")
            .expression_attribute_values(":schema", number(&SCHEMA))
            .expression_attribute_values(":cursor", AttributeValue::S(written));
        update.send().await.map_err(|error| Failed::of(KEEPING, &error))?;
        Ok(())
    }
}

fn read_cursor(item: &Item) -> Option<Cursor> {
    let is_known = *item.get("schema")? == number(&SCHEMA);
    serde_json::from_str(item.get("cursor").filter(|_| is_known)?.as_s().ok()?).ok()
}

fn unless_seen_since<T, E>(doing: &'static str, answer: Result<T, SdkError<E>>) -> Result<(), Failed>
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    match answer {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(()),
        Err(error) => Err(Failed::of(doing, &error)),
    }
}

fn service(key: &str) -> AttributeValue {
    AttributeValue::S(format!("{SERVICE}{key}"))
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}
