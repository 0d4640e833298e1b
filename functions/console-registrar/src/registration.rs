//! `Custom::ConsoleRegistration`: a service's tasks are registered for as long as the stack wants it.

use std::sync::Arc;
use std::time::Duration;

use lambda_runtime::tracing::warn;
use time::OffsetDateTime;
use tokio::time::{sleep, timeout};
use watchkeeper_custom_resources::{Data, Decision, Failure, Owner, PhysicalId, Properties, Relation, ResourceType};
use watchkeeper_declarations::{DeclarationId, Phase, Taken};
use watchkeeper_lease::{Budget, Flight, FlightError, Holder};

use crate::clients::Clients;
use crate::declaration::{Declaration, registry_of};
use crate::ecs::{Checked, Services};
use crate::follow::{Declarations, Done, Ecs, Look, keep_in_step};
use crate::plan::{Plan, plan};
use crate::registry::{Opened, Registry, Target};
use crate::report::report;
use crate::secrets::Secrets;
use crate::slot::State;
use crate::trouble::Trouble;
use crate::wanted::Wanted;

/// How long one try may take: below the function's time-out, what the frame keeps of it for the answer, and the look before.
const TIME: Duration = Duration::from_secs(30);
/// What a run may take at least.
const FOR_A_RUN: time::Duration = time::Duration::seconds(5);
/// Between two tries to get the lease; nobody tells when it is free.
const PAUSE: Duration = Duration::from_millis(500);
/// Agents are named in the stack's outputs up to this many bytes; an answer to CloudFormation is small.
const NAMES: usize = 1_000;

/// The type.
#[derive(Debug, Clone)]
pub struct ConsoleRegistration {
    clients: Arc<Clients>,
    region: String,
}

/// What is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// The service, as ECS has it.
    service: Option<Checked>,
    /// The declaration of this name, if there is one.
    declared: Option<Declaration>,
    /// What is to be done.
    plan: Plan,
}

impl ConsoleRegistration {
    /// In this region, the function's own.
    #[must_use]
    pub fn new(clients: Arc<Clients>, region: impl Into<String>) -> Self {
        Self { clients, region: region.into() }
    }

    /// Stores the declaration and brings its entries in step.
    async fn act(&self, owner: &Owner, wanted: &Wanted, observed: &Observed) -> Result<Data, Failure> {
        let id = wanted.id();
        let before = observed.declared.as_ref().map(|declared| &declared.owner);
        let renamed = before.filter(|before| owner.relation(&before.to_string()) == Relation::Renamed);
        let stored = self.clients.table.declare(&id, owner, wanted, renamed, OffsetDateTime::now_utc()).await;
        if let Err(Taken(other)) = stored.map_err(|trouble| failure(&trouble))? {
            return Err(Failure::new(taken(wanted, &other)));
        }
        let done = self.bring_in_step(&id).await?;
        if let Some(blocked) = done.blocked {
            return Err(Failure::new(blocked.words()));
        }
        let declaration = self.clients.get(&id).await.map_err(|trouble| failure(&trouble))?;
        Ok(data(wanted, &declaration.map(|declaration| declaration.state).unwrap_or_default(), "done"))
    }

    /// The same stack may declare the same agent by another way to the same Console (another address, or REST instead of
    /// scripts): what has just gone were its entries, too. Where this fails, the sweep that looks finds it.
    async fn restore(&self, gone: &Declaration) {
        let all = match self.clients.table.all().await {
            Ok(all) => all,
            Err(trouble) => return warn!(declaration = %gone.id, %trouble, "its successor is not looked for"),
        };
        let is_successor =
            |other: &Declaration| other.phase == Phase::Kept && other.declared.mark == gone.declared.mark;
        // One that cannot be read is told of by the sweep.
        for other in all.into_iter().flatten().filter(is_successor) {
            if let Err(failure) = self.bring_in_step(&other.id).await {
                warn!(declaration = %other.id, %failure, "not looked at after its predecessor went");
            }
        }
    }

