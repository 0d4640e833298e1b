//! One task's life, from PROVISIONING to STOPPED.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinSet};

use super::definition::{ContainerDefinition, Definition};
use super::engine::Engine;
use super::execution_role::ExecutionRole;
use super::health::{self, Check};
use super::logs::{self, LogStream, Tap};
use super::scheduler;
use super::secrets::Secrets;
use super::start_order::{Readiness, readiness};
use super::task::{Network, Status, StopCode, Task};
use crate::child::{Child, Launch, Output};
use crate::clock;

/// A container that is to be started.
struct Prepared<'a> {
    definition: &'a ContainerDefinition,
    launch: Launch,
    /// Where its output goes beside the run's folder.
    stream: Option<LogStream>,
}

/// The containers of a task that were started.
#[derive(Default)]
struct Started {
    containers: Vec<(ContainerDefinition, Child)>,
    /// Each waits for one container's end, writes it down, and sees its output delivered.
    exits: JoinSet<()>,
    health_checks: JoinSet<()>,
}

/// Why a task did not come up.
enum Failure {
    /// It was told to stop meanwhile.
    Told,
    /// A container could not be made to run.
    Container { name: String, reason: String },
    /// The task as a whole could not.
    Task(String),
}

/// Leads a task through its life. `order` is notified when it is told to stop.
pub(crate) async fn live(engine: Arc<Engine>, id: String, definition: Arc<Definition>, order: Arc<Notify>) {
    let life = Life { engine: &engine, id: &id };
    let mut started = Started::default();
    match life.bring_up(&definition, &mut started).await {
        Ok(()) => life.run(&order).await,
        Err(Failure::Told) => {}
        Err(failure) => life.failed(failure),
    }
    life.wind_down(started).await;
}

struct Life<'a> {
    engine: &'a Arc<Engine>,
    id: &'a str,
}

