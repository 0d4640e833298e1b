//! The state table as the store of incidents.

mod steady;

use std::collections::HashMap;

use aws_sdk_dynamodb::error::{BuildError, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, KeysAndAttributes, Put, TransactWriteItem, Update,
};
use lambda_runtime::tracing::error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::{AlertKey, Evidence};
use watchkeeper_events::{RolloutBegun, ServiceArn, TaskDefinitionArn};
use watchkeeper_lease::{FENCE, NOT_FENCED_OFF};

use crate::clients::Clients;
use crate::error::Trouble;
use crate::evidence::SteadyRevisions;
use crate::plan::desk::Desk;
use crate::plan::incident::{Incident, Key, Phase, Rest};
use crate::plan::life::Rollout;
use crate::store::{Change, Changes, Committed, Known, Store, Stored};

/// The version of the items' layout.
const SCHEMA: u32 = 1;
/// How long a fault, an incident that is over and its evidence are remembered.
const MEMORY: Duration = Duration::days(30);
/// How long an incident is kept that nothing touches any more.
const LIFE: Duration = Duration::days(400);
/// How long a steady revision is remembered; ECS repeats steady-state events every few hours.
const STEADY_LIFE: Duration = Duration::days(400);
/// All live incidents share a partition, so that one query finds them.
const INCIDENTS: &str = "incidents";
const DESK: (&str, &str) = ("incidents-desk", "desk");
/// How often what DynamoDB left out of a batch is asked for again.
const ASKS: usize = 5;

/// The condition that there is no such item.
const ABSENT: &str = "attribute_not_exists(pk)";

type Item = HashMap<String, AttributeValue>;

impl Store for Clients {
    async fn read(&self, key: &Key, faults: &[AlertKey], service: Option<&ServiceArn>) -> Result<Known, Trouble> {
        let places = |fault: &AlertKey| (fault.subject.clone(), occurrence(fault));
        let (incident, rest) = ((INCIDENTS.to_owned(), key.text()), rest_of(key));
        let desk = (DESK.0.to_owned(), DESK.1.to_owned());
        let rollout = service.map(|service| (format!("service#{service}"), "rollout".to_owned()));
        let mut wanted = vec![incident.clone(), rest.clone(), desk.clone()];
        wanted.extend(rollout.clone());
        wanted.extend(faults.iter().map(places));
        let mut found = self.items(wanted).await?;
        let seen = faults.iter().filter(|fault| found.contains_key(&places(fault))).cloned().collect();
        Ok(Known {
            incident: found.remove(&incident).map(|item| stored(&item)).transpose()?,
            rest: found.remove(&rest).map(|item| stored(&item)).transpose()?,
            seen,
            desk: found.remove(&desk).map(|item| stored(&item)).transpose()?,
            rollout: rollout.and_then(|place| found.remove(&place)).and_then(|item| rollout_of(&item)),
        })
    }

    async fn commit(&self, changes: &Changes, now: OffsetDateTime) -> Result<Committed, Trouble> {
        let doing = "storing what became of an incident";
        let mut write = self.dynamodb.transact_write_items();
        for (fault, incident) in &changes.seen {
            let mut item = self
                .item(&fault.subject, &occurrence(fault), now + MEMORY)
                .item("seen_at", number(&milliseconds(now)))
                .condition_expression(ABSENT);
            if let Some(incident) = incident {
                item = item.item("incident", text(incident));
            }
            write = write.transact_items(put(item)?);
        }
        for change in &changes.incidents {
            for item in self.incident_change(change, changes, now)? {
                write = write.transact_items(item);
            }
        }
        if let Some((key, rest)) = &changes.rest {
            write = write.transact_items(self.rest(key, rest, Some(changes.rest_version), now)?);
            write = write.transact_items(self.no_incident(key)?);
        }
        if let Some((version, desk)) = &changes.desk {
            let item = self
                .item(DESK.0, DESK.1, now + LIFE)
                .item("version", number(&(version + 1)))
                .item("state", json(desk)?)
                .condition_expression("attribute_not_exists(pk) OR version = :version")
                .expression_attribute_values(":version", number(version));
            write = write.transact_items(put(item)?);
        }
        match write.send().await {
            Ok(_) => Ok(Committed::Done),
            Err(error) if was_overtaken(&error) => Ok(Committed::Overtaken),
            Err(error) => Err(Trouble::call(doing, &error)),
        }
    }

    async fn incident(&self, key: &str) -> Result<Option<Stored<Incident>>, Trouble> {
        let answer = self.get(INCIDENTS, key, "looking at an incident").await?;
        answer.map(|item| stored(&item)).transpose()
    }

