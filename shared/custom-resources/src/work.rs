//! One request of one type, from its properties to its answer.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use lambda_runtime::tracing::{info, warn};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::answer::{Answer, Data};
use crate::envelope::{Request, RequestType};
use crate::error::Failure;
use crate::fault::Faults;
use crate::ledger::{Ledger, LedgerError};
use crate::mode::{MODES, Mode};
use crate::name::PhysicalId;
use crate::properties::Properties;
use crate::resource::{Decision, ResourceType};

/// A request that is being worked on.
#[derive(Debug)]
pub(crate) struct Job<'a, L> {
    pub(crate) request: &'a Request,
    pub(crate) ledger: &'a L,
    /// When work on it first began, in this invocation or an earlier one.
    pub(crate) first: OffsetDateTime,
    /// The whole stack's mode.
    pub(crate) mode: Mode,
    /// What was begun to be made, now or before the request waited: to be undone if it fails.
    pub(crate) making: Mutex<Option<PhysicalId>>,
}

impl<L> Job<'_, L> {
    fn making(&self, id: Option<&PhysicalId>) {
        *self.making.lock().unwrap_or_else(PoisonError::into_inner) = id.cloned();
    }

    /// What was begun to be made.
    pub(crate) fn made(&self) -> Option<PhysicalId> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A [`ResourceType`] whose own types are forgotten.
pub(crate) trait AnyType<L>: Send + Sync {
    fn name(&self) -> &'static str;
    fn no_echo(&self) -> bool;
    /// The real name of what is asked for, where the properties say it.
    fn physical_id(&self, request: &Request) -> Option<PhysicalId>;
    fn work<'a>(&'a self, job: &'a Job<'a, L>) -> Work<'a, Result<Answer, Failure>>;
    fn delete<'a>(&'a self, request: &'a Request, id: &'a PhysicalId) -> Work<'a, Result<(), Failure>>;
}

impl<T: ResourceType, L: Ledger> AnyType<L> for T {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn no_echo(&self) -> bool {
        T::NO_ECHO
    }

    fn physical_id(&self, request: &Request) -> Option<PhysicalId> {
        let (_, wanted) = read::<T>(&request.properties).ok()?;
        Some(T::physical_id(&request.owner, &wanted))
    }

    fn work<'a>(&'a self, job: &'a Job<'a, L>) -> Work<'a, Result<Answer, Failure>> {
        Box::pin(async move {
            match job.request.kind {
                RequestType::Create | RequestType::Update => put(self, job).await,
                RequestType::Delete => delete(self, job).await,
            }
        })
    }

    fn delete<'a>(&'a self, request: &'a Request, id: &'a PhysicalId) -> Work<'a, Result<(), Failure>> {
        Box::pin(ResourceType::delete(self, &request.owner, id))
    }
}

fn read<T: ResourceType>(properties: &Value) -> Result<(Mode, T::Wanted), Faults> {
    Properties::read(properties, |properties| {
        let mode = properties.one_of("Mode", &MODES, Mode::Act);
        T::read(properties).map(|wanted| (mode, wanted))
    })
}

fn success<T: ResourceType>(physical_id: PhysicalId, data: Data) -> Answer {
    Answer::Success { physical_id, data, no_echo: T::NO_ECHO }
}

