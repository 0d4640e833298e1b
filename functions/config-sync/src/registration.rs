//! `Custom::ConfigSync`: a document is kept in step for as long as the stack wants it.

use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::tracing::warn;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::{sleep, timeout};
use watchkeeper_custom_resources::{Data, Decision, Failure, Owner, PhysicalId, Properties, Relation, ResourceType};
use watchkeeper_declarations::{Phase, Taken};
use watchkeeper_lease::{Budget, Flight, FlightError, Holder, single_flight};

use crate::clients::Clients;
use crate::declared::{Declared, Mode, Restart};
use crate::document::Place;
use crate::follow::{keep_in_step, key};
use crate::report;
use crate::sketch::{Sketch, sketch};
use crate::state::Step;
use crate::table::Known;
use crate::trouble::Trouble;
use crate::wanted;

/// How long one try may take: below the function's time-out, what the frame keeps of it for the answer, and the look before.
const TIME: Duration = Duration::from_secs(25);
/// How long the look for readers may take when the index is new.
const TO_FILL: Duration = Duration::from_secs(15);
/// What a run may take at least.
const FOR_A_RUN: time::Duration = time::Duration::seconds(5);
/// Before the second try to get the lease, and twice as long before each further one: nobody tells when it is free, and who asks
/// has whoever holds it look once more.
const PAUSE: Duration = Duration::from_secs(1);
/// Each of the stack's outputs has at most so many bytes; an answer to CloudFormation is small.
const LONGEST: usize = 700;

/// The type.
#[derive(Debug, Clone)]
pub struct ConfigSync {
    clients: Arc<Clients>,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    declared: Declared,
    /// All of this, as it came.
    properties: Value,
}

/// What is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// The declaration of this document, if there is one.
    known: Option<Known>,
    /// What would be done, or what is wrong with what is declared.
    chain: Result<Sketch, String>,
}

impl ConfigSync {
    /// With these clients.
    #[must_use]
    pub fn new(clients: Arc<Clients>) -> Self {
        Self { clients }
    }

    /// Looks along the whole chain; what a person must mend is told apart from what may pass.
    async fn chain(
        &self,
        owner: &Owner,
        declared: &Declared,
        known: Option<&Known>,
    ) -> Result<Result<Sketch, String>, Failure> {
        let looked = async {
            let vault = &self.clients.vault;
            vault.may_be_target(&declared.target, owner.stack_name()).await?;
            for source in declared.sources.values() {
                vault.may_be_source(source, owner.stack_name()).await?;
            }
            if declared.restart == Restart::Readers {
                self.clients.readers.fill(OffsetDateTime::now_utc() + TO_FILL).await?;
            }
            let state = known.map(|known| known.declaration.state.clone()).unwrap_or_default();
            sketch(&*self.clients, declared, &state, OffsetDateTime::now_utc()).await
        };
        match looked.await {
            Ok(sketch) => Ok(Ok(sketch)),
            // A stack waits for it no longer than for anything else: who declares a login wants to know now.
            Err(trouble @ Trouble::LogIn(_)) => Ok(Err(trouble.to_string())),
            Err(trouble) if trouble.may_pass() => Err(Failure::later(trouble.to_string())),
            Err(trouble) => Ok(Err(trouble.to_string())),
        }
    }

    async fn declare(&self, owner: &Owner, wanted: &Wanted, observed: &Observed) -> Result<(), Failure> {
        let before = observed.known.as_ref().map(|known| &known.owner);
        let renamed = before.filter(|before| owner.relation(&before.to_string()) == Relation::Renamed);
        let (target, now) = (&wanted.declared.target, OffsetDateTime::now_utc());
        let stored = self.clients.table.declare(target, owner, &wanted.properties, renamed, now).await;
        match stored.map_err(|trouble| failure(&trouble))? {
            Ok(()) => Ok(()),
            Err(Taken(other)) => Err(Failure::new(taken(target, &other))),
        }
    }

    /// Stores the declaration and brings the document in step. Services that are restarted then go on by themselves.
    async fn act(&self, owner: &Owner, wanted: &Wanted, observed: &Observed) -> Result<Data, Failure> {
        self.declare(owner, wanted, observed).await?;
        self.bring_in_step(&wanted.declared.target).await?;
        Ok(Self::data(owner, wanted, observed))
    }

