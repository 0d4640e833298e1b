//! A Lambda function that serves `Custom::Trial`, whose properties say how it goes wrong: the frame of custom resources
//! under test, without AWS. It remembers requests while it runs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use serde_json::Value;
use time::OffsetDateTime;
use watchkeeper_custom_resources::{
    ALLOWED_PREFIXES, AllowedUrls, Begun, Data, Decision, Failure, Frame, Hold, Https, Invocation, Ledger, LedgerError,
    Owner, PhysicalId, Properties, ResourceType, Stored, quiet_panics,
};

/// Things in memory: their names and owners' marks.
#[derive(Default)]
struct Trial(Mutex<HashMap<String, String>>);

/// What is to go wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Well,
    Fails,
    Panics,
    Hangs,
    Large,
}

struct Wanted {
    name: String,
    fate: Fate,
    count: u64,
}

impl Trial {
    fn things(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make(&self, owner: &Owner, wanted: &Wanted) -> Result<Data, Failure> {
        self.things().insert(wanted.name.clone(), owner.to_string());
        match wanted.fate {
            Fate::Well => {}
            Fate::Fails => return Err(Failure::new("it fails on purpose")),
            Fate::Panics => assert!(wanted.name.is_empty(), "secret-of-a-panic"),
            Fate::Hangs => std::future::pending().await,
            Fate::Large => return Ok([("Text".to_owned(), "x".repeat(5 * 1024))].into()),
        }
        Ok([("Count".to_owned(), wanted.count.to_string())].into())
    }
}

impl ResourceType for Trial {
    const NAME: &'static str = "Custom::Trial";
    type Wanted = Wanted;
    type Observed = Option<String>;

    fn read(properties: &mut Properties<'_>) -> Option<Wanted> {
        let name = properties.text("Name", "a name");
        let fates = [("fails", Fate::Fails), ("panics", Fate::Panics), ("hangs", Fate::Hangs), ("large", Fate::Large)];
        let fate = properties.one_of("Fate", &fates, Fate::Well);
        let count = properties.optional_number("Count", 0..=9).unwrap_or_default();
        Some(Wanted { name: name?.to_owned(), fate, count })
    }

    fn physical_id(_: &Owner, wanted: &Wanted) -> PhysicalId {
        PhysicalId::new(format!("trial/{}", wanted.name))
    }

    fn is_name(id: &PhysicalId) -> bool {
        id.as_str().starts_with("trial/")
    }

    async fn observe(&self, _: &Owner, wanted: &Wanted) -> Result<Option<String>, Failure> {
        Ok(self.things().get(&wanted.name).cloned())
    }

    fn decide(_: &Owner, wanted: &Wanted, found: &Option<String>) -> Decision {
        match found {
            None => Decision::Create,
            Some(_) if wanted.name == "taken" => Decision::Refuse("it is taken".to_owned()),
            Some(_) => Decision::Replace,
        }
    }

    fn data(_: &Owner, _: &Wanted, _: &Option<String>) -> Data {
        Data::new()
    }

    async fn create(&self, owner: &Owner, wanted: &Wanted, _: &Option<String>) -> Result<Data, Failure> {
        self.make(owner, wanted).await
    }

    async fn replace(&self, owner: &Owner, wanted: &Wanted, _: &Option<String>) -> Result<Data, Failure> {
        self.make(owner, wanted).await
    }

    async fn delete(&self, owner: &Owner, id: &PhysicalId) -> Result<(), Failure> {
        let name = id.as_str().trim_start_matches("trial/");
        let mut things = self.things();
        if things.get(name).is_some_and(|mark| *mark == owner.to_string()) {
            things.remove(name);
        }
        Ok(())
    }
}

#[derive(Default)]
struct Memory(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    requests: HashMap<String, (Hold, OffsetDateTime, Option<Stored>)>,
    deleted: HashMap<(String, String), OffsetDateTime>,
    failed: HashMap<String, String>,
}

impl Memory {
    fn all(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for Memory {
    async fn begin(&self, request_id: &str, hold: &Hold) -> Result<Begun, LedgerError> {
        let mut all = self.all();
        let (before, first, done) =
            all.requests.entry(request_id.to_owned()).or_insert_with(|| (hold.clone(), hold.from, None));
        if let Some(stored) = done {
            return Ok(Begun::Done(stored.clone()));
        }
        if *before != *hold && before.until > hold.from {
            return Ok(Begun::InFlight);
        }
        *before = hold.clone();
        Ok(Begun::Ours { first: *first })
    }

    async fn done(&self, request_id: &str, body: &str) -> Result<(), LedgerError> {
        if let Some((_, _, done)) = self.all().requests.get_mut(request_id) {
            *done = Some(Stored { body: body.to_owned(), delivered: false });
        }
        Ok(())
    }

    async fn delivered(&self, request_id: &str) -> Result<(), LedgerError> {
        if let Some((_, _, Some(stored))) = self.all().requests.get_mut(request_id) {
            stored.delivered = true;
        }
        Ok(())
    }

    async fn deleting(&self, owner: &Owner, id: &PhysicalId, at: OffsetDateTime) -> Result<(), LedgerError> {
        self.all().deleted.insert((owner.to_string(), id.to_string()), at);
        Ok(())
    }

    async fn deleted_since(&self, owner: &Owner, id: &PhysicalId, since: OffsetDateTime) -> Result<bool, LedgerError> {
        Ok(self.all().deleted.get(&(owner.to_string(), id.to_string())).is_some_and(|at| *at >= since))
    }

    async fn update_failed(&self, owner: &Owner, digest: &str) -> Result<(), LedgerError> {
        self.all().failed.insert(owner.to_string(), digest.to_owned());
        Ok(())
    }

    async fn update_succeeded(&self, owner: &Owner) -> Result<(), LedgerError> {
        self.all().failed.remove(&owner.to_string());
        Ok(())
    }

    async fn did_update_fail(&self, owner: &Owner, digest: &str) -> Result<bool, LedgerError> {
        Ok(self.all().failed.get(&owner.to_string()).is_some_and(|known| known == digest))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    quiet_panics();
    let urls = AllowedUrls::and(&std::env::var(ALLOWED_PREFIXES).unwrap_or_default());
    let frame = Frame::new(Memory::default(), Https::default(), urls).serving(Trial::default());
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let deadline = event.context.deadline();
        let invocation = Invocation { request_id: event.context.request_id, deadline };
        let frame = &frame;
        async move { frame.handle(&event.payload, &invocation).await.map_err(Error::from) }
    }))
    .await
}