/// A creation or an update.
async fn put<T: ResourceType, L: Ledger>(resource: &T, job: &Job<'_, L>) -> Result<Answer, Failure> {
    let Job { request, ledger, first, mode: stack_mode, .. } = job;
    let owner = &request.owner;
    let (mode, wanted) = match read::<T>(&request.properties) {
        Ok(read) => read,
        Err(faults) => {
            return match (&request.physical_id, &request.old_properties) {
                // The way back after a failed update: what an older version of this function took must not stop it.
                (Some(id), Some(old)) if known(ledger.did_update_fail(owner, &digest(old)).await) => {
                    warn!(%owner, %faults, "the way back leads to properties that are not understood any more: left as it is");
                    Ok(success::<T>(id.clone(), decided(Data::new(), &Decision::Keep)))
                }
                _ => Err(Failure::new(faults.to_string())),
            };
        }
    };
    let mode = if *stack_mode == Mode::Observe { Mode::Observe } else { mode };
    let id = T::physical_id(owner, &wanted);
    let is_new = request.kind == RequestType::Create;
    let deleted = async || is_new && known(ledger.deleted_since(owner, &id, *first).await);
    let gone = || Failure::new("it was deleted while it was being created");
    if deleted().await {
        // What an earlier try made, the deletion found, since that try saw none at its end. What is there now is newer.
        job.making(None);
        return Err(gone());
    }
    // CloudFormation may cancel an update that waits, and send the properties of before.
    let overtaken = async || known(ledger.is_newest(owner, *first).await.map(|newest| !newest));
    if request.kind == RequestType::Update && overtaken().await {
        return Err(Failure::new("a later request has taken its place"));
    }
    let observed = resource.observe(owner, &wanted).await?;
    let mut decision = T::decide(owner, &wanted, &observed);
    if let (Decision::Refuse(why), Some(old)) = (&decision, &request.old_properties)
        && request.physical_id.as_ref() == Some(&id)
        && known(ledger.did_update_fail(owner, &digest(old)).await)
    {
        warn!(%owner, why, "the way back after a failed update: left as it is");
        decision = Decision::Keep;
        // What the update had stored is not wanted any more.
        if T::KEEPS_WATCH && *stack_mode == Mode::Act {
            resource.watch(owner, &wanted, &observed).await?;
        }
    }
    info!(%owner, r#type = T::NAME, %id, ?mode, ?decision, "decided");
    if (mode, *stack_mode) == (Mode::Observe, Mode::Act) {
        match (&decision, &request.physical_id) {
            (Decision::Create | Decision::Replace, _) if T::KEEPS_WATCH => {
                job.making(is_new.then_some(&id));
                resource.watch(owner, &wanted, &observed).await?;
            }
            // What it was cannot be kept up any more; that nothing is done can.
            (Decision::Refuse(_), Some(before)) if T::KEEPS_WATCH && *before == id => {
                resource.watch(owner, &wanted, &observed).await?;
            }
            (_, Some(before)) if !T::KEEPS_WATCH => resource.release(owner, before).await?,
            _ => {}
        }
    }
    let done = match (mode, &decision) {
        (Mode::Observe, _) | (Mode::Act, Decision::Keep) => Ok(T::data(owner, &wanted, &observed)),
        (Mode::Act, Decision::Create) => {
            job.making(Some(&id));
            resource.create(owner, &wanted, &observed).await
        }
        (Mode::Act, Decision::Replace) => resource.replace(owner, &wanted, &observed).await,
        (Mode::Act, Decision::Refuse(why)) => return Err(Failure::new(why.clone())),
    };
    // A deletion notes itself before it looks for the thing. So either it found what was just made, or it is seen here.
    if (mode == Mode::Act || T::KEEPS_WATCH) && deleted().await {
        job.making(Some(&id));
        return Err(gone());
    }
    let data = done?;
    if request.kind == RequestType::Update
        && let Err(error) = ledger.update_succeeded(owner).await
    {
        warn!(%owner, %error, "an earlier failed update is still remembered");
    }
    // Who only observes made nothing of another name; with one CloudFormation would delete what is there.
    let made_nothing = mode == Mode::Observe && !(T::KEEPS_WATCH && *stack_mode == Mode::Act);
    let answered = request.physical_id.clone().filter(|_| made_nothing).unwrap_or(id);
    Ok(success::<T>(answered, decided(data, &decision)))
}

/// A deletion never depends on properties that it can understand.
async fn delete<T: ResourceType, L: Ledger>(resource: &T, job: &Job<'_, L>) -> Result<Answer, Failure> {
    let Job { request, ledger, first, mode, .. } = job;
    let owner = &request.owner;
    // Whether it is, does not matter: what is to be deleted is not wanted by a newer request either.
    if let Err(error) = ledger.is_newest(owner, *first).await {
        warn!(%owner, %error, "an update that waits will not see this deletion");
    }
    let named = request.physical_id.clone().unwrap_or_else(|| PhysicalId::new(&*owner.logical_id));
    let found = if T::is_name(&named) { Some(named.clone()) } else { resource_of::<T>(request) };
    match found {
        found if *mode == Mode::Observe || request.properties["Mode"] == "observe" => {
            info!(%owner, ?found, stack = ?mode, "not deleted: it only observes");
            if let Some(id) = found {
                note_deletion(job, &id).await;
                resource.release(owner, &id).await?;
            }
        }
        None => info!(%owner, "nothing was ever created"),
        Some(id) => {
            note_deletion(job, &id).await;
            resource.delete(owner, &id).await?;
        }
    }
    Ok(success::<T>(named, Data::new()))
}

/// For a creation that still runs.
async fn note_deletion<L: Ledger>(job: &Job<'_, L>, id: &PhysicalId) {
    let owner = &job.request.owner;
    if let Err(error) = job.ledger.deleting(owner, id, OffsetDateTime::now_utc()).await {
        warn!(%owner, %error, "a creation that still runs will not see this deletion");
    }
}

/// A creation that was never answered may have made the thing all the same.
fn resource_of<T: ResourceType>(request: &Request) -> Option<PhysicalId> {
    let (_, wanted) = read::<T>(&request.properties).ok()?;
    Some(T::physical_id(&request.owner, &wanted))
}

fn decided(mut data: Data, decision: &Decision) -> Data {
    let text = match decision {
        Decision::Create => "create".to_owned(),
        Decision::Replace => "replace".to_owned(),
        Decision::Keep => "keep".to_owned(),
        Decision::Refuse(why) => format!("refuse: {why}"),
    };
    data.insert("Decision".to_owned(), text);
    data
}

/// What the ledger says; if it cannot be read, no.
fn known(answer: Result<bool, LedgerError>) -> bool {
    answer.unwrap_or_else(|error| {
        warn!(%error, "going on without the ledger");
        false
    })
}

/// Properties as the ledger knows them: not themselves, since they may be secret.
pub(crate) fn digest(properties: &Value) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, properties.to_string().as_bytes()).to_string()
}
