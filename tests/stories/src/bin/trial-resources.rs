//! A Lambda function that serves `Custom::Trial`, whose properties say how it goes wrong: the frame of custom resources
//! under test, without AWS. It remembers requests while it runs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use serde_json::Value;
use time::OffsetDateTime;
use watchkeeper_custom_resources::{
    ALLOWED_PREFIXES, AllowedUrls, Begun, Data, Decision, Failure, Frame, Hold, Https, Invocation, Ledger, LedgerError,
    Mode, Owner, PhysicalId, Properties, ResourceType, Stored, Waiting, quiet_panics,
};

/// Things in memory: their names and owners' marks.
#[derive(Default)]
struct Trial {
    things: Mutex<HashMap<String, String>>,
    /// How often each was not ready yet.
    tries: Mutex<HashMap<String, u64>>,
}

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
    /// At how many tries it is not ready yet.
    later: u64,
}

impl Trial {
    fn things(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make(&self, owner: &Owner, wanted: &Wanted) -> Result<Data, Failure> {
        self.things().insert(wanted.name.clone(), owner.to_string());
        let tries = {
            let mut all = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
            let tries = all.entry(wanted.name.clone()).or_default();
            *tries += 1;
            *tries
        };
        if tries <= wanted.later {
            return Err(Failure::later(format!("it is not ready at try {tries}")));
        }
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
        let later = properties.optional_number("Later", 0..=1_000_000).unwrap_or_default();
        Some(Wanted { name: name?.to_owned(), fate, count, later })
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
    /// Each with its hold, if somebody has it, when work on it first began, and its outcome.
    requests: HashMap<String, (Option<Hold>, OffsetDateTime, Option<Stored>)>,
    waiting: HashMap<String, Waiting>,
    deleted: HashMap<(String, String), OffsetDateTime>,
    newest: HashMap<String, OffsetDateTime>,
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
            all.requests.entry(request_id.to_owned()).or_insert_with(|| (None, hold.from, None));
        if let Some(stored) = done {
            return Ok(Begun::Done(stored.clone()));
        }
        if before.as_ref().is_some_and(|before| before.until > hold.from) {
            return Ok(Begun::InFlight);
        }
        let cut_off = before.replace(hold.clone()).is_some();
        Ok(Begun::Ours { first: *first, cut_off })
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

    async fn let_go(&self, request_id: &str, holder: &str) -> Result<(), LedgerError> {
        if let Some((hold, _, _)) = self.all().requests.get_mut(request_id) {
            hold.take_if(|hold| hold.holder == holder);
        }
        Ok(())
    }

    async fn wait(&self, waiting: &Waiting, _: OffsetDateTime) -> Result<(), LedgerError> {
        self.all().waiting.insert(waiting.request_id.clone(), waiting.clone());
        Ok(())
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, LedgerError> {
        Ok(self.all().waiting.values().cloned().collect())
    }

    async fn waits_no_more(&self, request_id: &str) -> Result<(), LedgerError> {
        self.all().waiting.remove(request_id);
        Ok(())
    }

    async fn deleting(&self, owner: &Owner, id: &PhysicalId, at: OffsetDateTime) -> Result<(), LedgerError> {
        self.all().deleted.insert((owner.to_string(), id.to_string()), at);
        Ok(())
    }

    async fn deleted_since(&self, owner: &Owner, id: &PhysicalId, since: OffsetDateTime) -> Result<bool, LedgerError> {
        Ok(self.all().deleted.get(&(owner.to_string(), id.to_string())).is_some_and(|at| *at >= since))
    }

    async fn is_newest(&self, owner: &Owner, first: OffsetDateTime) -> Result<bool, LedgerError> {
        let mut all = self.all();
        let newest = all.newest.entry(owner.to_string()).or_insert(first);
        *newest = first.max(*newest);
        Ok(*newest == first)
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
    let mode = Mode::from_env(|name| std::env::var(name).ok())?;
    let frame = Frame::new(Memory::default(), Https::default(), urls).in_mode(mode).serving(Trial::default());
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let deadline = event.context.deadline();
        let invocation = Invocation { request_id: event.context.request_id, deadline };
        let frame = &frame;
        async move { frame.handle(&event.payload, &invocation).await.map_err(Error::from) }
    }))
    .await
}
