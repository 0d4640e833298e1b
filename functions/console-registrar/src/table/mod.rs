//! Declarations in the state table.
//!
//! An item per declaration, all under one partition key, so that the sweep finds them with one query; and one that leads
//! from a service to its declarations, for events.

mod stacks;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use watchkeeper_custom_resources::{Owner, Properties};
use watchkeeper_events::ServiceArn;
use watchkeeper_lease::{Fence, NOT_FENCED_OFF};

use crate::declaration::{Declaration, DeclarationId, Phase};
use crate::follow::Declarations;
use crate::slot::State;
use crate::trouble::Trouble;
use crate::wanted::Wanted;

pub use stacks::Taken;

/// The version of the items' layout.
const SCHEMA: u32 = 1;
/// The partition of all declarations.
const ALL: &str = "registrations";
/// How long a declaration that went is remembered, and one that was taken over by another name: nobody who was at work on it
/// lives that long.
const MEMORY: Duration = Duration::days(1);

type Item = HashMap<String, AttributeValue>;

/// The state table.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: String,
}

/// What was declared before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Before {
    version: u64,
    service: Option<String>,
}

impl Table {
    /// The table of this name.
    #[must_use]
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }

    fn update(&self, pk: &str, sk: &str) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.name).key("pk", text(pk)).key("sk", text(sk))
    }

    /// The declarations about a service.
    pub async fn of_service(&self, service: &ServiceArn) -> Result<Vec<DeclarationId>, Trouble> {
        let items = self.query("finding the service's declarations", &of_service(service.as_str())).await?;
        Ok(items.iter().filter_map(|item| Some(DeclarationId(string(item, "sk")?.to_owned()))).collect())
    }

    /// All declarations that have entries or should have.
    pub async fn all(&self) -> Result<Vec<Result<Declaration, Trouble>>, Trouble> {
        let items = self.query("finding all declarations", ALL).await?;
        let gone = |item: &&Item| string(item, "phase") != Some(name(Phase::Gone));
        Ok(items.iter().filter(gone).map(read).collect())
    }

    async fn query(&self, doing: &'static str, pk: &str) -> Result<Vec<Item>, Trouble> {
        let query = self.client.query().table_name(&self.name).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", text(pk));
        let mut pages = query.into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.map_err(|error| Trouble::call(doing, &error))?);
        }
        Ok(items)
    }

    /// The way from a service to a declaration; with its version, so that a deletion which is late leaves it.
    async fn lead(&self, service: &str, id: &DeclarationId, version: u64) -> Result<(), Trouble> {
        self.update(&of_service(service), &id.0)
            .update_expression("SET #schema = :schema, #version = :version")
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":schema", number(&SCHEMA))
            .expression_attribute_values(":version", number(&version))
            .send()
            .await
            .map(drop)
            .map_err(|error| Trouble::call("storing the service's declaration", &error))
    }

    async fn forget_way(&self, service: &str, id: &DeclarationId, version: u64) -> Result<(), Trouble> {
        let delete = self
            .client
            .delete_item()
            .table_name(&self.name)
            .key("pk", text(&of_service(service)))
            .key("sk", text(&id.0))
            .condition_expression("attribute_not_exists(pk) OR #version <= :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", number(&version));
        match delete.send().await {
            Ok(_) => Ok(()),
            // It was declared anew.
            Err(error) if is_refused(&error) => Ok(()),
            Err(error) => Err(Trouble::call("forgetting the service's declaration", &error)),
        }
    }
}

impl Declarations for Table {
    async fn get(&self, id: &DeclarationId) -> Result<Option<Declaration>, Trouble> {
        let get = self.client.get_item().table_name(&self.name).key("pk", text(ALL)).key("sk", text(&id.0));
        let answer = get.consistent_read(true).send().await;
        let answer = answer.map_err(|error| Trouble::call("reading the declaration", &error))?;
        let gone = |item: &Item| string(item, "phase") == Some(name(Phase::Gone));
        answer.item().filter(|item| !gone(item)).map(read).transpose()
    }

