//! Invocations at the same time: a deletion while the creation runs, and the same request twice.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use watchkeeper_custom_resources::{
    AllowedUrls, Begun, Courier, Data, Decision, Failure, Frame, Hold, Invocation, Ledger, LedgerError, Owner,
    PhysicalId, Properties, Refusal, ResourceType, ResponseUrl, Undone, Waiting,
};

/// One account: its things, its ledger, and what CloudFormation was told.
struct World {
    things: Mutex<HashSet<String>>,
    held: Mutex<HashMap<String, (Hold, OffsetDateTime)>>,
    deleted: Mutex<Option<OffsetDateTime>>,
    answers: Mutex<Vec<Value>>,
    /// The creation tells that it has come so far, and waits to be let on.
    reached: Semaphore,
    go_on: Semaphore,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            things: Mutex::default(),
            held: Mutex::default(),
            deleted: Mutex::default(),
            answers: Mutex::default(),
            reached: Semaphore::new(0),
            go_on: Semaphore::new(0),
        })
    }
}

/// A thing that is made before or after the creation waits.
struct Thing {
    world: Arc<World>,
    made_before_the_wait: bool,
}

impl ResourceType for Thing {
    const NAME: &'static str = "Custom::Thing";
    type Wanted = ();
    type Observed = ();

    fn read(properties: &mut Properties<'_>) -> Option<()> {
        properties.text("Name", "a name").map(drop)
    }

    fn physical_id(_: &Owner, (): &()) -> PhysicalId {
        PhysicalId::new("thing")
    }

    fn is_name(id: &PhysicalId) -> bool {
        id.as_str() == "thing"
    }

    async fn observe(&self, _: &Owner, (): &()) -> Result<(), Failure> {
        Ok(())
    }

    fn decide(_: &Owner, (): &(), (): &()) -> Decision {
        Decision::Create
    }

    fn data(_: &Owner, (): &(), (): &()) -> Data {
        Data::new()
    }

    async fn create(&self, _: &Owner, (): &(), (): &()) -> Result<Data, Failure> {
        let make = || self.world.things.lock().unwrap().insert("thing".to_owned());
        if self.made_before_the_wait {
            make();
        }
        self.world.reached.add_permits(1);
        self.world.go_on.acquire().await.unwrap().forget();
        make();
        Ok(Data::new())
    }

    async fn replace(&self, _: &Owner, (): &(), (): &()) -> Result<Data, Failure> {
        Ok(Data::new())
    }

    async fn delete(&self, _: &Owner, _: &PhysicalId) -> Result<(), Failure> {
        self.world.things.lock().unwrap().remove("thing");
        Ok(())
    }
}

/// The ledger of this world.
struct InWorld(Arc<World>);

impl Ledger for InWorld {
    async fn begin(&self, request_id: &str, hold: &Hold) -> Result<Begun, LedgerError> {
        let mut all = self.0.held.lock().unwrap();
        let (before, first) = all.entry(request_id.to_owned()).or_insert_with(|| (hold.clone(), hold.from));
        if *before != *hold && before.until > hold.from {
            return Ok(Begun::InFlight);
        }
        *before = hold.clone();
        Ok(Begun::Ours { first: *first, cut_off: false })
    }

    async fn done(&self, _: &str, _: &str) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn delivered(&self, _: &str) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn let_go(&self, _: &str, _: &str) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn wait(&self, _: &Waiting, _: OffsetDateTime) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, LedgerError> {
        Ok(Vec::new())
    }

    async fn waits_no_more(&self, _: &str) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn deleting(&self, _: &Owner, _: &PhysicalId, at: OffsetDateTime) -> Result<(), LedgerError> {
        *self.0.deleted.lock().unwrap() = Some(at);
        Ok(())
    }

    async fn deleted_since(&self, _: &Owner, _: &PhysicalId, since: OffsetDateTime) -> Result<bool, LedgerError> {
        Ok(self.0.deleted.lock().unwrap().is_some_and(|at| at >= since))
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
struct Ear(Arc<World>);

impl Courier for Ear {
    async fn put(&self, _: &ResponseUrl, body: &str) -> Result<(), Refusal> {
        self.0.answers.lock().unwrap().push(serde_json::from_str(body).unwrap());
        Ok(())
    }
}

fn frame(world: &Arc<World>, made_before_the_wait: bool) -> Frame<InWorld, Ear> {
    let thing = Thing { world: Arc::clone(world), made_before_the_wait };
    Frame::new(InWorld(Arc::clone(world)), Ear(Arc::clone(world)), AllowedUrls::and("http://ear/")).serving(thing)
}

fn request(kind: &str) -> Value {
    json!({
        "RequestType": kind, "RequestId": kind, "StackId": "arn:aws:cloudformation:x", "LogicalResourceId": "L",
        "ResourceType": "Custom::Thing", "ResponseURL": "http://ear/", "PhysicalResourceId": "made-up-by-cloudformation",
        "ResourceProperties": {"Name": "n"},
    })
}

fn invocation(request_id: &str, time: Duration) -> Invocation {
    Invocation { request_id: request_id.to_owned(), deadline: SystemTime::now() + time }
}

const TIME: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_deletion_while_the_creation_runs_leaves_nothing() {
    for made_before in [true, false] {
        let world = World::new();
        let frame = frame(&world, made_before);
        let (create, delete) = (request("Create"), request("Delete"));
        let (creating, deleting) = (invocation("1", TIME), invocation("2", TIME));
        let meanwhile = async {
            world.reached.acquire().await.unwrap().forget();
            frame.handle(&delete, &deleting).await.unwrap();
            world.go_on.add_permits(1);
        };
        let (created, ()) = tokio::join!(frame.handle(&create, &creating), meanwhile);
        created.unwrap();
        assert!(world.things.lock().unwrap().is_empty(), "made before the deletion looked: {made_before}");
        let answers = world.answers.lock().unwrap();
        assert_eq!((&answers[0]["RequestId"], &answers[0]["Status"]), (&json!("Delete"), &json!("SUCCESS")));
        assert_eq!((&answers[1]["RequestId"], &answers[1]["Status"]), (&json!("Create"), &json!("FAILED")));
        assert!(answers[1]["Reason"].as_str().unwrap().contains("deleted while it was being created"));
    }
}

#[tokio::test]
async fn a_second_try_leaves_while_the_first_works_and_takes_over_once_its_time_is_over() {
    let world = World::new();
    let frame = frame(&world, false);
    let create = request("Create");
    let first = invocation("1", Duration::from_millis(500));
    {
        let mut working = std::pin::pin!(frame.handle(&create, &first));
        tokio::select! {
            _ = &mut working => panic!("it waits to be let on"),
            reached = world.reached.acquire() => reached.unwrap().forget(),
        }
        assert_eq!(frame.handle(&create, &invocation("1", TIME)).await, Err(Undone::InFlight));
        // The first one is dropped here, as Lambda ends a function: no answer.
    }
    assert!(world.answers.lock().unwrap().is_empty());
    world.go_on.add_permits(1);
    while frame.handle(&create, &invocation("1", TIME)).await == Err(Undone::InFlight) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let answers = world.answers.lock().unwrap();
    assert_eq!((answers.len(), &answers[0]["Status"]), (1, &json!("SUCCESS")));
}
