//! Bringing a registry in step with a service: look, plan, do, each step safe to be cut off after.

use std::sync::atomic::{AtomicBool, Ordering};

use lambda_runtime::tracing::info;
use time::OffsetDateTime;
use watchkeeper_declarations::{DeclarationId, Phase};
use watchkeeper_events::ServiceArn;
use watchkeeper_lease::{Budget, Fence, Flight, FlightError, Holder, Key, Kind, Lease, Store, single_flight};

use crate::declaration::Declaration;
use crate::plan::{Blocked, Plan, plan};
use crate::registry::{self, AgentId, Entry, Registry};
use crate::slot::{Known, State, TaskId};
use crate::trouble::Trouble;
use crate::truth::Truth;

/// The kind of key that a declaration's work is done under.
const KIND: Kind = Kind("registration");
/// How often in one run the registry may turn out to be other than it was looked at.
const LOOKS: usize = 3;

/// ECS.
pub trait Ecs: Send + Sync {
    /// The service, the tasks that it is to have, and these, whatever became of them.
    fn observe(&self, service: &ServiceArn, holders: &[TaskId]) -> impl Future<Output = Result<Truth, Trouble>> + Send;
}

/// The declarations in the state table.
pub trait Declarations: Send + Sync {
    /// One, as it is now.
    fn get(&self, id: &DeclarationId) -> impl Future<Output = Result<Option<Declaration>, Trouble>> + Send;

