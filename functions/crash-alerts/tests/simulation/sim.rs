//! All that the invocations share, and the driver that lets the story happen.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use crash_alerts::plan::watch::Limits;
use crash_alerts::plan::{self, Observed, Plan};
use crash_alerts::{AlarmChoice, Changes, Committed, Function, Invocation, Seen, Settings};
use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until};
use watchkeeper_alerts::{Evidence, LogTail, Rendered};
use watchkeeper_events::{QueueMessage, ServiceArn};
use watchkeeper_lease::{Answer, Item, Key, Step, step};
use watchkeeper_stops::Severity;

use crate::clock;
use crate::judge::Judge;
use crate::line::{Fate, Line};
use crate::mutant::Mutant;
use crate::queue::Queue;
use crate::story::{Act, Coming, Story};
use crate::table::Table;
use crate::world::{World, number_of};

const INVOCATION: time::Duration = time::Duration::seconds(30);
const GARBAGE: &str = "{";
/// So many minutes of calm must do.
const CALM: u32 = 600;

#[derive(Default)]
pub(crate) struct Environment {
    pub(crate) cut: Arc<Notify>,
    invocation: usize,
}

pub(crate) struct Sim {
    mutant: Mutant,
    rng: fastrand::Rng,
    pub(crate) table: Table,
    pub(crate) world: World,
    pub(crate) judge: Judge,
    pub(crate) environments: [Environment; 2],
    queue: Queue,
    leases: BTreeMap<Key, Item>,
    arrived: Arc<Notify>,
    disturbances: u32,
    disturbed: HashSet<usize>,
    invocations: usize,
    is_calm: bool,
    is_finished: bool,
    /// What happened, where somebody wants to read it.
    log: Option<Vec<String>>,
}

fn choice() -> AlarmChoice {
    AlarmChoice { prefix: None, own_prefix: "s-".to_owned() }
}

fn settings(story: &Story) -> Settings {
    Settings {
        table: "t".to_owned(),
        topic: "t".to_owned(),
        fifo_topic: None,
        log_lines_in_email: true,
        dead_letter_queue: "q".to_owned(),
        stack: "s".to_owned(),
        queue: "q".to_owned(),
        alarms: choice(),
        rules: story.rules.clone(),
        limits: Limits::from_env(|_| Some("10".to_owned())).unwrap(),
    }
}

impl Sim {
    fn new(story: &Story, mutant: Mutant, logs: bool) -> Self {
        Self {
            mutant,
            rng: fastrand::Rng::with_seed(story.seed ^ 0x5eed),
            table: Table { mutant, ..Table::default() },
            world: World::new(),
            judge: Judge::new(story.rules.clone()),
            environments: [Environment::default(), Environment::default()],
            queue: Queue::default(),
            leases: BTreeMap::new(),
            arrived: Arc::new(Notify::new()),
            disturbances: story.disturbances,
            disturbed: HashSet::new(),
            invocations: 0,
            is_calm: false,
            is_finished: false,
            log: logs.then(Vec::new),
        }
    }

