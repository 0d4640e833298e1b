//! What is to be seen of an incident from outside: how its service is, and what is left as evidence.

mod good_ends;

use std::collections::HashMap;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::{Instant, timeout_at};
use watchkeeper_alerts::Evidence;
use watchkeeper_events::{ClusterArn, ServiceArn, TaskArn, TaskDefinitionArn, TaskStateChange};
use watchkeeper_stops::{Verdict, judge};

use crate::clients::Clients;
use crate::error::Trouble;
use crate::evidence::{self, Forgotten, ServiceSeen, Suspect};
use crate::observe::service_of;
use crate::plan::about_service;
use crate::plan::incident::{Fault, Incident, Key, Nature, News, Over, Tags};
use crate::plan::life::Health;
use crate::plan::watch::{Finding, State};
use crate::services::{Services, describe};
use crate::store::Store;
use crate::watch;

/// A service, looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// How it is.
    pub health: Health,
    /// Whether its tag `watchkeeper:ignore` says that nobody wants to hear of it.
    pub is_ignored: bool,
}

/// What the look at all services gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Look {
    /// News of services that run too little, or whose deployments are stuck, and of those that are well again.
    pub news: Vec<News>,
    /// Tasks that stopped, of which there may have been no event.
    pub stopped: Vec<TaskStateChange>,
    /// Services that nobody wants to hear of.
    pub ignored: Vec<ServiceArn>,
    /// What the watch wants back once all of it is dealt with.
    pub watched: Option<watch::Look>,
}

/// ECS and CloudWatch Logs, as far as they are looked at.
pub trait Sights {
    /// How these services are; one that could not be read is missing.
    fn services(
        &self,
        services: &[ServiceArn],
    ) -> impl Future<Output = Result<HashMap<ServiceArn, Seen>, Trouble>> + Send;

    /// What is left as evidence of an incident. What cannot be had is a line in it, not a failure. What was gathered earlier is only
    /// looked at for log lines that came late.
    fn gather(
        &self,
        incident: &Incident,
        task: Option<&TaskStateChange>,
        earlier: Option<Evidence>,
    ) -> impl Future<Output = Evidence> + Send;

    /// Looks at all services and stopped tasks, as far as one sweep goes.
    fn look(&self, now: OffsetDateTime) -> impl Future<Output = Result<Look, Trouble>> + Send;

    /// All that a look gave is dealt with. Until this is said, the next look gives it again.
    fn settle(&self, look: &Look) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// How long all evidence may take; the alert waits for it.
const EVIDENCE: Duration = Duration::from_secs(6);
/// How long one look that comes before it may take, so that there is time for the rest.
const A_LOOK: Duration = Duration::from_secs(2);

/// Who reads the evidence looks for the task's timeline.
const FORGOTTEN: &str = "ECS has forgotten the task, as it does about an hour after the stop, so what became of it moment by moment is not known.";

impl Sights for Clients {
    async fn services(&self, services: &[ServiceArn]) -> Result<HashMap<ServiceArn, Seen>, Trouble> {
        let mut by_cluster: HashMap<ClusterArn, Vec<ServiceArn>> = HashMap::new();
        for service in services {
            if let Some(cluster) = service.cluster() {
                by_cluster.entry(cluster).or_default().push(service.clone());
            }
        }
        let mut seen = HashMap::new();
        for (cluster, services) in by_cluster {
            let found = describe(&self.ecs, &cluster, &services).await?;
            for service in services {
                // By name: an old, short ARN lacks the cluster, which is the one that was asked.
                let there = found.seen.iter().find(|found| found.service.name() == service.name());
                let there = there.map(|there| Seen { health: health(there), is_ignored: there.ignored });
                let gone = found.gone.contains(service.name()).then(gone);
                seen.extend(there.or(gone).map(|look| (service, look)));
            }
        }
        Ok(seen)
    }

    async fn gather(
        &self,
        incident: &Incident,
        task: Option<&TaskStateChange>,
        mut earlier: Option<Evidence>,
    ) -> Evidence {
        let deadline = Instant::now() + EVIDENCE;
        let service = service_of(&incident.key.subject);
        let mut gaps = Vec::new();
        // What stopped just now may be another one: all of an incident's evidence is of its first task.
        let first = task.filter(|task| incident.first == format!("task#{}", task.task));
        let mut suspect = Suspect { task: first.cloned(), ..Suspect::at(incident.first_at) };
        suspect.failed_deployment = incident.deployments.last().filter(|_| incident.is_failed_deployment()).cloned();
        if suspect.task.is_none() && incident.is_crash() {
            match by(deadline, self.stopped_task(&incident.first)).await {
                Ok(Told::Stopped(task)) => suspect.task = Some(*task),
                Ok(Told::Forgotten) => gaps.push(FORGOTTEN.to_owned()),
                Ok(Told::Nothing) => {}
                Err(trouble) => gaps.push(format!("The stopped task could not be looked at: {trouble}.")),
            }
            if suspect.task.is_none() {
                suspect.forgotten = forgotten(incident);
            }
        }
        suspect.container = match &suspect.task {
            Some(task) => match judge(task) {
                Verdict::Crashed(crash) => crash.container.map(|container| container.name),
                Verdict::Planned(_) | Verdict::EndedWell => None,
            },
            None => suspect.forgotten.as_ref().and_then(|_| fact(incident, "Container")).map(str::to_owned),
        };
        if let Some(earlier) = &mut earlier
            && incident.is_crash()
        {
            Box::pin(evidence::look_again(self, &suspect, earlier, left(deadline))).await;
            return std::mem::take(earlier);
        }
        let seen = async {
            let service = service.as_ref()?;
            let cluster = service.cluster()?;
            Some(by(deadline, self.describe(&cluster, std::slice::from_ref(service))).await)
        };
        let (seen, steady) = tokio::join!(seen, by(deadline, self.last_steady(&incident.key.subject)));
        match seen {
            Some(Ok(found)) => suspect.service = found.into_iter().next(),
            Some(Err(trouble)) => gaps.push(format!("How the service is could not be read: {trouble}.")),
            None => {}
        }
        match steady {
            Ok(steady) => suspect.steady = steady,
            Err(trouble) => gaps.push(format!("Which revision was steady could not be read: {trouble}.")),
        }
        // That of its crashes; what became of the service since is told with it.
        if let Some(mut earlier) = earlier {
            evidence::see_service(&suspect, &mut earlier);
            return earlier;
        }
        let mut evidence = Box::pin(evidence::gather(self, &suspect, left(deadline))).await;
        evidence.gaps.extend(gaps);
        evidence
    }

