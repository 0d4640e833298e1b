//! The declarations of one kind, and what whoever works on them does: find, remember, note that they are gone.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValue;
use time::{Duration, OffsetDateTime};
use watchkeeper_aws_errors::Failed;
use watchkeeper_lease::{Fence, NOT_FENCED_OFF};

use crate::declaration::{DeclarationId, Kind, Phase, Stored};
use crate::item::{Item, id_of, is_gone, is_refused, keys_of, number, read, text, version_of};
use crate::trouble::Trouble;

/// How long a declaration that went is remembered, and one that was taken over by another name: nobody who was at work on it
/// lives that long.
pub const MEMORY: Duration = Duration::days(1);

/// The declarations of one kind in the state table.
#[derive(Debug, Clone)]
pub struct Declarations {
    pub(crate) client: Client,
    pub(crate) table: String,
    pub(crate) kind: Kind,
}

impl Declarations {
    /// Those of this kind in the table of this name.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>, kind: Kind) -> Self {
        Self { client, table: table.into(), kind }
    }

    /// One, as it is now.
    pub async fn get(&self, id: &DeclarationId) -> Result<Option<Stored>, Trouble> {
        let get = self.client.get_item().table_name(&self.table);
        let get = get.key("pk", text(self.kind.partition)).key("sk", text(&id.0));
        let answer = get.consistent_read(true).send().await;
        let answer = answer.map_err(|error| Failed::of("reading the declaration", &error))?;
        answer.item().filter(|item| !is_gone(item)).map(read).transpose()
    }

    /// All that are not gone.
    pub async fn all(&self) -> Result<Vec<Result<Stored, Trouble>>, Trouble> {
        let items = self.query("finding all declarations", self.kind.partition).await?;
        Ok(items.iter().filter(|item| !is_gone(item)).map(read).collect())
    }

    /// Those that this key leads to. What they are about now, they say themselves.
    pub async fn of(&self, key: &str) -> Result<Vec<DeclarationId>, Trouble> {
        let items = self.query("finding the declarations about it", &self.partition_of(key)).await?;
        Ok(items.iter().map(id_of).collect())
    }

    /// Remembers the state of the work, unless somebody with a newer fence did, or it is gone: that is [`Trouble::FencedOff`].
    pub async fn remember(&self, id: &DeclarationId, state: &str, fence: Fence) -> Result<(), Trouble> {
        let update = self
            .update(self.kind.partition, id)
            .update_expression("SET #state = :state, fence = :fence")
            .condition_expression(format!("attribute_exists(pk) AND phase <> :gone AND {NOT_FENCED_OFF}"))
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":state", text(state))
            .expression_attribute_values(":gone", text(Phase::Gone.name()))
            .expression_attribute_values(":fence", fence.value());
        unless_fenced_off("remembering the state of the declaration", update).await.map(drop)
    }

    /// Notes that a declaration which was leaving is gone, all that it asked for undone.
    pub async fn gone(&self, id: &DeclarationId, fence: Fence) -> Result<(), Trouble> {
        let update = self
            .update(self.kind.partition, id)
            .update_expression(
                "SET phase = :gone, fence = :fence, expires_at = :expires REMOVE #state, properties, before_at",
            )
            .condition_expression(format!("phase = :leaving AND {NOT_FENCED_OFF}"))
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":gone", text(Phase::Gone.name()))
            .expression_attribute_values(":leaving", text(Phase::Leaving.name()))
            .expression_attribute_values(":fence", fence.value())
            .expression_attribute_values(":expires", number(&(OffsetDateTime::now_utc() + MEMORY).unix_timestamp()))
            .return_values(ReturnValue::AllOld);
        let old = unless_fenced_off("noting that the declaration is gone", update).await?;
        for key in keys_of(&old, self.kind.keys) {
            self.forget_way(key, id, version_of(&old)).await?;
        }
        Ok(())
    }

    pub(crate) fn update(&self, partition: &str, id: &DeclarationId) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table).key("pk", text(partition)).key("sk", text(&id.0))
    }

    pub(crate) fn partition_of(&self, key: &str) -> String {
        format!("{}-of#{key}", self.kind.partition)
    }

    async fn query(&self, doing: &'static str, partition: &str) -> Result<Vec<Item>, Failed> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", text(partition));
        let mut pages = query.into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.map_err(|error| Failed::of(doing, &error))?);
        }
        Ok(items)
    }
}

async fn unless_fenced_off(doing: &'static str, update: UpdateItemFluentBuilder) -> Result<Item, Trouble> {
    match update.send().await {
        Ok(answer) => Ok(answer.attributes.unwrap_or_default()),
        Err(error) if is_refused(&error) => Err(Trouble::FencedOff),
        Err(error) => Err(Failed::of(doing, &error).into()),
    }
}
