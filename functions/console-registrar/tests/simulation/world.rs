//! A service, a Console, the state table, and invocations that work on one declaration.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use console_registrar::Wanted;
use console_registrar::declaration::Declaration;
use console_registrar::follow::{Look, keep_in_step, sweep};
use console_registrar::registry::{self, Address, AgentId, Entry, Put};
use console_registrar::slot::{Name, State};
use console_registrar::trouble::Trouble;
use time::{Duration, OffsetDateTime};
use watchkeeper_custom_resources::{Owner, Properties};
use watchkeeper_declarations::Phase;
use watchkeeper_lease::{Answer, Budget, Fence, Holder, Item, Step, step};

use crate::console::Console;
use crate::line::{Fate, Line};
use crate::service;

/// What happens next. A number says to which of those it can happen to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    ServiceMoves(u8),
    Scale(u32),
    Deploy,
    TaskCrashes(u8),
    TaskGetsUnwell(u8),
    /// An event, one of any number for the same change, or for none.
    EventArrives,
    Sweep,
    StepGoesWell(u8),
    StepFails(u8),
    AnswerIsLost(u8),
    /// An invocation dies.
    Cut(u8),
    /// Seconds.
    TimePasses(i64),
    ConsoleIsDown(bool),
    /// As one that was restored from a backup.
    ConsoleLosesAnEntry(u8),
    /// Under a name that we may need, 0 being the agent's own.
    SomebodyRegisters(u32),
}

/// Rules that are a little wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    None,
    /// Two invocations may have the key at once.
    LeaseIgnored,
    /// An answer that ECS does not give is taken for "there is nothing".
    ThrottledIsEmpty,
    /// The registry is written before it is noted what will be written.
    IntentNotWritten,
    /// Events alone are relied on.
    SweepDoesNothing,
    /// Entries that nobody marked as ours are taken over.
    ForeignIsOurs,
}

const INVOCATION: Duration = Duration::seconds(60);
const RUN: Duration = Duration::seconds(10);
const PORT: u16 = 20001;

/// All that the invocations share.
pub(crate) struct Sim {
    pub(crate) mutant: Mutant,
    pub(crate) now: i64,
    pub(crate) ecs: service::Ecs,
    pub(crate) console: Console,
    pub(crate) declaration: Declaration,
    pub(crate) fates: Vec<Option<Fate>>,
    pub(crate) faults: Vec<String>,
    fence: Fence,
    lease: Option<Item>,
    /// Under which each invocation works.
    working: BTreeMap<usize, Fence>,
    /// Addresses whose entry the Console lost by itself.
    lost: BTreeSet<String>,
}

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::seconds(1_790_000_000 + seconds)
}

impl Sim {
    /// A write under a fence.
    pub(crate) fn write(&mut self, fence: Fence, change: impl FnOnce(&mut Declaration)) -> Result<(), Trouble> {
        if fence < self.fence || self.declaration.phase == Phase::Gone {
            return Err(Trouble::FencedOff);
        }
        self.fence = fence;
        change(&mut self.declaration);
        Ok(())
    }

    pub(crate) fn lease(&mut self, client: usize, wanted: &Step) -> Answer {
        let mut found = self.lease.clone();
        if self.mutant == Mutant::LeaseIgnored && matches!(wanted, Step::Take { .. }) {
            found = found.map(|item| Item { hold: None, ..item });
        }
        let answer = step(found, wanted);
        if let Answer::Done(item) = &answer {
            self.lease = Some(item.clone());
            if matches!(wanted, Step::Take { .. } | Step::Again { .. }) {
                self.working.insert(client, item.fence);
            }
        }
        answer
    }

    /// Whoever changes the Console has the newest lease.
    fn changes(&mut self, client: usize, what: &AgentId) {
        let newest = self.working.values().max();
        if self.working.get(&client) != newest {
            self.faults.push(format!("overlap: {what} is changed by one whose lease is not the newest"));
        }
        if self.console.entries.get(what).is_some_and(|kept| kept.foreign) {
            self.faults.push(format!("foreign: the entry {what} is somebody else's"));
        }
    }

    pub(crate) fn put(&mut self, client: usize, put: &Put) -> Result<(), registry::Trouble> {
        let before = self.console.entries.clone();
        let done = self.console.put(put);
        if done.is_ok() {
            let after = std::mem::replace(&mut self.console.entries, before);
            self.changes(client, &put.id);
            self.console.entries = after;
        }
        done
    }