    /// Waits for whoever is at work on it, then runs. What takes longer than there is time goes on later.
    async fn bring_in_step(&self, target: &Place) -> Result<(), Failure> {
        let id = target.to_string();
        let run = async {
            let mut pause = PAUSE;
            loop {
                let (holder, budget) = hold(&id);
                match keep_in_step(&*self.clients, &id, &holder, budget, OffsetDateTime::now_utc).await {
                    Ok(Flight::Ran { last, .. }) => {
                        // Trouble that is over is told; who asked is told of trouble by the answer.
                        let told = async {
                            let open = self.clients.desk.open().await?;
                            report::report(&self.clients.desk, &open, target, Ok(&last), OffsetDateTime::now_utc())
                                .await
                        };
                        if let Err(trouble) = told.await {
                            warn!(declaration = id, %trouble, "ops are not told that it is well again");
                        }
                        return Ok(());
                    }
                    Ok(Flight::Busy) => {
                        sleep(pause).await;
                        pause *= 2;
                    }
                    Err(FlightError::Work(trouble)) => return Err(failure(&trouble)),
                    Err(error) => return Err(Failure::later(error.to_string())),
                }
            }
        };
        timeout(TIME, run).await.unwrap_or_else(|_| Err(Failure::later("it is being worked on, and not done yet")))
    }

    async fn let_go(&self, id: &str) -> Result<(), Failure> {
        let (clients, key) = (&self.clients, key(id));
        let run = async {
            let mut pause = PAUSE;
            loop {
                let (holder, budget) = hold(id);
                let now = OffsetDateTime::now_utc;
                let gone = single_flight(&clients.leases, &key, &holder, now, budget, |lease| {
                    clients.table.gone(id, lease.fence)
                });
                match gone.await {
                    // Who was at work on it did this after a marking that came too late for us: it is gone.
                    Ok(Flight::Ran { .. }) | Err(FlightError::Work(Trouble::FencedOff)) => return Ok(()),
                    Ok(Flight::Busy) => {
                        sleep(pause).await;
                        pause *= 2;
                    }
                    Err(FlightError::Work(trouble)) => return Err(failure(&trouble)),
                    Err(error) => return Err(Failure::later(error.to_string())),
                }
            }
        };
        timeout(TIME, run).await.unwrap_or_else(|_| Err(Failure::later("it is being worked on, and not done yet")))
    }
}

impl ResourceType for ConfigSync {
    const NAME: &'static str = "Custom::ConfigSync";
    const KEEPS_WATCH: bool = true;
    type Wanted = Wanted;
    type Observed = Observed;

    fn read(properties: &mut Properties<'_>) -> Option<Wanted> {
        let mut all = properties.value();
        if let Some(members) = all.as_object_mut() {
            members.retain(|name, _| !["ServiceToken", "ServiceTimeout"].contains(&name.as_str()));
        }
        wanted::read(properties).map(|declared| Wanted { declared, properties: all })
    }

    fn physical_id(_: &Owner, wanted: &Wanted) -> PhysicalId {
        PhysicalId::new(wanted.declared.target.to_string())
    }

    fn is_name(id: &PhysicalId) -> bool {
        id.as_str().starts_with("arn:")
    }

    async fn observe(&self, owner: &Owner, wanted: &Wanted) -> Result<Observed, Failure> {
        let declared = wanted.declared.clone().of_stack(owner.stack_name());
        let known = self.clients.table.get(&declared.target.to_string()).await.map_err(|trouble| failure(&trouble))?;
        let chain = self.chain(owner, &declared, known.as_ref()).await?;
        Ok(Observed { known, chain })
    }

    fn decide(owner: &Owner, wanted: &Wanted, observed: &Observed) -> Decision {
        let sketch = match &observed.chain {
            Ok(sketch) => sketch,
            Err(why) => return Decision::Refuse(why.clone()),
        };
        match &observed.known {
            None => Decision::Create,
            Some(known) if owner.relation(&known.owner.to_string()) == Relation::Theirs => {
                Decision::Refuse(taken(&wanted.declared.target, &known.owner))
            }
            Some(known)
                if known.owner == *owner
                    && known.phase == Phase::Kept
                    && known.properties == wanted.properties
                    && sketch.changed.is_empty() =>
            {
                Decision::Keep
            }
            Some(_) => Decision::Replace,
        }
    }

    fn data(_: &Owner, wanted: &Wanted, observed: &Observed) -> Data {
        let target = &wanted.declared.target;
        let sketch = match &observed.chain {
            Ok(sketch) => sketch,
            Err(why) => return data(target, why, "", "", ""),
        };
        let services: Vec<_> = sketch
            .plan
            .rollouts
            .iter()
            .map(|(arn, rollout)| format!("{}: {}", name(arn), word(&rollout.step)))
            .collect();
        let warnings = sketch.plan.warnings.iter().map(ToString::to_string).chain(sketch.troubles.iter().cloned());
        let warnings: Vec<_> = warnings.collect();
        let plan = plan_in_words(wanted.declared.mode, sketch);
        data(target, &plan, &sketch.changed.join(", "), &services.join(", "), &warnings.join("; "))
    }