    async fn remember(&self, id: &DeclarationId, state: &State, fence: Fence) -> Result<(), Trouble> {
        let doing = "remembering the entries";
        let written = serde_json::to_string(state);
        let written = written.map_err(|error| Trouble::Stored { id: id.0.clone(), why: error.to_string() })?;
        let update = self
            .update(ALL, &id.0)
            .update_expression("SET #state = :state, fence = :fence")
            .condition_expression(format!("attribute_exists(pk) AND phase <> :gone AND {NOT_FENCED_OFF}"))
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":state", AttributeValue::S(written))
            .expression_attribute_values(":gone", text(name(Phase::Gone)))
            .expression_attribute_values(":fence", fence.value());
        unless_fenced_off(doing, update).await.map(drop)
    }

    async fn gone(&self, id: &DeclarationId, fence: Fence) -> Result<(), Trouble> {
        let update = self
            .update(ALL, &id.0)
            .update_expression(
                "SET phase = :gone, fence = :fence, expires_at = :expires REMOVE #state, properties, before_at",
            )
            .condition_expression(format!("phase = :leaving AND {NOT_FENCED_OFF}"))
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":gone", text(name(Phase::Gone)))
            .expression_attribute_values(":leaving", text(name(Phase::Leaving)))
            .expression_attribute_values(":fence", fence.value())
            .expression_attribute_values(":expires", number(&(OffsetDateTime::now_utc() + MEMORY).unix_timestamp()))
            .return_values(ReturnValue::AllOld);
        let old = unless_fenced_off("noting that the declaration is gone", update).await?;
        let before = before(&old);
        match before.service {
            Some(service) => self.forget_way(&service, id, before.version).await,
            None => Ok(()),
        }
    }
}

async fn unless_fenced_off(doing: &'static str, update: UpdateItemFluentBuilder) -> Result<Item, Trouble> {
    match update.send().await {
        Ok(answer) => Ok(answer.attributes.unwrap_or_default()),
        Err(error) if is_refused(&error) => Err(Trouble::FencedOff),
        Err(error) => Err(Trouble::call(doing, &error)),
    }
}

fn is_refused<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

/// The item as it is, if the condition did not hold.
fn refused(error: &SdkError<UpdateItemError>) -> Option<Item> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(found)) => {
            Some(found.item().cloned().unwrap_or_default())
        }
        _ => None,
    }
}

fn read(item: &Item) -> Result<Declaration, Trouble> {
    let id = DeclarationId(string(item, "sk").unwrap_or_default().to_owned());
    let stored = |why: String| Trouble::Stored { id: id.0.clone(), why };
    let owner = owner_of(item);
    let json = |name: &str| -> Result<Value, Trouble> {
        let written = string(item, name).ok_or_else(|| stored(format!("it has no {name}")))?;
        serde_json::from_str(written).map_err(|error| stored(format!("its {name}: {error}")))
    };
    let properties = json("properties")?;
    let wanted = Properties::read(&properties, Wanted::read).map_err(|faults| stored(faults.to_string()))?;
    let phase = match string(item, "phase") {
        Some(phase) if phase == name(Phase::Leaving) => Phase::Leaving,
        Some(phase) if phase == name(Phase::Kept) => Phase::Kept,
        _ => return Err(stored("its phase is not known".to_owned())),
    };
    let state = serde_json::from_value(json("state")?).map_err(|error| stored(format!("its state: {error}")))?;
    Ok(wanted.declaration(id, owner, phase, state))
}

fn before(item: &Item) -> Before {
    let version = item.get("version").and_then(|version| version.as_n().ok()?.parse().ok()).unwrap_or_default();
    Before { version, service: string(item, "service").map(str::to_owned) }
}

fn owner_of(item: &Item) -> Owner {
    let part = |name| string(item, name).unwrap_or_default().to_owned();
    Owner { stack_id: part("stack"), logical_id: part("logical_id") }
}

fn of_service(service: &str) -> String {
    format!("registrations-of#{service}")
}

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Kept => "kept",
        Phase::Leaving => "leaving",
        Phase::Gone => "gone",
    }
}

fn string<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
