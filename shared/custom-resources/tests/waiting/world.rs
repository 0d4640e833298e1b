//! One account whose time is tokio's, which stands still unless it is let pass: what there is, what is remembered, and what
//! CloudFormation hears.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::task::yield_now;
use tokio::time::Instant;
use watchkeeper_custom_resources::{
    AllowedUrls, Begun, Courier, Data, Decision, Failure, Frame, Hold, Invocation, Ledger, LedgerError, Mode, Owner,
    PhysicalId, Properties, Refusal, ResourceType, ResponseUrl, Stored, Waiting,
};

/// How long an invocation may take.
const TIME: Duration = Duration::from_mins(1);

/// A request in the ledger.
#[derive(Default)]
struct Noted {
    hold: Option<Hold>,
    first: Option<OffsetDateTime>,
    done: Option<Stored>,
}

#[derive(Default)]
pub(crate) struct State {
    requests: BTreeMap<String, Noted>,
    pub(crate) waiting: BTreeMap<String, Waiting>,
    deleted: Option<OffsetDateTime>,
    /// What there is.
    pub(crate) there: bool,
    /// How often it is not yet made or deleted.
    pub(crate) not_yet: u32,
    /// How it ends after that.
    pub(crate) fails: bool,
    /// Who has just now begun to work, of each request.
    working: BTreeMap<String, u32>,
    /// Answers noted: of which request, and the body.
    pub(crate) noted: Vec<(String, String)>,
    /// Answers heard, and when.
    pub(crate) heard: Vec<(Value, Duration)>,
    /// When work on the first request first began: CloudFormation's time is counted from there.
    pub(crate) began: Option<Duration>,
    /// The tries of each name, in order.
    pub(crate) tried: Vec<String>,
    pub(crate) refusals: u32,
    pub(crate) lost_notes: u32,
    /// A name that takes all the time that there is.
    pub(crate) slow: Option<&'static str>,
}

pub(crate) struct World {
    start: Instant,
    state: Mutex<State>,
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), state: Mutex::default() })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn passed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The frame reads the machine's clock, which stands still in comparison: what is remembered moves into its past.
    fn to_world(&self, instant: OffsetDateTime) -> OffsetDateTime {
        instant + self.passed()
    }

    fn to_frame(&self, instant: OffsetDateTime) -> OffsetDateTime {
        instant - self.passed()
    }

    pub(crate) fn frame(self: &Arc<Self>) -> Frame<InWorld, Ear> {
        self.frame_in(Mode::Act)
    }

    pub(crate) fn frame_in(self: &Arc<Self>, mode: Mode) -> Frame<InWorld, Ear> {
        Frame::new(InWorld(Arc::clone(self)), Ear(Arc::clone(self)), AllowedUrls::and("http://ear/"))
            .in_mode(mode)
            .serving(Thing(Arc::clone(self)))
    }

    /// The answers to a request that were heard, the same ones as one.
    pub(crate) fn answers(&self, request_id: &str) -> Vec<Value> {
        let heard = self.state().heard.clone();
        let mut answers: Vec<_> =
            heard.into_iter().map(|(answer, _)| answer).filter(|answer| answer["RequestId"] == request_id).collect();
        answers.dedup();
        answers
    }
}

pub(crate) fn invocation() -> Invocation {
    Invocation { request_id: "invocation".to_owned(), deadline: SystemTime::now() + TIME }
}

pub(crate) fn request(kind: &str, name: &str, seconds: u64) -> Value {
    json!({
        "RequestType": kind, "RequestId": format!("{kind}-{name}"), "StackId": "arn:aws:cloudformation:x",
        "LogicalResourceId": "L", "ResourceType": "Custom::Thing", "ResponseURL": "http://ear/",
        "PhysicalResourceId": "thing", "ResourceProperties": {"Name": name, "ServiceTimeout": seconds},
    })
}

/// Runs it for so many steps, then drops it, as Lambda ends a function.
pub(crate) async fn cut<T>(work: impl Future<Output = T>, steps: usize) -> Option<T> {
    let mut work = pin!(work);
    let mut left = steps;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

/// Calls take time, before and after they have done what they do: each is a place to be cut off at.
async fn call<T>(effect: impl FnOnce() -> T) -> T {
    yield_now().await;
    let done = effect();
    yield_now().await;
    done
}

/// Somebody who works on a request.
struct Working<'a>(&'a World, String);

impl<'a> Working<'a> {
    fn on(world: &'a World, name: &str) -> Self {
        let mut state = world.state();
        state.tried.push(name.to_owned());
        let count = state.working.entry(name.to_owned()).or_default();
        *count += 1;
        assert_eq!(*count, 1, "two work on {name}");
        Self(world, name.to_owned())
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        *self.0.state().working.entry(self.1.clone()).or_default() -= 1;
    }
}

pub(crate) struct Thing(Arc<World>);

impl Thing {
    fn not_yet(&self) -> Result<(), Failure> {
        let mut state = self.0.state();
        if state.not_yet > 0 {
            state.not_yet -= 1;
            return Err(Failure::later("it is not there yet"));
        }
        if state.fails { Err(Failure::new("it fails on purpose")) } else { Ok(()) }
    }

    async fn make(&self, name: &str) -> Result<Data, Failure> {
        let _working = Working::on(&self.0, name);
        call(|| self.0.state().there = true).await;
        if self.0.state().slow.is_some_and(|slow| slow == name) {
            std::future::pending::<()>().await;
        }
        call(|| self.not_yet()).await.map(|()| Data::new())
    }
}

impl ResourceType for Thing {
    const NAME: &'static str = "Custom::Thing";
    type Wanted = String;
    type Observed = bool;

    fn read(properties: &mut Properties<'_>) -> Option<String> {
        properties.text("Name", "a name").map(str::to_owned)
    }

