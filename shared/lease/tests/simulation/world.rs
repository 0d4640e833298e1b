//! One key, its item, the item that the work is about, and those who contend for the key.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use time::{Duration, OffsetDateTime};
use watchkeeper_lease::{
    Answer, Budget, Fence, Flight, FlightError, Holder, Item, Key, Kind, Lease, Step, Trouble, extend, single_flight,
};

use crate::network::{Line, Network, Reply, Request};

/// What a step does to the item: the real rule, or one that is a little wrong.
pub(crate) type Rule = fn(Option<Item>, &Step) -> Answer;

/// How long an invocation has, and what of it a run needs.
const INVOCATION: Duration = Duration::milliseconds(100);
const RUN: Duration = Duration::milliseconds(20);
/// How far a client's clock may be off, either way.
const SKEW: i64 = 15;

/// What happens next. A number says to which of those it can happen to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// An event asks for work, which a new invocation begins.
    Ask(u8),
    /// A call reaches the store and its answer comes back.
    CallGoesWell(u8),
    /// A call, old or new, reaches the store, perhaps not for the first time.
    CallArrives(u8),
    /// The answer to one of the times that a call reached the store comes back.
    AnswerArrives(u8),
    /// The client gives a call up; the call may reach the store yet.
    CallFails(u8),
    /// A client dies.
    Crash(u8),
    /// Milliseconds.
    TimePasses(i64),
    /// An invocation that the sweep begins, if there is reason.
    Sweep(u8),
    /// A month goes by and takes an item that nobody needs.
    ItemAgesAway,
}

type Ending = Result<Flight<()>, FlightError<Trouble>>;

struct Client {
    flight: Option<Pin<Box<dyn Future<Output = Ending>>>>,
    /// How much had been asked for when it began, itself included.
    asked: usize,
}

/// What the clients note.
#[derive(Default)]
struct Notes {
    now: i64,
    asked: usize,
    running: BTreeMap<usize, Lease>,
    /// Under which somebody else took the key when their time had run out, by the other's clock.
    overtaken: BTreeSet<Fence>,
    fences: Vec<Fence>,
    /// For each run that came to its end: the place of the step that began it.
    ended: Vec<usize>,
    faults: Vec<String>,
}

pub(crate) struct World {
    rule: Rule,
    item: Option<Item>,
    written: Option<(Fence, usize)>,
    /// How often something was done to the store.
    place: usize,
    network: Arc<Mutex<Network>>,
    notes: Arc<Mutex<Notes>>,
    clients: Vec<Client>,
    /// For each that was told Busy: the place of the answer that told it.
    busy: Vec<usize>,
    /// The most that was asked for by one whose message does not come again.
    acknowledged: usize,
}

fn at(milliseconds: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(1_790_000_000_000 + milliseconds)
}

fn pick<T: Copy>(from: &[T], number: u8) -> Option<T> {
    (!from.is_empty()).then(|| from[usize::from(number) % from.len()])
}

impl World {
    pub(crate) fn new(rule: Rule) -> Self {
        Self {
            rule,
            item: None,
            written: None,
            place: 0,
            network: Arc::default(),
            notes: Arc::default(),
            clients: Vec::new(),
            busy: Vec::new(),
            acknowledged: 0,
        }
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.notes.lock().unwrap().faults.clone()
    }

    fn fault(&self, text: impl Into<String>) {
        self.notes.lock().unwrap().faults.push(text.into());
    }

    fn now(&self) -> i64 {
        self.notes.lock().unwrap().now
    }

