//! The way round all clusters and services, call by call; it can end at any call and be gone on with from there.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::operation::describe_services::DescribeServicesError;
use aws_sdk_ecs::operation::list_services::ListServicesError;
use aws_sdk_ecs::types::Service as EcsService;
use lambda_runtime::tracing::{info, warn};
use time::OffsetDateTime;

use super::calls::{Calls, Stop};
use super::cursor::{Cursor, More, Page, Position, to_the_millisecond};
use super::item::{Reader, key};
use super::store::Store;
use crate::aws::ecs::{READING, Revisions, is_active, revisions_of};
use crate::document::Place;

/// How many services one call takes (ECS API Reference, `DescribeServices`).
const AT_ONCE: usize = 10;
/// How many one call lists at most (ECS API Reference, `ListServices`; without it, it is ten).
const A_PAGE: i32 = 100;

/// One way, or a part of it.
pub(super) struct Walk<'a> {
    ecs: &'a Client,
    revisions: &'a Revisions,
    store: &'a Store,
    calls: Calls,
    /// The index, by service.
    known: HashMap<String, Reader>,
    /// What task definitions read, as far as the index has it.
    reads: HashMap<Vec<String>, BTreeSet<String>>,
    /// All that is seen is later.
    began: OffsetDateTime,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        ecs: &'a Client,
        revisions: &'a Revisions,
        store: &'a Store,
        calls: Calls,
        index: Vec<Reader>,
        now: OffsetDateTime,
    ) -> Self {
        let reads = index.iter().map(|reader| (reader.revisions.clone(), reader.reads.clone())).collect();
        let known = index.into_iter().map(|reader| (reader.service.clone(), reader)).collect();
        Self { ecs, revisions, store, calls, known, reads, began: to_the_millisecond(now) }
    }

    /// Looks at some services of one cluster that no round has met lately: they are gone, most likely.
    pub(super) async fn doubt(&mut self) -> Result<(), Stop> {
        let doubted = self.known.values().filter(|reader| reader.is_doubted(self.began));
        let mut doubted: Vec<_> = doubted.map(|reader| (reader.seen_at, reader.service.clone())).collect();
        doubted.sort_unstable();
        let Some(cluster) = doubted.first().and_then(|(_, service)| cluster_of(service)) else { return Ok(()) };
        let of_it = doubted.iter().filter_map(|(_, service)| {
            let name = service.rsplit('/').next()?;
            (key(&cluster, name)? == *service).then(|| name.to_owned())
        });
        let names: Vec<_> = of_it.take(AT_ONCE).collect();
        self.look(&cluster, &names, |_| ()).await
    }

    /// Goes on from where the cursor is to the end of the round, if it comes so far.
    pub(super) async fn go_round(&mut self, cursor: &mut Cursor) -> Result<(), Stop> {
        loop {
            let position = cursor.position(self.began);
            match self.step(position).await {
                Ok(Step::Done) => {}
                Ok(Step::End) => {
                    cursor.end();
                    return Ok(());
                }
                Ok(Step::Lost) => {
                    info!("ECS does not know the place in its list any more: the round begins anew");
                    cursor.begin_anew();
                    return Err(Stop::Spent);
                }
                Err(stop) => return Err(stop),
            }
        }
    }

    async fn step(&mut self, position: &mut Position) -> Result<Step, Stop> {
        match &mut position.page {
            Some(page) if !page.names.is_empty() => {
                let names: Vec<_> = page.names.iter().take(AT_ONCE).cloned().collect();
                let cluster = page.cluster.clone();
                self.look(&cluster, &names, |done| page.names.retain(|name| name != done)).await?;
                Ok(Step::Done)
            }
            Some(Page { cluster, more: Some(token), .. }) => {
                let (cluster, token) = (cluster.clone(), token.clone());
                match self.services(&cluster, Some(token)).await? {
                    Some(next) => position.page = Some(next),
                    None => return Ok(Step::Lost),
                }
                Ok(Step::Done)
            }
            Some(_) => {
                position.page = None;
                Ok(Step::Done)
            }
            None => self.next_cluster(position).await,
        }
    }

    async fn next_cluster(&mut self, position: &mut Position) -> Result<Step, Stop> {
        if let Some(cluster) = position.clusters.last() {
            let page = self.services(cluster, None).await?;
            position.clusters.pop();
            position.page = page;
            return Ok(Step::Done);
        }
        let token = match &position.more_clusters {
            More::First => None,
            More::After(token) => Some(token.clone()),
            More::Nothing => return Ok(Step::End),
        };
        self.calls.take().await?;
        let is_first = token.is_none();
        let answer = match self.ecs.list_clusters().max_results(A_PAGE).set_next_token(token).send().await {
            Ok(answer) => answer,
            Err(error) if !is_first && is_about_the_token(&error) => return Ok(Step::Lost),
            Err(error) => return Err(Stop::of("listing the clusters", &error)),
        };
        position.more_clusters = answer.next_token.map_or(More::Nothing, More::After);
        position.clusters = answer.cluster_arns.unwrap_or_default();
        Ok(Step::Done)
    }

    /// A page of a cluster's services; an empty one if the cluster is gone, none if ECS does not take the token any more.
    async fn services(&mut self, cluster: &str, token: Option<String>) -> Result<Option<Page>, Stop> {
        self.calls.take().await?;
        let is_first = token.is_none();
        let list = self.ecs.list_services().cluster(cluster).max_results(A_PAGE).set_next_token(token);
        let (arns, more) = match list.send().await {
            Ok(answer) => (answer.service_arns.unwrap_or_default(), answer.next_token),
            Err(error) if error.as_service_error().is_some_and(ListServicesError::is_cluster_not_found_exception) => {
                (Vec::new(), None)
            }
            Err(error) if !is_first && is_about_the_token(&error) => return Ok(None),
            Err(error) => return Err(Stop::of("listing the services", &error)),
        };
        let names = arns.iter().filter_map(|arn| arn.rsplit('/').next()).map(str::to_owned).collect();
        Ok(Some(Page { cluster: cluster.to_owned(), names, more }))
    }

    /// Looks at services of a cluster, as many as one call takes; `done` is told of each that needs no other look.
    async fn look(&mut self, cluster: &str, names: &[String], mut done: impl FnMut(&str)) -> Result<(), Stop> {
        self.calls.take().await?;
        let describe = self.ecs.describe_services().cluster(cluster).set_services(Some(names.to_vec()));
        let found = match describe.send().await {
            Ok(answer) => answer.services.unwrap_or_default(),
            Err(error)
                if error.as_service_error().is_some_and(DescribeServicesError::is_cluster_not_found_exception) =>
            {
                Vec::new()
            }
            Err(error) => return Err(Stop::of("looking at services", &error)),
        };
        for name in names {
            let Some(service) = key(cluster, name) else {
                warn!(cluster, "ECS lists a cluster whose ARN is none");
                done(name);
                continue;
            };
            match found.iter().find(|one| one.service_name() == Some(name) && is_active(one)) {
                Some(found) => self.learn(service, found).await?,
                None => self.forget(&service).await?,
            }
            done(name);
        }
        Ok(())
    }

    /// Notes what a service reads, if that is news, or has not been noted for long.
    async fn learn(&mut self, service: String, found: &EcsService) -> Result<(), Stop> {
        let revisions = revisions_of(found);
        let known = self.known.get(&service).filter(|known| known.revisions == revisions);
        if known.is_some_and(|known| !known.is_to_be_renewed(self.began)) {
            return Ok(());
        }
        let reads = match self.reads.get(&revisions) {
            Some(reads) => reads.clone(),
            None => self.read(&revisions).await?,
        };
        let reader = Reader { service, revisions, reads, seen_at: self.began };
        self.store.put(&reader).await?;
        self.reads.insert(reader.revisions.clone(), reader.reads.clone());
        self.known.insert(reader.service.clone(), reader);
        Ok(())
    }

    async fn read(&mut self, revisions: &[String]) -> Result<BTreeSet<String>, Stop> {
        let mut reads = BTreeSet::new();
        for arn in revisions {
            let revision = if let Some(known) = self.revisions.known(arn) {
                known
            } else {
                self.calls.take().await?;
                self.revisions.ask(self.ecs, arn).await.map_err(|error| Stop::of(READING, &error))?
            };
            reads.extend(revision.reads.keys().map(Place::to_string));
        }
        Ok(reads)
    }

    async fn forget(&mut self, service: &str) -> Result<(), Stop> {
        if self.known.remove(service).is_some() {
            self.store.remove(service, self.began).await?;
        }
        Ok(())
    }
}

/// What came of a step.
enum Step {
    /// It is made.
    Done,
    /// There is none left.
    End,
    /// The list must be begun anew.
    Lost,
}

fn cluster_of(service: &str) -> Option<String> {
    let (home, path) = service.split_once(":service/")?;
    Some(format!("{home}:cluster/{}", path.split_once('/')?.0))
}

/// Tokens are good for a while only.
fn is_about_the_token<E>(error: &SdkError<E>) -> bool
where
    SdkError<E>: ProvideErrorMetadata,
{
    error.code() == Some("InvalidParameterException")
}