    async fn live(&self, subject: Option<&str>) -> Result<Vec<Stored<Incident>>, Trouble> {
        let doing = "looking at the incidents";
        let mut query = self
            .dynamodb
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression(if subject.is_some() {
                "pk = :pk AND begins_with(sk, :subject)"
            } else {
                "pk = :pk"
            })
            .expression_attribute_values(":pk", text(INCIDENTS));
        if let Some(subject) = subject {
            // The space ends the subject, so that "agent" is not "agent-2".
            query = query.expression_attribute_values(":subject", text(&format!("{subject} ")));
        }
        let mut items = query.into_paginator().items().send();
        let mut live = Vec::new();
        while let Some(item) = items.next().await {
            match stored(&item.map_err(|error| Trouble::call(doing, &error))?) {
                Ok(incident) => live.push(incident),
                // One that another version wrote holds no other up.
                Err(trouble) => error!(%trouble, "an incident is left as it is"),
            }
        }
        Ok(live)
    }

    async fn desk(&self) -> Result<Stored<Desk>, Trouble> {
        let found = self.get(DESK.0, DESK.1, "looking at the desk").await?;
        let none = Stored { value: Desk::default(), version: 0 };
        found.map_or(Ok(none), |item| stored(&item))
    }

    async fn evidence(&self, incident: &str) -> Result<Option<Evidence>, Trouble> {
        let found = self.get(&format!("incident#{incident}"), "evidence", "looking at the evidence").await?;
        found.map(|item| state(&item)).transpose()
    }

    async fn keep_evidence(&self, incident: &str, evidence: &Evidence, now: OffsetDateTime) -> Result<(), Trouble> {
        let put = self
            .dynamodb
            .put_item()
            .table_name(&self.table)
            .item("pk", text(&format!("incident#{incident}")))
            .item("sk", text("evidence"))
            .item("schema", number(&SCHEMA))
            .item("expires_at", number(&(now + MEMORY).unix_timestamp()))
            .item("state", json(evidence)?);
        put.send().await.map(drop).map_err(|error| Trouble::call("keeping the evidence", &error))
    }

    async fn remember_rollout(&self, rollout: &RolloutBegun) -> Result<(), Trouble> {
        let mut put = self
            .dynamodb
            .put_item()
            .table_name(&self.table)
            .item("pk", text(&format!("service#{}", rollout.service)))
            .item("sk", text("rollout"))
            .item("schema", number(&SCHEMA))
            .item("expires_at", number(&(rollout.until + Duration::DAY).unix_timestamp()))
            .item("began", number(&milliseconds(rollout.began)))
            .item("until", number(&milliseconds(rollout.until)))
            .condition_expression("attribute_not_exists(pk) OR began <= :began")
            .expression_attribute_values(":began", number(&milliseconds(rollout.began)));
        if let Some(deployment) = &rollout.deployment {
            put = put.item("deployment", text(deployment));
        }
        unless_condition_failed("remembering a rollout", put.send().await.map(drop))
    }

    async fn remember_steady(
        &self,
        subject: &str,
        revision: &TaskDefinitionArn,
        seen_at: OffsetDateTime,
    ) -> Result<(), Trouble> {
        self.note_steady(subject, revision, seen_at).await
    }

    async fn last_steady(&self, subject: &str) -> Result<Option<SteadyRevisions>, Trouble> {
        self.steady_revisions(subject).await
    }
}

impl Clients {
    fn item(&self, pk: &str, sk: &str, expires_at: OffsetDateTime) -> PutBuilder {
        Put::builder()
            .table_name(&self.table)
            .item("pk", text(pk))
            .item("sk", text(sk))
            .item("schema", number(&SCHEMA))
            .item("expires_at", number(&expires_at.unix_timestamp()))
    }

    async fn get(&self, pk: &str, sk: &str, doing: &'static str) -> Result<Option<Item>, Trouble> {
        let get = self.dynamodb.get_item().table_name(&self.table).key("pk", text(pk)).key("sk", text(sk));
        let answer = get.consistent_read(true).send().await.map_err(|error| Trouble::call(doing, &error))?;
        Ok(answer.item)
    }

