//! Which services read which documents: an index in the state table, kept up at a pace that leaves ECS's limits to others.
//!
//! ECS cannot be asked which services read a secret. So each service has an item with what its task definition reads: written when
//! an event tells of a deployment ([`Readers::seen`]), and again as the sweep comes by ([`Readers::sweep`]). The first declaration of
//! a region fills the index at once ([`Readers::fill`]).
//!
//! An item is as old as the look that it came from, and the younger look is kept. A look that began later may all the same have
//! been answered earlier, and ECS itself may answer with what was: what such a look leaves is healed by the next event of the
//! deployment, or by the sweep. An item too many costs a look at a service that does not read the document; one too few, until the
//! sweep has come by, a restart that comes later.

mod calls;
mod cursor;
mod item;
mod store;
mod walk;

use std::collections::BTreeSet;

use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_ecs::Client as Ecs;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::operation::describe_services::DescribeServicesError;
use lambda_runtime::tracing::warn;
use time::{Duration, OffsetDateTime};
use watchkeeper_aws_errors::Failed;
use watchkeeper_events::ServiceArn;

use crate::aws::ecs::{Revisions, cluster, is_active, revisions_of};
use crate::document::Place;
use crate::trouble::Trouble;
use crate::value_from::spellings;
use calls::{Calls, Stop};
use item::{Reader, key_of, long_key};
use store::Store;
use walk::Walk;

/// How many calls of ECS one sweep makes, which comes once a minute: a small part of what ECS allows an account each second.
///
/// A page of 100 services takes one `ListServices` and ten `DescribeServices`; one call looks after services that seem to be gone, one
/// lists clusters. So a minute sees 200 services anew, and 2,000 services take ten minutes. What a service newly has as its task
/// definition costs one more call; a cluster without services costs one.
pub const CALLS_A_SWEEP: usize = 24;
/// How many calls of ECS [`Readers::fill`] makes at most.
const CALLS_TO_FILL: usize = 1_000;
/// Between two of them: ten a second.
const BETWEEN: std::time::Duration = std::time::Duration::from_millis(100);
/// An index that a sweep has gone through completely since needs no filling: events have kept it up.
const FRESH: Duration = Duration::hours(3);

/// The index.
#[derive(Debug)]
pub struct Readers {
    store: Store,
    ecs: Ecs,
    /// Tries each call once: a throttled call that is made again is what ECS's limits are about.
    sparing: Ecs,
    revisions: Revisions,
    clock: fn() -> OffsetDateTime,
}

impl Readers {
    /// In the table of this name.
    #[must_use]
    pub fn new(dynamodb: DynamoDb, table: impl Into<String>, ecs: Ecs) -> Self {
        let once = ecs.config().to_builder().retry_config(RetryConfig::disabled());
        Self {
            store: Store::new(dynamodb, table),
            sparing: Ecs::from_conf(once.build()),
            ecs,
            revisions: Revisions::default(),
            clock: OffsetDateTime::now_utc,
        }
    }

    /// Goes by this clock.
    #[must_use]
    pub fn with_clock(self, clock: fn() -> OffsetDateTime) -> Self {
        Self { clock, ..self }
    }

    /// The services whose task definitions name one of these documents, in whichever version. No call of ECS.
    pub async fn of(&self, places: &BTreeSet<Place>) -> Result<Vec<ServiceArn>, Trouble> {
        let wanted: BTreeSet<String> = places.iter().flat_map(spellings).map(|place| place.to_string()).collect();
        let now = (self.clock)();
        let all = self.store.all().await?.into_iter();
        let found =
            all.filter(|reader| !reader.is_expired(now) && reader.reads.iter().any(|read| wanted.contains(read)));
        Ok(found.filter_map(|reader| ServiceArn::parse(&reader.service).ok()).collect())
    }

    /// Looks at a service that an event told of. The same event again, or an older one, does no harm.
    pub async fn seen(&self, service: &ServiceArn) -> Result<(), Trouble> {
        let looked_at = (self.clock)();
        let describe = self.ecs.describe_services().cluster(cluster(service)).services(service.name());
        let found = match describe.send().await {
            Ok(answer) => answer.services.unwrap_or_default().into_iter().find(is_active),
            Err(error)
                if error.as_service_error().is_some_and(DescribeServicesError::is_cluster_not_found_exception) =>
            {
                None
            }
            Err(error) => return Err(Failed::of("looking at the service", &error).into()),
        };
        let Some(found) = found else {
            return Ok(self.store.remove(&long_key(service), looked_at).await?);
        };
        let revisions = revisions_of(&found);
        let mut reads = BTreeSet::new();
        for arn in &revisions {
            let revision = self.revisions.get(&self.ecs, arn).await?;
            reads.extend(revision.reads.keys().map(Place::to_string));
        }
        let service = key_of(&found).unwrap_or_else(|| long_key(service));
        Ok(self.store.put(&Reader { service, revisions, reads, seen_at: looked_at }).await?)
    }

    /// Goes on where the last sweep has ended, for a bounded number of calls. Where ECS says that it is too much, it ends at once.
    /// Several at a time only do the same twice.
    pub async fn sweep(&self) -> Result<(), Trouble> {
        let now = (self.clock)();
        let known = self.store.cursor().await?;
        let mut cursor = known.clone();
        let mut walk = self.walk(&self.sparing, Calls::new(CALLS_A_SWEEP), now).await?;
        let ended = match walk.doubt().await {
            Err(throttled @ Stop::Throttled(_)) => Err(throttled),
            // What is wrong with those must not keep the others from being seen.
            doubted => walk.go_round(&mut cursor).await.and(doubted),
        };
        if cursor != known {
            self.store.keep(&cursor).await?;
        }
        match ended {
            Ok(()) | Err(Stop::Spent) => Ok(()),
            Err(Stop::Throttled(failed)) => {
                warn!(%failed, "the index of readers waits for the next sweep");
                Ok(())
            }
            Err(Stop::Failed(failed)) => Err(failed.into()),
        }
    }

    /// Has the whole index made by `deadline`, if it was never whole, or not lately; whether it is. What is not done then is gone on
    /// with by whoever comes next.
    pub async fn fill(&self, deadline: OffsetDateTime) -> Result<bool, Trouble> {
        let now = (self.clock)();
        let known = self.store.cursor().await?;
        if known.whole_since.is_some_and(|since| now - since <= FRESH) {
            return Ok(true);
        }
        let mut cursor = known.clone();
        if now - cursor.began_at > FRESH {
            cursor.begin_anew();
        }
        let calls = Calls::new(CALLS_TO_FILL).paced(BETWEEN, deadline, self.clock);
        let ended = self.walk(&self.ecs, calls, now).await?.go_round(&mut cursor).await;
        if cursor != known {
            self.store.keep(&cursor).await?;
        }
        match ended {
            Ok(()) => Ok(true),
            Err(Stop::Spent) => Ok(false),
            Err(Stop::Throttled(failed)) => {
                warn!(%failed, "the index of readers is not whole yet");
                Ok(false)
            }
            Err(Stop::Failed(failed)) => Err(failed.into()),
        }
    }

    async fn walk<'a>(&'a self, ecs: &'a Ecs, calls: Calls, now: OffsetDateTime) -> Result<Walk<'a>, Failed> {
        Ok(Walk::new(ecs, &self.revisions, &self.store, calls, self.store.all().await?, now))
    }
}