impl Life<'_> {
    async fn bring_up(&self, definition: &Definition, started: &mut Started) -> Result<(), Failure> {
        self.pause().await?;
        let address = self.engine.addresses.take().ok_or_else(|| {
            Failure::Task("RESOURCE:ENI: the sandbox's block of loopback addresses is used up".to_owned())
        })?;
        let network = Network {
            address,
            interface: crate::ids::network_interface(),
            mac: crate::ids::mac_address(),
            attachment: crate::ids::uuid(),
            attached: true,
        };
        self.change(|task| {
            task.network = Some(network);
            task.times.connectivity = Some(clock::now());
            task.status = Status::Pending;
        });
        self.pause().await?;

        let overrides = self.engine.world().task(self.id).map(|task| task.overrides.clone()).unwrap_or_default();
        let containers: Vec<_> = definition.containers.iter().map(|one| one.overridden(&overrides)).collect();
        let role = self.execution_role(definition, &overrides);
        let secrets = Secrets::pull(&role, &containers).await.map_err(Failure::Task)?;
        let pull_started = clock::now();
        let launches = containers.iter().map(|container| self.launch(container, &secrets, address.to_string()));
        let launches = launches.collect::<Result<Vec<_>, _>>();
        self.engine.world().quietly(self.id, |task| task.times.pull_started = Some(pull_started));
        let launches = launches?;
        let streams = logs::open(&role, &containers).await.map_err(Failure::Task)?;
        self.change(|task| {
            task.times.pull_stopped = Some(clock::now());
            task.status = Status::Activating;
        });
        self.pause().await?;
        let prepared = containers.iter().zip(launches).zip(streams);
        let prepared = prepared.map(|((definition, launch), stream)| Prepared { definition, launch, stream });
        self.start_containers(prepared.collect(), &containers, started).await
    }

    /// The role that ECS takes on for this task.
    fn execution_role<'a>(&'a self, definition: &'a Definition, overrides: &'a serde_json::Value) -> ExecutionRole<'a> {
        ExecutionRole {
            aws: self.engine.aws(),
            region: &self.engine.region,
            account: &self.engine.account,
            arn: overrides["executionRoleArn"].as_str().or(definition.execution_role_arn.as_deref()),
            task: self.id,
        }
    }

    /// Starts each container as soon as those it depends on are as far as it wants them.
    async fn start_containers(
        &self,
        mut waiting: Vec<Prepared<'_>>,
        all: &[ContainerDefinition],
        started: &mut Started,
    ) -> Result<(), Failure> {
        let mut changed = self.engine.changed.subscribe();
        while !waiting.is_empty() {
            match self.next_to_start(&waiting, all)? {
                Next::Start(index) => {
                    let container = waiting.remove(index);
                    self.start_container(container, waiting.is_empty(), started).await?;
                }
                Next::Wait(until) => {
                    let until = until.map_or(Duration::MAX, |until| (until - clock::now()).unsigned_abs());
                    // Either way it is looked at again. The sender lives as long as the engine.
                    let _ = tokio::time::timeout(until, changed.changed()).await;
                }
            }
        }
        Ok(())
    }

    fn next_to_start(&self, waiting: &[Prepared<'_>], all: &[ContainerDefinition]) -> Result<Next, Failure> {
        let world = self.engine.world();
        let Some(task) = world.task(self.id).filter(|task| task.is_wanted()) else { return Err(Failure::Told) };
        let others: Vec<_> = all.iter().zip(&task.containers).collect();
        let mut until = None;
        for (index, container) in waiting.iter().map(|waiting| waiting.definition).enumerate() {
            match readiness(container, &others, clock::now()) {
                Readiness::Now => return Ok(Next::Start(index)),
                Readiness::Waits(deadline) => until = until.into_iter().chain(deadline).min(),
                Readiness::Never(reason) => return Err(Failure::Container { name: container.name.clone(), reason }),
            }
        }
        Ok(Next::Wait(until))
    }

    /// Starts a container. With the last one the task is RUNNING, before anybody can see that one end.
    async fn start_container(
        &self,
        Prepared { definition, mut launch, stream }: Prepared<'_>,
        last: bool,
        started: &mut Started,
    ) -> Result<(), Failure> {
        let failed = |error: anyhow::Error| Failure::Container {
            name: definition.name.clone(),
            reason: format!("CannotStartContainerError: {error:#}"),
        };
        let check = self.health_check(definition, &launch);
        let tap = stream.map(|stream| Tap::fit(&mut launch, stream)).transpose();
        let tap = tap.map_err(|error| failed(error.into()))?;
        let process = Child::start(launch).await.map_err(failed)?;
        let delivery = tap.map(|tap| tap.deliver(process.clone()));
        started.containers.push((definition.clone(), process.clone()));
        self.note_started(definition, &process, last);
        let check = check.map(|check| started.health_checks.spawn(check.run()));
        let (engine, id, definition) = (Arc::clone(self.engine), self.id.to_owned(), definition.clone());
        started.exits.spawn(async move {
            let code = process.wait().await;
            check.inspect(AbortHandle::abort);
            ended(&engine, &id, &definition, code);
            if let Some(delivery) = delivery {
                delivery.finished().await;
            }
        });
        Ok(())
    }

    /// What to start for a container: its image's program, with the definition's words in place of the image's.
    fn launch(&self, container: &ContainerDefinition, secrets: &Secrets, address: String) -> Result<Launch, Failure> {
        let failed = |reason| Failure::Container { name: container.name.clone(), reason };
        let image = self.engine.images.pull(&container.image).map_err(failed)?;
        let or = |own: &[String], images: &[String]| if own.is_empty() { images.to_vec() } else { own.to_vec() };
        let mut words = or(&container.entry_point, &image.entrypoint);
        // An own entry point drops the image's command too (Dockerfile reference, ENTRYPOINT).
        let images_command: &[String] = if container.entry_point.is_empty() { &image.command } else { &[] };
        words.extend(or(&container.command, images_command));
        let mut words = words.into_iter();
        let first = words.next().ok_or_else(|| failed("CannotStartContainerError: no command specified".to_owned()))?;

        let folder = self.engine.scratch.join("tasks").join(self.id);
        std::fs::create_dir_all(&folder)
            .map_err(|error| failed(format!("CannotStartContainerError: {}: {error}", folder.display())))?;
        let mut environment = vec![("PATH".to_owned(), self.engine.images.path().into())];
        environment.extend(container.environment.iter().map(|(name, value)| (name.clone(), value.into())));
        environment.extend(secrets.of(container));
        // On ECS a task has a network namespace of its own, and its processes listen on 0.0.0.0 there. Here all share the
        // machine's, so they must be told which address is theirs.
        environment.push(("TASK_IP".to_owned(), address.into()));
        Ok(Launch {
            program: self.engine.images.program(&first).map_err(failed)?,
            arguments: words.collect(),
            environment,
            output: Output::File(folder.join(format!("{}.log", container.name))),
            folder,
        })
    }

    fn note_started(&self, container: &ContainerDefinition, process: &Child, last: bool) {
        let mut world = self.engine.world();
        world.processes.insert((self.id.to_owned(), container.name.clone()), process.clone());
        let runtime_id = format!("{}-{:010}", self.id, crate::ids::number(u32::MAX));
        let (pid, now) = (process.pid(), clock::now());
        // That a single container runs is not a change of the task's state: RUNNING follows.
        world.quietly(self.id, |task| {
            if let Some(shown) = task.container_mut(&container.name) {
                shown.status = Status::Running;
                shown.runtime_id = Some(runtime_id);
                shown.started = Some(now);
                shown.pid = Some(pid);
            }
        });
        if last && world.task(self.id).is_some_and(Task::is_wanted) {
            world.change(self.id, |task| {
                task.status = Status::Running;
                task.times.started = Some(now);
            });
            // Under the same lock, so that the end of a short life comes after it.
            scheduler::task_runs(&mut world, self.id);
        }
        world.tell();
        drop(world);
        self.engine.wake();
    }

    /// The container's health check, whose command is started as the container itself is, but for the words.
    fn health_check(&self, container: &ContainerDefinition, launch: &Launch) -> Option<Check> {
        let how = container.health_check.clone()?;
        let address = self.engine.world().task(self.id).and_then(Task::address)?;
        let mut words = health::words(&how, &address.to_string()).into_iter();
        let first = words.next()?;
        let log = launch.folder.join(format!("{}.health.log", container.name));
        let launch = Launch {
            // A program that is not there makes the check fail, not the container.
            program: self.engine.images.program(&first).unwrap_or_else(|_| first.into()),
            arguments: words.collect(),
            ..launch.with_output(&log)
        };
        let (engine, task) = (Arc::clone(self.engine), self.id.to_owned());
        Some(Check { engine, task, container: container.name.clone(), how, launch, log })
    }

    /// Until it is told to stop or an essential container ends.
    async fn run(&self, order: &Notify) {
        while self.is_wanted() {
            order.notified().await;
        }
    }

    fn failed(&self, failure: Failure) {
        let mut world = self.engine.world();
        // What fails after the task was called off is no failed start.
        if world.task(self.id).is_none_or(|task| !task.is_wanted()) {
            return;
        }
        let reason = match failure {
            Failure::Told => return,
            Failure::Task(reason) => reason,
            Failure::Container { name, reason } => {
                world.quietly(self.id, |task| {
                    if let Some(container) = task.container_mut(&name) {
                        container.reason = Some(reason.clone());
                    }
                });
                reason
            }
        };
        world.order_stop(self.id, StopCode::TaskFailedToStart, &reason);
        scheduler::task_ended(&mut world, self.id, &self.engine.pace);
    }

    async fn wind_down(&self, mut started: Started) {
        if !started.containers.is_empty() {
            self.step(Status::Deactivating).await;
            self.step(Status::Stopping).await;
            started.health_checks.abort_all();
            let mut stops = JoinSet::new();
            for (container, process) in started.containers.clone() {
                let depends = |(other, _): &&(ContainerDefinition, Child)| {
                    other.depends_on.iter().any(|dependency| dependency.container == container.name)
                };
                let dependents: Vec<_> = started.containers.iter().filter(depends).cloned().collect();
                stops.spawn(async move {
                    // "For container shutdown it is reversed" (API reference of `ContainerDefinition`, dependsOn).
                    for (_, dependent) in dependents {
                        dependent.wait().await;
                    }
                    stop(&process, container.stop_timeout).await;
                });
            }
            stops.join_all().await;
            while started.exits.join_next().await.is_some() {}
        }
        self.engine.world().quietly(self.id, |task| {
            task.times.execution_stopped = task.times.started.map(|_| clock::now());
            task.containers.iter_mut().for_each(|container| container.status = Status::Stopped);
        });
        self.step(Status::Deprovisioning).await;
        // Before the task is seen as STOPPED: who waits for that may count on the address being free.
        let address = self.engine.world().task(self.id).and_then(Task::address);
        if let Some(address) = address {
            self.engine.addresses.give_back(address);
        }
        self.change(|task| {
            task.status = Status::Stopped;
            task.times.stopped = Some(clock::now());
            task.network.iter_mut().for_each(|network| network.attached = false);
        });
    }

    async fn step(&self, status: Status) {
        self.change(|task| task.status = status);
        tokio::time::sleep(self.engine.pace.state).await;
    }

    /// The time between two states, after which the task may have been told to stop.
    async fn pause(&self) -> Result<(), Failure> {
        tokio::time::sleep(self.engine.pace.state).await;
        if self.is_wanted() { Ok(()) } else { Err(Failure::Told) }
    }

    fn is_wanted(&self) -> bool {
        self.engine.world().task(self.id).is_some_and(Task::is_wanted)
    }

    fn change(&self, change: impl FnOnce(&mut Task)) {
        self.engine.world().change(self.id, change);
        self.engine.wake();
    }
}

/// What happens next while containers are being started.
enum Next {
    /// The container at this place is started.
    Start(usize),
    /// All wait; at the longest until then.
    Wait(Option<OffsetDateTime>),
}

/// A container ended. The task goes on only without one that is not essential.
fn ended(engine: &Engine, id: &str, container: &ContainerDefinition, code: i32) {
    let mut world = engine.world();
    world.processes.remove(&(id.to_owned(), container.name.clone()));
    let exit = |task: &mut Task| {
        if let Some(shown) = task.container_mut(&container.name) {
            shown.exit(code);
        }
    };
    let wanted = world.task(id).is_some_and(Task::is_wanted);
    if wanted && !container.essential {
        world.change(id, exit);
        return;
    }
    world.quietly(id, exit);
    world.tell();
    if wanted {
        world.order_stop(id, StopCode::EssentialContainerExited, "Essential container in task exited");
        scheduler::task_ended(&mut world, id, &engine.pace);
    }
}

/// SIGTERM, then SIGKILL when the time is up.
async fn stop(process: &Child, within: Duration) {
    process.terminate();
    if tokio::time::timeout(within, process.wait()).await.is_err() {
        process.kill();
        process.wait().await;
    }
}
