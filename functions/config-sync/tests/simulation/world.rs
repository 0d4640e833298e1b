//! Two sources, a target, services that read it, the state table, and invocations that work on one declaration.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use config_sync::declared::{Declared, Mode, OnDrift, Restart, Route, Source, Value, Way};
use config_sync::document::Place;
use config_sync::follow::keep_in_step;
use config_sync::service::Progress;
use config_sync::state::{Report, State, Step as RolloutStep};
use config_sync::trouble::Trouble;
use time::{Duration, OffsetDateTime};
use watchkeeper_lease::{Answer, Budget, Fence, Holder, Item, Step, step};

use crate::ecs::{Agent, Rollout};
use crate::line::{Fate, Line};
use crate::store::Secret;

/// What happens next. A number says to which of those it can happen to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    ServiceMoves(u8),
    SomebodyDeploys(u8),
    TaskCrashes(u8),
    /// Its new tasks crash.
    ServiceIsBroken(u8, bool),
    /// Of the first source or the second.
    Rotation(bool),
    /// What is theirs in the target, or also what is ours.
    SomebodyEdits(bool),
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
}

/// Rules that are a little wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    None,
    /// The target is written whatever it says by then.
    BlindWrite,
    /// Two sources are read one after the other.
    MixedSources,
    /// What did not work is tried again and again.
    FailureForgotten,
    /// Two invocations may have the key at once, and neither is fenced off.
    LeaseIgnored,
    /// A deployment that is on its way is not seen.
    FlightIgnored,
    /// Events alone are relied on.
    SweepDoesNothing,
}

const INVOCATION: Duration = Duration::seconds(60);
const RUN: Duration = Duration::seconds(10);
const AT_ONCE: usize = 2;
pub(crate) const TARGET: &str = "target";

/// All that the invocations share.
pub(crate) struct Sim {
    pub(crate) mutant: Mutant,
    /// In milliseconds; each call takes one, so that no two things happen at once.
    pub(crate) now: i64,
    pub(crate) secrets: BTreeMap<String, Secret>,
    pub(crate) agents: BTreeMap<String, Agent>,
    pub(crate) declared: Declared,
    /// As it is stored.
    pub(crate) state: String,
    pub(crate) fates: Vec<Option<Fate>>,
    pub(crate) faults: Vec<String>,
    pub(crate) reports: Vec<Report>,
    /// Passwords that the database was asked about.
    pub(crate) tried: BTreeSet<String>,
    /// What each invocation read last of each source.
    pub(crate) read: BTreeMap<(usize, String), String>,
    /// Whether each invocation saw a deployment on its way when it looked at a service.
    pub(crate) seen_in_flight: BTreeMap<(usize, String), bool>,
    /// The pairs of sources that were current together.
    pairs: BTreeSet<String>,
    fence: Fence,
    lease: Option<Item>,
    numbers: u32,
}

pub(crate) fn at(milliseconds: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::seconds(1_790_000_000) + Duration::milliseconds(milliseconds)
}

/// When Secrets Manager says that something was: in whole seconds, and what is made of that is never too early.
pub(crate) fn told_moment(milliseconds: i64) -> i64 {
    (milliseconds / 1_000 + 1) * 1_000
}

pub(crate) fn target(name: &str) -> Place {
    Place::Secret(name.to_owned())
}

/// The member of the target.
fn member(document: &str, name: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(document).unwrap();
    value[name].as_str().unwrap().to_owned()
}

/// A source's number, from a value like `a7-b3`.
fn numbers(value: &str) -> Option<(u32, u32)> {
    let (a, b) = value.split_once('-')?;
    Some((a.strip_prefix('a')?.parse().ok()?, b.strip_prefix('b')?.parse().ok()?))
}

impl Sim {
    fn both(&self) -> String {
        format!("{}-{}", self.secrets["a"].text(), self.secrets["b"].text())
    }

    fn document(&self, name: &str) -> String {
        member(self.secrets[TARGET].text(), name)
    }

    pub(crate) fn put(&mut self, version: &str, text: &str) {
        let now = self.now;
        if let Err(why) = self.secrets.get_mut(TARGET).unwrap().put(version, text, now) {
            self.faults.push(format!("a token is used twice: {why}"));
        }
    }

