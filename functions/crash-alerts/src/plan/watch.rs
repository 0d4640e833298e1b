//! What a look at the services calls for, though no event came: a pure decision.
//!
//! Faults and overs are told again by every look until they are dealt with: a fault for as long as it lasts, under the same
//! occurrence; an over until the memory of the fault is dropped ([`crate::watch::settle`]). So nothing is lost where a sweep
//! is cut off, and who is told them must take the same again for the same.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::{
    Alert, BELOW_DESIRED, DEPLOYMENT_STUCK, DeploymentSight, Running, ServiceSight, below_desired, stuck_deployment,
};
use watchkeeper_events::ServiceArn;

/// Nobody looked for longer than this: what was below before may have been well in between.
const UNWATCHED: Duration = Duration::minutes(30);
/// A memory of what is not told yet is written again after this, so that it shows that somebody looked.
const RENEW_UNTOLD: Duration = Duration::minutes(10);
/// The same for what is told, which only must not age away.
const RENEW_TOLD: Duration = Duration::days(1);
/// Of so many tasks one may be on its way at any time without anything being wrong: spot tasks come and go, scaling never rests.
const ONE_OF: i32 = 20;

/// How long something may last before it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Fewer tasks run than should.
    pub below_desired: Duration,
    /// A deployment is under way, besides the waits that it was asked to make.
    pub deployment_stuck: Duration,
}

/// A failure of a service that no event tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Silent {
    /// Fewer tasks run than should.
    BelowDesired,
    /// A deployment neither gets done nor fails.
    DeploymentStuck,
}

impl Silent {
    /// All.
    pub const ALL: [Self; 2] = [Self::BelowDesired, Self::DeploymentStuck];

    /// The incident's cause.
    #[must_use]
    pub fn cause(self) -> &'static str {
        match self {
            Self::BelowDesired => BELOW_DESIRED,
            Self::DeploymentStuck => DEPLOYMENT_STUCK,
        }
    }
}

/// Where a service is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It keeps its tasks.
    Active,
    /// It is being deleted.
    Draining,
}

/// Whose deployments a service makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// ECS's own.
    Ecs,
    /// `CODE_DEPLOY`, `EXTERNAL`, or one that came later: ECS does not say how far they are.
    Other,
}

/// A service as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What is told of it.
    pub sight: ServiceSight,
    /// Where in its life.
    pub life: Life,
    /// Who deploys it.
    pub controller: Controller,
    /// The share of its tasks that is kept running while it is deployed, as a percentage.
    pub minimum_healthy: i32,
    /// Whether a circuit breaker is on.
    pub breaker: bool,
    /// The waits that its deployments make because they were asked to: bakes, and pauses for people.
    pub waits: Duration,
    /// Its owners do not want it watched.
    pub ignored: bool,
    /// Who owns it, by its tag `watchkeeper:owner`.
    pub owner: Option<String>,
    /// What to do, by its tag `watchkeeper:runbook`.
    pub runbook: Option<String>,
}

/// What a look saw of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It is there.
    There(Box<Found>),
    /// ECS itself says that there is no such service.
    Gone(ServiceArn),
}

/// What is remembered of a service that is in trouble, or was when it was last told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The service.
    pub service: ServiceArn,
    /// What is the matter with it.
    pub trouble: Silent,
    /// Since when.
    pub since: OffsetDateTime,
    /// The deployment, for one that is stuck.
    pub deployment: Option<String>,
    /// Whether a fault was told, so that an over must be.
    pub told: bool,
    /// How many tasks ran at the last look, where too few do.
    pub running: Option<i32>,
    /// Since when it is over.
    pub over_at: Option<OffsetDateTime>,
    /// When this was written.
    pub kept_at: OffsetDateTime,
}

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Remember this, instead of what was remembered of the same service and trouble.
    Remember(Remembered),
    /// Forget what was never told.
    Forget(ServiceArn, Silent),
}

/// News of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The incident's subject.
    pub service: ServiceArn,
    /// The incident's cause.
    pub trouble: Silent,
    /// Who owns the service, by its tag.
    pub owner: Option<String>,
    /// What its owners say to do, by its tag.
    pub runbook: Option<String>,
    /// What is the matter.
    pub state: State,
}

