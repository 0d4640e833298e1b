//! One environment's way to everything around it: each call has its fate.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crash_alerts::evidence::{ServiceSeen, SteadyRevisions};
use crash_alerts::plan::desk::Desk;
use crash_alerts::plan::incident::{Incident, Key};
use crash_alerts::{
    Alarms, Changes, Committed, DeadLetters, Known, Later, Look, Seen, Services, Sights, Store, Stored, Subscriptions,
    Topic, Trouble,
};
use time::OffsetDateTime;
use tokio::time::sleep;
use watchkeeper_alerts::{AlertKey, Evidence, Rendered};
use watchkeeper_events::{AlarmArn, ClusterArn, RolloutBegun, ServiceArn, TaskDefinitionArn, TaskStateChange};
use watchkeeper_lease as lease;

use crate::sim::Sim;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    GoesWell,
    /// It never arrives.
    Fails,
    /// It is done, and its caller is told that it failed.
    AnswerIsLost,
    /// Its caller is told that it failed, and so many seconds later it is done.
    ComesLate(u64),
    /// It is done or not, and never answered.
    Hangs(bool),
    /// The invocation dies with it, before or after it is done.
    Cut(bool),
}

/// So long the SDK waits for an answer.
const PATIENCE: Duration = Duration::from_secs(8);

#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) environment: usize,
    pub(crate) sim: Arc<Mutex<Sim>>,
}

impl Line {
    async fn call<T: Send + 'static>(
        &self,
        doing: &'static str,
        done: impl FnOnce(&mut Sim, usize) -> T + Send + 'static,
    ) -> Result<T, Trouble> {
        let lost = || Trouble::Call { doing, why: "lost".to_owned() };
        let (fate, invocation, before, after) = self.sim.lock().unwrap().fate_of_call(self.environment, doing);
        if before > 0 {
            sleep(Duration::from_millis(before)).await;
        }
        match fate {
            Fate::GoesWell => {
                let answer = done(&mut self.sim.lock().unwrap(), invocation);
                if after > 0 {
                    sleep(Duration::from_millis(after)).await;
                }
                Ok(answer)
            }
            Fate::Fails => Err(lost()),
            Fate::AnswerIsLost => {
                done(&mut self.sim.lock().unwrap(), invocation);
                Err(lost())
            }
            Fate::ComesLate(seconds) => {
                let sim = Arc::clone(&self.sim);
                tokio::spawn(async move {
                    sleep(Duration::from_secs(seconds)).await;
                    done(&mut sim.lock().unwrap(), invocation);
                });
                sleep(PATIENCE).await;
                Err(lost())
            }
            Fate::Hangs(is_done) => {
                if is_done {
                    done(&mut self.sim.lock().unwrap(), invocation);
                }
                pending().await
            }
            Fate::Cut(is_done) => {
                let cut = {
                    let mut sim = self.sim.lock().unwrap();
                    if is_done {
                        done(&mut sim, invocation);
                    }
                    Arc::clone(&sim.environments[self.environment].cut)
                };
                cut.notify_one();
                pending().await
            }
        }
    }
}

impl Store for Line {
    async fn read(&self, key: &Key, faults: &[AlertKey], service: Option<&ServiceArn>) -> Result<Known, Trouble> {
        let (key, faults, service) = (key.clone(), faults.to_vec(), service.cloned());
        self.call("read", move |sim, _| sim.table.read(&key, &faults, service.as_ref())).await
    }

    async fn commit(&self, changes: &Changes, now: OffsetDateTime) -> Result<Committed, Trouble> {
        let changes = changes.clone();
        let answer = self.call("commit", move |sim, _| sim.commit(&changes, now)).await?;
        answer.map_err(|why| Trouble::Call { doing: "commit", why })
    }

    async fn incident(&self, key: &str) -> Result<Option<Stored<Incident>>, Trouble> {
        let key = key.to_owned();
        self.call("incident", move |sim, _| sim.table.incident(&key)).await
    }

    async fn live(&self, subject: Option<&str>) -> Result<Vec<Stored<Incident>>, Trouble> {
        let subject = subject.map(str::to_owned);
        self.call("live", move |sim, _| sim.table.live(subject.as_deref())).await
    }

    async fn desk(&self) -> Result<Stored<Desk>, Trouble> {
        self.call("desk", |sim, _| sim.table.desk()).await
    }