    pub(crate) fn make_current(&mut self, version: &str, base: &str) -> bool {
        let (before, now, is_blind) = (self.secrets[TARGET].clone(), self.now, self.mutant == Mutant::BlindWrite);
        let secret = self.secrets.get_mut(TARGET).unwrap();
        let base = if is_blind { before.current.as_str() } else { base };
        let done = secret.make_current(version, base, now);
        let after = secret.text().to_owned();
        if !done || before.current == version {
            return done;
        }
        if member(before.text(), "theirs") != member(&after, "theirs") {
            self.faults.push("lost: what somebody wrote into the target is gone".to_owned());
        }
        let value = member(&after, "ours");
        if !self.pairs.contains(&value) {
            self.faults.push(format!("mixed: {value} was never current together"));
        }
        if !self.tried.contains(value.split('-').next_back().unwrap()) {
            self.faults.push(format!("not tried: {value} is written without a login"));
        }
        if let (Some(old), Some(new)) = (numbers(&member(before.text(), "ours")), numbers(&value))
            && (new.0 < old.0 || new.1 < old.1)
        {
            self.faults.push(format!("stale: {new:?} is written over {old:?}"));
        }
        done
    }

    pub(crate) fn deploy(&mut self, client: usize, arn: &str) -> Rollout {
        // What it is restarted for is what was seen, even if the target is another by now.
        let (now, current) = (self.now, self.read[&(client, TARGET.to_owned())].clone());
        let agent = self.agents.get_mut(arn).unwrap();
        // ECS takes no condition: what begins between the look and the call is nobody's fault.
        if self.seen_in_flight.get(&(client, arn.to_owned())) == Some(&true) {
            self.faults.push(format!("{arn} is deployed over another deployment"));
        }
        if !agent.asked_for.insert(current.clone()) {
            self.faults.push(format!("{arn} is restarted twice for {current}"));
        }
        let begun = agent.deploy(now, Some(current));
        let ours = |agent: &&Agent| {
            agent.rollouts.iter().any(|one| one.progress == Progress::InProgress && one.asked_for.is_some())
        };
        if self.agents.values().filter(ours).count() > AT_ONCE {
            self.faults.push("too many: more services at once than allowed".to_owned());
        }
        begun
    }

    pub(crate) fn stop(&mut self, arn: &str, task: &str) {
        let (current, agent) = (self.secrets[TARGET].current.clone(), self.agents.get_mut(arn).unwrap());
        if let Some(at) = agent.tasks.iter().position(|one| one.id.to_string() == task) {
            // One that was made in the second of the change may have read either: it is told whole seconds.
            let known_since = told_moment(self.secrets[TARGET].changed_at);
            if agent.tasks[at].read == current && agent.tasks[at].made_at >= known_since {
                self.faults.push(format!("{arn} is restarted twice: its task {task} has read {current} already"));
            }
            agent.tasks.remove(at);
        }
    }

    pub(crate) fn remember(&mut self, state: &State, fence: Fence) -> Result<(), Trouble> {
        if fence < self.fence && self.mutant != Mutant::LeaseIgnored {
            return Err(Trouble::FencedOff);
        }
        self.fence = fence;
        self.state = serde_json::to_string(state).unwrap();
        Ok(())
    }

    pub(crate) fn lease(&mut self, wanted: &Step) -> Answer {
        let mut found = self.lease.clone();
        if self.mutant == Mutant::LeaseIgnored && matches!(wanted, Step::Take { .. }) {
            found = found.map(|item| Item { hold: None, ..item });
        }
        let answer = step(found, wanted);
        if let Answer::Done(item) = &answer {
            self.lease = Some(item.clone());
        }
        answer
    }

    fn rotate(&mut self, first: bool) {
        self.numbers += 1;
        let (name, number, now) = (if first { "a" } else { "b" }, self.numbers.to_string(), self.now);
        self.secrets.get_mut(name).unwrap().replace(&number, &format!("{name}{number}"), now);
        self.pairs.insert(self.both());
    }

