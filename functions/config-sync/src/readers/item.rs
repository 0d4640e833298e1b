//! A service in the index.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_ecs::types::Service as EcsService;
use time::{Duration, OffsetDateTime};
use watchkeeper_events::ServiceArn;

use crate::aws::ecs::cluster;

/// The version of the items' layout, and of what is understood of task definitions: where more is, all are to be read anew.
pub(super) const SCHEMA: u32 = 1;
/// What the sort keys of services begin with.
pub(super) const SERVICE: &str = "service#";
/// What nobody has seen for so long is no more. The sweep renews what it sees much sooner.
const LIFE: Duration = Duration::days(3);
/// The sweep writes what has not changed only this often.
const RENEWED_AFTER: Duration = Duration::hours(1);
/// What several rounds have not renewed is looked at by its name.
const DOUBTED_AFTER: Duration = Duration::hours(4);

pub(super) type Item = HashMap<String, AttributeValue>;

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reader {
    /// Its ARN, with the cluster.
    pub(super) service: String,
    /// The task definitions of its new tasks.
    pub(super) revisions: Vec<String>,
    /// The ARNs of the documents that they name, as they name them.
    pub(super) reads: BTreeSet<String>,
    /// When this was looked at.
    pub(super) seen_at: OffsetDateTime,
}

impl Reader {
    pub(super) fn expires_at(&self) -> OffsetDateTime {
        self.seen_at + LIFE
    }

    /// `DynamoDB` takes away what has expired days later (its developer guide, "Time to Live").
    pub(super) fn is_expired(&self, now: OffsetDateTime) -> bool {
        self.expires_at() <= now
    }

    pub(super) fn is_to_be_renewed(&self, now: OffsetDateTime) -> bool {
        now - self.seen_at > RENEWED_AFTER
    }

    pub(super) fn is_doubted(&self, now: OffsetDateTime) -> bool {
        now - self.seen_at > DOUBTED_AFTER
    }

    /// The values that are written, by attribute.
    pub(super) fn attributes(&self) -> [(&'static str, AttributeValue); 5] {
        [
            ("schema", number(&SCHEMA)),
            ("revisions", list(&self.revisions)),
            ("reads", list(&self.reads)),
            ("seen_at", milliseconds(self.seen_at)),
            ("expires_at", number(&self.expires_at().unix_timestamp())),
        ]
    }

    /// Nothing, if it was written by another version, or is not what it should be.
    pub(super) fn read(item: &Item) -> Option<Self> {
        let texts = |name: &str| {
            let all = item.get(name)?.as_l().ok()?.iter().map(|text| text.as_s().ok().cloned());
            all.collect::<Option<Vec<String>>>()
        };
        let whole = |name: &str| item.get(name)?.as_n().ok()?.parse::<i128>().ok();
        let is_known = whole("schema") == Some(SCHEMA.into());
        let service = item.get("sk")?.as_s().ok()?.strip_prefix(SERVICE).filter(|_| is_known)?;
        let seen_at = whole("seen_at")?.checked_mul(1_000_000)?;
        Some(Self {
            service: service.to_owned(),
            revisions: texts("revisions")?,
            reads: texts("reads")?.into_iter().collect(),
            seen_at: OffsetDateTime::from_unix_timestamp_nanos(seen_at).ok()?,
        })
    }
}

/// A service's key: its ARN with the cluster's name, also where its own is an old one without.
pub(super) fn key_of(service: &EcsService) -> Option<String> {
    key(service.cluster_arn()?, service.service_name()?)
}

/// The key of a service of this name in this cluster.
pub(super) fn key(cluster_arn: &str, name: &str) -> Option<String> {
    let (home, cluster) = cluster_arn.split_once(":cluster/")?;
    Some(format!("{home}:service/{cluster}/{name}"))
}

/// The key of a service that ECS may not know any more.
pub(super) fn long_key(service: &ServiceArn) -> String {
    let arn = service.arn();
    let (partition, region, account) = (arn.partition(), arn.region(), arn.account());
    format!("arn:{partition}:ecs:{region}:{account}:service/{}/{}", cluster(service), service.name())
}

pub(super) fn number(value: &impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn milliseconds(at: OffsetDateTime) -> AttributeValue {
    number(&(at.unix_timestamp_nanos() / 1_000_000))
}

fn list<'a>(texts: impl IntoIterator<Item = &'a String>) -> AttributeValue {
    AttributeValue::L(texts.into_iter().cloned().map(AttributeValue::S).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SELF: &str = "arn:aws:ecs:eu-west-1:123456789012:service/agents/server";

    fn reader() -> Reader {
        Reader {
            service: SELF.to_owned(),
            revisions: vec!["a:1".to_owned()],
            reads: ["x".to_owned(), "y".to_owned()].into(),
            seen_at: OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap() + Duration::milliseconds(7),
        }
    }

    fn item(reader: &Reader) -> Item {
        let key = ("sk", AttributeValue::S(format!("{SERVICE}{}", reader.service)));
        reader.attributes().into_iter().chain([key]).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        assert_eq!(Reader::read(&item(&reader())), Some(reader()));
        let nothing = Reader { revisions: Vec::new(), reads: BTreeSet::new(), ..reader() };
        assert_eq!(Reader::read(&item(&nothing)), Some(nothing));
    }

    #[test]
    fn what_is_not_understood_is_none() {
        for (name, value) in [
            ("schema", number(&2)),
            ("sk", AttributeValue::S("cursor".to_owned())),
            ("reads", AttributeValue::S("x".to_owned())),
            ("reads", AttributeValue::L(vec![number(&1)])),
            ("seen_at", number(&"9".repeat(38))),
        ] {
            let mut item = item(&reader());
            item.insert(name.to_owned(), value.clone());
            assert_eq!(Reader::read(&item), None, "{name} {value:?}");
        }
        assert_eq!(Reader::read(&Item::new()), None);
    }

    #[test]
    fn old_arns_get_their_cluster() {
        let service = EcsService::builder()
            .service_arn("arn:aws:ecs:eu-west-1:123456789012:service/server")
            .cluster_arn("arn:aws:ecs:eu-west-1:123456789012:cluster/agents")
            .service_name("server");
        assert_eq!(key_of(&service.build()).as_deref(), Some(SELF));
        assert_eq!(long_key(&ServiceArn::parse(SELF).unwrap()), SELF);
        let old = ServiceArn::parse("arn:aws:ecs:eu-west-1:123456789012:service/server").unwrap();
        assert_eq!(long_key(&old), "arn:aws:ecs:eu-west-1:123456789012:service/default/server");
    }

    #[test]
    fn it_is_renewed_doubted_and_at_last_no_more() {
        let reader = reader();
        for (hours, expected) in
            [(0, [false, false, false]), (2, [true, false, false]), (5, [true, true, false]), (72, [true, true, true])]
        {
            let now = reader.seen_at + Duration::hours(hours);
            assert_eq!(
                [reader.is_to_be_renewed(now), reader.is_doubted(now), reader.is_expired(now)],
                expected,
                "{hours}"
            );
        }
    }
}