    pub(crate) fn remove(&mut self, client: usize, entry: &Entry) -> Result<(), registry::Trouble> {
        let before = self.console.entries.clone();
        let done = self.console.remove(entry);
        if let (Ok(()), Some(removed)) = (&done, before.get(&entry.id)) {
            let host = removed.address.host.clone();
            let lives = |task: &service::Running| {
                task.host == host && matches!(task.phase, service::Phase::Running | service::Phase::Healthy)
            };
            let has_another = self.console.entries.values().any(|kept| kept.address.host == host);
            let is_kept = self.declaration.phase == Phase::Kept;
            if is_kept && self.ecs.tasks.values().any(lives) && !has_another && !self.lost.contains(&host) {
                self.faults.push(format!("the task at {host} lives, and its entry {} is removed", entry.id));
            }
            let after = std::mem::replace(&mut self.console.entries, before);
            self.changes(client, &entry.id);
            self.console.entries = after;
        }
        done
    }
}

type Flight = Pin<Box<dyn Future<Output = ()>>>;

struct Client {
    flight: Option<Flight>,
    deadline: i64,
}

pub(crate) struct World {
    sim: Arc<Mutex<Sim>>,
    clients: Vec<Client>,
    sweeps: u32,
}

fn agent() -> AgentId {
    AgentId("CAP".to_owned())
}

impl World {
    pub(crate) fn new(mutant: Mutant, plain: bool) -> Self {
        let stack_id = "arn:aws:cloudformation:eu-west-1:123456789012:stack/agent/1".to_owned();
        let owner = Owner { stack_id, logical_id: "Registration".to_owned() };
        let properties = serde_json::json!({
            "Service": "arn:aws:ecs:eu-west-1:123456789012:service/demo/agent",
            "AgentId": "CAP",
            "Port": PORT,
            "Registry": {"CloudMap": {"ServiceId": "srv-1"}},
            "ProbationSeconds": 60,
            "Adopt": mutant == Mutant::ForeignIsOurs,
        });
        let wanted = Properties::read(&properties, Wanted::read).unwrap();
        let declaration = wanted.clone().declaration(wanted.id(), owner, Phase::Kept, State::default());
        let sim = Sim {
            mutant,
            now: 0,
            ecs: service::Ecs { desired: 1, ..service::Ecs::default() },
            console: Console { plain, ..Console::default() },
            declaration,
            fates: Vec::new(),
            faults: Vec::new(),
            fence: Fence(0),
            lease: None,
            working: BTreeMap::new(),
            lost: BTreeSet::new(),
        };
        Self { sim: Arc::new(Mutex::new(sim)), clients: Vec::new(), sweeps: 0 }
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.sim.lock().unwrap().faults.clone()
    }

    fn alive(&self, number: u8) -> Option<usize> {
        let alive: Vec<usize> = (0..self.clients.len()).filter(|&n| self.clients[n].flight.is_some()).collect();
        (!alive.is_empty()).then(|| alive[usize::from(number) % alive.len()])
    }

    pub(crate) fn act(&mut self, act: Act) {
        let mut sim = self.sim.lock().unwrap();
        match act {
            Act::ServiceMoves(number) => {
                sim.ecs.moves(number);
            }
            Act::Scale(desired) => sim.ecs.desired = desired,
            Act::Deploy => sim.ecs.deployment += 1,
            Act::TaskCrashes(number) => {
                if let Some(task) = sim.ecs.pick(number, |task| task.phase != service::Phase::Ended) {
                    sim.ecs.set(task, service::Phase::Ended);
                }
            }
            Act::TaskGetsUnwell(number) => {
                if let Some(task) = sim.ecs.pick(number, service::Running::is_steady) {
                    sim.ecs.set(task, service::Phase::Running);
                }
            }
            Act::ConsoleIsDown(down) => sim.console.down = down,
            Act::ConsoleLosesAnEntry(number) => {
                let ids: Vec<AgentId> = sim.console.entries.keys().cloned().collect();
                if !ids.is_empty()
                    && let Some(lost) = sim.console.entries.remove(&ids[usize::from(number) % ids.len()])
                {
                    sim.lost.insert(lost.address.host);
                }
            }
            Act::SomebodyRegisters(number) => {
                let name = Name::from(number);
                let id = name.of(&agent());
                // A plain Console cannot tell an entry of ours that it lost from the one that somebody made in its place.
                let could_be_ours = self.clients.iter().any(|client| client.flight.is_some())
                    || sim.declaration.state.slots.contains_key(&name);
                let is_taken = sim.console.entries.contains_key(&id) || (sim.console.plain && could_be_ours);
                if !is_taken {
                    let address = Address { host: "192.0.2.7".to_owned(), port: 1 };
                    sim.console.keep(id, address, Some("a person".to_owned()), true);
                }
            }
            Act::TimePasses(seconds) => {
                sim.now += seconds;
                let now = sim.now;
                drop(sim);
                // Lambda ends an invocation at its deadline.
                for client in 0..self.clients.len() {
                    if self.clients[client].deadline <= now {
                        self.cut(client);
                    }
                }
            }
            Act::EventArrives => {
                drop(sim);
                self.begin(None);
            }
            Act::Sweep => {
                drop(sim);
                self.sweep();
            }
            Act::StepGoesWell(number) => {
                drop(sim);
                self.step(number, Fate::GoesWell);
            }
            Act::StepFails(number) => {
                drop(sim);
                self.step(number, Fate::Fails);
            }
            Act::AnswerIsLost(number) => {
                drop(sim);
                self.step(number, Fate::AnswerIsLost);
            }
            Act::Cut(number) => {
                drop(sim);
                if let Some(client) = self.alive(number) {
                    self.cut(client);
                }
            }
        }
    }

