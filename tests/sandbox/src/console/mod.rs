//! A management Console, with which agents are registered by their private address.
//!
//! No Console's own code is public, so this one is made from what is known of them: a `ScriptRunner` that runs Tcl with
//! Console commands, and a REST interface. Both work on one registry, and an agent is Online only when the Console can open
//! its port. docs/sandbox.md says which of the rest is our own invention.

mod command;
mod fault;
mod form;
mod history;
mod login;
mod online;
mod registry;
mod rest;
mod script_runner;
mod server;
mod tcl;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use fault::Fault;
pub use history::{Change, Dialect, Event};
pub use login::{Login, Secret};
pub use online::{Registered, Status};
pub use registry::{Agent, Etag};

use crate::Sandbox;
use history::Dialect::{Rest, ScriptRunner};
use registry::{Condition, Definition, Put, Refusal, Registry};
use tcl::{Interpreter, Tcl};

/// How often the Console looks whether its agents are online.
const LOOK: Duration = Duration::from_secs(1);
/// How often a condition is looked at that a change of the registry does not announce.
const WAIT: Duration = Duration::from_millis(100);

/// What a `ScriptRunner` says to who has no right password; which of the two a real one does is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unauthorized {
    /// HTTP 200 with an error text.
    #[default]
    Text,
    /// HTTP 401.
    Status,
}

/// How a Console is started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may speak with it.
    pub login: Login,
    /// What the others are told.
    pub unauthorized: Unauthorized,
    /// How long a script may run.
    pub script_time: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            login: Login::default(),
            unauthorized: Unauthorized::default(),
            // A machine that builds at the same time takes a while to start an interpreter.
            script_time: Duration::from_secs(20),
        }
    }
}

/// A running Console. Clones are the same one; it ends with the last of them, or with its sandbox.
#[derive(Clone)]
pub struct Console {
    running: Arc<Running>,
}

struct Running {
    shared: Arc<Shared>,
    workers: [JoinHandle<()>; 2],
}

impl Drop for Running {
    fn drop(&mut self) {
        for worker in &self.workers {
            worker.abort();
        }
    }
}

/// What the server and the Console's Rust side share.
struct Shared {
    address: SocketAddr,
    settings: Settings,
    tcl: Tcl,
    fault: watch::Sender<Option<Fault>>,
    changed: watch::Sender<()>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    registry: Registry,
    history: Vec<Change>,
    calls: BTreeMap<&'static str, usize>,
    status: BTreeMap<String, Status>,
}

impl Console {
    /// Starts one beside the sandbox, on a free port of loopback.
    pub async fn start(sandbox: &Sandbox) -> anyhow::Result<Self> {
        Self::start_with(sandbox, Settings::default()).await
    }