    fn log(&mut self, what: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            let at = clock::now() - clock::BEGINNING;
            log.push(format!("{:>9.3} {}", at.as_seconds_f64(), what()));
        }
    }

    /// What becomes of the next call, and how many milliseconds pass before and after it.
    pub(crate) fn fate_of_call(&mut self, environment: usize, doing: &str) -> (Fate, usize, u64, u64) {
        let invocation = self.environments[environment].invocation;
        if self.is_calm {
            return (Fate::GoesWell, invocation, 0, 0);
        }
        // Now and then one takes its time, which lets others come between.
        let slow = if doing == "publish" { 6 } else { 60 };
        let before = match self.rng.u8(..slow) {
            0 => self.rng.u64(100..3_000),
            1..3 => 0,
            _ => self.rng.u64(1..40),
        };
        let after = if self.rng.u8(..4) == 0 { self.rng.u64(1..30) } else { 0 };
        let one_in = match doing {
            "publish" => 8,
            "commit" => 16,
            "lease" | "services" => 25,
            _ => 80,
        };
        if self.disturbances == 0 || self.rng.u32(..one_in) > 0 {
            return (Fate::GoesWell, invocation, before, after);
        }
        self.disturbances -= 1;
        self.disturbed.insert(invocation);
        let fate = match self.rng.u8(..12) {
            0..3 => Fate::Fails,
            3..6 => Fate::AnswerIsLost,
            6 | 7 => Fate::ComesLate(self.rng.u64(1..40)),
            8 => Fate::Hangs(self.rng.bool()),
            _ => Fate::Cut(self.rng.bool()),
        };
        self.log(|| format!("[{invocation}] {doing}: {fate:?}"));
        (fate, invocation, before, after)
    }

    pub(crate) fn commit(&mut self, changes: &Changes, now: OffsetDateTime) -> Result<Committed, String> {
        let mut changes = changes.clone();
        let is_noted = changes.fence.is_some();
        match self.mutant {
            Mutant::SuccessForgotten if is_noted => return Ok(Committed::Done),
            Mutant::OutboxCleared if is_noted => {
                for change in &mut changes.incidents {
                    change.after.outbox.clear();
                }
            }
            Mutant::HeardTheWorst => {
                for heard in changes.incidents.iter_mut().filter_map(|change| change.after.heard.as_mut()) {
                    heard.severity = Some(Severity::Critical);
                }
            }
            _ => {}
        }
        let committed = self.table.would(&changes)?;
        if committed == Committed::Done {
            if self.log.is_some() {
                let of = |change: &crash_alerts::Change| {
                    let after = &change.after;
                    let outbox: Vec<_> = after.outbox.iter().map(|sending| (sending.number, sending.notice)).collect();
                    let (id, key) = (&after.id[..8], after.key.text());
                    let key = key.rsplit('/').next().unwrap_or_default().to_owned();
                    format!("{key} {id} {:?} {:?} {} {outbox:?}", after.phase, after.voice, after.count)
                };
                let incidents: Vec<_> = changes.incidents.iter().map(of).collect();
                let (seen, desk) = (changes.seen.len(), changes.desk.is_some());
                let rest = changes.rest.clone().map(|(key, rest)| (key.text(), rest.over_at.to_string()));
                self.log(|| format!("  stored: {seen} faults, {incidents:#?}, desk: {desk}, rest: {rest:?}"));
            }
            self.judge.commit(&self.table, &changes, &self.world, now);
            self.table.apply(&changes);
        } else if self.mutant == Mutant::FaultsApart {
            let seen = Changes { seen: changes.seen.clone(), ..Changes::default() };
            if !seen.are_none() && self.table.would(&seen) == Ok(Committed::Done) {
                self.table.apply(&seen);
            }
        }
        Ok(committed)
    }

    pub(crate) fn lease(&mut self, key: &Key, wanted: &Step) -> Answer {
        let mut found = self.leases.get(key).cloned();
        if self.mutant == Mutant::LeaseIgnored && matches!(wanted, Step::Take { .. }) {
            found = found.map(|item| Item { hold: None, ..item });
        }
        let answer = step(found, wanted);
        if let Answer::Done(item) = &answer {
            self.leases.insert(key.clone(), item.clone());
        }
        answer
    }

    pub(crate) fn see(&mut self, services: &[ServiceArn]) -> HashMap<ServiceArn, Seen> {
        let seen = self.world.see(services);
        for (service, _) in seen.iter().filter(|(_, seen)| seen.health.is_well) {
            self.judge.is_well(number_of(service), clock::now());
        }
        seen
    }

    pub(crate) fn evidence(&mut self) -> Evidence {
        let mut evidence = Evidence::default();
        if self.rng.bool() {
            evidence.logs.push(LogTail {
                container: "agent".to_owned(),
                group: "/ecs/agent".to_owned(),
                stream: "agent/1".to_owned(),
                head: Vec::new(),
                tail: vec!["panicked".to_owned()],
                gap: false,
                url: None,
            });
        }
        evidence
    }

    pub(crate) fn publish(&mut self, rendered: &Rendered, invocation: usize) {
        self.log(|| format!("[{invocation}] told: {} ({})", rendered.subject, rendered.dedup));
        let disturbed = self.disturbed.clone();
        self.judge.published(&rendered.json, invocation, |one| disturbed.contains(&one));
    }

    pub(crate) fn dead_letter(&mut self, body: &str) {
        if body != GARBAGE {
            self.judge.faults.push(format!("lost: {body} is no garbage"));
        }
    }

    pub(crate) fn look_again(&mut self, incident: &str, after: Duration) {
        self.judge.looks_again(incident);
        let body = json!({"watchkeeper": "look", "incident": incident}).to_string();
        // Now and then late.
        let late = if self.rng.u8(..4) == 0 { self.rng.u32(..100_000) } else { 0 };
        self.put(body, Duration::from_millis(late.into()) + after);
    }

    fn put(&mut self, body: String, after: Duration) {
        let now = clock::now();
        self.queue.put(body, now, now + after);
        self.arrived.notify_waiters();
    }

    fn come(&mut self, body: &str, coming: Coming, may_be_lost: bool) {
        let news = QueueMessage::parse(body).map(|message| {
            plan::plan(&message, &choice(), Observed { now: clock::now(), sent_at: None, alarm_is_tagged: true })
        });
        if let Ok(Plan::Observe(news, _)) = news {
            self.judge.issued(&news);
        }
        let comings = match coming {
            Coming::Once(after) => vec![after],
            Coming::Twice(first, second) => vec![first, second],
            Coming::Never if may_be_lost => Vec::new(),
            Coming::Never => vec![1_000],
        };
        for after in comings {
            self.put(body.to_owned(), Duration::from_millis(after.into()));
        }
    }

    fn act(&mut self, act: Act, coming: Coming) {
        let now = clock::now();
        self.log(|| format!("{act:?} {coming:?}"));
        let (body, may_be_lost) = match act {
            Act::Crash { service, of_before, by_memory } => {
                if self.world.is_well(service, now) {
                    self.world.breaks(service, now, time::Duration::seconds(40));
                }
                (Some(self.world.crash(service, of_before, by_memory, now)), true)
            }
            Act::Breaks(service, seconds) => {
                self.world.breaks(service, now, time::Duration::seconds(seconds.into()));
                (None, true)
            }
            Act::Deploys(service) => {
                self.world.deploys(service);
                (None, true)
            }
            Act::DeploymentNews { service, rolls_back } => {
                (Some(self.world.deployment_news(service, rolls_back, now)), false)
            }
            Act::RollsOut(service) => (Some(self.world.rolls_out(service, now)), false),
            Act::Alarm(alarm, goes_off) => (self.world.alarm(alarm, goes_off, now), false),
            Act::Observed(of, state) => (self.world.observed(of, state, now), false),
            Act::Standalone(family, ends_well) => (Some(self.world.standalone(family, ends_well, now)), true),
            Act::Below(service, is_below) => {
                if let Some(news) = self.world.below(service, is_below, now) {
                    self.judge.issued(&news);
                }
                (None, true)
            }
            Act::Worsens(service, to_nothing) => {
                self.world.worsens(service, to_nothing, now);
                (None, true)
            }
            Act::Garbage => (Some(GARBAGE.to_owned()), false),
            Act::Sweep => {
                self.judge.looks_around(&self.table, &self.world, now);
                (Some(json!({"watchkeeper": "sweep"}).to_string()), true)
            }
        };
        if let Some(body) = body {
            self.come(&body, coming, may_be_lost);
        }
    }

    /// Everything is well, and no call fails any more.
    fn calms(&mut self) {
        let now = clock::now();
        self.log(|| "calm".to_owned());
        self.is_calm = true;
        for body in self.world.calms(now) {
            self.come(&body, Coming::Once(10), false);
        }
        for service in 0..crate::world::SERVICES {
            self.act(Act::Below(service, false), Coming::Never);
        }
    }

    fn is_at_rest(&self) -> bool {
        self.queue.len() == 0 && self.table.incidents.is_empty() && self.table.desk().value.spell().is_none()
    }

    fn take(&mut self, environment: usize) -> Option<(SqsEvent, usize, Arc<Notify>)> {
        let batch = self.queue.take(clock::now(), &mut self.rng, !self.is_calm)?;
        self.invocations += 1;
        let invocation = self.invocations;
        let cut = Arc::new(Notify::new());
        self.environments[environment] = Environment { cut: Arc::clone(&cut), invocation };
        self.log(|| format!("[{invocation}] takes {} messages", batch.records.len()));
        Some((batch, invocation, cut))
    }
}