    fn edit(&mut self, also_ours: bool) {
        self.numbers += 1;
        let number = self.numbers.to_string();
        let ours = if also_ours { "nonsense".to_owned() } else { self.document("ours") };
        let (text, now) = (document(&number, &ours), self.now);
        self.secrets.get_mut(TARGET).unwrap().replace(&number, &text, now);
    }

    fn agent(&mut self, number: u8) -> &mut Agent {
        let at = usize::from(number) % self.agents.len();
        self.agents.values_mut().nth(at).unwrap()
    }

    fn services_move(&mut self, number: u8) -> bool {
        self.now += 1;
        let (now, current) = (self.now, self.secrets[TARGET].current.clone());
        self.agent(number).moves(now, &current)
    }
}

fn document(theirs: &str, ours: &str) -> String {
    format!("{{ \"theirs\":\"{theirs}\",\n  \"ours\":\"{ours}\" }}")
}

type Flight = Pin<Box<dyn Future<Output = ()>>>;

struct Client {
    flight: Option<Flight>,
    deadline: i64,
}

pub(crate) struct World {
    sim: Arc<Mutex<Sim>>,
    clients: Vec<Client>,
}

fn declared(replaces_tasks: bool) -> Declared {
    let source = |name: &str| (name.to_owned(), Source::Document(target(name)));
    Declared {
        stack: "agents".to_owned(),
        sources: [source("a"), source("b")].into(),
        target: target(TARGET),
        values: vec![Value { address: "json:ours".parse().unwrap(), expression: "{a}-{b}".parse().unwrap() }],
        route: Some(Route {
            host: "db".parse().unwrap(),
            port: "5432".parse().unwrap(),
            database: "agent".parse().unwrap(),
            user: "agent".parse().unwrap(),
            password: "{b}".parse().unwrap(),
            ca: None,
        }),
        restart: Restart::Readers,
        way: if replaces_tasks { Way::ReplaceTasks } else { Way::Deployment },
        at_once: AT_ONCE,
        patience: Duration::minutes(20),
        mode: Mode::Act,
        on_drift: OnDrift::Repair,
    }
}

impl World {
    pub(crate) fn new(mutant: Mutant, replaces_tasks: bool) -> Self {
        let secret = |name: &str, text: &str| (name.to_owned(), Secret::new(text, 0));
        let agent = |name: &str, desired, rolls_back| {
            (format!("arn:aws:ecs:eu-west-1:123456789012:service/demo/{name}"), Agent::new(desired, rolls_back))
        };
        let sim = Sim {
            mutant,
            now: 1,
            secrets: [secret("a", "a0"), secret("b", "b0"), secret(TARGET, &document("0", "a0-b0"))].into(),
            agents: [agent("one", 1, true), agent("two", 2, false), agent("three", 1, false)].into(),
            declared: declared(replaces_tasks),
            state: "{}".to_owned(),
            fates: Vec::new(),
            faults: Vec::new(),
            reports: Vec::new(),
            tried: BTreeSet::new(),
            read: BTreeMap::new(),
            seen_in_flight: BTreeMap::new(),
            pairs: ["a0-b0".to_owned()].into(),
            fence: Fence(0),
            lease: None,
            numbers: 0,
        };
        Self { sim: Arc::new(Mutex::new(sim)), clients: Vec::new() }
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.sim.lock().unwrap().faults.clone()
    }

    fn alive(&self, number: u8) -> Option<usize> {
        let alive: Vec<usize> = (0..self.clients.len()).filter(|&n| self.clients[n].flight.is_some()).collect();
        (!alive.is_empty()).then(|| alive[usize::from(number) % alive.len()])
    }

    pub(crate) fn act(&mut self, act: Act) {
        match act {
            Act::EventArrives => self.begin(),
            Act::Sweep => self.sweep(),
            Act::StepGoesWell(number) => self.step(number, Fate::GoesWell),
            Act::StepFails(number) => self.step(number, Fate::Fails),
            Act::AnswerIsLost(number) => self.step(number, Fate::AnswerIsLost),
            Act::Cut(number) => {
                if let Some(client) = self.alive(number) {
                    self.clients[client].flight = None;
                }
            }
            Act::TimePasses(seconds) => {
                let mut sim = self.sim.lock().unwrap();
                sim.now += seconds * 1_000;
                // Lambda ends an invocation at its deadline.
                for client in self.clients.iter_mut().filter(|client| client.deadline <= sim.now) {
                    client.flight = None;
                }
            }
            _ => self.sim.lock().unwrap().happens(act),
        }
    }

