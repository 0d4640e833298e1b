//! What ops are told: that a registry is in trouble, or an agent's name is taken, and when that is over. Each trouble is
//! told once, through crash-alerts, which alone publishes.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::trouble::Trouble;

/// The version of the items' layout.
const SCHEMA: u32 = 1;
/// The partition of all troubles.
const TROUBLES: &str = "registry-trouble";
/// What was not met again for so long is over: what comes then is new. Longer than between two looks at a registry.
const FORGOTTEN: i64 = 400;
/// Trouble that is over sooner is nobody's business: a Console that restarts.
const PATIENCE: Duration = Duration::seconds(60);
/// How long a trouble is remembered that nobody met again.
const MEMORY: Duration = Duration::days(30);

/// What is the matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A registry does not answer.
    Registry,
    /// A declaration cannot be kept up.
    Declaration,
}

impl Cause {
    /// In one stable word.
    fn word(self) -> &'static str {
        match self {
            Self::Registry => "registry-unavailable",
            Self::Declaration => "registration-trouble",
        }
    }

    fn next(self) -> &'static str {
        match self {
            Self::Registry => {
                "Nothing is lost: the entries are brought in step as soon as the registry answers, within a minute. If it stays \
                 so, look whether it runs, and whether its security group lets console-registrar in."
            }
            Self::Declaration => {
                "Until this is mended the entries stay as they are. Then they are brought in step by themselves, within a few \
                 minutes."
            }
        }
    }

    fn summary(self, is_over: bool) -> &'static str {
        match (self, is_over) {
            (Self::Registry, false) => "does not answer, its agents are not registered",
            (Self::Registry, true) => "answers again",
            (Self::Declaration, false) => "its agents are not registered as declared",
            (Self::Declaration, true) => "its agents are registered as declared",
        }
    }
}

/// What is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About<'a> {
    /// A registry or a declaration, by its name.
    pub subject: &'a str,
    /// What is the matter.
    pub cause: Cause,
}

/// The way to ops.
pub trait Ops: Send + Sync {
    /// There is trouble; ops are told when it lasts.
    fn trouble(
        &self,
        about: About<'_>,
        why: &str,
        now: OffsetDateTime,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// There is none; if ops were told of any, they are told that it is over.
    fn well(&self, about: About<'_>, now: OffsetDateTime) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// The state table and the queue of crash-alerts.
#[derive(Debug, Clone)]
pub struct Desk {
    dynamodb: aws_sdk_dynamodb::Client,
    sqs: aws_sdk_sqs::Client,
    table: String,
    queue: String,
}

type Item = HashMap<String, AttributeValue>;

impl Desk {
    /// With this table and this queue.
    #[must_use]
    pub fn new(dynamodb: aws_sdk_dynamodb::Client, sqs: aws_sdk_sqs::Client, table: &str, queue: &str) -> Self {
        Self { dynamodb, sqs, table: table.to_owned(), queue: queue.to_owned() }
    }

    fn update(&self, about: About<'_>) -> UpdateItemFluentBuilder {
        let update = self.dynamodb.update_item().table_name(&self.table);
        update.key("pk", text(TROUBLES)).key("sk", text(&sort_key(about)))
    }

    async fn tell(&self, about: About<'_>, since: i64, why: Option<&str>, now: OffsetDateTime) -> Result<(), Trouble> {
        let state = if why.is_some() { "opened" } else { "resolved" };
        let message = json!({
            "watchkeeper": "observation",
            // The same when it is told again, because somebody was cut off: crash-alerts tells it once.
            "id": format!("console-registrar {} {} {since} {state}", about.cause.word(), about.subject),
            "from": "console-registrar",
            "subject": about.subject,
            "cause": about.cause.word(),
            "state": state,
            "severity": "error",
            "summary": about.cause.summary(why.is_none()),
            "detail": why,
            "next": why.map(|_| about.cause.next()),
            "at": now.format(&Rfc3339).ok(),
        });
        let sent = self.sqs.send_message().queue_url(&self.queue).message_body(message.to_string()).send().await;
        sent.map(drop).map_err(|error| Trouble::call("telling ops", &error))
    }

    /// Notes that ops are being told, or are told, unless it is over by now.
    async fn note(&self, what: &str, about: About<'_>, now: OffsetDateTime) -> Result<(), Trouble> {
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
            Err(error) => Err(Trouble::call("noting that ops are told", &error)),
        }
    }

    /// What was met before is over: this is another trouble.
    async fn begin_anew(&self, about: About<'_>, now: OffsetDateTime) -> Result<(), Trouble> {
        let update = self
            .update(about)
            .update_expression("SET since = :now")
            .expression_attribute_values(":now", number(&now.unix_timestamp()));
        update.send().await.map(drop).map_err(|error| Trouble::call("noting the trouble", &error))
    }
}

impl Ops for Desk {
    async fn trouble(&self, about: About<'_>, why: &str, now: OffsetDateTime) -> Result<(), Trouble> {
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
        let answer = update.send().await.map_err(|error| Trouble::call("noting the trouble", &error))?;
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
        self.tell(about, since, Some(why), now).await?;
        self.note("told", about, now).await
    }

    async fn well(&self, about: About<'_>, now: OffsetDateTime) -> Result<(), Trouble> {
        let key =
            [("pk", text(TROUBLES)), ("sk", text(&sort_key(about)))].map(|(name, value)| (name.to_owned(), value));
        let get = self.dynamodb.get_item().table_name(&self.table).set_key(Some(key.clone().into()));
        let answer = get.consistent_read(true).send().await;
        let answer = answer.map_err(|error| Trouble::call("looking for earlier trouble", &error))?;
        let Some(item) = answer.item() else { return Ok(()) };
        if let (Some(since), true) = (number_of(item, "since"), item.contains_key("telling")) {
            self.tell(about, since, None, now).await?;
        }
        let delete = self.dynamodb.delete_item().table_name(&self.table).set_key(Some(key.into()));
        delete.send().await.map(drop).map_err(|error| Trouble::call("forgetting the trouble", &error))
    }
}

fn sort_key(about: About<'_>) -> String {
    format!("{} {}", about.cause.word(), about.subject)
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
