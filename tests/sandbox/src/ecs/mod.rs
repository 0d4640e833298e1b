//! The sandbox's ECS: tasks as real processes, services that keep them, and the events of both.

mod addresses;
mod breaker;
mod checks;
mod definition;
mod engine;
mod events;
mod execution_role;
mod front;
mod health;
mod images;
mod lifecycle;
mod logs;
mod memory;
mod pace;
mod pages;
mod plan;
mod refusal;
mod render;
mod requests;
mod revisions;
mod scheduler;
mod secrets;
mod service;
mod start_order;
mod store;
mod tagging;
mod tags;
mod task;
mod world;

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OwnedMutexGuard;

pub use pace::Pace;
pub use service::{Deployment, Message, Rollout, Service, ServiceStatus};
pub use store::Stored;
pub use task::{Container, Health, Network, Placement, Status, Stop, StopCode, Task, Times};

use crate::aws::Aws;
use crate::bus::Bus;
use crate::model::Model;
use crate::options::Options;
use engine::Engine;

/// The sandbox's ECS. Clones are the same one.
#[derive(Clone)]
pub struct Ecs {
    engine: Arc<Engine>,
}

impl Ecs {
    pub(crate) fn start(aws: Aws, bus: Bus, model: Arc<Model>, options: &Options) -> anyhow::Result<Self> {
        Ok(Self { engine: Engine::start(aws, bus, model, options)? })
    }

    /// All tasks that ECS still knows, the oldest first.
    #[must_use]
    pub fn tasks(&self) -> Vec<Task> {
        self.engine.world().tasks.clone()
    }

    /// The task of that id.
    #[must_use]
    pub fn task(&self, id: &str) -> Option<Task> {
        self.engine.world().task(id).cloned()
    }

    /// The running tasks of a service, the oldest first.
    #[must_use]
    pub fn running(&self, cluster: &str, service: &str) -> Vec<Task> {
        let of_service =
            |task: &Task| task.cluster() == cluster && task.service() == Some(service) && task.is_running();
        self.tasks().into_iter().filter(of_service).collect()
    }

    /// All services, deleted ones too.
    #[must_use]
    pub fn services(&self) -> Vec<Service> {
        self.engine.world().services.values().cloned().collect()
    }

    /// The service, from its creation on; a deleted one stays as INACTIVE.
    #[must_use]
    pub fn service(&self, cluster: &str, name: &str) -> Option<Service> {
        let world = self.engine.world();
        world.services.values().find(|service| service.cluster() == cluster && service.name() == name).cloned()
    }

    /// The tags of a service or a task, by its ARN.
    pub(crate) fn tags(&self, arn: &str) -> Vec<Value> {
        let world = self.engine.world();
        let of_service = world.services.get(arn).map(|service| &service.stored.tags);
        let of_task = || world.tasks.iter().find(|task| task.arn == arn).map(|task| &task.tags);
        of_service.or_else(of_task).cloned().unwrap_or_default()
    }

    /// Waits until the tasks satisfy `wanted`, and returns them.
    pub async fn wait_for_tasks(
        &self,
        within: Duration,
        wanted: impl Fn(&[Task]) -> bool,
    ) -> anyhow::Result<Vec<Task>> {
        let look = || Some(self.tasks()).filter(|tasks| wanted(tasks));
        self.wait(within, look).await.map_err(|error| error.context("waiting for tasks"))
    }

    /// Waits until the task satisfies `wanted`, and returns it.
    pub async fn wait_for_task(
        &self,
        id: &str,
        within: Duration,
        wanted: impl Fn(&Task) -> bool,
    ) -> anyhow::Result<Task> {
        let look = || self.task(id).filter(|task| wanted(task));
        self.wait(within, look).await.map_err(|error| error.context(format!("waiting for task {id}")))
    }

    /// Waits until the service satisfies `wanted`, and returns it.
    pub async fn wait_for_service(
        &self,
        cluster: &str,
        name: &str,
        within: Duration,
        wanted: impl Fn(&Service) -> bool,
    ) -> anyhow::Result<Service> {
        let look = || self.service(cluster, name).filter(|service| wanted(service));
        self.wait(within, look).await.map_err(|error| error.context(format!("waiting for service {cluster}/{name}")))
    }

    /// Waits until the service has what it wants: one deployment, completed, and all its tasks running.
    pub async fn wait_for_steady_state(&self, cluster: &str, name: &str, within: Duration) -> anyhow::Result<Service> {
        self.wait_for_service(cluster, name, within, Service::is_steady).await
    }

    /// The process of a container, while it runs: for `kill -9`.
    #[must_use]
    pub fn pid(&self, task: &str, container: &str) -> Option<u32> {
        self.task(task)?.container(container)?.pid
    }

    /// What was asked of ECS that the sandbox does not model; a story that relies on it would prove nothing.
    #[must_use]
    pub fn not_modelled(&self) -> Vec<String> {
        self.engine.not_modelled()
    }

    /// To be held while a call is checked, passes on to ministack and is answered, when it changes a service or a cluster.
    pub(crate) async fn turn(&self, action: &str) -> Option<OwnedMutexGuard<()>> {
        match action {
            "CreateCluster" | "DeleteCluster" | "CreateService" | "UpdateService" | "DeleteService" => {
                Some(self.engine.turn().await)
            }
            _ => None,
        }
    }

    /// The answer to a call that must not reach ministack's store, if it is one.
    pub(crate) async fn refuses(&self, caller: &str, action: &str, request: &Value) -> Option<(u16, Value)> {
        front::refuses(&self.engine, caller, action, request).await
    }

    pub(crate) async fn answer(&self, action: &str, request: &Value, status: u16, stored: Value) -> (u16, Value) {
        front::answer(&self.engine, action, request, status, stored).await
    }

    pub(crate) fn end(&self) {
        self.engine.end();
    }

    pub(crate) async fn ended(&self) {
        self.engine.ended().await;
    }

    async fn wait<T>(&self, within: Duration, look: impl Fn() -> Option<T>) -> anyhow::Result<T> {
        let mut changed = self.engine.changed.subscribe();
        let found = async {
            loop {
                if let Some(found) = look() {
                    return found;
                }
                // The sender lives as long as `self`.
                let _ = changed.changed().await;
            }
        };
        tokio::time::timeout(within, found)
            .await
            .map_err(|_| anyhow::anyhow!("not within {within:?}; ECS now has:\n{}", self.overview()))
    }

    /// Services and tasks in a few words each, for the text of a wait that failed.
    fn overview(&self) -> String {
        let world = self.engine.world();
        let mut text = String::new();
        for service in world.services.values() {
            let (name, wanted, running) = (service.name(), service.stored.desired, service.running);
            let message = service.messages.first().map_or("", |message| message.text.as_str());
            // Writing into a String does not fail.
            let _ = writeln!(text, "service {name}: {running} of {wanted}, {}: {message}", service.status.name());
        }
        for task in &world.tasks {
            let stop = task.stop.as_ref().map_or("", |stop| stop.reason.as_str());
            let _ = writeln!(text, "task {} of {}: {} {stop}", task.id, task.group, task.status.name());
        }
        text
    }
}
