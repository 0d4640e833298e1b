//! Time passes: once a minute everything is looked at that no event tells.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use lambda_runtime::tracing::{info, warn};
use watchkeeper_events::ServiceArn;

use crate::error::Trouble;
use crate::metric::Metric;
use crate::observe::{Around, pause, service_of};
use crate::plan::desk::Desk;
use crate::plan::incident::{Incident, Key, News, Over};
use crate::plan::life::{self, Health, Scene, Turn};
use crate::plan::{crashed, ended_well, subject_of};
use crate::sights::Seen;
use crate::store::{Change, Changes, Committed, Stored};
use crate::{Aws, Function, Invocation};

/// How often a step is begun again that somebody else was quicker with.
const TRIES: u32 = 8;
/// Of so many incidents evidence is gathered in one sweep that nobody waits for.
const DOCUMENTED_AT_ONCE: usize = 5;
/// How long a sweep waits for how the services of one cluster's incidents are.
const TIME_TO_LOOK: Duration = Duration::from_secs(5);
/// So many clusters are looked at side by side.
const CLUSTERS_AT_ONCE: usize = 5;
/// What must be left of an invocation to gather that of one.
const TIME_TO_DOCUMENT: time::Duration = time::Duration::seconds(8);

impl<A: Aws> Function<A> {
    /// Looks at everything. What fails is looked at again by the next sweep; it holds nothing else up.
    pub(crate) async fn sweep(&self, is_late: bool, invocation: &Invocation) {
        if !self.sweep_begins(is_late).await {
            return info!("a late sweep, and another one began just now");
        }
        // What was decided comes before what is yet to be found.
        let mut failed = self.look_at_incidents(invocation).await.unwrap_or_else(|trouble| {
            warn!(%trouble, "incidents are looked at by the next sweep");
            1
        });
        if let Err(trouble) = self.look_at_desk(invocation).await {
            warn!(%trouble, "the desk is looked at by the next sweep");
            failed += 1;
        }
        if let Err(trouble) = self.watch(invocation).await {
            warn!(%trouble, "not all that no event told is dealt with: the next sweep looks again");
            failed += 1;
        }
        if let Err(trouble) = self.document(invocation).await {
            warn!(%trouble, "the evidence of incidents that were not told on their own is gathered by the next sweep");
            failed += 1;
        }
        if failed > 0 {
            // A sweep that fails in part comes to no dead-letter queue: without this nobody would know.
            self.measure(Metric::FailedMessages, failed);
        }
        self.check_subscriptions().await;
    }

    /// Notes that a sweep begins; false if it comes too late. Where the table does not answer it begins all the same.
    async fn sweep_begins(&self, is_late: bool) -> bool {
        for attempt in 0..TRIES {
            pause(attempt).await;
            let Ok(Stored { value: mut desk, version }) = self.aws.desk().await else { return true };
            let now = self.now();
            if !desk.sweep_begins(now, is_late) {
                return false;
            }
            let changes = Changes { desk: Some((version, desk)), ..Changes::default() };
            if !matches!(self.aws.commit(&changes, now).await, Ok(Committed::Overtaken)) {
                return true;
            }
        }
        true
    }

    /// What no event told: services that run too little, stuck deployments, stops whose event was lost.
    async fn watch(&self, invocation: &Invocation) -> Result<(), Trouble> {
        let look = self.aws.look(self.now()).await?;
        let mut told = Ok(());
        for news in look.news.iter().filter(|news| !is_ignored(news.key(), &look.ignored)) {
            told = told.and(self.observe(news.key(), std::slice::from_ref(news), None, invocation).await);
        }
        let mut crashes: BTreeMap<Key, Vec<_>> = BTreeMap::new();
        for task in &look.stopped {
            if let Some(news) = crashed(task, self.now()).filter(|news| !is_ignored(news.key(), &look.ignored)) {
                crashes.entry(news.key().clone()).or_default().push((news, task));
            }
        }
        for (key, found) in crashes {
            let task = found.first().map(|(_, task)| *task);
            let news: Vec<_> = found.into_iter().map(|(news, _)| news).collect();
            told = told.and(self.observe(&key, &news, task, invocation).await);
        }
        told = told.and(self.end_by_good_ends(&look.stopped, invocation).await);
        told?;
        self.aws.settle(&look).await
    }