    fn physical_id(_: &Owner, _: &String) -> PhysicalId {
        PhysicalId::new("thing")
    }

    fn is_name(id: &PhysicalId) -> bool {
        id.as_str() == "thing"
    }

    async fn observe(&self, _: &Owner, _: &String) -> Result<bool, Failure> {
        Ok(call(|| self.0.state().there).await)
    }

    fn decide(_: &Owner, _: &String, there: &bool) -> Decision {
        if *there { Decision::Replace } else { Decision::Create }
    }

    fn data(_: &Owner, _: &String, _: &bool) -> Data {
        Data::new()
    }

    async fn create(&self, _: &Owner, name: &String, _: &bool) -> Result<Data, Failure> {
        self.make(name).await
    }

    async fn replace(&self, _: &Owner, name: &String, _: &bool) -> Result<Data, Failure> {
        self.make(name).await
    }

    async fn delete(&self, _: &Owner, _: &PhysicalId) -> Result<(), Failure> {
        call(|| self.not_yet()).await?;
        call(|| self.0.state().there = false).await;
        Ok(())
    }
}

/// The ledger of this world.
pub(crate) struct InWorld(Arc<World>);

impl InWorld {
    fn down(doing: &'static str) -> LedgerError {
        LedgerError { doing, why: "on purpose".to_owned() }
    }
}

impl Ledger for InWorld {
    async fn begin(&self, request_id: &str, hold: &Hold) -> Result<Begun, LedgerError> {
        let from = self.0.to_world(hold.from);
        let hold = Hold { holder: hold.holder.clone(), from, until: self.0.to_world(hold.until) };
        let begun = call(|| {
            let mut state = self.0.state();
            state.began.get_or_insert(self.0.passed());
            let noted = state.requests.entry(request_id.to_owned()).or_default();
            if let Some(stored) = &noted.done {
                return Begun::Done(stored.clone());
            }
            if noted.hold.as_ref().is_some_and(|before| before.until > from) {
                return Begun::InFlight;
            }
            let cut_off = noted.hold.replace(hold).is_some();
            Begun::Ours { first: *noted.first.get_or_insert(from), cut_off }
        });
        Ok(match begun.await {
            Begun::Ours { first, cut_off } => Begun::Ours { first: self.0.to_frame(first), cut_off },
            other => other,
        })
    }

    async fn done(&self, request_id: &str, body: &str) -> Result<(), LedgerError> {
        call(|| {
            let mut state = self.0.state();
            state.noted.push((request_id.to_owned(), body.to_owned()));
            let noted = state.requests.entry(request_id.to_owned()).or_default();
            noted.done = Some(Stored { body: body.to_owned(), delivered: false });
        })
        .await;
        Ok(())
    }

    async fn delivered(&self, request_id: &str) -> Result<(), LedgerError> {
        call(|| {
            if let Some(Noted { done: Some(stored), .. }) = self.0.state().requests.get_mut(request_id) {
                stored.delivered = true;
            }
        })
        .await;
        Ok(())
    }

    async fn let_go(&self, request_id: &str, holder: &str) -> Result<(), LedgerError> {
        call(|| {
            if let Some(noted) = self.0.state().requests.get_mut(request_id) {
                noted.hold.take_if(|hold| hold.holder == holder);
            }
        })
        .await;
        Ok(())
    }

    async fn wait(&self, waiting: &Waiting, _: OffsetDateTime) -> Result<(), LedgerError> {
        call(|| {
            let mut state = self.0.state();
            if state.lost_notes > 0 {
                state.lost_notes -= 1;
                return Err(Self::down("noting that a request waits"));
            }
            let mut waiting = waiting.clone();
            waiting.first = self.0.to_world(waiting.first);
            waiting.tried = self.0.to_world(waiting.tried);
            state.waiting.insert(waiting.request_id.clone(), waiting);
            Ok(())
        })
        .await
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, LedgerError> {
        let mut all: Vec<_> = call(|| self.0.state().waiting.values().cloned().collect()).await;
        for waiting in &mut all {
            waiting.first = self.0.to_frame(waiting.first);
            waiting.tried = self.0.to_frame(waiting.tried);
        }
        Ok(all)
    }

    async fn waits_no_more(&self, request_id: &str) -> Result<(), LedgerError> {
        call(|| self.0.state().waiting.remove(request_id)).await;
        Ok(())
    }

    async fn deleting(&self, _: &Owner, _: &PhysicalId, at: OffsetDateTime) -> Result<(), LedgerError> {
        call(|| self.0.state().deleted = Some(self.0.to_world(at))).await;
        Ok(())
    }

    async fn deleted_since(&self, _: &Owner, _: &PhysicalId, since: OffsetDateTime) -> Result<bool, LedgerError> {
        Ok(call(|| self.0.state().deleted.is_some_and(|at| at >= self.0.to_world(since))).await)
    }

    async fn is_newest(&self, _: &Owner, _: OffsetDateTime) -> Result<bool, LedgerError> {
        Ok(true)
    }

    async fn update_failed(&self, _: &Owner, _: &str) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn update_succeeded(&self, _: &Owner) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn did_update_fail(&self, _: &Owner, _: &str) -> Result<bool, LedgerError> {
        Ok(false)
    }
}

/// CloudFormation's ear in this world.
pub(crate) struct Ear(Arc<World>);

impl Courier for Ear {
    async fn put(&self, _: &ResponseUrl, body: &str) -> Result<(), Refusal> {
        call(|| {
            let mut state = self.0.state();
            if state.refusals > 0 {
                state.refusals -= 1;
                return Err(Refusal::Status(503));
            }
            state.heard.push((serde_json::from_str(body).unwrap(), self.0.passed()));
            Ok(())
        })
        .await
    }
}