    fn sweep(&mut self) {
        if self.sim.lock().unwrap().mutant != Mutant::SweepDoesNothing {
            self.begin();
        }
    }

    fn begin(&mut self) {
        let number = self.clients.len();
        let line = Line { client: number, sim: Arc::clone(&self.sim) };
        let began = {
            let mut sim = self.sim.lock().unwrap();
            sim.fates.push(None);
            sim.now
        };
        let flight: Flight = Box::pin(async move {
            let sim = Arc::clone(&line.sim);
            let now = || at(sim.lock().unwrap().now);
            let holder = Holder(format!("invocation {number}"));
            let budget = Budget { deadline: at(began) + INVOCATION, for_a_run: RUN };
            // How it ends tells nobody anything: an event is not sent again here, and the sweep comes all the same.
            let _ = keep_in_step(&line, "config", &holder, budget, &now).await;
        });
        let deadline = began + INVOCATION.whole_seconds() * 1_000;
        self.clients.push(Client { flight: Some(flight), deadline });
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
            self.clients[client].flight = None;
        }
    }

    /// Nothing fails any more, the services settle, and only the sweep comes.
    pub(crate) fn come_to_rest(&mut self) {
        for client in &mut self.clients {
            client.flight = None;
        }
        for _ in 0..80 {
            self.act(Act::TimePasses(61));
            let agents = self.sim.lock().unwrap().agents.len();
            for agent in 0..agents {
                let number = u8::try_from(agent).unwrap();
                while self.sim.lock().unwrap().services_move(number) {}
            }
            self.sweep();
            while self.alive(0).is_some() {
                self.step(0, Fate::GoesWell);
            }
        }
        let mut sim = self.sim.lock().unwrap();
        let faults = sim.at_the_end();
        sim.faults.extend(faults);
    }
}

impl Sim {
    fn happens(&mut self, act: Act) {
        self.now += 1;
        match act {
            Act::ServiceMoves(number) => {
                self.services_move(number);
            }
            Act::SomebodyDeploys(number) => {
                let now = self.now;
                self.agent(number).deploy(now, None);
            }
            Act::TaskCrashes(number) => {
                let agent = self.agent(number);
                if agent.rollouts[0].progress == Progress::Completed {
                    agent.tasks.pop();
                }
            }
            Act::ServiceIsBroken(number, is_broken) => self.agent(number).is_broken = is_broken,
            Act::Rotation(first) => self.rotate(first),
            Act::SomebodyEdits(also_ours) => self.edit(also_ours),
            other => unreachable!("{other:?}"),
        }
    }

    fn at_the_end(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let state: State = serde_json::from_str(&self.state).unwrap();
        let current = &self.secrets[TARGET].current;
        if self.document("ours") != self.both() {
            faults.push(format!("at the end: the target says {}, not {}", self.document("ours"), self.both()));
        }
        for (arn, agent) in &self.agents {
            let has_failed = matches!(state.rollouts.get(arn).map(|one| &one.step), Some(RolloutStep::Failed { .. }));
            let is_stale = agent.tasks.iter().any(|task| task.read != *current);
            if is_stale && !has_failed {
                faults.push(format!(
                    "at the end: restart lost: {arn} has {:?}, current is {current}; {state:?}",
                    agent.tasks
                ));
            }
        }
        if state.work.is_some() || state.report.is_some() {
            faults.push(format!("at the end: ops are never told: {state:?}"));
        }
        let mut told: BTreeMap<OffsetDateTime, &Report> = BTreeMap::new();
        for report in &self.reports {
            let first = told.entry(report.began).or_insert(report);
            if first != &report {
                faults.push(format!("at the end: one piece of work is told in two ways: {first:?} and {report:?}"));
            }
        }
        faults
    }
}
