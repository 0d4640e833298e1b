//! Which services are restarted, and how far each is.
//!
//! A task has read a version if it was made after that became current. A service is restarted once for its versions: by a
//! deployment that is asked for when no other is on its way, or that somebody else began since. What is noted before the call
//! tells who finds it half done whether it was done: another deployment is wanted than before, or the same one again since another
//! has failed.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};
use watchkeeper_events::ServiceArn;
use watchkeeper_secrets::{Thing, may_use};

use crate::declared::{Declared, Mode, Restart, Way};
use crate::document::{Place, Version};
use crate::plan::Warning;
use crate::service::{Asks, Controller, Deployment, DeploymentId, Progress, Service, Task, TaskId};
use crate::state::{Rollout, Since, Step};
use crate::value_from::asks;

/// For so long ECS may not show a deployment that it has begun.
const SETTLES: Duration = Duration::minutes(2);

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Have the service deployed anew, in the revision that it has.
    Deploy(ServiceArn),
    /// Stop a task that has read an old version; the service starts another.
    Stop(ServiceArn, TaskId),
}

/// What to do, and what is to be remembered before it is done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// How far each service is.
    pub rollouts: BTreeMap<String, Rollout>,
    /// What to do.
    pub actions: Vec<Action>,
    /// What a person should know of the services.
    pub warnings: Vec<Warning>,
}

impl Plan {
    /// Whether nothing is left to be done or waited for.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.rollouts.values().all(|rollout| rollout.step.is_over())
    }
}

/// What a service's tasks should have read.
struct Goal {
    versions: BTreeMap<Place, Version>,
    /// A task that was made since has.
    after: OffsetDateTime,
}

impl Goal {
    fn of(declared: &Declared, arn: &ServiceArn, service: &Service, since: &BTreeMap<Place, Since>) -> Option<Self> {
        let reads = |place: &Place| asks(&service.reads, place) == Some(&Asks::Current);
        // One that is named, and whose task definition reads none of them, reads them in a way of its own.
        let is_named = matches!(&declared.restart, Restart::These(these) if these.contains(arn.as_str()));
        let reads_none = !since.keys().any(|place| asks(&service.reads, place).is_some());
        let asked: Vec<_> = since.iter().filter(|(place, _)| reads(place) || is_named && reads_none).collect();
        Some(Self {
            after: asked.iter().map(|(_, since)| since.at).max()?,
            versions: asked.into_iter().map(|(place, since)| (place.clone(), since.version.clone())).collect(),
        })
    }

    fn is_met_by(&self, task: &Task, ours: Option<&DeploymentId>) -> bool {
        task.made_at >= self.after || ours == Some(&task.deployment)
    }
}

/// The plan. A service that ECS does not know (`None`) reads nothing any more.
#[must_use]
pub fn restarts(
    declared: &Declared,
    since: &BTreeMap<Place, Since>,
    known: &BTreeMap<String, Rollout>,
    services: &[(ServiceArn, Option<Service>)],
    now: OffsetDateTime,
) -> Plan {
    let mut plan = Plan::default();
    let services: Vec<_> = services
        .iter()
        .filter_map(|(arn, service)| {
            let service = service.as_ref()?;
            plan.warnings.extend(warnings(declared, arn, service, since));
            let goal = Goal::of(declared, arn, service, since)?;
            Some(One { declared, arn, service, goal, known: known.get(arn.as_str()), now })
        })
        .collect();
    // Who is at work keeps its place until this look finds it done; who waits takes what is left, in the order of the services'
    // names.
    let mut room = declared.at_once.saturating_sub(services.iter().filter(|one| one.keeps_its_place()).count());
    for one in services {
        let was_at_work = one.step().is_some_and(Step::is_at_work);
        let (step, action) = match one.step().cloned() {
            _ if declared.mode == Mode::Observe => one.only_seen(),
            Some(step) if step.is_at_work() => one.go_on(step),
            Some(step @ Step::Failed { .. }) => (one.mended().unwrap_or(step), None),
            Some(Step::Done { by: Some(by) }) if one.stale(Some(&by)).next().is_none() => {
                (Step::Done { by: Some(by) }, None)
            }
            _ => one.begin(room > 0),
        };
        // What others took of the time is not this one's.
        let waits_for_a_place = step == Step::Waiting && !one.service.is_in_flight();
        let began = if waits_for_a_place || step.is_at_work() && !was_at_work { now } else { one.began() };
        if step.is_at_work() && !was_at_work {
            room = room.saturating_sub(1);
        }
        plan.actions.extend(action);
        plan.rollouts.insert(one.arn.as_str().to_owned(), Rollout { versions: one.goal.versions, began, step });
    }
    plan
}