    /// Waits for whoever is at work on it, then runs. What takes longer than there is time goes on later.
    async fn bring_in_step(&self, id: &DeclarationId) -> Result<Done, Failure> {
        let over = || Failure::later("it is being worked on, and not done yet");
        timeout(TIME, self.wait_and_run(id)).await.unwrap_or_else(|_| Err(over()))
    }

    async fn wait_and_run(&self, id: &DeclarationId) -> Result<Done, Failure> {
        let holder = Holder(format!("{id} {} {}", OffsetDateTime::now_utc().unix_timestamp_nanos(), fastrand::u64(..)));
        let begun = OffsetDateTime::now_utc();
        loop {
            let now = OffsetDateTime::now_utc;
            let budget = Budget { deadline: begun + TIME, for_a_run: FOR_A_RUN };
            match keep_in_step(&*self.clients, id, &holder, budget, Look::Always, now).await {
                Ok(Flight::Ran { last, .. }) => {
                    // Trouble that is over is told; who asked is told of trouble by the answer.
                    if let Err(trouble) = report(&self.clients.desk, id, Ok(&last), now()).await {
                        warn!(declaration = %id, %trouble, "ops are not told that it is well again");
                    }
                    return Ok(last);
                }
                Ok(Flight::Busy) => sleep(PAUSE).await,
                Err(FlightError::Work(trouble)) => return Err(failure(&trouble)),
                Err(error) => return Err(Failure::later(error.to_string())),
            }
        }
    }

    /// Whether the stack may speak with the registry, and the registry is one that can be used.
    async fn check_registry(&self, owner: &Owner, wanted: &Wanted, registry: &Opened) -> Result<(), Trouble> {
        if let Some(secret) = wanted.target.credentials() {
            self.clients.secrets.allowed(secret, owner.stack_name()).await?;
        }
        match registry {
            Opened::CloudMap(registry) => registry.check().await?,
            Opened::Route53(registry) => registry.check().await?,
            Opened::ScriptRunner(_) | Opened::Rest(_) => {}
        }
        Ok(())
    }
}

impl ResourceType for ConsoleRegistration {
    const NAME: &'static str = "Custom::ConsoleRegistration";
    type Wanted = Wanted;
    type Observed = Observed;

    fn read(properties: &mut Properties<'_>) -> Option<Wanted> {
        Wanted::read(properties)
    }

    fn physical_id(_: &Owner, wanted: &Wanted) -> PhysicalId {
        PhysicalId::new(wanted.id().0)
    }

    fn is_name(id: &PhysicalId) -> bool {
        Target::is_identity(registry_of(&DeclarationId(id.as_str().to_owned()))) && id.as_str().contains('#')
    }

    async fn observe(&self, owner: &Owner, wanted: &Wanted) -> Result<Observed, Failure> {
        let region = wanted.service.arn().region();
        if region != self.region {
            return Err(Failure::new(format!(
                "the service is in {region}, and this is Watchkeeper's stack of {}: use the ServiceToken of the one in {region}",
                self.region
            )));
        }
        let observed = async {
            let service = self.clients.ecs.check(&wanted.service).await?;
            if service.is_none() {
                // That is what is wrong, whatever else may be.
                return Ok(Observed { service, declared: None, plan: Plan::default() });
            }
            let registry = self.clients.registry(&wanted.target, wanted.port, &wanted.mark(owner))?;
            self.check_registry(owner, wanted, &registry).await?;
            let declared = self.clients.get(&wanted.id()).await?;
            let state = declared.as_ref().map(|declared| declared.state.clone()).unwrap_or_default();
            let new = wanted.clone().declaration(wanted.id(), owner.clone(), Phase::Kept, state);
            let holders: Vec<_> = new.state.slots.values().filter_map(|slot| slot.task.clone()).collect();
            let truth = self.clients.observe(&wanted.service, &holders).await?;
            let listed = registry.list(&wanted.agent).await?;
            let plan = plan(&new.declared, &new.state, &truth, Some(&listed), OffsetDateTime::now_utc());
            Ok::<_, Trouble>(Observed { service, declared, plan })
        };
        observed.await.map_err(|trouble| failure(&trouble))
    }