    pub(crate) fn act(&mut self, act: Act) {
        match act {
            Act::Ask(skew) => {
                self.notes.lock().unwrap().asked += 1;
                self.begin(i64::from(skew) % (2 * SKEW + 1) - SKEW);
            }
            Act::CallGoesWell(number) => {
                if let Some(call) = pick(&self.awaited(), number) {
                    self.arrive(call);
                    let last = self.network.lock().unwrap().calls[call].done.last().cloned().unwrap();
                    self.answer(call, last);
                }
            }
            Act::CallArrives(number) => {
                let calls: Vec<_> = (0..self.network.lock().unwrap().calls.len()).collect();
                // The newest few, so that late calls are not too late to matter.
                if let Some(call) = pick(&calls[calls.len().saturating_sub(6)..], number) {
                    self.arrive(call);
                }
            }
            Act::AnswerArrives(number) => {
                if let Some(call) = pick(&self.awaited(), number) {
                    let done = self.network.lock().unwrap().calls[call].done.clone();
                    if let Some(answer) = (!done.is_empty()).then(|| done[usize::from(number) % done.len()].clone()) {
                        self.answer(call, answer);
                    }
                }
            }
            Act::CallFails(number) => {
                if let Some(call) = pick(&self.awaited(), number) {
                    let trouble = Trouble::Call { doing: "calling", about: String::new(), why: "lost".into() };
                    self.tell(call, Err(trouble));
                }
            }
            Act::Crash(number) => {
                let alive: Vec<_> = (0..self.clients.len()).filter(|&n| self.clients[n].flight.is_some()).collect();
                if let Some(client) = pick(&alive, number) {
                    self.over(client);
                }
            }
            Act::TimePasses(milliseconds) => self.notes.lock().unwrap().now += milliseconds,
            Act::Sweep(skew) => {
                let now = at(self.now());
                if self.item.as_ref().is_some_and(|item| item.is_unattended(now)) {
                    self.begin(i64::from(skew) % (2 * SKEW + 1) - SKEW);
                }
            }
            Act::ItemAgesAway => {
                self.notes.lock().unwrap().now += 31 * 86_400_000;
                let now = at(self.now());
                // By then all who were about are gone, and so is what was on its way.
                for client in 0..self.clients.len() {
                    self.over(client);
                }
                self.network.lock().unwrap().calls.clear();
                // A mark would be forgotten after a month without a sweep: that is documented.
                if self.item.as_ref().is_some_and(|item| !item.is_unattended(now)) {
                    self.item = None;
                }
            }
        }
    }

    /// Nobody new; what is on its way arrives or not; then only the sweep, and nothing goes wrong any more.
    pub(crate) fn come_to_rest(&mut self) {
        for client in 0..self.clients.len() {
            self.over(client);
        }
        let unattended = |world: &Self| world.item.as_ref().is_some_and(|item| item.is_unattended(at(world.now())));
        self.notes.lock().unwrap().now += 1_000;
        if !unattended(self) {
            let ended = self.notes.lock().unwrap().ended.clone();
            for busy in &self.busy {
                if !ended.iter().any(|began| began > busy) {
                    self.fault(format!("lost: who was told Busy at {busy} is forgotten"));
                }
            }
        }
        if unattended(self) {
            self.begin(0);
            // Claim, extend, write, release.
            for _ in 0..4 {
                self.act(Act::CallGoesWell(0));
            }
            self.notes.lock().unwrap().now += 1_000;
        }
        if unattended(self) {
            self.fault("stuck: the sweep does not help");
        }
        let calls = self.network.lock().unwrap().calls.len();
        for call in 0..calls {
            self.arrive(call);
        }
        let written = self.written.map_or(0, |(_, value)| value);
        if written < self.acknowledged {
            self.fault(format!("lost: {} was asked for, {written} is written", self.acknowledged));
        }
    }

    fn begin(&mut self, skew: i64) {
        let number = self.clients.len();
        let line = Line { client: number, network: Arc::clone(&self.network) };
        line.network.lock().unwrap().newest_answer.push(0);
        let notes = Arc::clone(&self.notes);
        let asked = notes.lock().unwrap().asked;
        let flight = Box::pin(async move {
            let key = Key::new(Kind("test"), "key");
            let holder = Holder(format!("client {number}"));
            let clock = || at(notes.lock().unwrap().now + skew);
            let began = clock();
            let budget = Budget { deadline: began + INVOCATION, for_a_run: RUN };
            let work = |lease| async {
                let ended = run(&line, &notes, lease).await;
                notes.lock().unwrap().running.remove(&number);
                ended
            };
            single_flight(&line, &key, &holder, clock, budget, work).await
        });
        self.clients.push(Client { flight: Some(flight), asked });
        self.poll(number);
    }

