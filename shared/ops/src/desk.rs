//! The way to ops: trouble is kept in the state table until it lasts, and then told through the queue of crash-alerts.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use time::{Duration, OffsetDateTime};
use watchkeeper_aws_errors::Failed;
use watchkeeper_events::{Observation, ObservedState, RolloutBegun};

use crate::about::About;

/// The version of the items' layout.
const SCHEMA: u32 = 1;
/// What was not met again for so long is over: what comes then is new. Longer than between two looks at anything.
const FORGOTTEN: i64 = 400;
/// Trouble that is over sooner is nobody's business: a Console that restarts.
const PATIENCE: Duration = Duration::seconds(60);
/// How long a trouble is remembered that nobody met again.
const MEMORY: Duration = Duration::days(30);

/// Whose troubles these are, and where they are kept and told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The state table.
    pub table: &'a str,
    /// The partition of the function's troubles in it.
    pub partition: &'static str,
    /// The URL of crash-alerts' queue.
    pub queue: &'a str,
    /// The function's name.
    pub from: &'static str,
}

/// The state table and the queue of crash-alerts.
#[derive(Debug, Clone)]
pub struct Desk {
    dynamodb: aws_sdk_dynamodb::Client,
    sqs: aws_sdk_sqs::Client,
    table: String,
    partition: &'static str,
    queue: String,
    from: &'static str,
}

/// Troubles that are noted: only these can be over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Open(BTreeMap<String, bool>);

impl Open {
    /// Whether this is one of them.
    #[must_use]
    pub fn has(&self, about: About<'_>) -> bool {
        self.0.contains_key(&sort_key(about))
    }

    /// Whether ops know of it: one that is only noted may have been cut off before it was told.
    #[must_use]
    pub fn is_told(&self, about: About<'_>) -> bool {
        self.0.get(&sort_key(about)).copied().unwrap_or_default()
    }
}

type Item = HashMap<String, AttributeValue>;

impl Desk {
    /// At this place.
    #[must_use]
    pub fn new(dynamodb: aws_sdk_dynamodb::Client, sqs: aws_sdk_sqs::Client, place: Place<'_>) -> Self {
        let Place { table, partition, queue, from } = place;
        Self { dynamodb, sqs, table: table.to_owned(), partition, queue: queue.to_owned(), from }
    }

    /// There is trouble; ops are told when it lasts.
    pub async fn trouble(&self, about: About<'_>, why: &str, now: OffsetDateTime) -> Result<(), Failed> {
        let update = self
            .update(about)
            .update_expression(
                "SET #schema = :schema, expires_at = :expires, since = if_not_exists(since, :now), met = :now",
            )
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_values(":schema", number(&SCHEMA))
            .expression_attribute_values(":expires", number(&(now + MEMORY).unix_timestamp()))
            .expression_attribute_values(":now", number(&now.unix_timestamp()))
            .return_values(ReturnValue::AllOld);
        let answer = update.send().await.map_err(|error| Failed::of("noting the trouble", &error))?;
        let item = answer.attributes().cloned().unwrap_or_default();
        let now_seconds = now.unix_timestamp();
        let Some(since) = number_of(&item, "since") else { return Ok(()) };
        if item.contains_key("told") {
            return Ok(());
        }
        if number_of(&item, "met").is_some_and(|met| now_seconds - met > FORGOTTEN) {
            return self.begin_anew(about, now).await;
        }
        if now_seconds - since < PATIENCE.whole_seconds() {
            return Ok(());
        }
        // Noted before and after, so that whoever finds it well at the same time tells that, too.
        self.note("telling", about, now).await?;
        self.tell(&self.observation(about, since, Some(why), now)).await?;
        self.note("told", about, now).await
    }