/// One of the places where Lambda runs the function, one invocation after the other.
async fn work(environment: usize, sim: &Arc<Mutex<Sim>>, story: &Story) {
    let line = Line { environment, sim: Arc::clone(sim) };
    let begin = || Function::new(line.clone(), settings(story)).by_clock(clock::now);
    let mut function = begin();
    loop {
        let arrived = {
            let sim = sim.lock().unwrap();
            if sim.is_finished {
                return;
            }
            Arc::clone(&sim.arrived)
        };
        let news = arrived.notified();
        let (taken, next_at) = {
            let mut sim = sim.lock().unwrap();
            (sim.take(environment), sim.queue.next_at())
        };
        let Some((batch, number, cut)) = taken else {
            match next_at {
                Some(next_at) => {
                    tokio::select! { () = news => {}, () = sleep_until(clock::at(next_at)) => {} }
                }
                None => news.await,
            }
            continue;
        };
        let deadline = clock::now() + INVOCATION;
        let invocation = Invocation { request_id: format!("request {number}"), deadline };
        let answer = tokio::select! {
            biased;
            answer = function.batch(batch.clone(), &invocation) => Some(answer),
            () = cut.notified() => None,
            () = sleep_until(clock::at(deadline)) => None,
        };
        let mut sim = sim.lock().unwrap();
        if let Some(answer) = answer {
            let failed: Vec<_> =
                answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
            sim.log(|| format!("[{number}] ends, {} come again", failed.len()));
            sim.queue.answered(&batch, &failed);
        } else {
            sim.log(|| format!("[{number}] is cut off"));
            function = begin();
        }
    }
}