    /// Remembers its entries, unless somebody with a newer fence did, or it is gone: that is [`Trouble::FencedOff`].
    fn remember(
        &self,
        id: &DeclarationId,
        state: &State,
        fence: Fence,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Notes that a declaration which was leaving is gone, its entries with it.
    fn gone(&self, id: &DeclarationId, fence: Fence) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// The registries.
pub trait Registries: Send + Sync {
    /// One of them.
    type One: Registry;

    /// The one that a declaration is about.
    fn open(&self, declaration: &Declaration) -> Result<Self::One, Trouble>;
}

/// The leases.
pub trait Leases: Send + Sync {
    /// Where they are kept.
    type Store: Store + Send + Sync;

    /// Them.
    fn leases(&self) -> &Self::Store;
}

/// Whether the registry is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// If something is to be changed in it.
    IfNeeded,
    /// In any case: somebody may have changed it.
    Always,
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// Entries that were made or changed.
    pub put: Vec<AgentId>,
    /// Entries that were removed.
    pub removed: Vec<AgentId>,
    /// Whether the registry was called and answered.
    pub reached: bool,
    /// A name that is needed and that somebody else has.
    pub blocked: Option<Blocked>,
    /// How many tasks are steady and have no address to be registered with.
    pub without_address: usize,
    /// Whether a task runs that may soon be steady, which no event will tell.
    pub awaits_health: bool,
}

/// The sweep's look at a declaration: the same, if there seems to be anything to do.
pub async fn sweep<W: Ecs + Declarations + Registries + Leases>(
    world: &W,
    declaration: &Declaration,
    holder: &Holder,
    budget: Budget,
    look: Look,
    now: impl Fn() -> OffsetDateTime + Copy + Send,
) -> Result<Option<Flight<Done>>, FlightError<Trouble>> {
    if look == Look::IfNeeded && declaration.phase == Phase::Kept {
        let sketch = sketch(world, declaration, now()).await.map_err(FlightError::Work)?;
        if !sketch.touches_registry() && sketch.state == declaration.state {
            return Ok(None);
        }
    }
    keep_in_step(world, &declaration.id, holder, budget, look, now).await.map(Some)
}

/// What is to be done, as far as it is known without a look at the registry.
pub async fn sketch(ecs: &impl Ecs, declaration: &Declaration, now: OffsetDateTime) -> Result<Plan, Trouble> {
    let truth = ecs.observe(&declaration.service, &holders(declaration)).await?;
    Ok(plan(&declaration.declared, &declaration.state, &truth, None, now))
}

/// Brings a declaration's entries in step, never twice at once: who finds another at work leaves it to that one.
pub async fn keep_in_step<W: Ecs + Declarations + Registries + Leases>(
    world: &W,
    id: &DeclarationId,
    holder: &Holder,
    budget: Budget,
    look: Look,
    now: impl Fn() -> OffsetDateTime + Copy + Send,
) -> Result<Flight<Done>, FlightError<Trouble>> {
    let key = Key::new(KIND, id.0.clone());
    // Whoever marks the key meanwhile has it looked at again, and that look needs no registry any more.
    let reached = AtomicBool::new(false);
    let run = async |lease: Lease| {
        let mut done = follow(world, id, lease.fence, look, now).await?;
        done.reached |= reached.fetch_or(done.reached, Ordering::Relaxed);
        Ok(done)
    };
    single_flight(world.leases(), &key, holder, now, budget, run).await
}

/// One run under a lease of this fence. Nothing is done where there is no such declaration.
async fn follow<W: Ecs + Declarations + Registries>(
    world: &W,
    id: &DeclarationId,
    fence: Fence,
    look: Look,
    now: impl Fn() -> OffsetDateTime + Send,
) -> Result<Done, Trouble> {
    let Some(mut declaration) = world.get(id).await?.filter(|found| found.phase != Phase::Gone) else {
        return Ok(Done::default());
    };
    let truth = match declaration.phase {
        // Nobody's entries are wanted: what ECS says does not matter, and it need not say anything.
        Phase::Leaving | Phase::Gone => Truth::nothing(),
        Phase::Kept => world.observe(&declaration.service, &holders(&declaration)).await?,
    };
    // What goes and was never written needs no registry that answers.
    let look =
        if declaration.phase == Phase::Leaving && declaration.state.slots.is_empty() { Look::IfNeeded } else { look };
    let mut registry = None;
    let mut done = Done::default();
    let mut listed: Option<Vec<Entry>> = None;
    let mut looks = 0;
    loop {
        let Declaration { declared, state, .. } = &declaration;
        let mut plan = plan(declared, state, &truth, listed.as_deref(), now());
        if listed.is_none() && (plan.touches_registry() || (look == Look::Always && looks == 0)) {
            if looks == LOOKS {
                return Err(Trouble::Restless);
            }
            looks += 1;
            let opened = match &registry {
                Some(opened) => opened,
                None => registry.insert(world.open(&declaration)?),
            };
            listed = Some(opened.list(&declared.agent).await?);
            done.reached = true;
            continue;
        }
        done.blocked.clone_from(&plan.blocked);
        done.awaits_health = plan.awaits_health;
        done.without_address = plan.without_address;
        // The intent comes first: who finds it half done knows which entries are ours.
        if plan.state != *state {
            world.remember(id, &plan.state, fence).await?;
        }
        let (Some(registry), true) = (&registry, plan.touches_registry()) else { break };
        let end = apply(registry, id, &mut plan, listed.get_or_insert_default(), &mut done).await;
        world.remember(id, &plan.state, fence).await?;
        declaration.state = plan.state;
        match end {
            Ok(()) => {}
            // Somebody was faster: look again.
            Err(registry::Trouble::Overtaken(_)) => listed = None,
            Err(trouble) => return Err(trouble.into()),
        }
    }
    if declaration.phase == Phase::Leaving {
        world.gone(id, fence).await?;
    }
    Ok(done)
}

/// Does what the plan says, and notes in it and in what was listed what is done.
async fn apply(
    registry: &impl Registry,
    declaration: &DeclarationId,
    plan: &mut Plan,
    listed: &mut Vec<Entry>,
    done: &mut Done,
) -> Result<(), registry::Trouble> {
    let puts: Vec<registry::Put> = plan.puts.iter().map(|(_, put)| put.clone()).collect();
    let mut end = Ok(());
    for ((name, put), outcome) in plan.puts.iter().zip(registry.put_all(&puts).await) {
        match outcome {
            Ok(()) => {
                if let Some(slot) = plan.state.slots.get_mut(name) {
                    slot.known = Known::Registered;
                }
                listed.retain(|entry| entry.id != put.id);
                let registry::Put { id, address, owner, .. } = put.clone();
                listed.push(Entry { id, address: Some(address), owner: Some(owner), version: None });
                info!(%declaration, agent = %put.id, address = %put.address, "registered");
                done.put.push(put.id.clone());
            }
            Err(trouble) => end = end.and(Err(trouble)),
        }
    }
    // A removal waits for no put of this plan: what it depends on was registered before. So an entry that is refused holds up
    // no other.
    for (name, entry) in &plan.removals {
        if matches!(end, Err(registry::Trouble::Unavailable(_) | registry::Trouble::Overtaken(_))) {
            break;
        }
        match registry.remove(entry).await {
            Ok(()) => {
                plan.state.slots.remove(name);
                listed.retain(|listed| listed.id != entry.id);
                info!(%declaration, agent = %entry.id, "removed");
                done.removed.push(entry.id.clone());
            }
            Err(trouble) => end = end.and(Err(trouble)),
        }
    }
    end
}

fn holders(declaration: &Declaration) -> Vec<TaskId> {
    declaration.state.slots.values().filter_map(|slot| slot.task.clone()).collect()
}