    /// Up to 100 items, by their keys.
    async fn items(&self, wanted: Vec<(String, String)>) -> Result<HashMap<(String, String), Item>, Trouble> {
        let doing = "reading what is known of an incident";
        let keys = wanted.into_iter().map(|(pk, sk)| Item::from([("pk".into(), text(&pk)), ("sk".into(), text(&sk))]));
        let keys = KeysAndAttributes::builder().set_keys(Some(keys.collect())).consistent_read(true).build();
        let keys = keys.map_err(|error| Trouble::Call { doing, why: error.to_string() })?;
        let mut left = HashMap::from([(self.table.clone(), keys)]);
        let mut found = HashMap::new();
        for _ in 0..ASKS {
            let answer = self.dynamodb.batch_get_item().set_request_items(Some(left)).send().await;
            let answer = answer.map_err(|error| Trouble::call(doing, &error))?;
            for item in answer.responses.into_iter().flatten().flat_map(|(_, items)| items) {
                let place = (text_of(&item, "pk")?, text_of(&item, "sk")?);
                found.insert(place, item);
            }
            left = answer.unprocessed_keys.unwrap_or_default();
            if left.is_empty() {
                return Ok(found);
            }
        }
        Err(Trouble::Call { doing, why: format!("DynamoDB left items out {ASKS} times") })
    }

    fn incident_change(
        &self,
        change: &Change,
        changes: &Changes,
        now: OffsetDateTime,
    ) -> Result<Vec<TransactWriteItem>, Trouble> {
        let after = &change.after;
        let key = after.key.text();
        // One is written although it is gone only by who read it before it went, and then the condition fails.
        let mut condition = match &change.before {
            Some(_) => "id = :id AND version = :version".to_owned(),
            None => ABSENT.to_owned(),
        };
        let mut values = HashMap::new();
        if let Some((id, version)) = &change.before {
            values.insert(":id".to_owned(), text(id));
            values.insert(":version".to_owned(), number(version));
        }
        if let Some(fence) = changes.fence {
            condition = format!("{condition} AND {NOT_FENCED_OFF}");
            values.insert(":fence".to_owned(), number(&fence));
        }
        if after.phase == Phase::Closed && after.outbox.is_empty() {
            if change.before.is_none() {
                return Ok(vec![self.rest(&after.key, &after.rest(), Some(changes.rest_version), now)?]);
            }
            let rest = self.rest(&after.key, &after.rest(), None, now)?;
            let delete = Delete::builder()
                .table_name(&self.table)
                .key("pk", text(INCIDENTS))
                .key("sk", text(&key))
                .condition_expression(condition)
                .set_expression_attribute_values(Some(values));
            return Ok(vec![
                TransactWriteItem::builder().delete(delete.build().map_err(|error| build(&error))?).build(),
                rest,
            ]);
        }
        let version = change.before.as_ref().map_or_else(|| changes.first_version(), |(_, version)| version + 1);
        let mut set =
            "SET #schema = :schema, expires_at = :expires, id = :new_id, version = :new_version, #state = :state"
                .to_owned();
        if changes.fence.is_some() {
            set = format!("{set}, {FENCE} = :fence");
        }
        values.extend([
            (":schema".to_owned(), number(&SCHEMA)),
            (":expires".to_owned(), number(&(now + LIFE).unix_timestamp())),
            (":new_id".to_owned(), text(&after.id)),
            (":new_version".to_owned(), number(&version)),
            (":state".to_owned(), json(after)?),
        ]);
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", text(INCIDENTS))
            .key("sk", text(&key))
            .update_expression(set)
            .condition_expression(condition)
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_names("#state", "state")
            .set_expression_attribute_values(Some(values));
        let update = TransactWriteItem::builder().update(update.build().map_err(|error| build(&error))?).build();
        Ok(match &change.before {
            Some(_) => vec![update],
            None => vec![update, self.rest_as_read(&after.key, changes.rest_version)?],
        })
    }