async fn drive(sim: &Arc<Mutex<Sim>>, story: &Story, mutant: Mutant) {
    let mut acts = story.acts.clone();
    let last = acts.iter().map(|(at, ..)| *at).max().unwrap_or_default().max(story.minutes * 60_000);
    let mut rng = fastrand::Rng::with_seed(story.seed ^ 0x0123);
    for at in (0..last).step_by(60_000) {
        match rng.u8(..20) {
            sweep if sweep == 0 || mutant == Mutant::SweepDoesNothing => {}
            1 => acts.push((at, Act::Sweep, Coming::Twice(10, 40))),
            2 => acts.push((at, Act::Sweep, Coming::Once(rng.u32(..130_000)))),
            _ => acts.push((at, Act::Sweep, Coming::Once(10))),
        }
    }
    acts.sort_by_key(|(at, ..)| *at);
    for (at, act, coming) in acts {
        sleep_until(clock::at(clock::BEGINNING + time::Duration::milliseconds(i64::try_from(at).unwrap()))).await;
        sim.lock().unwrap().act(act, coming);
    }
    sim.lock().unwrap().calms();
    let mut rests = 0;
    for minute in 0..CALM {
        {
            let mut sim = sim.lock().unwrap();
            if mutant != Mutant::SweepDoesNothing {
                sim.act(Act::Sweep, Coming::Once(10));
            }
            // Jobs are run again until they end well.
            if minute % 5 == 0 && sim.table.incidents.keys().any(|key| key.starts_with("family#")) {
                for family in 0..4 {
                    sim.act(Act::Standalone(family, true), Coming::Once(10));
                }
            }
        }
        sleep(Duration::from_mins(1)).await;
        rests = if sim.lock().unwrap().is_at_rest() { rests + 1 } else { 0 };
        if rests > 2 {
            break;
        }
    }
    let mut sim = sim.lock().unwrap();
    sim.is_finished = true;
    sim.arrived.notify_waiters();
}

/// What came of a history.
pub(crate) struct Outcome {
    pub(crate) faults: Vec<String>,
    pub(crate) messages: usize,
    pub(crate) counted: u64,
    pub(crate) log: Vec<String>,
}

/// Lets a story happen.
pub(crate) fn run(story: &Story, mutant: Mutant, logs: bool) -> Outcome {
    fastrand::seed(story.seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let sim = Arc::new(Mutex::new(Sim::new(story, mutant, logs)));
    runtime.block_on(async {
        clock::begin();
        tokio::join!(work(0, &sim, story), work(1, &sim, story), drive(&sim, story, mutant));
        let mut sim = sim.lock().unwrap();
        let now = clock::now();
        let Sim { judge, table, world, queue, leases, .. } = &mut *sim;
        judge.at_the_end(table, world);
        judge.faults.extend(queue.given_up.iter().map(|body| format!("lost: {body} came too often")));
        let held = leases.iter().filter(|(_, item)| item.hold.as_ref().is_some_and(|hold| hold.until > now));
        judge.faults.extend(held.map(|(key, _)| format!("at the end: {key} is held")));
        Outcome {
            faults: std::mem::take(&mut judge.faults),
            messages: judge.messages,
            counted: judge.counted,
            log: sim.log.take().unwrap_or_default(),
        }
    })
}
