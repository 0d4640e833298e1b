//! What makes the sandbox's ECS go: it watches ministack's store, runs the scheduler, and leads every task through its life.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use serde_json::{Value, json};
use tokio::sync::{Notify, OwnedMutexGuard, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::addresses::Addresses;
use super::definition::{ContainerDefinition, Definition};
use super::images::Images;
use super::lifecycle;
use super::memory::Memory;
use super::pace::Pace;
use super::scheduler;
use super::service::{Service, ServiceStatus};
use super::store::{Store, Stored};
use super::tags;
use super::task::{Container, Placement, Status, Task, Times};
use super::world::World;
use crate::aws::Aws;
use crate::bus::Bus;
use crate::clock;
use crate::model::Model;
use crate::options::Options;

pub(crate) struct Engine {
    world: Mutex<World>,
    pub(crate) changed: watch::Sender<()>,
    wake: Notify,
    pub(crate) store: Store,
    memory: Mutex<Memory>,
    /// One at a time reads or changes the store and takes over what it then says, so that nothing older overtakes something
    /// newer.
    turn: Arc<tokio::sync::Mutex<()>>,
    definitions: Mutex<HashMap<String, Arc<Definition>>>,
    pub(crate) images: Images,
    pub(crate) addresses: Addresses,
    pub(crate) pace: Pace,
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) scratch: PathBuf,
    pub(crate) model: Arc<Model>,
    lives: Mutex<JoinSet<()>>,
    heart: Mutex<Option<JoinHandle<()>>>,
    not_modelled: Mutex<Vec<String>>,
}

/// A task to be made.
pub(crate) struct NewTask {
    pub(crate) cluster_arn: String,
    pub(crate) group: String,
    pub(crate) started_by: Option<String>,
    pub(crate) definition: Arc<Definition>,
    pub(crate) placement: Placement,
    pub(crate) overrides: Value,
    pub(crate) tags: Vec<Value>,
}

impl Engine {
    pub(crate) fn start(aws: Aws, bus: Bus, model: Arc<Model>, options: &Options) -> anyhow::Result<Arc<Self>> {
        let changed = watch::Sender::new(());
        let engine = Arc::new(Self {
            world: Mutex::new(World::new(bus, Arc::clone(&model), changed.clone())),
            changed,
            wake: Notify::new(),
            store: Store::new(aws),
            memory: Mutex::default(),
            turn: Arc::default(),
            definitions: Mutex::default(),
            images: Images::load(&options.images, &options.binaries)?,
            addresses: Addresses::claim()?,
            pace: options.pace,
            region: options.region.clone(),
            account: options.account.clone(),
            scratch: std::path::absolute(&options.scratch).context("finding the run's folder")?,
            model,
            lives: Mutex::default(),
            heart: Mutex::default(),
            not_modelled: Mutex::default(),
        });
        let beating = tokio::spawn(Arc::clone(&engine).beat());
        *locked(&engine.heart) = Some(beating);
        Ok(engine)
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        locked(&self.world)
    }

    /// A root client of ministack itself.
    pub(crate) fn aws(&self) -> &Aws {
        self.store.aws()
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        locked(&self.memory)
    }

    /// Something changed that the scheduler should look at.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Takes over what ministack's store says now.
    pub(crate) async fn sync(self: &Arc<Self>) -> anyhow::Result<()> {
        let _turn = self.turn().await;
        let mut services = Vec::new();
        for service in self.store.services().await? {
            services.extend(self.read(service).await);
        }
        scheduler::take_over(&mut self.world(), services);
        self.schedule();
        Ok(())
    }

    /// Takes over one service, as ministack answered it to a change. The turn is the caller's.
    pub(crate) async fn take_over(self: &Arc<Self>, answered: &Value) {
        let arn = answered["serviceArn"].as_str().unwrap_or_default();
        if answered["status"] == "ACTIVE" {
            let Some(mut stored) = self.read(answered.clone()).await else { return };
            let mut world = self.world();
            if let Some(known) = world.services.get(arn).filter(|known| known.status == ServiceStatus::Active) {
                // An answer to a change does not show them as they are now.
                stored.tags.clone_from(&known.stored.tags);
            }
            scheduler::take_over_one(&mut world, stored);
        } else {
            scheduler::drain(&mut self.world(), arn);
        }
    }