    /// Remembers a rest; only over the one that was read, if its version is given.
    fn rest(
        &self,
        key: &Key,
        rest: &Rest,
        read: Option<u64>,
        now: OffsetDateTime,
    ) -> Result<TransactWriteItem, Trouble> {
        let (pk, sk) = rest_of(key);
        let mut update = Update::builder()
            .table_name(&self.table)
            .key("pk", text(&pk))
            .key("sk", text(&sk))
            .update_expression(
                "SET #schema = :schema, expires_at = :expires, #state = :state, version = if_not_exists(version, :zero) + :one",
            )
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":schema", number(&SCHEMA))
            .expression_attribute_values(":expires", number(&(now + MEMORY).unix_timestamp()))
            .expression_attribute_values(":state", json(rest)?)
            .expression_attribute_values(":zero", number(&0))
            .expression_attribute_values(":one", number(&1));
        match read {
            None => {}
            Some(0) => update = update.condition_expression(ABSENT),
            Some(version) => {
                update = update
                    .condition_expression("version = :version")
                    .expression_attribute_values(":version", number(&version));
            }
        }
        Ok(TransactWriteItem::builder().update(update.build().map_err(|error| build(&error))?).build())
    }

    /// That the rest is still the one that was read.
    fn rest_as_read(&self, key: &Key, version: u64) -> Result<TransactWriteItem, Trouble> {
        let (pk, sk) = rest_of(key);
        let check = ConditionCheck::builder().table_name(&self.table).key("pk", text(&pk)).key("sk", text(&sk));
        let check = match version {
            0 => check.condition_expression(ABSENT),
            _ => check
                .condition_expression("version = :version")
                .expression_attribute_values(":version", number(&version)),
        };
        Ok(TransactWriteItem::builder().condition_check(check.build().map_err(|error| build(&error))?).build())
    }

    /// That there is still no incident.
    fn no_incident(&self, key: &Key) -> Result<TransactWriteItem, Trouble> {
        let check = ConditionCheck::builder().table_name(&self.table).condition_expression(ABSENT);
        let check =
            check.key("pk", text(INCIDENTS)).key("sk", text(&key.text())).build().map_err(|error| build(&error))?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }
}

fn rest_of(key: &Key) -> (String, String) {
    (format!("rest#{}", key.text()), "rest".to_owned())
}

fn occurrence(fault: &AlertKey) -> String {
    format!("alert#{}", fault.occurrence)
}

fn put(item: PutBuilder) -> Result<TransactWriteItem, Trouble> {
    Ok(TransactWriteItem::builder().put(item.build().map_err(|error| build(&error))?).build())
}

fn build(error: &BuildError) -> Trouble {
    Trouble::Call { doing: "storing what became of an incident", why: error.to_string() }
}

/// Whether somebody else wrote the same at the same time, or before (DynamoDB API Reference, `TransactWriteItems`).
fn was_overtaken(error: &SdkError<TransactWriteItemsError>) -> bool {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled
            .cancellation_reasons()
            .iter()
            .any(|reason| matches!(reason.code(), Some("ConditionalCheckFailed" | "TransactionConflict"))),
        Some(TransactWriteItemsError::TransactionInProgressException(_)) => true,
        _ => false,
    }
}

fn stored<T: DeserializeOwned>(item: &Item) -> Result<Stored<T>, Trouble> {
    let version = item.get("version").and_then(|version| version.as_n().ok()).and_then(|version| version.parse().ok());
    let version = version.ok_or_else(|| unreadable(item, "has no version"))?;
    Ok(Stored { value: state(item)?, version })
}

fn state<T: DeserializeOwned>(item: &Item) -> Result<T, Trouble> {
    let state =
        item.get("state").and_then(|state| state.as_s().ok()).ok_or_else(|| unreadable(item, "has no state"))?;
    serde_json::from_str(state).map_err(|error| unreadable(item, &error.to_string()))
}

fn unreadable(item: &Item, why: &str) -> Trouble {
    let name = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).map_or("?", String::as_str);
    Trouble::Call { doing: "reading the table", why: format!("the item {} {} {why}", name("pk"), name("sk")) }
}

fn text_of(item: &Item, name: &str) -> Result<String, Trouble> {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    value.cloned().ok_or_else(|| unreadable(item, "lacks its key"))
}

fn rollout_of(item: &Item) -> Option<Rollout> {
    let instant = |name: &str| {
        let milliseconds: i128 = item.get(name)?.as_n().ok()?.parse().ok()?;
        OffsetDateTime::from_unix_timestamp_nanos(milliseconds * 1_000_000).ok()
    };
    let deployment = item.get("deployment").and_then(|deployment| deployment.as_s().ok()).cloned();
    Some(Rollout { deployment, began: instant("began")?, until: instant("until")? })
}

/// That its condition did not hold is no error: what is there is newer.
fn unless_condition_failed(doing: &'static str, answer: Result<(), SdkError<PutItemError>>) -> Result<(), Trouble> {
    match answer {
        Err(error) if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) => {
            Ok(())
        }
        answer => answer.map_err(|error| Trouble::call(doing, &error)),
    }
}

fn json(value: &impl Serialize) -> Result<AttributeValue, Trouble> {
    let text = serde_json::to_string(value);
    text.map(AttributeValue::S)
        .map_err(|error| Trouble::Call { doing: "writing down what became of an incident", why: error.to_string() })
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