    async fn evidence(&self, incident: &str) -> Result<Option<Evidence>, Trouble> {
        let incident = incident.to_owned();
        self.call("evidence", move |sim, _| sim.table.evidence.get(&incident).cloned()).await
    }

    async fn keep_evidence(&self, incident: &str, evidence: &Evidence, _: OffsetDateTime) -> Result<(), Trouble> {
        let (incident, evidence) = (incident.to_owned(), evidence.clone());
        let kept = self.call("keep evidence", move |sim, _| sim.table.evidence.insert(incident, evidence)).await;
        kept.map(drop)
    }

    async fn remember_rollout(&self, rollout: &RolloutBegun) -> Result<(), Trouble> {
        let rollout = rollout.clone();
        self.call("remember rollout", move |sim, _| sim.table.remember_rollout(&rollout)).await
    }

    async fn remember_steady(&self, _: &str, _: &TaskDefinitionArn, _: OffsetDateTime) -> Result<(), Trouble> {
        self.call("remember steady", |_, _| ()).await
    }

    async fn last_steady(&self, _: &str) -> Result<Option<SteadyRevisions>, Trouble> {
        self.call("last steady", |_, _| None).await
    }
}

impl lease::Store for Line {
    async fn step(&self, key: &lease::Key, step: &lease::Step) -> Result<lease::Answer, lease::Trouble> {
        let (about, step, of) = (key.to_string(), step.clone(), key.clone());
        let answer = self.call("lease", move |sim, _| sim.lease(&of, &step)).await;
        answer.map_err(|trouble| lease::Trouble::Call { doing: "lease", about, why: trouble.to_string() })
    }

    async fn unattended(&self, _: lease::Kind, _: OffsetDateTime) -> Result<Vec<lease::Key>, lease::Trouble> {
        unreachable!("the sweep looks at all incidents")
    }
}

impl Sights for Line {
    async fn services(&self, services: &[ServiceArn]) -> Result<HashMap<ServiceArn, Seen>, Trouble> {
        let services = services.to_vec();
        self.call("services", move |sim, _| sim.see(&services)).await
    }

    async fn gather(&self, _: &Incident, _: Option<&TaskStateChange>, _: Option<Evidence>) -> Evidence {
        self.call("gather", |sim, _| sim.evidence()).await.unwrap_or_default()
    }

    async fn look(&self, _: OffsetDateTime) -> Result<Look, Trouble> {
        self.call("look", |sim, _| sim.world.look()).await
    }

    async fn settle(&self, look: &Look) -> Result<(), Trouble> {
        let look = look.clone();
        self.call("settle", move |sim, _| sim.world.settle(&look)).await
    }
}

impl Topic for Line {
    async fn publish(&self, rendered: &Rendered) -> Result<String, Trouble> {
        let rendered = rendered.clone();
        self.call("publish", move |sim, invocation| sim.publish(&rendered, invocation)).await?;
        Ok("sns".to_owned())
    }

    async fn subscriptions(&self) -> Result<Subscriptions, Trouble> {
        self.call("subscriptions", |_, _| Subscriptions { confirmed: 1, pending: 0 }).await
    }
}

impl DeadLetters for Line {
    async fn put(&self, body: &str, _: &str, _: &str) -> Result<(), Trouble> {
        let body = body.to_owned();
        self.call("dead letter", move |sim, _| sim.dead_letter(&body)).await
    }
}

impl Services for Line {
    async fn describe(&self, _: &ClusterArn, _: &[ServiceArn]) -> Result<Vec<ServiceSeen>, Trouble> {
        self.call("describe", |_, _| Vec::new()).await
    }

    async fn steady_revision(&self, _: &ServiceArn) -> Result<Option<TaskDefinitionArn>, Trouble> {
        self.call("steady revision", |_, _| None).await
    }
}

impl Alarms for Line {
    async fn is_tagged(&self, _: &AlarmArn) -> Result<bool, Trouble> {
        self.call("tags", |_, _| true).await
    }
}

impl Later for Line {
    async fn look_again(&self, incident: &str, after: Duration) -> Result<(), Trouble> {
        let incident = incident.to_owned();
        self.call("look again", move |sim, _| sim.look_again(&incident, after)).await
    }
}
