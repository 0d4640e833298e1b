//! The way round, call by call.

use std::collections::{BTreeMap, BTreeSet};

use lambda_runtime::tracing::info;
use time::OffsetDateTime;
use watchkeeper_events::{ServiceArn, TaskStateChange, TaskStatus};

use super::cursor::{Cursor, EVENTS_TIME, InHand, More};
use super::ecs::{Ecs, Failure};
use super::sight::service_arn;
use crate::plan::watch::{Remembered, Seen};

/// How many calls of ECS a look makes at most: ECS throttles by account, and deployments share its patience.
pub const CALLS: usize = 24;
/// How many of them are for services that are remembered; each looks at ten.
pub const RECHECKS: usize = 8;
/// How many stops a look brings at most.
pub const STOPS: usize = 500;
/// How many services one call takes (ECS API Reference, `DescribeServices`).
const SERVICES_AT_ONCE: usize = 10;
/// How many tasks one call takes (ECS API Reference, `DescribeTasks`).
const TASKS_AT_ONCE: usize = 100;

/// One look's part of the way.
pub(super) struct Walk<'a, A> {
    aws: &'a A,
    now: OffsetDateTime,
    calls_left: usize,
    seen: BTreeMap<String, Seen>,
    stopped: Vec<TaskStateChange>,
    troubles: Vec<String>,
    has_hung: bool,
}

/// Why a cluster is not gone on with.
enum Stop {
    /// The look ends here: its calls are made, or ECS has had enough.
    Look,
    /// The cluster cannot be read.
    Cluster(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Cluster(failure)
    }
}

impl<'a, A: Ecs> Walk<'a, A> {
    pub(super) fn new(aws: &'a A, now: OffsetDateTime) -> Self {
        Self {
            aws,
            now,
            calls_left: CALLS,
            seen: BTreeMap::new(),
            stopped: Vec::new(),
            troubles: Vec::new(),
            has_hung: false,
        }
    }

    /// What was seen, by service; the tasks that stopped, in their order; what could not be read.
    pub(super) fn done(self) -> (Vec<Seen>, Vec<TaskStateChange>, Vec<String>) {
        let mut stopped = self.stopped;
        stopped.sort_by(|one, other| (one.stopped_at, one.task.as_str()).cmp(&(other.stopped_at, other.task.as_str())));
        (self.seen.into_values().collect(), stopped, self.troubles)
    }

    /// Looks at the services that are remembered, going on behind the one that was the last; whether the look goes on.
    pub(super) async fn recheck(&mut self, remembered: &[Remembered], cursor: &mut Cursor) -> bool {
        let mut batches = batches(remembered);
        let done = cursor.rechecked.take();
        let next = batches.iter().position(|batch| batch.last > done).unwrap_or_default();
        batches.rotate_left(next);
        for batch in batches.into_iter().take(RECHECKS) {
            match self.describe(&batch.cluster, &batch.names).await {
                Ok(()) => {}
                Err(Stop::Look) => return false,
                Err(Stop::Cluster(Failure::ClusterGone)) => {
                    let gone = batch.names.iter().filter_map(|name| service_arn(&batch.cluster, name));
                    self.see(gone.map(Seen::Gone));
                }
                Err(Stop::Cluster(failure)) => {
                    if self.must_end(&failure) {
                        return false;
                    }
                }
            }
            cursor.rechecked = batch.last;
        }
        true
    }

    /// Goes on with the round; whether it came to its end and all of it was read.
    pub(super) async fn go_round(&mut self, cursor: &mut Cursor) -> bool {
        let stops_until = cursor.stops_until;
        loop {
            let round = cursor.round(self.now);
            if let Some(hand) = &mut round.in_hand {
                match self.step(hand, stops_until).await {
                    Ok(true) => continue,
                    Ok(false) | Err(Stop::Cluster(Failure::ClusterGone)) => {}
                    Err(Stop::Look) => return false,
                    Err(Stop::Cluster(failure)) => {
                        if self.must_end(&failure) {
                            return false;
                        }
                        round.is_faulty = true;
                    }
                }
                round.in_hand = None;
            } else if let Some(cluster) = round.clusters.pop() {
                round.in_hand = Some(InHand::new(cluster));
            } else if !round.more_clusters.is_nothing() {
                if self.take().is_err() {
                    return false;
                }
                match self.aws.list_clusters(round.more_clusters.token()).await {
                    Ok(listed) => {
                        round.clusters = listed.arns;
                        round.more_clusters = More::of(listed.token);
                    }
                    Err(failure) => {
                        if self.must_end(&failure) {
                            return false;
                        }
                        round.is_faulty = true;
                        round.more_clusters = More::Nothing;
                    }
                }
            } else {
                return cursor.end();
            }
        }
    }