    fn sweep(&mut self) {
        self.sweeps += 1;
        if self.sim.lock().unwrap().mutant != Mutant::SweepDoesNothing {
            let look = if self.sweeps.is_multiple_of(3) { Look::Always } else { Look::IfNeeded };
            self.begin(Some(look));
        }
    }

    /// An invocation: for an event, or the sweep.
    fn begin(&mut self, swept: Option<Look>) {
        let number = self.clients.len();
        let line = Line { client: number, sim: Arc::clone(&self.sim) };
        let (began, declaration) = {
            let mut sim = self.sim.lock().unwrap();
            sim.fates.push(None);
            (sim.now, sim.declaration.clone())
        };
        let flight: Flight = Box::pin(async move {
            let sim = Arc::clone(&line.sim);
            let now = || at(sim.lock().unwrap().now);
            let holder = Holder(format!("invocation {number}"));
            let budget = Budget { deadline: at(began) + INVOCATION, for_a_run: RUN };
            // How it ends tells nobody anything: an event is not sent again here, and the sweep comes all the same.
            let _ = match swept {
                None => keep_in_step(&line, &declaration.id, &holder, budget, Look::IfNeeded, &now).await.map(drop),
                Some(look) => sweep(&line, &declaration, &holder, budget, look, &now).await.map(drop),
            };
        });
        self.clients.push(Client { flight: Some(flight), deadline: began + INVOCATION.whole_seconds() });
        self.poll(number);
    }

    fn step(&mut self, number: u8, fate: Fate) {
        if let Some(client) = self.alive(number) {
            self.sim.lock().unwrap().fates[client] = Some(fate);
            self.poll(client);
        }
    }

    fn poll(&mut self, client: usize) {
        let Some(flight) = &mut self.clients[client].flight else { return };
        if let Poll::Ready(()) = flight.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            self.cut(client);
        }
    }

    fn cut(&mut self, client: usize) {
        self.clients[client].flight = None;
        self.sim.lock().unwrap().working.remove(&client);
    }

    /// The service settles, the Console is well, nothing fails any more, and only the sweep comes.
    pub(crate) fn come_to_rest(&mut self, leaves: bool) {
        for client in 0..self.clients.len() {
            self.cut(client);
        }
        {
            let mut sim = self.sim.lock().unwrap();
            sim.console.down = false;
            for _ in 0..1_000 {
                if !sim.ecs.moves(0) {
                    break;
                }
            }
            if leaves {
                sim.declaration.phase = Phase::Leaving;
                sim.declaration.declared.leaving = true;
            }
        }
        for _ in 0..15 {
            self.act(Act::TimePasses(61));
            self.sweep();
            while self.alive(0).is_some() {
                self.step(0, Fate::GoesWell);
            }
        }
        let mut sim = self.sim.lock().unwrap();
        let faults = at_the_end(&sim, leaves);
        sim.faults.extend(faults);
    }
}

fn at_the_end(sim: &Sim, leaves: bool) -> Vec<String> {
    let ours = || sim.console.entries.iter().filter(|(_, kept)| !kept.foreign);
    let found: BTreeMap<&AgentId, &str> = ours().map(|(id, kept)| (id, kept.address.host.as_str())).collect();
    let is_foreign = |name: &Name| sim.console.entries.get(&name.of(&agent())).is_some_and(|kept| kept.foreign);
    let names: Vec<AgentId> = match sim.ecs.desired {
        _ if leaves => Vec::new(),
        0 => Vec::new(),
        1 => [Name::Alone].into_iter().filter(|name| !is_foreign(name)).map(|name| name.of(&agent())).collect(),
        several => {
            let free = (1..).map(Name::Numbered).filter(|name| !is_foreign(name));
            free.take(several as usize).map(|name| name.of(&agent())).collect()
        }
    };
    let tasks: BTreeSet<&str> =
        sim.ecs.tasks.values().filter(|task| task.is_steady()).map(|task| task.host.as_str()).collect();
    let blocked = !leaves && sim.ecs.desired == 1 && names.is_empty();
    let hosts: BTreeSet<&str> = found.values().copied().collect();
    let is_right = if blocked {
        // Its name is somebody else's: what it had before it keeps.
        hosts.is_subset(&tasks)
    } else {
        found.keys().copied().collect::<BTreeSet<_>>() == names.iter().collect() && (leaves || hosts == tasks)
    };
    if is_right {
        return Vec::new();
    }
    vec![format!(
        "at the end: {found:?} are registered as {names:?}, the tasks are {tasks:?}, remembered is {:?}",
        sim.declaration
    )]
}