    /// A standalone task that ended well says that its family's trouble is over.
    async fn end_by_good_ends(
        &self,
        stopped: &[watchkeeper_events::TaskStateChange],
        invocation: &Invocation,
    ) -> Result<(), Trouble> {
        let mut ends: BTreeMap<String, time::OffsetDateTime> = BTreeMap::new();
        for task in stopped.iter().filter(|task| ended_well(task)) {
            if let Some(at) = task.stopped_at {
                let newest = ends.entry(subject_of(task)).or_insert(at);
                *newest = at.max(*newest);
            }
        }
        for (subject, at) in ends {
            for stored in self.aws.live(Some(&subject)).await? {
                let incident = stored.value;
                if incident.last_at < at && incident.over_at.is_none_or(|known| known < at) {
                    let words = "a later task of the family ended well".to_owned();
                    let over = News::Over(Over { key: incident.key.clone(), at, words });
                    self.observe(&incident.key, &[over], None, invocation).await?;
                }
            }
        }
        Ok(())
    }

    /// Gathers the evidence of incidents that no message of their own told of, some at a time, before ECS forgets their tasks.
    async fn document(&self, invocation: &Invocation) -> Result<(), Trouble> {
        let live = self.aws.live(None).await?;
        let due = live.into_iter().filter(|stored| stored.value.is_to_be_documented());
        for stored in due.take(DOCUMENTED_AT_ONCE) {
            if invocation.deadline - self.now() < TIME_TO_DOCUMENT {
                break;
            }
            // One that is told anew has some; that of one that came back is of the time before.
            if stored.value.returns > 0 || self.aws.evidence(&stored.value.id).await?.is_none() {
                let evidence = self.aws.gather(&stored.value, None, None).await;
                self.aws.keep_evidence(&stored.value.id, &evidence, self.now()).await?;
            }
            let before = Some((stored.value.id.clone(), stored.version));
            let after = Incident { documented_at: Some(self.now()), ..stored.value };
            let changes = Changes { incidents: vec![Change { before, after }], ..Changes::default() };
            // Who was overtaken does it again.
            self.aws.commit(&changes, self.now()).await?;
        }
        Ok(())
    }

    /// How the services of these incidents are, and how many clusters could not be looked at. Without it nothing of theirs ends,
    /// and everything else goes on.
    async fn health(&self, live: &[Stored<Incident>]) -> (HashMap<ServiceArn, Health>, u64) {
        let mut by_cluster: BTreeMap<String, Vec<ServiceArn>> = BTreeMap::new();
        for service in live.iter().filter_map(|stored| service_of(&stored.value.key.subject)) {
            let cluster = service.cluster().map(|cluster| cluster.as_str().to_owned()).unwrap_or_default();
            let others = by_cluster.entry(cluster).or_default();
            if !others.contains(&service) {
                others.push(service);
            }
        }
        let look = async |cluster: &str, services: &[ServiceArn]| {
            let looked = self.glance(services, TIME_TO_LOOK).await;
            looked.inspect_err(|trouble| warn!(cluster, %trouble, "how its services are is not known this time"))
        };
        let looks: Vec<_> = by_cluster.iter().map(|(cluster, services)| look(cluster, services)).collect();
        let (mut health, mut unseen) = (HashMap::new(), 0);
        let mut looked = stream::iter(looks).buffer_unordered(CLUSTERS_AT_ONCE);
        while let Some(seen) = looked.next().await {
            match seen {
                Ok(seen) => health.extend(seen.into_iter().map(|(service, Seen { health, .. })| (service, health))),
                Err(_) => unseen += 1,
            }
        }
        (health, unseen)
    }