    fn decide(owner: &Owner, wanted: &Wanted, observed: &Observed) -> Decision {
        let Observed { service, declared, plan } = observed;
        let Some(service) = service else {
            return Decision::Refuse(format!(
                "there is no service {}; if it is in the same template, this resource must depend on it",
                wanted.service
            ));
        };
        if let Some(mode) = service.network_mode.as_deref().filter(|mode| *mode != "awsvpc") {
            return Decision::Refuse(format!(
                "the tasks of {} have the network mode {mode}, so none has an address of its own; it must be awsvpc",
                wanted.service
            ));
        }
        if let Target::CloudMap(settings) = &wanted.target
            && service.registries.iter().any(|arn| arn.ends_with(&format!("/{}", settings.service)))
        {
            return Decision::Refuse(format!(
                "ECS itself registers the tasks of {} with {}; two would fight over its instances",
                wanted.service, settings.service
            ));
        }
        if let Some(blocked) = &plan.blocked {
            return Decision::Refuse(format!("{}: {}", wanted.target.identity(), blocked.words()));
        }
        match declared {
            None => Decision::Create,
            Some(declared) if owner.relation(&declared.owner.to_string()) == Relation::Theirs => {
                Decision::Refuse(taken(wanted, &declared.owner))
            }
            Some(declared)
                if declared.owner == *owner
                    && declared.phase == Phase::Kept
                    && declared.properties == wanted.properties
                    && !plan.touches_registry() =>
            {
                Decision::Keep
            }
            Some(_) => Decision::Replace,
        }
    }

    fn data(_: &Owner, wanted: &Wanted, observed: &Observed) -> Data {
        let state = observed.declared.as_ref().map(|declared| declared.state.clone()).unwrap_or_default();
        data(wanted, &state, &observed.plan.words())
    }

    async fn create(&self, owner: &Owner, wanted: &Wanted, observed: &Observed) -> Result<Data, Failure> {
        self.act(owner, wanted, observed).await
    }

    async fn replace(&self, owner: &Owner, wanted: &Wanted, observed: &Observed) -> Result<Data, Failure> {
        self.act(owner, wanted, observed).await
    }

    async fn delete(&self, owner: &Owner, id: &PhysicalId) -> Result<(), Failure> {
        let id = DeclarationId(id.as_str().to_owned());
        let gone = self.clients.get(&id).await.map_err(|trouble| failure(&trouble))?;
        let leaves = self.clients.table.leave(&id, owner, OffsetDateTime::now_utc()).await;
        if !leaves.map_err(|trouble| failure(&trouble))? {
            return Ok(());
        }
        self.bring_in_step(&id).await?;
        if let Some(gone) = gone {
            self.restore(&gone).await;
        }
        Ok(())
    }

    async fn release(&self, owner: &Owner, id: &PhysicalId) -> Result<(), Failure> {
        let id = DeclarationId(id.as_str().to_owned());
        self.clients.table.release(&id, owner).await.map_err(|trouble| failure(&trouble))
    }
}

fn failure(trouble: &Trouble) -> Failure {
    let reason = trouble.to_string();
    if trouble.may_pass() { Failure::later(reason) } else { Failure::new(reason) }
}

fn taken(wanted: &Wanted, other: &Owner) -> String {
    format!(
        "the agent {} of {} is declared by {} in the stack {} already",
        wanted.agent,
        wanted.target.identity(),
        other.logical_id,
        other.stack_name()
    )
}

/// What templates may ask for; always the same names, so that `Fn::GetAtt` finds them in every mode.
fn data(wanted: &Wanted, state: &State, plan: &str) -> Data {
    let mut names = String::new();
    for name in state.slots.keys() {
        let id = name.of(&wanted.agent).0;
        if names.len() + id.len() > NAMES {
            names.push_str(", …");
            break;
        }
        if !names.is_empty() {
            names.push_str(", ");
        }
        names.push_str(&id);
    }
    [
        ("Registry", wanted.target.identity()),
        ("AgentId", wanted.agent.0.clone()),
        ("Agents", state.slots.len().to_string()),
        ("AgentIds", names),
        ("Plan", plan.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