    /// A service as ministack gave it, with what it forgets, and with its definition at hand.
    async fn read(&self, mut service: Value) -> Option<Stored> {
        self.memory().complete(&mut service);
        let service = Stored::read(&service)?;
        if let Some(what) = &service.not_modelled {
            self.note_not_modelled(format!("{}: {what}", service.arn));
        }
        for what in &service.left_out {
            self.note_not_modelled(format!("{}: {what} (its tasks run without)", service.arn));
        }
        if let Err(error) = self.definition(&service.definition_arn).await {
            self.note_not_modelled(format!("{}: {error:#}", service.arn));
        }
        Some(service)
    }

    /// To be held while a call that changes a service passes on to the store and is answered.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }

    /// Tells the store about services that the circuit breaker put back to an older revision.
    async fn write_rollbacks(&self) {
        let unwritten = |service: &&Service| service.unwritten_rollback;
        let arns: Vec<_> = self.world().services.values().filter(unwritten).map(|one| one.stored.arn.clone()).collect();
        for arn in arns {
            if let Err(error) = self.write_rollback(&arn).await {
                eprintln!("ECS: writing down the rollback of {arn}, to be tried again: {error:#}");
            }
        }
    }

    async fn write_rollback(&self, arn: &str) -> anyhow::Result<()> {
        let _turn = self.turn().await;
        let service = self.world().services.get(arn).filter(|service| service.unwritten_rollback).cloned();
        let Some((service, primary)) = service.and_then(|one| Some((one.clone(), one.primary()?.clone()))) else {
            return Ok(());
        };
        // Somebody may have changed the service past the front door: then that counts.
        let overtaken = self.store.primary(&service.stored).await?.as_ref() != Some(&service.stored_primary);
        let written =
            if overtaken { None } else { self.read(self.store.put_back(&service.stored, &primary).await?).await };
        let mut world = self.world();
        if let Some(known) = world.services.get_mut(arn) {
            known.unwritten_rollback = false;
            if let Some(written) = written {
                known.stored_primary.clone_from(&written.primary);
                known.stored = Stored { tags: known.stored.tags.clone(), ..written };
            }
        }
        Ok(())
    }

    /// The definition of that ARN, family or family and revision. Revisions never change, so they are read once.
    pub(crate) async fn definition(&self, name: &str) -> anyhow::Result<Arc<Definition>> {
        if let Some(definition) = locked(&self.definitions).get(name) {
            return Ok(Arc::clone(definition));
        }
        self.read_definition(name).await
    }

    async fn read_definition(&self, name: &str) -> anyhow::Result<Arc<Definition>> {
        let answer = self.store.task_definition(name).await?;
        let definition =
            Definition::read(&answer).with_context(|| format!("{name} is not a readable task definition"))?;
        for what in &definition.not_modelled {
            self.note_not_modelled(what.clone());
        }
        let definition = Arc::new(definition);
        locked(&self.definitions).insert(definition.arn.clone(), Arc::clone(&definition));
        Ok(definition)
    }

    /// The tags of a definition or a service changed: later tasks get the new ones.
    pub(crate) async fn tags_changed(self: &Arc<Self>, arn: &str) -> anyhow::Result<()> {
        let known = locked(&self.definitions).contains_key(arn);
        if known {
            self.read_definition(arn).await?;
        }
        self.sync().await
    }

    /// Makes a task and sets it on its way.
    pub(crate) fn start_task(self: &Arc<Self>, world: &mut World, new: NewTask) -> Task {
        let id = crate::ids::hex32();
        let (prefix, cluster) = (format!("arn:aws:ecs:{}:{}", self.region, self.account), last(&new.cluster_arn));
        let container = |definition: &ContainerDefinition| {
            Container::new(definition, format!("{prefix}:container/{cluster}/{id}/{}", crate::ids::uuid()))
        };
        let task = Task {
            arn: format!("{prefix}:task/{cluster}/{id}"),
            containers: new.definition.containers.iter().map(container).collect(),
            cluster_arn: new.cluster_arn,
            group: new.group,
            started_by: new.started_by,
            definition_arn: new.definition.arn.clone(),
            placement: new.placement,
            size: (new.definition.cpu.clone(), new.definition.memory.clone()),
            status: Status::Provisioning,
            version: 1,
            stop: None,
            network: None,
            overrides: new.overrides,
            tags: new.tags,
            times: Times::created(clock::now()),
            id,
        };
        let order = world.add(task.clone());
        let life = lifecycle::live(Arc::clone(self), task.id.clone(), new.definition, order);
        let mut lives = locked(&self.lives);
        // The set would grow with every task that ever lived.
        while lives.try_join_next().is_some() {}
        lives.spawn(life);
        task
    }