    /// The same with other settings.
    pub async fn start_with(sandbox: &Sandbox, settings: Settings) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("finding a port for the Console")?;
        let address = listener.local_addr().context("reading the Console's port")?;
        let log = sandbox.options().scratch.join("console.log");
        let tcl = Tcl { interpreter: Interpreter::find()?, log, within: settings.script_time };
        let shared = Arc::new(Shared {
            address,
            settings,
            tcl,
            fault: watch::Sender::new(None),
            changed: watch::Sender::new(()),
            known: Mutex::default(),
        });
        let workers = [
            tokio::spawn(server::serve(Arc::clone(&shared), listener, sandbox.ending())),
            tokio::spawn(watch(Arc::clone(&shared), sandbox.ending())),
        ];
        Ok(Self { running: Arc::new(Running { shared, workers }) })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.shared().address)
    }

    /// What callers must send.
    #[must_use]
    pub fn login(&self) -> &Login {
        &self.shared().settings.login
    }

    /// All agents, by id, and whether they can be reached now.
    pub async fn agents(&self) -> Vec<Registered> {
        self.shared().agents().await
    }

    /// Waits until the agents satisfy `wanted`, and returns them.
    pub async fn wait_for_agents(
        &self,
        within: Duration,
        wanted: impl Fn(&[Registered]) -> bool,
    ) -> anyhow::Result<Vec<Registered>> {
        let mut changed = self.shared().changed.subscribe();
        let found = async {
            loop {
                let agents = self.agents().await;
                if wanted(&agents) {
                    return agents;
                }
                // Whether an agent can be reached is announced by nobody. The sender lives as long as `self`.
                let _ = tokio::time::timeout(WAIT, changed.changed()).await;
            }
        };
        match tokio::time::timeout(within, found).await {
            Ok(agents) => Ok(agents),
            Err(_) => anyhow::bail!("not within {within:?}; the Console has {:#?}", self.agents().await),
        }
    }

    /// How often each operation was asked for: `ScriptRunner`, `agent put`, `PUT /api/agents/{id}`, …; and `not served`, for
    /// calls of any kind that a fault answered.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<&'static str, usize> {
        self.shared().known().calls.clone()
    }

    /// What happened so far, in order.
    #[must_use]
    pub fn history(&self) -> Vec<Change> {
        self.shared().known().history.clone()
    }

    /// What is wrong with it on purpose.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.shared().fault.borrow().clone()
    }

    /// Breaks it, or mends it with `None`.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.shared().fault.send_replace(fault);
    }

    /// Loses an agent, as a Console that was restored from a backup does. Says whether it had it.
    pub fn forget(&self, id: &str) -> bool {
        let mut known = self.shared().known();
        let forgotten = known.registry.delete(id, &Condition::Always);
        let found = forgotten.is_ok();
        if let Ok(agent) = forgotten {
            known.note(Event::Forgotten, agent, None);
        }
        drop(known);
        self.shared().changed.send_replace(());
        found
    }

    fn shared(&self) -> &Shared {
        &self.running.shared
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, operation: &'static str) {
        *self.known().calls.entry(operation).or_default() += 1;
    }

    fn get(&self, id: &str) -> Result<Agent, Refusal> {
        self.known().registry.get(id)
    }

    fn put(&self, wanted: Definition, condition: &Condition, dialect: Dialect) -> Result<(Put, Agent), Refusal> {
        let mut known = self.known();
        let (done, agent) = known.registry.put(wanted, condition)?;
        let event = match done {
            Put::Created => Some(Event::Registered),
            Put::Changed => Some(Event::Changed),
            Put::Same => None,
        };
        if let Some(event) = event {
            known.note(event, agent.clone(), Some(dialect));
        }
        drop(known);
        self.changed.send_replace(());
        Ok((done, agent))
    }

    fn delete(&self, id: &str, condition: &Condition, dialect: Dialect) -> Result<(), Refusal> {
        let mut known = self.known();
        let agent = known.registry.delete(id, condition)?;
        known.note(Event::Deleted, agent, Some(dialect));
        drop(known);
        self.changed.send_replace(());
        Ok(())
    }

    async fn agents(&self) -> Vec<Registered> {
        let agents = self.known().registry.all();
        let registered = online::look(agents).await;
        self.known().saw(&registered);
        registered
    }
}

impl Known {
    fn note(&mut self, event: Event, agent: Agent, dialect: Option<Dialect>) {
        self.history.push(Change { at: crate::clock::now(), event, agent, dialect });
    }

    /// Keeps what was seen, and notes what is different from the last time.
    fn saw(&mut self, seen: &[Registered]) {
        let before = std::mem::take(&mut self.status);
        for Registered { agent, status } in seen {
            if before.get(&agent.id) != Some(status) {
                self.note(status.event(), agent.clone(), None);
            }
            self.status.insert(agent.id.clone(), *status);
        }
    }
}

/// Looks at the agents for as long as the sandbox is there.
async fn watch(shared: Arc<Shared>, mut ending: watch::Receiver<bool>) {
    loop {
        shared.agents().await;
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = ending.wait_for(|ending| *ending) => return,
        }
    }
}
