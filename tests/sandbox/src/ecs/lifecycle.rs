//! One task's life, from PROVISIONING to STOPPED.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::definition::{ContainerDefinition, Definition};
use super::engine::Engine;
use super::scheduler;
use super::task::{Network, Status, StopCode, Task};
use crate::child::{Child, Launch};
use crate::clock;

/// A container that was started.
struct Started {
    name: String,
    essential: bool,
    stop_timeout: Duration,
    process: Child,
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
    let mut started = Vec::new();
    match life.bring_up(&definition, &mut started).await {
        Ok(()) => life.run(&started, &order).await,
        Err(Failure::Told) => {}
        Err(failure) => life.failed(failure),
    }
    life.wind_down(started).await;
}

struct Life<'a> {
    engine: &'a Engine,
    id: &'a str,
}

impl Life<'_> {
    async fn bring_up(&self, definition: &Definition, started: &mut Vec<Started>) -> Result<(), Failure> {
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

        let pull_started = clock::now();
        let overrides = self.engine.world().task(self.id).map(|task| task.overrides.clone()).unwrap_or_default();
        let containers: Vec<_> = definition.containers.iter().map(|one| one.overridden(&overrides)).collect();
        let launches = containers.iter().map(|container| self.launch(container, address.to_string()));
        let launches = launches.collect::<Result<Vec<_>, _>>();
        self.engine.world().quietly(self.id, |task| task.times.pull_started = Some(pull_started));
        let launches = launches?;
        self.change(|task| {
            task.times.pull_stopped = Some(clock::now());
            task.status = Status::Activating;
        });
        self.pause().await?;

        for (container, launch) in containers.iter().zip(launches) {
            let process = Child::start(launch).await.map_err(|error| Failure::Container {
                name: container.name.clone(),
                reason: format!("CannotStartContainerError: {error:#}"),
            })?;
            started.push(self.note_started(container, process));
        }
        self.change(|task| {
            task.status = Status::Running;
            task.times.started = Some(clock::now());
        });
        scheduler::task_runs(&mut self.engine.world(), self.id);
        Ok(())
    }

    /// What to start for a container: its image's program, with the definition's words in place of the image's.
    fn launch(&self, container: &ContainerDefinition, address: String) -> Result<Launch, Failure> {
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
        // On ECS a task has a network namespace of its own, and its processes listen on 0.0.0.0 there. Here all share the
        // machine's, so they must be told which address is theirs.
        environment.push(("TASK_IP".to_owned(), address.into()));
        Ok(Launch {
            program: self.engine.images.program(&first).map_err(failed)?,
            arguments: words.collect(),
            environment,
            output: folder.join(format!("{}.log", container.name)),
            folder,
        })
    }

    fn note_started(&self, container: &ContainerDefinition, process: Child) -> Started {
        let mut world = self.engine.world();
        world.processes.insert((self.id.to_owned(), container.name.clone()), process.clone());
        let runtime_id = format!("{}-{:010}", self.id, crate::ids::number(u32::MAX));
        let pid = process.pid();
        // That a single container runs is not a change of the task's state: RUNNING follows.
        world.quietly(self.id, |task| {
            if let Some(shown) = task.containers.iter_mut().find(|shown| shown.name == container.name) {
                shown.status = Status::Running;
                shown.runtime_id = Some(runtime_id);
                shown.pid = Some(pid);
            }
        });
        Started {
            name: container.name.clone(),
            essential: container.essential,
            stop_timeout: container.stop_timeout,
            process,
        }
    }

    /// Until it is told to stop or an essential container ends.
    async fn run(&self, started: &[Started], order: &Notify) {
        let mut exits = JoinSet::new();
        for (index, container) in started.iter().enumerate() {
            let process = container.process.clone();
            exits.spawn(async move { (index, process.wait().await) });
        }
        while self.is_wanted() {
            tokio::select! {
                () = order.notified() => {}
                Some(Ok((index, code))) = exits.join_next() => {
                    let container = &started[index];
                    let mut world = self.engine.world();
                    if !container.essential {
                        world.change_container(self.id, &container.name, |shown| shown.exit(code));
                        continue;
                    }
                    world.quietly(self.id, |task| task.container_exited(&container.name, code));
                    world.order_stop(self.id, StopCode::EssentialContainerExited, "Essential container in task exited");
                    scheduler::task_ended(&mut world, self.id, &self.engine.pace);
                }
            }
        }
    }

    fn failed(&self, failure: Failure) {
        let mut world = self.engine.world();
        let reason = match failure {
            Failure::Told => return,
            Failure::Task(reason) => reason,
            Failure::Container { name, reason } => {
                world.quietly(self.id, |task| {
                    if let Some(container) = task.containers.iter_mut().find(|container| container.name == name) {
                        container.reason = Some(reason.clone());
                    }
                });
                reason
            }
        };
        world.order_stop(self.id, StopCode::TaskFailedToStart, &reason);
        scheduler::task_ended(&mut world, self.id, &self.engine.pace);
    }

    async fn wind_down(&self, started: Vec<Started>) {
        if !started.is_empty() {
            self.step(Status::Deactivating).await;
            self.step(Status::Stopping).await;
            let mut exits = JoinSet::new();
            for container in started {
                exits.spawn(async move {
                    let code = stop(&container.process, container.stop_timeout).await;
                    (container.name, code)
                });
            }
            while let Some(Ok((name, code))) = exits.join_next().await {
                let mut world = self.engine.world();
                world.processes.remove(&(self.id.to_owned(), name.clone()));
                world.quietly(self.id, |task| task.container_exited(&name, code));
            }
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

/// SIGTERM, then SIGKILL when the time is up.
async fn stop(process: &Child, within: Duration) -> i32 {
    process.terminate();
    if let Ok(code) = tokio::time::timeout(within, process.wait()).await {
        return code;
    }
    process.kill();
    process.wait().await
}