    async fn create(&self, owner: &Owner, wanted: &Wanted, observed: &Observed) -> Result<Data, Failure> {
        self.act(owner, wanted, observed).await
    }

    async fn replace(&self, owner: &Owner, wanted: &Wanted, observed: &Observed) -> Result<Data, Failure> {
        self.act(owner, wanted, observed).await
    }

    async fn watch(&self, owner: &Owner, wanted: &Wanted, observed: &Observed) -> Result<(), Failure> {
        self.declare(owner, wanted, observed).await
    }

    /// What was written stays: the agent needs it.
    async fn delete(&self, owner: &Owner, id: &PhysicalId) -> Result<(), Failure> {
        let leaves = self.clients.table.leave(id.as_str(), owner, OffsetDateTime::now_utc()).await;
        if !leaves.map_err(|trouble| failure(&trouble))? {
            return Ok(());
        }
        let told = async {
            let open = self.clients.desk.open().await?;
            report::gone(&self.clients.desk, &open, &Place::of(id.as_str()), OffsetDateTime::now_utc()).await
        };
        if let Err(trouble) = told.await {
            warn!(declaration = id.as_str(), %trouble, "ops are not told that it is over");
        }
        self.let_go(id.as_str()).await
    }

    async fn release(&self, owner: &Owner, id: &PhysicalId) -> Result<(), Failure> {
        self.delete(owner, id).await
    }
}

fn hold(id: &str) -> (Holder, Budget) {
    let now = OffsetDateTime::now_utc();
    let holder = Holder(format!("{id} {} {}", now.unix_timestamp_nanos(), fastrand::u64(..)));
    (holder, Budget { deadline: now + TIME, for_a_run: FOR_A_RUN })
}

fn failure(trouble: &Trouble) -> Failure {
    let reason = trouble.to_string();
    if trouble.may_pass() { Failure::later(reason) } else { Failure::new(reason) }
}

fn taken(target: &Place, other: &Owner) -> String {
    format!(
        "the {} is kept in step by {} in the stack {} already: one document has one declaration, which can have several \
         sources and values",
        target.name(),
        other.logical_id,
        other.stack_name()
    )
}

fn name(service: &str) -> &str {
    service.rsplit('/').next().unwrap_or(service)
}

fn word(step: &Step) -> &'static str {
    match step {
        Step::Waiting => "to be restarted later",
        Step::Asked { .. } | Step::Replacing => "to be restarted",
        Step::Following { .. } => "being deployed",
        Step::Done { .. } => "runs on it",
        Step::Failed { .. } => "failed",
        Step::LeftAlone { .. } => "not ours to restart",
        Step::Unasked => "not to be restarted",
    }
}

/// What is done about it, or would be.
fn plan_in_words(mode: Mode, sketch: &Sketch) -> String {
    let mut words = Vec::new();
    if !sketch.changed.is_empty() {
        words.push(format!("write {}", sketch.changed.join(", ")));
    }
    let is_restarted = |step: &Step| matches!(step, Step::Waiting | Step::Asked { .. } | Step::Replacing);
    let restarted = sketch.plan.rollouts.iter().filter(|(_, rollout)| is_restarted(&rollout.step));
    let restarted: Vec<_> = restarted.map(|(service, _)| name(service)).collect();
    if !restarted.is_empty() {
        words.push(format!("restart {}", restarted.join(", ")));
    }
    match (words.is_empty(), mode) {
        (true, _) => "nothing to do".to_owned(),
        (false, Mode::Act) => words.join("; "),
        (false, Mode::Observe) => format!("would {}", words.join("; ")),
    }
}

/// What templates may ask for; always the same names, so that `Fn::GetAtt` finds them in every mode.
fn data(target: &Place, plan: &str, changed: &str, services: &str, warnings: &str) -> Data {
    [
        ("Target", target.name()),
        ("Plan", short(plan)),
        ("Changed", short(changed)),
        ("Services", short(services)),
        ("Warnings", short(warnings)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn short(text: &str) -> String {
    if text.len() <= LONGEST { text.to_owned() } else { format!("{}…", &text[..text.floor_char_boundary(LONGEST)]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_templates_get_is_short_and_has_always_the_same_names() {
        let target = Place::Secret("arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf".to_owned());
        let data = data(&target, &"ü".repeat(1_000), "", "", "");
        assert_eq!(
            data.keys().map(String::as_str).collect::<Vec<_>>(),
            ["Changed", "Plan", "Services", "Target", "Warnings"]
        );
        assert!(data["Plan"].len() <= LONGEST + 3 && data["Plan"].ends_with('…'));
    }
}