    /// There is trouble that ops are told of at once, once for each time that it began.
    pub async fn alert(
        &self,
        about: About<'_>,
        why: &str,
        began: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<(), Failed> {
        let update = self
            .update(about)
            .update_expression(
                "SET #schema = :schema, expires_at = :expires, since = :began, met = :now, telling = :now",
            )
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_values(":schema", number(&SCHEMA))
            .expression_attribute_values(":expires", number(&(now + MEMORY).unix_timestamp()))
            .expression_attribute_values(":began", number(&began.unix_timestamp()))
            .expression_attribute_values(":now", number(&now.unix_timestamp()))
            .return_values(ReturnValue::AllOld);
        let answer = update.send().await.map_err(|error| Failed::of("noting the trouble", &error))?;
        let before = answer.attributes().cloned().unwrap_or_default();
        let since = began.unix_timestamp();
        if number_of(&before, "told_of") == Some(since) {
            return Ok(());
        }
        self.tell(&self.observation(about, since, Some(why), now)).await?;
        self.note("told_of", about, began).await
    }

    /// The troubles that are noted now.
    pub async fn open(&self) -> Result<Open, Failed> {
        let query = self.dynamodb.query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk").projection_expression("sk, told, told_of");
        let query = query.expression_attribute_values(":pk", text(self.partition));
        let mut pages = query.into_paginator().items().send();
        let mut open = BTreeMap::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| Failed::of("looking for earlier trouble", &error))?;
            let is_told = item.contains_key("told") || item.contains_key("told_of");
            open.extend(item.get("sk").and_then(|sk| sk.as_s().ok()).map(|sk| (sk.clone(), is_told)));
        }
        Ok(Open(open))
    }

    /// There is none; if ops were told of any, they are told that it is over.
    pub async fn well(&self, about: About<'_>, now: OffsetDateTime) -> Result<(), Failed> {
        let key = [("pk", text(self.partition)), ("sk", text(&sort_key(about)))]
            .map(|(name, value)| (name.to_owned(), value));
        let get = self.dynamodb.get_item().table_name(&self.table).set_key(Some(key.clone().into()));
        let answer = get.consistent_read(true).send().await;
        let answer = answer.map_err(|error| Failed::of("looking for earlier trouble", &error))?;
        let Some(item) = answer.item() else { return Ok(()) };
        if let (Some(since), true) = (number_of(item, "since"), item.contains_key("telling")) {
            self.tell(&self.observation(about, since, None, now)).await?;
        }
        let delete = self.dynamodb.delete_item().table_name(&self.table).set_key(Some(key.into()));
        delete.send().await.map(drop).map_err(|error| Failed::of("forgetting the trouble", &error))
    }

    /// Tells one thing, now. Who may have been cut off tells it again by the same id: ops read it once.
    pub async fn tell(&self, observation: &Observation) -> Result<(), Failed> {
        let message = observation.message().to_string();
        let sent = self.sqs.send_message().queue_url(&self.queue).message_body(message).send().await;
        sent.map(drop).map_err(|error| Failed::of("telling ops", &error))
    }

    /// Says that a rollout has begun, for those who would take it for trouble.
    pub async fn announce(&self, rollout: &RolloutBegun) -> Result<(), Failed> {
        let message = rollout.message().to_string();
        let sent = self.sqs.send_message().queue_url(&self.queue).message_body(message).send().await;
        sent.map(drop).map_err(|error| Failed::of("announcing a rollout", &error))
    }

    fn observation(&self, about: About<'_>, since: i64, why: Option<&str>, now: OffsetDateTime) -> Observation {
        let About { subject, cause } = about;
        let state = if why.is_some() { ObservedState::Opened } else { ObservedState::Resolved };
        Observation {
            // The same when it is told again, because somebody was cut off: crash-alerts tells it once.
            id: format!("{} {} {subject} {since} {}", self.from, cause.word, state.word()),
            from: self.from.to_owned(),
            subject: subject.to_owned(),
            cause: cause.word.to_owned(),
            state,
            severity: cause.severity.to_owned(),
            summary: if why.is_some() { cause.begun } else { cause.over }.to_owned(),
            detail: why.map(str::to_owned),
            next: why.map(|_| cause.next.to_owned()),
            at: Some(now),
        }
    }

    fn update(&self, about: About<'_>) -> UpdateItemFluentBuilder {
        let update = self.dynamodb.update_item().table_name(&self.table);
        update.key("pk", text(self.partition)).key("sk", text(&sort_key(about)))
    }

    /// Notes that ops are being told, or are told, unless it is over by now.
    async fn note(&self, what: &str, about: About<'_>, now: OffsetDateTime) -> Result<(), Failed> {
        let update = self
            .update(about)
            .update_expression("SET #what = :now")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#what", what)
            .expression_attribute_values(":now", number(&now.unix_timestamp()));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(Failed::of("noting that ops are told", &error)),
        }
    }

    /// What was met before is over: this is another trouble.
    async fn begin_anew(&self, about: About<'_>, now: OffsetDateTime) -> Result<(), Failed> {
        let update = self
            .update(about)
            .update_expression("SET since = :now")
            .expression_attribute_values(":now", number(&now.unix_timestamp()));
        update.send().await.map(drop).map_err(|error| Failed::of("noting the trouble", &error))
    }
}

fn sort_key(about: About<'_>) -> String {
    format!("{} {}", about.cause.word, about.subject)
}

fn number_of(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