    fn awaited(&self) -> Vec<usize> {
        let network = self.network.lock().unwrap();
        (0..network.calls.len()).filter(|&id| network.calls[id].awaited).collect()
    }

    /// A call reaches the store.
    fn arrive(&mut self, call: usize) {
        self.place += 1;
        let request = self.network.lock().unwrap().calls[call].request.clone();
        let reply = match request {
            Request::Step(step) => {
                let before = self.item.clone();
                let answer = (self.rule)(before.clone(), &step);
                if let Answer::Done(after) = &answer {
                    if let (Step::Take { now, .. }, Some(Item { fence, hold: Some(hold), .. })) = (&step, before) {
                        if hold.until > *now {
                            self.fault(format!("overlap: {now} is before the end of {hold:?}"));
                        }
                        self.notes.lock().unwrap().overtaken.insert(fence);
                    }
                    self.item = Some(after.clone());
                }
                Reply::Step(answer)
            }
            Request::Write { fence, value } => {
                let written = self.written.is_none_or(|(newest, _)| newest <= fence);
                if written {
                    self.written = Some((fence, value));
                }
                Reply::Written(written)
            }
        };
        let place = self.place;
        self.network.lock().unwrap().calls[call].done.push((place, reply));
    }

    /// The answer to a call comes back.
    fn answer(&mut self, call: usize, (place, reply): (usize, Reply)) {
        {
            let mut network = self.network.lock().unwrap();
            let client = network.calls[call].client;
            network.newest_answer[client] = place;
        }
        self.tell(call, Ok(reply));
    }

    fn tell(&mut self, call: usize, told: Result<Reply, Trouble>) {
        let client = {
            let mut network = self.network.lock().unwrap();
            let call = &mut network.calls[call];
            call.told = Some(told);
            call.awaited = false;
            call.client
        };
        self.poll(client);
    }

    fn poll(&mut self, client: usize) {
        let Some(flight) = &mut self.clients[client].flight else { return };
        let Poll::Ready(ending) = flight.as_mut().poll(&mut Context::from_waker(Waker::noop())) else { return };
        let asked = self.clients[client].asked;
        match ending {
            Ok(Flight::Busy) => {
                let place = self.network.lock().unwrap().newest_answer[client];
                self.busy.push(place);
                self.acknowledged = self.acknowledged.max(asked);
            }
            Ok(Flight::Ran { .. }) => {
                self.acknowledged = self.acknowledged.max(asked);
            }
            // Its message comes again.
            Err(_) => {}
        }
        self.over(client);
    }

    /// A client is no more; its calls may be on their way yet.
    fn over(&mut self, client: usize) {
        self.clients[client].flight = None;
        self.notes.lock().unwrap().running.remove(&client);
        for call in &mut self.network.lock().unwrap().calls {
            call.awaited &= call.client != client;
        }
    }
}

/// The work: reads how much was asked for and writes that down, under its lease.
async fn run(line: &Line, notes: &Mutex<Notes>, lease: Lease) -> Result<(), Trouble> {
    let began = line.network.lock().unwrap().newest_answer[line.client];
    let asked = {
        let mut notes = notes.lock().unwrap();
        let mut faults = Vec::new();
        for other in notes.running.values().filter(|other| !notes.overtaken.contains(&other.fence.min(lease.fence))) {
            faults.push(format!("overlap: {lease:?} beside {other:?}"));
        }
        if notes.fences.contains(&lease.fence) {
            faults.push(format!("fence: {} for the second time", lease.fence));
        }
        notes.faults.append(&mut faults);
        notes.fences.push(lease.fence);
        notes.running.insert(line.client, lease.clone());
        notes.asked
    };
    if asked % 3 == 0 {
        extend(line, lease.clone(), lease.until + INVOCATION).await?;
    }
    if line.write(lease.fence, asked).await? {
        notes.lock().unwrap().ended.push(began);
        Ok(())
    } else {
        Err(Trouble::Call { doing: "writing", about: lease.key.to_string(), why: "fenced off".into() })
    }
}
