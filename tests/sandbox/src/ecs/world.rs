//! What the sandbox's ECS knows: tasks and services, and the one way in which they change.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::events;
use super::render::{self, View};
use super::service::Service;
use super::task::{Status, Stop, StopCode, Task};
use crate::bus::Bus;
use crate::child::Child;
use crate::clock;
use crate::model::Model;

/// All tasks and services. Whatever changes a task goes through [`World::change`], which counts the change and tells of it.
pub(crate) struct World {
    /// The oldest first.
    pub(crate) tasks: Vec<Task>,
    /// By ARN.
    pub(crate) services: BTreeMap<String, Service>,
    /// What wakes the one who leads a task through its life, when it was told to stop.
    orders: HashMap<String, Arc<Notify>>,
    /// The processes of containers, by task id and container name.
    pub(crate) processes: HashMap<(String, String), Child>,
    bus: Bus,
    model: Arc<Model>,
    changed: watch::Sender<()>,
}

impl World {
    pub(crate) fn new(bus: Bus, model: Arc<Model>, changed: watch::Sender<()>) -> Self {
        Self {
            tasks: Vec::new(),
            services: BTreeMap::new(),
            orders: HashMap::new(),
            processes: HashMap::new(),
            bus,
            model,
            changed,
        }
    }

    pub(crate) fn task(&self, id: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id)
    }

    /// The tasks of a service, the oldest first.
    pub(crate) fn tasks_of<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a Task> {
        self.tasks
            .iter()
            .filter(|task| task.cluster_arn == service.stored.cluster_arn && task.service() == Some(service.name()))
    }

    /// The tasks of a cluster that are RUNNING, and those on their way there.
    pub(crate) fn counts_of(&self, cluster_arn: &str) -> (usize, usize) {
        let own = || self.tasks.iter().filter(|task| task.cluster_arn == cluster_arn);
        (
            own().filter(|task| task.status == Status::Running).count(),
            own().filter(|task| task.status < Status::Running).count(),
        )
    }

    /// Adds a task; its first event is that it exists.
    pub(crate) fn add(&mut self, task: Task) -> Arc<Notify> {
        let order = Arc::new(Notify::new());
        self.orders.insert(task.id.clone(), Arc::clone(&order));
        self.tell_of(&task);
        self.tasks.push(task);
        self.tell();
        order
    }

    /// Changes a task: its version rises and an event tells of it.
    pub(crate) fn change(&mut self, id: &str, change: impl FnOnce(&mut Task)) {
        let Some(index) = self.tasks.iter().position(|task| task.id == id) else { return };
        let task = &mut self.tasks[index];
        change(task);
        task.version += 1;
        task.times.updated = clock::now();
        let task = task.clone();
        self.tell_of(&task);
        if task.status == Status::Stopped {
            self.orders.remove(id);
        }
        self.tell();
    }

    /// Changes a task as part of a larger change that is told of in a moment.
    pub(crate) fn quietly(&mut self, id: &str, change: impl FnOnce(&mut Task)) {
        if let Some(task) = self.tasks.iter_mut().find(|task| task.id == id) {
            change(task);
        }
    }

    /// Tells a task to stop, once: the first reason is the one that counts.
    pub(crate) fn order_stop(&mut self, id: &str, code: StopCode, reason: &str) {
        let Some(task) = self.task(id).filter(|task| task.stop.is_none()) else { return };
        let (cluster, service) = (task.cluster_arn.clone(), task.service().map(str::to_owned));
        // At once, not with the next round: who waits for steady state from here on waits for the replacement.
        let of = |known: &&mut Service| known.stored.cluster_arn == cluster && Some(known.name()) == service.as_deref();
        if let Some(service) = self.services.values_mut().find(of) {
            service.steady = false;
        }
        self.change(id, |task| {
            task.stop = Some(Stop { code, reason: reason.to_owned() });
            task.times.stopping = Some(clock::now());
        });
        if let Some(order) = self.orders.get(id) {
            order.notify_one();
        }
    }

    /// Forgets tasks that stopped longer than `after` ago.
    pub(crate) fn forget_stopped(&mut self, after: Duration) {
        let now = clock::now();
        let known = self.tasks.len();
        self.tasks.retain(|task| task.times.stopped.is_none_or(|stopped| now - stopped < after));
        if self.tasks.len() < known {
            self.tell();
        }
    }

    pub(crate) fn emit(&self, event: serde_json::Value) {
        self.bus.emit(event);
    }

    pub(crate) fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Wakes whoever waits for a condition.
    pub(crate) fn tell(&self) {
        self.changed.send_replace(());
    }

    fn tell_of(&self, task: &Task) {
        self.model.check_task_event(&render::task(task, View::Event));
        self.bus.emit(events::task_changed(&self.bus, task));
    }
}
