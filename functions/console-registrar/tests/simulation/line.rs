//! One invocation's way to everything around it: each call waits for its fate.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use console_registrar::declaration::Declaration;
use console_registrar::follow::{Declarations, Ecs, Leases, Registries};
use console_registrar::registry::{self, AgentId, Entry, Put, Registry};
use console_registrar::slot::{Known, State, TaskId};
use console_registrar::trouble::Trouble;
use console_registrar::truth::{Service, Truth};
use time::OffsetDateTime;
use watchkeeper_declarations::{DeclarationId, Phase};
use watchkeeper_events::ServiceArn;
use watchkeeper_lease::{self as lease, Answer, Fence, Key, Kind, Step, Store};

use crate::world::{Mutant, Sim};

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
        match fate {
            Fate::GoesWell => Some(done(&mut self.sim.lock().unwrap())),
            Fate::Fails => None,
            Fate::AnswerIsLost => {
                done(&mut self.sim.lock().unwrap());
                None
            }
        }
    }

    async fn aws<T>(&self, done: impl FnOnce(&mut Sim) -> T + Send) -> Result<T, Trouble> {
        let lost = || Trouble::Aws { doing: "calling", why: "lost".into(), for_good: false };
        self.call(done).await.ok_or_else(lost)
    }

    async fn console<T>(
        &self,
        done: impl FnOnce(&mut Sim) -> Result<T, registry::Trouble> + Send,
    ) -> Result<T, registry::Trouble> {
        let down = || Err(registry::Trouble::Unavailable("down".into()));
        let told = self.call(|sim| if sim.console.down { down() } else { done(sim) }).await;
        told.unwrap_or_else(down)
    }
}

impl Ecs for Line {
    async fn observe(&self, _: &ServiceArn, holders: &[TaskId]) -> Result<Truth, Trouble> {
        let observed = self.aws(|sim| sim.ecs.truth(holders)).await;
        if observed.is_err() && self.sim.lock().unwrap().mutant == Mutant::ThrottledIsEmpty {
            return Ok(Truth { service: Service::Deleted, tasks: [].into() });
        }
        observed
    }
}

impl Declarations for Line {
    async fn get(&self, _: &DeclarationId) -> Result<Option<Declaration>, Trouble> {
        self.aws(|sim| Some(sim.declaration.clone())).await
    }

    async fn remember(&self, _: &DeclarationId, state: &State, fence: Fence) -> Result<(), Trouble> {
        self.aws(|sim| {
            let is_intent = state.slots.values().any(|slot| slot.known != Known::Registered);
            if sim.mutant == Mutant::IntentNotWritten && is_intent {
                return Ok(());
            }
            sim.write(fence, |declaration| declaration.state = state.clone())
        })
        .await?
    }

    async fn gone(&self, _: &DeclarationId, fence: Fence) -> Result<(), Trouble> {
        self.aws(|sim| sim.write(fence, |declaration| declaration.phase = Phase::Gone)).await?
    }
}

impl Registries for Line {
    type One = Self;

    fn open(&self, _: &Declaration) -> Result<Self, Trouble> {
        Ok(self.clone())
    }
}

impl Registry for Line {
    async fn list(&self, _: &AgentId) -> Result<Vec<Entry>, registry::Trouble> {
        self.console(|sim| Ok(sim.console.list())).await
    }

    async fn put(&self, put: &Put) -> Result<(), registry::Trouble> {
        self.console(|sim| sim.put(self.client, put)).await
    }

    async fn remove(&self, entry: &Entry) -> Result<(), registry::Trouble> {
        self.console(|sim| sim.remove(self.client, entry)).await
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
        self.call(|sim| sim.lease(self.client, step)).await.ok_or_else(lost)
    }

    async fn unattended(&self, _: Kind, _: OffsetDateTime) -> Result<Vec<Key>, lease::Trouble> {
        unreachable!("the sweep looks at all declarations")
    }
}
