//! One invocation's way to everything around it: each call waits for its fate.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use config_sync::Token;
use config_sync::declared::Source;
use config_sync::document::{Allow, Content, Document, Place, Reading, Version};
use config_sync::service::{Deployment, DeploymentId, Progress, Service, TaskId};
use config_sync::state::{Report, State, Step as RolloutStep};
use config_sync::trouble::Trouble;
use config_sync::world::{Databases, Declaration, Declarations, Documents, Ecs, Leases, LogIn, Ops, Written};
use time::OffsetDateTime;
use watchkeeper_aws_errors::Failed;
use watchkeeper_events::ServiceArn;
use watchkeeper_lease::{self as lease, Answer, Fence, Key, Kind, Step, Store};
use watchkeeper_secrets::Hidden;

use crate::world::{Mutant, Sim, at, told_moment};

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    GoesWell,
    /// It never arrives.
    Fails,
    /// It is done, and its caller is told that it failed.
    AnswerIsLost,
}

/// An invocation's line.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) client: usize,
    pub(crate) sim: Arc<Mutex<Sim>>,
}

impl Line {
    async fn call<T>(&self, done: impl FnOnce(&mut Sim) -> T + Send) -> Option<T> {
        let fate = poll_fn(|_| match self.sim.lock().unwrap().fates[self.client].take() {
            Some(fate) => Poll::Ready(fate),
            None => Poll::Pending,
        })
        .await;
        let mut sim = self.sim.lock().unwrap();
        sim.now += 1;
        match fate {
            Fate::GoesWell => Some(done(&mut sim)),
            Fate::Fails => None,
            Fate::AnswerIsLost => {
                done(&mut sim);
                None
            }
        }
    }

    async fn aws<T>(&self, done: impl FnOnce(&mut Sim) -> T + Send) -> Result<T, Trouble> {
        let lost = || -> Trouble { Failed { doing: "calling", why: "lost".into(), for_good: false }.into() };
        self.call(done).await.ok_or_else(lost)
    }
}

fn name(source: &Source) -> String {
    match source {
        Source::Document(Place::Secret(arn)) => arn.clone(),
        other => unreachable!("{other:?}"),
    }
}

impl Documents for Line {
    async fn reading(&self, source: &Source) -> Result<Reading, Trouble> {
        self.aws(|sim| {
            let secret = &sim.secrets[&name(source)];
            let content = Content::Text(Hidden::from(secret.text()));
            sim.read.insert((self.client, name(source)), secret.current.clone());
            Reading {
                version: Version(secret.current.clone()),
                content,
                kept_in: None,
                trouble: None,
                allow: Allow::Unseen,
            }
        })
        .await
    }

    async fn version(&self, source: &Source) -> Result<Version, Trouble> {
        self.aws(|sim| {
            let current = sim.secrets[&name(source)].current.clone();
            let read = sim.read.get(&(self.client, name(source))).cloned();
            Version(read.filter(|_| sim.mutant == Mutant::MixedSources).unwrap_or(current))
        })
        .await
    }

    async fn document(&self, place: &Place) -> Result<Document, Trouble> {
        self.aws(|sim| {
            let secret = &sim.secrets[&place.to_string()];
            sim.read.insert((self.client, place.to_string()), secret.current.clone());
            Document {
                version: Version(secret.current.clone()),
                text: Hidden::from(secret.text()),
                made_at: at(secret.versions[&secret.current].1),
                changed_at: at(told_moment(secret.changed_at)),
                allow: Allow::Unseen,
            }
        })
        .await
    }

    async fn write(&self, _: &Place, base: &Document, token: &Token, text: &Hidden) -> Result<Written, Trouble> {
        self.aws(|sim| sim.put(token.as_str(), text.reveal())).await?;
        let done = self.aws(|sim| sim.make_current(token.as_str(), &base.version.0)).await?;
        Ok(if done { Written::Done } else { Written::Overtaken })
    }
}

impl Databases for Line {
    async fn log_in(&self, to: &LogIn) -> Result<(), Trouble> {
        let taken = self.aws(|sim| {
            let taken = sim.secrets["b"].text() == to.password.reveal();
            sim.tried.insert(to.password.reveal().to_owned());
            taken
        });
        if taken.await? { Ok(()) } else { Err(Trouble::LogIn("password authentication failed".into())) }
    }
}

impl Ecs for Line {
    async fn readers(&self, _: &BTreeSet<Place>) -> Result<Vec<ServiceArn>, Trouble> {
        self.aws(|sim| sim.agents.keys().map(|arn| ServiceArn::parse(arn).unwrap()).collect()).await
    }

    async fn service(&self, service: &ServiceArn) -> Result<Option<Service>, Trouble> {
        self.aws(|sim| {
            let agent = &sim.agents[service.as_str()];
            sim.seen_in_flight.insert((self.client, service.as_str().to_owned()), agent.is_in_flight());
            Some(agent.seen(sim.mutant == Mutant::FlightIgnored))
        })
        .await
    }

    async fn deploy(&self, service: &ServiceArn) -> Result<Option<Deployment>, Trouble> {
        let begun = self.aws(|sim| sim.deploy(self.client, service.as_str())).await?;
        Ok(Some(Deployment {
            id: DeploymentId(format!("ecs-svc/{}", begun.id)),
            made_at: at(begun.made_at),
            progress: Progress::InProgress,
            evidence: None,
            back_after: None,
        }))
    }

    async fn stop(&self, service: &ServiceArn, task: &TaskId) -> Result<(), Trouble> {
        self.aws(|sim| sim.stop(service.as_str(), &task.0)).await
    }
}

impl Declarations for Line {
    async fn get(&self, _: &str) -> Result<Option<Declaration>, Trouble> {
        self.aws(|sim| {
            let mut state: State = serde_json::from_str(&sim.state).unwrap();
            if sim.mutant == Mutant::FailureForgotten {
                state.rollouts.retain(|_, rollout| !matches!(rollout.step, RolloutStep::Failed { .. }));
            }
            Some(Declaration { id: "config".into(), declared: sim.declared.clone(), state })
        })
        .await
    }

    async fn remember(&self, _: &str, state: &State, fence: Fence) -> Result<(), Trouble> {
        self.aws(|sim| sim.remember(state, fence)).await?
    }
}

impl Ops for Line {
    async fn tell(&self, _: &Place, report: &Report) -> Result<(), Trouble> {
        self.aws(|sim| sim.reports.push(report.clone())).await
    }
}

impl Leases for Line {
    type Store = Self;

    fn leases(&self) -> &Self {
        self
    }
}

impl Store for Line {
    async fn step(&self, key: &Key, step: &Step) -> Result<Answer, lease::Trouble> {
        let lost = || lease::Trouble::Call { doing: "calling", about: key.to_string(), why: "lost".into() };
        self.call(|sim| sim.lease(step)).await.ok_or_else(lost)
    }

    async fn unattended(&self, _: Kind, _: OffsetDateTime) -> Result<Vec<Key>, lease::Trouble> {
        unreachable!("the sweep looks at all declarations")
    }
}