    /// Where the next task of `group` goes: the subnet that has the fewest of it.
    pub(crate) fn place(&self, world: &World, group: &str, cluster_arn: &str, subnets: &[String]) -> Placement {
        let there = |subnet: &str| {
            let alive = world.tasks.iter().filter(|task| task.is_wanted() && task.cluster_arn == cluster_arn);
            alive.filter(|task| task.group == group && task.placement.subnet == subnet).count()
        };
        let chosen = subnets.iter().enumerate().min_by_key(|(_, subnet)| there(subnet));
        let (index, subnet) =
            chosen.map_or((0, "subnet-00000000000000000"), |(index, subnet)| (index, subnet.as_str()));
        let zone = ["a", "b", "c"][index % 3];
        Placement { subnet: subnet.to_owned(), zone: format!("{}{zone}", self.region), ..Placement::default() }
    }

    pub(crate) fn not_modelled(&self) -> Vec<String> {
        locked(&self.not_modelled).clone()
    }

    pub(crate) fn note_not_modelled(&self, what: String) {
        let mut noted = locked(&self.not_modelled);
        if !noted.contains(&what) {
            eprintln!("ECS: not modelled by the sandbox: {what}");
            noted.push(what);
        }
    }

    /// Ends every task at once.
    pub(crate) fn end(&self) {
        if let Some(heart) = locked(&self.heart).take() {
            heart.abort();
        }
        locked(&self.lives).abort_all();
        for process in self.world().processes.values() {
            process.kill();
        }
    }

    /// Waits until the processes of all tasks are gone.
    pub(crate) async fn ended(&self) {
        let processes: Vec<_> = self.world().processes.values().cloned().collect();
        for process in processes {
            process.wait().await;
        }
    }

    async fn beat(self: Arc<Self>) {
        let mut poll = tokio::time::interval(self.pace.poll);
        // What becomes due by time alone: a task that counts as healthy, a start that was held back.
        let mut tick = tokio::time::interval(self.pace.state);
        let mut failing = false;
        loop {
            tokio::select! {
                _ = poll.tick() => {
                    let synced = self.sync().await;
                    if let Err(error) = &synced && !failing {
                        eprintln!("ECS: {error:#}");
                    }
                    failing = synced.is_err();
                }
                () = self.wake.notified() => self.schedule(),
                _ = tick.tick() => self.schedule(),
            }
            self.write_rollbacks().await;
        }
    }

    fn schedule(self: &Arc<Self>) {
        let mut world = self.world();
        let starts = scheduler::round(&mut world, &locked(&self.definitions), &self.pace);
        for start in starts {
            let Some(service) = world.services.get(&start.service) else { continue };
            let (stored, group) = (service.stored.clone(), format!("service:{}", service.name()));
            let Some(primary) = service.primary().cloned() else { continue };
            let names = start.definition.containers.iter().map(|container| json!({ "name": container.name }));
            let overrides =
                json!({ "containerOverrides": names.collect::<Vec<_>>(), "inferenceAcceleratorOverrides": [] });
            let mut started = Vec::new();
            for _ in 0..start.count {
                let mut placement = self.place(&world, &group, &stored.cluster_arn, &primary.subnets);
                placement.capacity_provider.clone_from(&stored.capacity_provider);
                placement.execute_command = stored.execute_command;
                let new = NewTask {
                    cluster_arn: stored.cluster_arn.clone(),
                    group: group.clone(),
                    started_by: Some(primary.id.clone()),
                    definition: Arc::clone(&start.definition),
                    placement,
                    overrides: overrides.clone(),
                    tags: tags::of_service(&stored, &start.definition),
                };
                started.push(format!("(task {})", self.start_task(&mut world, new).id));
            }
            if let Some(service) = world.services.get_mut(&start.service) {
                service.say(format!(
                    "(service {}) has started {} tasks: {}.",
                    stored.name,
                    started.len(),
                    started.join(" ")
                ));
            }
        }
        world.forget_stopped(self.pace.remember_stopped);
    }
}

fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
