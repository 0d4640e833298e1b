//! The item of the revisions that a service, or a family, was seen steady on.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use time::OffsetDateTime;
use watchkeeper_events::TaskDefinitionArn;

use super::{ABSENT, Item, SCHEMA, STEADY_LIFE, milliseconds, number, text};
use crate::clients::Clients;
use crate::error::Trouble;
use crate::evidence::{Steady, SteadyRevisions};

/// Its sort key.
const STEADY: &str = "steady-revision";
/// How often a sight is written again that somebody else was quicker with; two at once are rare.
const TRIES: usize = 4;

impl Clients {
    pub(super) async fn note_steady(
        &self,
        subject: &str,
        revision: &TaskDefinitionArn,
        seen_at: OffsetDateTime,
    ) -> Result<(), Trouble> {
        for _ in 0..TRIES {
            let known = self.steady_revisions(subject).await?;
            let now = match &known {
                Some(known) => known.after(revision, seen_at),
                None => Some(SteadyRevisions::first(revision.clone(), seen_at)),
            };
            let Some(now) = now else { return Ok(()) };
            if self.put_steady(subject, &now, known.as_ref()).await? {
                return Ok(());
            }
        }
        Err(Trouble::Overtaken)
    }

    pub(super) async fn steady_revisions(&self, subject: &str) -> Result<Option<SteadyRevisions>, Trouble> {
        let item = self.get(subject, STEADY, "looking up the steady revisions").await?;
        Ok(item.as_ref().and_then(of_item))
    }

    /// Whether it is written: only over the one that was read.
    async fn put_steady(
        &self,
        subject: &str,
        now: &SteadyRevisions,
        read: Option<&SteadyRevisions>,
    ) -> Result<bool, Trouble> {
        let mut put = self
            .dynamodb
            .put_item()
            .table_name(&self.table)
            .item("pk", text(subject))
            .item("sk", text(STEADY))
            .item("schema", number(&SCHEMA))
            .item("expires_at", number(&(now.seen_at + STEADY_LIFE).unix_timestamp()))
            .item("revision", text(now.newest.revision.as_str()))
            .item("since", number(&milliseconds(now.newest.since)))
            .item("seen_at", number(&milliseconds(now.seen_at)));
        if let Some(before) = &now.before {
            put = put
                .item("before", text(before.revision.as_str()))
                .item("before_since", number(&milliseconds(before.since)));
        }
        put = match read {
            None => put.condition_expression(ABSENT),
            Some(read) => put
                .condition_expression("seen_at = :read")
                .expression_attribute_values(":read", number(&milliseconds(read.seen_at))),
        };
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(PutItemError::is_conditional_check_failed_exception) => {
                Ok(false)
            }
            Err(error) => Err(Trouble::call("remembering a steady revision", &error)),
        }
    }
}

/// None of one that says nothing.
fn of_item(item: &Item) -> Option<SteadyRevisions> {
    let revision = |name: &str| TaskDefinitionArn::parse(item.get(name)?.as_s().ok()?).ok();
    let instant = |name: &str| {
        let milliseconds: i128 = item.get(name)?.as_n().ok()?.parse().ok()?;
        OffsetDateTime::from_unix_timestamp_nanos(milliseconds * 1_000_000).ok()
    };
    let seen_at = instant("seen_at")?;
    let before = || Some(Steady { revision: revision("before")?, since: instant("before_since")? });
    Some(SteadyRevisions {
        // An item that was written without it: since then at the latest.
        newest: Steady { revision: revision("revision")?, since: instant("since").unwrap_or(seen_at) },
        seen_at,
        before: before(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;
    use crate::answering::{answering, clients};

    const SUBJECT: &str = "service#arn:aws:ecs:eu-west-1:123456789012:service/prod/agent";
    const SEEN: OffsetDateTime = datetime!(2026-11-20 10:00 UTC);

    fn revision(number: u32) -> TaskDefinitionArn {
        let arn = format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/agent:{number}");
        TaskDefinitionArn::parse(&arn).unwrap()
    }

    fn item(number: u32, seen_at: OffsetDateTime) -> Value {
        json!({"Item": {
            "revision": {"S": revision(number).as_str()},
            "seen_at": {"N": milliseconds(seen_at).to_string()},
        }})
    }

    #[tokio::test]
    async fn a_new_revision_pushes_the_one_before_it_back() {
        let earlier = SEEN - time::Duration::days(9);
        let (config, asked) = answering(vec![(200, item(7, earlier)), (200, json!({}))]).await;
        clients(&config).note_steady(SUBJECT, &revision(8), SEEN).await.unwrap();
        let asked = asked.lock().unwrap();
        let (read, put) = (&asked[0].1, &asked[1].1);
        assert_eq!(read["Key"], json!({"pk": {"S": SUBJECT}, "sk": {"S": "steady-revision"}}));
        let instant = |at| json!({"N": milliseconds(at).to_string()});
        let written = ["revision", "since", "seen_at", "before", "before_since"].map(|name| put["Item"][name].clone());
        assert_eq!(
            written,
            [
                json!({"S": revision(8).as_str()}),
                instant(SEEN),
                instant(SEEN),
                json!({"S": revision(7).as_str()}),
                // It was written without a time of its own: since it was seen at the latest.
                instant(earlier),
            ]
        );
        assert_eq!(
            (&put["ConditionExpression"], &put["ExpressionAttributeValues"][":read"]),
            (&json!("seen_at = :read"), &instant(earlier))
        );
    }

    #[tokio::test]
    async fn what_was_written_is_read() {
        let before = Some(Steady { revision: revision(7), since: SEEN - time::Duration::days(9) });
        let newest = Steady { revision: revision(8), since: SEEN };
        let seen = SteadyRevisions { newest, seen_at: SEEN + time::Duration::hours(1), before };
        let (config, asked) = answering(vec![(200, json!({}))]).await;
        assert!(clients(&config).put_steady(SUBJECT, &seen, None).await.unwrap());
        let item = asked.lock().unwrap()[0].1["Item"].clone();
        let (config, _) = answering(vec![(200, json!({"Item": item})), (200, json!({}))]).await;
        let clients = clients(&config);
        assert_eq!(clients.steady_revisions(SUBJECT).await.unwrap(), Some(seen));
        assert_eq!(clients.steady_revisions(SUBJECT).await.unwrap(), None);
    }

    #[tokio::test]
    async fn who_is_overtaken_looks_again_and_an_older_sight_is_not_written() {
        let refused = json!({"__type": "ConditionalCheckFailedException", "message": "no"});
        let (config, asked) = answering(vec![(200, json!({})), (400, refused), (200, item(8, SEEN))]).await;
        clients(&config).note_steady(SUBJECT, &revision(7), SEEN - time::Duration::SECOND).await.unwrap();
        let asked = asked.lock().unwrap();
        assert_eq!((asked.len(), &asked[1].1["ConditionExpression"]), (3, &json!(ABSENT)));
    }
}