/// What is the matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It lasts.
    Fault {
        /// The same for as long as it is the same trouble.
        occurrence: String,
        /// Since when.
        since: OffsetDateTime,
        /// The words, as of this look.
        alert: Box<Alert>,
    },
    /// It is over.
    Over {
        /// When that was seen first.
        at: OffsetDateTime,
        /// Why, in one line.
        summary: String,
    },
}

/// What a look calls for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// What to tell, by service.
    pub findings: Vec<Finding>,
    /// What to write before that.
    pub changes: Vec<Change>,
}

/// What a look calls for. Services that were not seen keep what is remembered of them.
#[must_use]
pub fn decide(seen: &[Seen], remembered: &[Remembered], limits: &Limits, now: OffsetDateTime) -> Decision {
    let by_service: BTreeMap<_, _> = seen.iter().map(|seen| (seen.service().as_str(), seen)).collect();
    let remembered: BTreeMap<_, _> = remembered.iter().map(|one| ((one.service.as_str(), one.trouble), one)).collect();
    let mut decision = Decision::default();
    for (service, seen) in by_service {
        for trouble in Silent::ALL {
            let before = remembered.get(&(service, trouble)).copied();
            let one = One { seen, trouble, before, now };
            match trouble {
                Silent::BelowDesired => one.below_desired(limits, &mut decision),
                Silent::DeploymentStuck => one.deployment_stuck(limits, &mut decision),
            }
        }
    }
    decision
}

impl Seen {
    /// Whom it is about.
    #[must_use]
    pub fn service(&self) -> &ServiceArn {
        match self {
            Self::There(found) => &found.sight.service,
            Self::Gone(service) => service,
        }
    }

    /// The service, if anybody wants anything of it; else why it cannot be in trouble.
    fn wanted(&self) -> Result<&Found, &'static str> {
        match self {
            Self::Gone(_) => Err("the service is gone"),
            Self::There(found) if found.life == Life::Draining => Err("the service is being deleted"),
            Self::There(found) if found.ignored => Err("the service is not watched any more: it is tagged so"),
            Self::There(found) if found.sight.tasks.desired <= 0 => Err("the service is to run no tasks any more"),
            Self::There(found) => Ok(found),
        }
    }
}

/// One service and one trouble.
struct One<'a> {
    seen: &'a Seen,
    trouble: Silent,
    before: Option<&'a Remembered>,
    now: OffsetDateTime,
}

impl One<'_> {
    fn below_desired(&self, limits: &Limits, decision: &mut Decision) {
        let found = match self.seen.wanted() {
            Ok(found) if found.is_short() => found,
            Ok(found) => return self.well(&found.as_it_runs(), decision),
            Err(why) => return self.well(why, decision),
        };
        let told_before = self.before.is_some_and(|before| before.told);
        let running = found.sight.tasks.running;
        // Of a new time below nothing of the last one counts; nor what nobody watched, nor what was before it got better: as long as
        // more run than at the look before, it is getting there, whether it grows or loses tasks and replaces them. So what is told has
        // never had more tasks since then, and has never wanted so few: tasks that are wanted only now have their time, too.
        let since = self.before.filter(|before| {
            let is_watched = self.now - before.kept_at <= UNWATCHED;
            let grows = before.running.is_some_and(|before| before < running);
            before.over_at.is_none() && (before.told || (is_watched && !grows))
        });
        let since = since.map_or(self.now, |before| before.since);
        let is_due =
            self.now - since >= limits.below_desired && (told_before || !found.is_deployed_so(limits, self.now));
        self.remember(since, None, Some(running), told_before || is_due, decision);
        if is_due {
            let alert = below_desired(&found.sight, since, self.now);
            self.fault(since, alert, decision);
        }
    }

    fn deployment_stuck(&self, limits: &Limits, decision: &mut Decision) {
        let found = match self.seen.wanted() {
            Ok(found) => found,
            Err(why) => return self.well(why, decision),
        };
        let Some((deployment, since)) = found.under_way() else {
            return self.well(found.outcome(self.before), decision);
        };
        if self.now - since >= limits.deployment_stuck + found.waits {
            self.remember(since, Some(&deployment.id), None, true, decision);
            let alert = stuck_deployment(&found.sight, deployment, since, found.breaker, self.now);
            self.fault(since, alert, decision);
        } else if self.before.is_some_and(|before| before.deployment.as_ref() != Some(&deployment.id)) {
            self.well("another deployment took its place", decision);
        }
    }

    fn fault(&self, since: OffsetDateTime, alert: Alert, decision: &mut Decision) {
        let occurrence = alert.key.occurrence.clone();
        decision.findings.push(self.finding(State::Fault { occurrence, since, alert: Box::new(alert) }));
    }

    fn well(&self, summary: &str, decision: &mut Decision) {
        let Some(before) = self.before else { return };
        if !before.told {
            decision.changes.push(Change::Forget(before.service.clone(), self.trouble));
            return;
        }
        let at = before.over_at.unwrap_or(self.now);
        if before.over_at.is_none() {
            let over = Remembered { over_at: Some(at), kept_at: self.now, ..before.clone() };
            decision.changes.push(Change::Remember(over));
        }
        decision.findings.push(self.finding(State::Over { at, summary: summary.to_owned() }));
    }

    /// Writes what is so now, unless it is written already.
    fn remember(
        &self,
        since: OffsetDateTime,
        deployment: Option<&str>,
        running: Option<i32>,
        told: bool,
        decision: &mut Decision,
    ) {
        let now = Remembered {
            service: self.seen.service().clone(),
            trouble: self.trouble,
            since,
            deployment: deployment.map(str::to_owned),
            told,
            running,
            over_at: None,
            kept_at: self.now,
        };
        let is_written = self.before.is_some_and(|before| {
            let age = self.now - before.kept_at;
            *before == Remembered { kept_at: before.kept_at, ..now.clone() }
                && age < if told { RENEW_TOLD } else { RENEW_UNTOLD }
        });
        if !is_written {
            decision.changes.push(Change::Remember(now));
        }
    }

    fn finding(&self, state: State) -> Finding {
        let found = match self.seen {
            Seen::There(found) => Some(found),
            Seen::Gone(_) => None,
        };
        Finding {
            service: self.seen.service().clone(),
            trouble: self.trouble,
            owner: found.and_then(|found| found.owner.clone()),
            runbook: found.and_then(|found| found.runbook.clone()),
            state,
        }
    }
}