    /// One call for a cluster; false if there was nothing left to do.
    async fn step(&mut self, hand: &mut InHand, stops_until: Option<OffsetDateTime>) -> Result<bool, Stop> {
        if !hand.services.is_empty() {
            hand.services.retain(|name| self.is_unseen(&hand.cluster, name));
            let names: Vec<_> = hand.services.iter().take(SERVICES_AT_ONCE).cloned().collect();
            if !names.is_empty() {
                self.describe(&hand.cluster, &names).await?;
            }
            hand.services.drain(..names.len());
        } else if !hand.more_services.is_nothing() {
            self.take()?;
            let listed = self.aws.list_services(&hand.cluster, hand.more_services.token()).await?;
            hand.services = names(&listed.arns);
            hand.more_services = More::of(listed.token);
        } else if !hand.stopped.is_empty() {
            if self.stopped.len() + TASKS_AT_ONCE > STOPS {
                info!("there are more stopped tasks than one look brings: the next one goes on with them");
                return Err(Stop::Look);
            }
            self.take()?;
            let tasks: Vec<_> = hand.stopped.iter().take(TASKS_AT_ONCE).cloned().collect();
            let found = self.aws.describe_tasks(&hand.cluster, &tasks).await?;
            self.stopped.extend(found.into_iter().filter(|task| is_news(task, stops_until, self.now)));
            hand.stopped.drain(..tasks.len());
        } else if !hand.more_stopped.is_nothing() {
            self.take()?;
            let listed = self.aws.list_stopped(&hand.cluster, hand.more_stopped.token()).await?;
            hand.stopped = names(&listed.arns);
            hand.more_stopped = More::of(listed.token);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    async fn describe(&mut self, cluster: &str, names: &[String]) -> Result<(), Stop> {
        self.take()?;
        let seen = self.aws.describe_services(cluster, names).await?;
        self.see(seen);
        Ok(())
    }

    fn see(&mut self, seen: impl IntoIterator<Item = Seen>) {
        self.seen.extend(seen.into_iter().map(|seen| (seen.service().as_str().to_owned(), seen)));
    }

    fn is_unseen(&self, cluster: &str, name: &str) -> bool {
        service_arn(cluster, name).is_some_and(|service| !self.seen.contains_key(service.as_str()))
    }

    fn take(&mut self) -> Result<(), Stop> {
        self.calls_left = self.calls_left.checked_sub(1).ok_or(Stop::Look)?;
        Ok(())
    }

    /// Whether a failure ends the look. One that hung is left out; a second one would use up the function's time.
    fn must_end(&mut self, failure: &Failure) -> bool {
        self.troubles.push(failure.to_string());
        match failure {
            Failure::Throttled(_) => true,
            Failure::Unanswered(_) => std::mem::replace(&mut self.has_hung, true),
            Failure::ClusterGone | Failure::Refused(_) => false,
        }
    }
}

/// Whether a stop is to be told of: its event had its time, and no round has brought it.
fn is_news(task: &TaskStateChange, stops_until: Option<OffsetDateTime>, now: OffsetDateTime) -> bool {
    let is_news = |at| at <= now - EVENTS_TIME && stops_until.is_none_or(|until| at >= until);
    task.status == TaskStatus::Stopped && task.stopped_at.is_none_or(is_news)
}

fn names(arns: &[String]) -> Vec<String> {
    arns.iter().filter_map(|arn| arn.rsplit('/').next()).map(str::to_owned).collect()
}

/// Services of one cluster that one call takes.
struct Batch {
    cluster: String,
    names: Vec<String>,
    /// The last one's ARN.
    last: Option<String>,
}

/// In the order of their ARNs.
fn batches(remembered: &[Remembered]) -> Vec<Batch> {
    let services: BTreeSet<_> = remembered.iter().map(|one| one.service.as_str()).collect();
    let mut batches: Vec<Batch> = Vec::new();
    for service in services {
        let Some((cluster, name)) = cluster_and_name(service) else { continue };
        let same = |batch: &&mut Batch| batch.cluster == cluster && batch.names.len() < SERVICES_AT_ONCE;
        if let Some(batch) = batches.last_mut().filter(same) {
            batch.names.push(name);
            batch.last = Some(service.to_owned());
        } else {
            batches.push(Batch { cluster, names: vec![name], last: Some(service.to_owned()) });
        }
    }
    batches
}

fn cluster_and_name(service: &str) -> Option<(String, String)> {
    let service = ServiceArn::parse(service).ok()?;
    let (arn, cluster) = (service.arn(), service.cluster_name()?);
    let home = format!("arn:{}:ecs:{}:{}", arn.partition(), arn.region(), arn.account());
    Some((format!("{home}:cluster/{cluster}"), service.name().to_owned()))
}