/// One service.
struct One<'a> {
    declared: &'a Declared,
    arn: &'a ServiceArn,
    service: &'a Service,
    goal: Goal,
    /// How far it was, perhaps with versions before these.
    known: Option<&'a Rollout>,
    now: OffsetDateTime,
}

impl One<'_> {
    /// How far it was with these versions.
    fn rollout(&self) -> Option<&Rollout> {
        self.known.filter(|rollout| rollout.versions == self.goal.versions)
    }

    fn step(&self) -> Option<&Step> {
        self.rollout().map(|rollout| &rollout.step)
    }

    fn began(&self) -> OffsetDateTime {
        self.rollout().map_or(self.now, |rollout| rollout.began)
    }

    fn keeps_its_place(&self) -> bool {
        match (self.known, self.step()) {
            (Some(known), _) if !known.step.is_at_work() => false,
            (_, Some(step)) => self.go_on(step.clone()).0.is_at_work(),
            // It may be still on its way to the versions before.
            (Some(_), None) => self.service.is_in_flight(),
            (None, None) => false,
        }
    }

    fn stale(&self, ours: Option<&DeploymentId>) -> impl Iterator<Item = &Task> {
        self.service.tasks.iter().filter(move |task| !self.goal.is_met_by(task, ours))
    }

    fn only_seen(&self) -> (Step, Option<Action>) {
        let step = if self.stale(None).next().is_none() { done() } else { Step::Unasked };
        (step, None)
    }

    /// Somebody has replaced the tasks since.
    fn mended(&self) -> Option<Step> {
        (self.stale(None).next().is_none() && self.service.is_steady()).then(done)
    }

    fn begin(&self, has_room: bool) -> (Step, Option<Action>) {
        if self.stale(None).next().is_none() {
            return (done(), None);
        }
        if !self.declared.restarts(self.arn) {
            return (Step::Unasked, None);
        }
        let thing = Thing { kind: "service", name: self.arn.as_str() };
        if let Err(why) = may_use(&self.declared.stack, thing, self.service.allow.as_deref()) {
            // Who reads a source only, of another stack perhaps, is not what this declaration is about.
            let reads_target = asks(&self.service.reads, &self.declared.target).is_some();
            let is_meant = reads_target || matches!(self.declared.restart, Restart::These(_));
            return (if is_meant { left_alone(&why) } else { Step::Unasked }, None);
        }
        if let Controller::Other(name) = &self.service.controller {
            return (left_alone(&format!("its deployments are made by {name}: restart it there")), None);
        }
        if let Some(deployment) = self.in_flight_since() {
            return (following(deployment), None);
        }
        if self.service.is_in_flight() {
            return (self.wait(), None);
        }
        if !has_room {
            return (Step::Waiting, None);
        }
        match self.declared.way {
            Way::Deployment => {
                let primary = self.service.primary();
                let over = primary.map(|deployment| deployment.id.clone());
                let back_after = primary.and_then(|deployment| deployment.back_after.clone());
                (Step::Asked { over, back_after }, Some(Action::Deploy(self.arn.clone())))
            }
            Way::ReplaceTasks => self.replace(),
        }
    }

    /// The wanted deployment, if it is on its way and all its tasks read the new versions.
    fn in_flight_since(&self) -> Option<&Deployment> {
        self.service
            .primary()
            .filter(|primary| primary.progress == Progress::InProgress && primary.made_at >= self.goal.after)
    }

    fn go_on(&self, step: Step) -> (Step, Option<Action>) {
        match step {
            Step::Asked { over, back_after } => match self.service.primary() {
                Some(primary) if primary.back_after.is_some() && primary.back_after != back_after => {
                    (self.rolled_back(), None)
                }
                Some(primary) if Some(&primary.id) != over.as_ref() => self.follow(&primary.id, primary.made_at),
                _ if self.is_out_of_patience() => (self.too_late(), None),
                // A rollback may be on its way that the service's messages do not tell yet.
                _ if self.service.is_in_flight() => (Step::Asked { over, back_after }, None),
                _ => (Step::Asked { over, back_after }, Some(Action::Deploy(self.arn.clone()))),
            },
            Step::Following { deployment, made_at } => self.follow(&deployment, made_at),
            Step::Replacing => self.replace(),
            Step::Waiting | Step::Done { .. } | Step::Failed { .. } | Step::LeftAlone { .. } | Step::Unasked => {
                (step, None)
            }
        }
    }

    fn follow(&self, id: &DeploymentId, made_at: OffsetDateTime) -> (Step, Option<Action>) {
        let found = self.service.deployments.iter().find(|deployment| deployment.id == *id);
        let step = match (found, self.service.primary()) {
            (Some(ours), _) if ours.progress == Progress::Failed => {
                failed("its deployment failed", ours.evidence.as_deref())
            }
            // Somebody began another since, whose tasks read the new versions as well.
            (_, Some(primary)) if primary.id != *id && primary.made_at > made_at => following(primary),
            (Some(ours), _) if ours.progress == Progress::Completed && self.stale(Some(id)).next().is_none() => {
                Step::Done { by: Some(id.clone()) }
            }
            (Some(_), _) if self.is_out_of_patience() => self.too_late(),
            (Some(ours), _) => following(ours),
            // ECS may answer with what was a moment ago (ECS API Reference, on eventual consistency).
            (None, _) if self.now - made_at < SETTLES => Step::Following { deployment: id.clone(), made_at },
            // ECS has taken it back, or has forgotten it.
            (None, _) => self.rolled_back(),
        };
        (step, None)
    }

    fn rolled_back(&self) -> Step {
        let evidence = self.service.primary().and_then(|primary| primary.evidence.as_deref());
        self.mended().unwrap_or_else(|| failed("its deployment was rolled back", evidence))
    }

    /// One task at a time, when all run well.
    fn replace(&self) -> (Step, Option<Action>) {
        let oldest = self.stale(None).min_by_key(|task| (task.made_at, &task.id));
        match oldest {
            _ if self.is_out_of_patience() => (self.mended().unwrap_or_else(|| self.too_late()), None),
            _ if !self.service.is_steady() => (Step::Replacing, None),
            None => (done(), None),
            Some(task) => (Step::Replacing, Some(Action::Stop(self.arn.clone(), task.id.clone()))),
        }
    }

    fn wait(&self) -> Step {
        if self.is_out_of_patience() { self.too_late() } else { Step::Waiting }
    }

    fn is_out_of_patience(&self) -> bool {
        self.now - self.began() > self.declared.patience
    }

    fn too_late(&self) -> Step {
        let evidence = self.service.deployments.iter().find_map(|deployment| deployment.evidence.as_deref());
        failed(&format!("it was not done after {} min", self.declared.patience.whole_minutes()), evidence)
    }
}

fn warnings<'a>(
    declared: &Declared,
    arn: &'a ServiceArn,
    service: &'a Service,
    since: &'a BTreeMap<Place, Since>,
) -> impl Iterator<Item = Warning> {
    let pinned = since.keys().filter_map(|place| match asks(&service.reads, place) {
        Some(Asks::Pinned(version)) => {
            Some(Warning::Pinned { service: arn.clone(), place: place.clone(), version: version.clone() })
        }
        _ => None,
    });
    let is_deployed = declared.way == Way::Deployment && declared.restarts(arn);
    let mutable = service.mutable_images.iter().filter(move |_| is_deployed);
    pinned.chain(mutable.map(|image| Warning::MutableImage { service: arn.clone(), image: image.clone() }))
}

fn done() -> Step {
    Step::Done { by: None }
}

fn following(deployment: &Deployment) -> Step {
    Step::Following { deployment: deployment.id.clone(), made_at: deployment.made_at }
}

fn failed(what: &str, evidence: Option<&str>) -> Step {
    Step::Failed { why: evidence.map_or_else(|| what.to_owned(), |evidence| format!("{what}: {evidence}")) }
}

fn left_alone(why: &str) -> Step {
    Step::LeftAlone { why: why.to_owned() }
}