impl Found {
    /// Whether too few tasks run. One of twenty that is on its way is not too few: where some are replaced all the time, all run at no
    /// look, and nothing is wrong. What ECS cannot place is not on its way.
    fn is_short(&self) -> bool {
        let Running { running, desired, pending } = self.sight.tasks;
        let missing = desired - running;
        missing > 0 && (missing > pending || missing.saturating_mul(ONE_OF) > desired)
    }

    /// How it runs that is not short of tasks.
    fn as_it_runs(&self) -> String {
        let Running { running, desired, .. } = self.sight.tasks;
        match (running, desired) {
            (_, 1) => "its task runs again".to_owned(),
            _ if running < desired => {
                format!("{running} of {desired} tasks run again, and the others are on their way")
            }
            _ => format!("all {desired} tasks run again"),
        }
    }

    /// The deployment under way and since when, where ECS says it.
    fn under_way(&self) -> Option<(&DeploymentSight, OffsetDateTime)> {
        let deployment = self.sight.deployment.as_ref()?;
        let is_under_way = self.controller == Controller::Ecs && deployment.rollout.as_deref() == Some("IN_PROGRESS");
        is_under_way.then_some((deployment, deployment.created_at?))
    }

    /// What became of the deployment that was stuck.
    fn outcome(&self, before: Option<&Remembered>) -> &'static str {
        let Some(deployment) = &self.sight.deployment else { return "no deployment is under way any more" };
        if before.is_some_and(|before| before.deployment.as_ref() != Some(&deployment.id)) {
            return "another deployment took its place";
        }
        match deployment.rollout.as_deref() {
            Some("COMPLETED") => "the deployment is done",
            Some("FAILED") => "the deployment failed, and ECS has ended it",
            _ => "the deployment is not under way any more",
        }
    }

    /// Whether a deployment that is not stuck runs so few on purpose. None at all is nobody's purpose for long.
    fn is_deployed_so(&self, limits: &Limits, now: OffsetDateTime) -> bool {
        let tasks = self.sight.tasks;
        // Rounded up, as ECS does (ECS API Reference, "DeploymentConfiguration").
        let kept = (i64::from(tasks.desired) * i64::from(self.minimum_healthy.clamp(0, 100)) + 99) / 100;
        let is_young = self.under_way().is_some_and(|(_, since)| now - since < limits.deployment_stuck + self.waits);
        is_young && i64::from(tasks.running) >= kept.max(1)
    }
}
