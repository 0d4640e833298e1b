//! What the watch remembers from one look to the next: the partition `watch` of the state table, an item for each service that
//! is in trouble and one for how far the round is.
//!
//! Needs `dynamodb:Query`, `PutItem` and `DeleteItem` on it.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use lambda_runtime::tracing::error;
use time::{Duration, OffsetDateTime};
use watchkeeper_events::ServiceArn;

use super::cursor::Cursor;
use crate::clients::Clients;
use crate::error::Trouble;
use crate::plan::watch::{Remembered, Silent};

/// The version of the items' layout.
const SCHEMA: u32 = 1;
const PARTITION: &str = "watch";
const CURSOR: &str = "cursor";
/// What lasts is written again every day; what nobody looks at any more ages away.
const LIFE: Duration = Duration::days(30);

/// The watch's memory.
pub trait Memory {
    /// All of it.
    fn recall(&self) -> impl Future<Output = Result<Recalled, Trouble>> + Send;

    /// Remembers this, instead of what was remembered of the same service and trouble.
    fn remember(&self, remembered: &Remembered) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Forgets what is over since then; without an instant, what was never told. What has begun anew since stays.
    fn forget(
        &self,
        service: &ServiceArn,
        trouble: Silent,
        over_at: Option<OffsetDateTime>,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Remembers how far the round is.
    fn keep(&self, cursor: &Cursor) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// All that is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recalled {
    /// Of services.
    pub remembered: Vec<Remembered>,
    /// How far the round is.
    pub cursor: Cursor,
}

type Item = HashMap<String, AttributeValue>;

impl Memory for Clients {
    async fn recall(&self) -> Result<Recalled, Trouble> {
        let query = self.dynamodb.query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", text(PARTITION));
        let mut items = query.into_paginator().items().send();
        let mut recalled = Recalled::default();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| Trouble::call("recalling which services were in trouble", &error))?;
            if item.get("sk") == Some(&text(CURSOR)) {
                recalled.cursor = read_cursor(&item).unwrap_or_default();
            } else if let Some(remembered) = read(&item) {
                recalled.remembered.push(remembered);
            } else {
                error!(sk = ?item.get("sk"), "an item of the watch that cannot be understood");
            }
        }
        Ok(recalled)
    }

    async fn remember(&self, remembered: &Remembered) -> Result<(), Trouble> {
        let put = self.dynamodb.put_item().table_name(&self.table).set_item(Some(write(remembered)));
        put.send().await.map_err(|error| Trouble::call("remembering a service that is in trouble", &error))?;
        Ok(())
    }

    async fn forget(
        &self,
        service: &ServiceArn,
        trouble: Silent,
        over_at: Option<OffsetDateTime>,
    ) -> Result<(), Trouble> {
        let delete = self.dynamodb.delete_item().table_name(&self.table);
        let delete = delete.key("pk", text(PARTITION)).key("sk", text(&sort_key(service, trouble)));
        let delete = match over_at {
            Some(at) => delete
                .condition_expression("attribute_not_exists(pk) OR over_at = :at")
                .expression_attribute_values(":at", milliseconds(at)),
            None => delete
                .condition_expression("attribute_not_exists(pk) OR told = :told")
                .expression_attribute_values(":told", AttributeValue::Bool(false)),
        };
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(DeleteItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(Trouble::call("forgetting a service that was in trouble", &error)),
        }
    }

    async fn keep(&self, cursor: &Cursor) -> Result<(), Trouble> {
        let doing = "remembering how far the watch is";
        let written = serde_json::to_string(cursor).map_err(|error| Trouble::Call { doing, why: error.to_string() })?;
        let put = self.dynamodb.put_item().table_name(&self.table);
        let put = put.item("pk", text(PARTITION)).item("sk", text(CURSOR));
        let put = put.item("schema", number(&SCHEMA)).item("cursor", text(&written));
        put.send().await.map_err(|error| Trouble::call(doing, &error))?;
        Ok(())
    }
}

fn sort_key(service: &ServiceArn, trouble: Silent) -> String {
    format!("{}#{service}", trouble.cause())
}

fn write(remembered: &Remembered) -> Item {
    let Remembered { service, trouble, since, deployment, told, running, over_at, kept_at } = remembered;
    let mut item = Item::from([
        ("pk".to_owned(), text(PARTITION)),
        ("sk".to_owned(), text(&sort_key(service, *trouble))),
        ("schema".to_owned(), number(&SCHEMA)),
        ("expires_at".to_owned(), number(&(*kept_at + LIFE).unix_timestamp())),
        ("since".to_owned(), milliseconds(*since)),
        ("told".to_owned(), AttributeValue::Bool(*told)),
        ("kept_at".to_owned(), milliseconds(*kept_at)),
    ]);
    if let Some(deployment) = deployment {
        item.insert("deployment".to_owned(), text(deployment));
    }
    if let Some(running) = running {
        item.insert("running".to_owned(), number(running));
    }
    if let Some(over_at) = over_at {
        item.insert("over_at".to_owned(), milliseconds(*over_at));
    }
    item
}

fn read(item: &Item) -> Option<Remembered> {
    let instant = |name: &str| {
        let milliseconds: i128 = item.get(name)?.as_n().ok()?.parse().ok()?;
        OffsetDateTime::from_unix_timestamp_nanos(milliseconds.checked_mul(1_000_000)?).ok()
    };
    if *item.get("schema")? != number(&SCHEMA) {
        return None;
    }
    let (cause, service) = item.get("sk")?.as_s().ok()?.split_once('#')?;
    Some(Remembered {
        service: ServiceArn::parse(service).ok()?,
        trouble: Silent::ALL.into_iter().find(|one| one.cause() == cause)?,
        since: instant("since")?,
        deployment: item.get("deployment").and_then(|text| text.as_s().ok()).cloned(),
        told: *item.get("told")?.as_bool().ok()?,
        // What was written before there was any has none.
        running: item.get("running").and_then(|running| running.as_n().ok()?.parse().ok()),
        over_at: instant("over_at"),
        kept_at: instant("kept_at")?,
    })
}

fn read_cursor(item: &Item) -> Option<Cursor> {
    let is_known = *item.get("schema")? == number(&SCHEMA);
    serde_json::from_str(item.get("cursor").filter(|_| is_known)?.as_s().ok()?).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        let service = ServiceArn::parse("arn:aws:ecs:eu-west-1:123456789012:service/dbward/server").unwrap();
        let at = |second| OffsetDateTime::from_unix_timestamp(second).unwrap();
        for trouble in Silent::ALL {
            for (deployment, over_at) in [(None, None), (Some("ecs-svc/1".to_owned()), Some(at(3)))] {
                let told = over_at.is_some();
                let (service, running) = (service.clone(), told.then_some(3));
                let remembered =
                    Remembered { service, trouble, since: at(1), deployment, told, running, over_at, kept_at: at(2) };
                assert_eq!(read(&write(&remembered)), Some(remembered));
            }
        }
    }

    #[test]
    fn what_another_version_wrote_is_left_alone() {
        let mut item = Item::from([("schema".to_owned(), number(&2)), ("cursor".to_owned(), text("{}"))]);
        assert_eq!((read(&item), read_cursor(&item)), (None, None));
        item.insert("schema".to_owned(), number(&SCHEMA));
        assert_eq!((read(&item), read_cursor(&item)), (None, None));
    }
}