    async fn look(&self, now: OffsetDateTime) -> Result<Look, Trouble> {
        let watched = watch::look(self, self, &self.limits, now).await?;
        good_ends::remember(self, &watched.stopped).await;
        let news = watched.findings.iter().map(news_of).collect();
        let (stopped, ignored) = (watched.stopped.clone(), watched.ignored.clone());
        Ok(Look { news, stopped, ignored, watched: Some(watched) })
    }

    async fn settle(&self, look: &Look) -> Result<(), Trouble> {
        match &look.watched {
            Some(watched) => watch::settle(self, watched).await,
            None => Ok(()),
        }
    }
}

/// What is not answered in time is not known.
async fn by<T>(deadline: Instant, look: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let until = deadline.min(Instant::now() + A_LOOK);
    timeout_at(until, look).await.unwrap_or(Err(Trouble::Unanswered))
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// What ECS tells of a task.
enum Told {
    /// It stopped.
    Stopped(Box<TaskStateChange>),
    /// ECS does not know it any more.
    Forgotten,
    /// Nothing that helps: by its list it has not stopped yet.
    Nothing,
}

impl Clients {
    /// A task that stopped, for as long as ECS still knows it, by the subject of its fault: `task#ARN`.
    async fn stopped_task(&self, subject: &str) -> Result<Told, Trouble> {
        let Some(task) = subject.strip_prefix("task#").and_then(|arn| TaskArn::parse(arn).ok()) else {
            return Ok(Told::Nothing);
        };
        let describe = self.ecs.describe_tasks().set_cluster(task.cluster_name().map(str::to_owned));
        let answer = describe.tasks(task.as_str()).send().await;
        let answer = answer.map_err(|error| Trouble::call("looking at the stopped task", &error))?;
        let Some(task) = answer.tasks().first() else { return Ok(Told::Forgotten) };
        Ok(watch::stopped(task).map_or(Told::Nothing, |task| Told::Stopped(Box::new(task))))
    }
}

/// What is known of the first task of an incident all the same: its id is in the incident, and the newest fault told what it ran, which
/// the first one ran too but for a deployment in between.
fn forgotten(incident: &Incident) -> Option<Forgotten> {
    let task = TaskArn::parse(incident.first.strip_prefix("task#")?).ok()?;
    let revision = fact(incident, "Revision").and_then(|revision| {
        let arn = task.arn();
        let (partition, region, account) = (arn.partition(), arn.region(), arn.account());
        TaskDefinitionArn::parse(&format!("arn:{partition}:ecs:{region}:{account}:task-definition/{revision}")).ok()
    });
    Some(Forgotten { task, revision })
}

fn fact<'a>(incident: &'a Incident, label: &str) -> Option<&'a str> {
    incident.alert.facts.iter().find(|fact| fact.label == label).map(|fact| fact.value.as_str())
}

fn news_of(finding: &Finding) -> News {
    let key = Key::new(about_service(&finding.service), finding.trouble.cause());
    match &finding.state {
        State::Fault { since, alert, .. } => News::Fault(Box::new(Fault {
            key,
            nature: Nature::State,
            at: *since,
            alert: (**alert).clone(),
            deployment: None,
        })),
        State::Over { at, summary } => News::Over(Over { key, at: *at, words: summary.clone() }),
    }
}

fn gone() -> Seen {
    let health = Health { is_well: true, words: "the service is gone".to_owned(), tags: Tags::default() };
    Seen { health, is_ignored: false }
}

/// How a service is, for the incidents about it.
fn health(service: &ServiceSeen) -> Health {
    let tags = Tags {
        owner: service.owner.clone(),
        runbook: service.runbook.clone(),
        silence: service.silence.clone(),
        is_ignored: service.ignored,
    };
    let revision = service.primary().and_then(|primary| primary.task_definition.as_ref());
    let on = revision.map(|revision| format!(" on {}", revision.revision())).unwrap_or_default();
    let words = match (service.status.as_str(), service.desired) {
        ("ACTIVE", 0) => "the service is to run no task".to_owned(),
        ("ACTIVE", desired) => format!("{} of {desired} tasks run{on}", service.running),
        _ => "the service is being deleted".to_owned(),
    };
    let runs_all = service.running >= service.desired && service.unfinished().is_none();
    Health { is_well: service.status != "ACTIVE" || service.desired == 0 || runs_all, words, tags }
}

#[cfg(test)]
mod tests;