    /// Lets time pass for each of them; answers how many looks failed.
    async fn look_at_incidents(&self, invocation: &Invocation) -> Result<u64, Trouble> {
        let live = self.aws.live(None).await?;
        if live.is_empty() {
            return Ok(0);
        }
        let (health, mut failed) = self.health(&live).await;
        let mut desk = self.aws.desk().await?;
        let storm = desk.value.storms();
        let due = |stored: &Stored<Incident>| {
            let notice = self.turn(stored, &live, &health, storm).notice;
            notice.is_some_and(|notice| !stored.value.has_lines_only(notice))
        };
        let crowd = live.iter().filter(|stored| due(stored)).count() >= self.settings.rules.crowd;
        for stored in &live {
            let key = stored.value.key.text();
            let looked = match self.look_at(stored, &live, &health, &mut desk, crowd).await {
                Ok(true) => self.dispatch(&key, None, invocation).await,
                Ok(false) => Ok(()),
                Err(trouble) => Err(trouble),
            };
            if let Err(trouble) = looked {
                warn!(incident = key, %trouble, "it is looked at by the next sweep");
                failed += 1;
            }
        }
        info!(live = live.len(), crowd, failed, "looked at the incidents");
        Ok(failed)
    }

    fn turn(
        &self,
        stored: &Stored<Incident>,
        live: &[Stored<Incident>],
        health: &HashMap<ServiceArn, Health>,
        storm: bool,
    ) -> Turn {
        let siblings = siblings(&stored.value, live);
        life::look(stored.value.clone(), self.scene(&stored.value, &siblings, health, storm))
    }

    fn scene<'a>(
        &'a self,
        incident: &Incident,
        siblings: &'a [Incident],
        health: &'a HashMap<ServiceArn, Health>,
        storm: bool,
    ) -> Scene<'a> {
        Scene {
            now: self.now(),
            rules: &self.settings.rules,
            service: service_of(&incident.key.subject).and_then(|service| health.get(&service)),
            siblings,
            rollout: None,
            storm,
        }
    }

    /// Whether the incident has something to say now.
    async fn look_at(
        &self,
        stored: &Stored<Incident>,
        live: &[Stored<Incident>],
        health: &HashMap<ServiceArn, Health>,
        desk: &mut Stored<Desk>,
        crowd: bool,
    ) -> Result<bool, Trouble> {
        let mut stored = stored.clone();
        for attempt in 0..TRIES {
            pause(attempt).await;
            if attempt > 0 {
                match self.aws.incident(&stored.value.key.text()).await? {
                    Some(now) => stored = now,
                    None => return Ok(false),
                }
                *desk = self.aws.desk().await?;
            }
            let siblings = siblings(&stored.value, live);
            let scene = self.scene(&stored.value, &siblings, health, desk.value.storms());
            let turn = life::look(stored.value.clone(), scene);
            if turn.notice.is_none() && turn.incident == stored.value {
                return Ok(!stored.value.outbox.is_empty());
            }
            let before = Some((stored.value.id.clone(), stored.version));
            let around = Around { siblings: Vec::new(), rollout: None, desk: desk.clone() };
            if let Some(says) = self.commit_turn(turn, before, &around, Changes::default(), crowd, scene).await? {
                // Its version may have risen with the incident's.
                *desk = self.aws.desk().await?;
                return Ok(says);
            }
        }
        Err(Trouble::Overtaken)
    }

    /// Looks at one incident again, when what followed its first message was gathered.
    pub(crate) async fn look_once(&self, key: &str, invocation: &Invocation) -> Result<(), Trouble> {
        if let Some(stored) = self.aws.incident(key).await? {
            let siblings = self.aws.live(Some(&stored.value.key.subject)).await?;
            let mut desk = self.aws.desk().await?;
            if self.look_at(&stored, &siblings, &HashMap::new(), &mut desk, false).await? {
                self.dispatch(key, None, invocation).await?;
            }
        }
        self.look_at_desk(invocation).await
    }
}

fn is_ignored(key: &Key, ignored: &[ServiceArn]) -> bool {
    service_of(&key.subject).is_some_and(|service| ignored.contains(&service))
}

fn siblings(incident: &Incident, live: &[Stored<Incident>]) -> Vec<Incident> {
    let others = live.iter().map(|stored| &stored.value);
    others.filter(|other| other.key.subject == incident.key.subject && other.id != incident.id).cloned().collect()
}

#[cfg(test)]
mod tests;
