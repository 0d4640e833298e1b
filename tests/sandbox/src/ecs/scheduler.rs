//! The service scheduler: carries out what the plan says, and keeps the service's own story.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::definition::Definition;
use super::events;
use super::pace::Pace;
use super::plan::{Action, Phase, Present, Wish, plan};
use super::service::{Deployment, Service, ServiceStatus};
use super::store::Stored;
use super::task::{Status, StopCode, Task};
use super::world::World;
use crate::clock;

/// After so many failed starts in a row ECS says that the service cannot start its tasks, and again while that lasts.
const IMPAIRED_EVERY: u32 = 3;

/// A task that a service is to get.
pub(crate) struct ToStart {
    pub(crate) service: String,
    pub(crate) count: u32,
    pub(crate) definition: Arc<Definition>,
}

/// Takes over what is stored: new services, new deployments, deleted services.
pub(crate) fn take_over(world: &mut World, stored: Vec<Stored>) {
    let mut gone: Vec<String> = world.services.keys().cloned().collect();
    for stored in stored {
        gone.retain(|arn| *arn != stored.arn);
        let mut service = match world.services.remove(&stored.arn) {
            Some(service) if service.status == ServiceStatus::Active => service,
            // Unknown so far, or deleted and created again.
            _ => Service::new(stored.clone()),
        };
        if service.primary().is_none_or(|primary| primary.stored_id != stored.primary) {
            let deployment = Deployment::new(&stored);
            world.emit(events::deployment_changed(world.bus(), &service, &deployment));
            service.deployments.insert(0, deployment);
            service.steady = false;
            // A new deployment gets a fresh try.
            service.failed_starts = 0;
            service.next_start = None;
        }
        if service.stored.desired != stored.desired {
            service.steady = false;
            if let Some(primary) = service.deployments.first_mut() {
                primary.updated = clock::now();
            }
        }
        service.stored = stored;
        world.services.insert(service.stored.arn.clone(), service);
    }
    for arn in gone {
        if let Some(service) = world.services.get_mut(&arn).filter(|service| service.status == ServiceStatus::Active) {
            service.status = ServiceStatus::Draining;
            service.stored.desired = 0;
        }
    }
    world.tell();
}

/// One round for every service. Stops are ordered here; what to start is for the caller.
pub(crate) fn round(world: &mut World, definitions: &HashMap<String, Arc<Definition>>, pace: &Pace) -> Vec<ToStart> {
    let arns: Vec<String> = world.services.keys().cloned().collect();
    let mut starts = Vec::new();
    for arn in arns {
        // Taken out while it is worked on, so that its tasks can be changed.
        let Some(mut service) = world.services.remove(&arn) else { continue };
        starts.extend(one_round(world, &mut service, definitions, pace));
        world.services.insert(arn, service);
    }
    starts
}

fn one_round(
    world: &mut World,
    service: &mut Service,
    definitions: &HashMap<String, Arc<Definition>>,
    pace: &Pace,
) -> Option<ToStart> {
    if service.status == ServiceStatus::Inactive || service.stored.not_modelled.is_some() {
        return None;
    }
    let definition = definitions.get(&service.stored.definition_arn);
    let present = present(world, service, pace);
    let wish = Wish {
        desired: service.stored.desired,
        minimum_healthy_percent: service.stored.minimum_healthy_percent,
        maximum_percent: service.stored.maximum_percent,
        draining: service.status == ServiceStatus::Draining,
        may_start: definition.is_some() && service.next_start.is_none_or(|at| at <= Instant::now()),
    };
    let mut stopped = Vec::new();
    let mut start = None;
    for action in plan(&wish, &present) {
        match action {
            Action::Stop(id) => {
                world.order_stop(&id, StopCode::ServiceSchedulerInitiated, &reason_to_stop(world, service, &id));
                stopped.push(format!("(task {id})"));
            }
            Action::Start(count) => {
                let definition = definition.map(Arc::clone)?;
                start = Some(ToStart { service: service.stored.arn.clone(), count, definition });
            }
        }
    }
    if !stopped.is_empty() {
        let text =
            format!("(service {}) has stopped {} running tasks: {}.", service.name(), stopped.len(), stopped.join(" "));
        service.say(text);
    }
    settle(world, service, &wish, &present);
    start
}

/// The tasks that are RUNNING or on the way there.
fn present(world: &World, service: &Service, pace: &Pace) -> Vec<Present> {
    let primary = service.primary().map(|deployment| deployment.id.as_str());
    let phase = |task: &Task| match (task.is_wanted(), task.status) {
        (false, _) => Phase::Leaving,
        (true, Status::Running) if task.times.started.is_some_and(|at| clock::now() - at >= pace.healthy_after) => {
            Phase::Healthy
        }
        (true, Status::Running) => Phase::Unproven,
        (true, _) => Phase::Starting,
    };
    let there = world.tasks_of(service).filter(|task| task.status <= Status::Running);
    let present = there.map(|task| Present {
        id: task.id.clone(),
        current: primary.is_some() && task.started_by.as_deref() == primary,
        zone: task.placement.zone.clone(),
        phase: phase(task),
    });
    present.collect()
}

/// ECS's words for a stop by the scheduler, the same for a scale-in and for a task that a deployment replaces.
fn reason_to_stop(world: &World, service: &Service, id: &str) -> String {
    let own = world.task(id).and_then(|task| task.started_by.clone());
    let deployment = service.primary().map(|deployment| deployment.id.clone()).or(own).unwrap_or_default();
    format!("Scaling activity initiated by (deployment {deployment})")
}

/// Counts, completed deployments, steady state.
fn settle(world: &mut World, service: &mut Service, wish: &Wish, present: &[Present]) {
    let count = |matches: fn(Status) -> bool| {
        u32::try_from(world.tasks_of(service).filter(|task| matches(task.status)).count()).unwrap_or(u32::MAX)
    };
    let counts = (count(|status| status == Status::Running), count(|status| status < Status::Running));
    let changed = counts != (service.running, service.pending);
    (service.running, service.pending) = counts;

    if service.status == ServiceStatus::Draining {
        // "After all tasks have transitioned to either STOPPING or STOPPED status, the service status moves from DRAINING to
        // INACTIVE" (API reference of DeleteService).
        if present.is_empty() && world.tasks_of(service).all(|task| task.status >= Status::Stopping) {
            service.status = ServiceStatus::Inactive;
            service.deployments.clear();
            world.tell();
        }
        return;
    }
    let settled = present.len() == wish.desired as usize
        && present.iter().all(|task| task.current && task.phase == Phase::Healthy);
    if settled && !service.steady {
        service.steady = true;
        service.deployments.truncate(1);
        complete(world, service);
        let text = format!("(service {}) has reached a steady state.", service.name());
        service.say(text);
        world.emit(events::steady_state(world.bus(), service));
        world.tell();
    } else if !settled && service.steady {
        service.steady = false;
        world.tell();
    } else if changed {
        world.tell();
    }
}

fn complete(world: &World, service: &mut Service) {
    let Some(primary) = service.deployments.first_mut().filter(|primary| !primary.completed) else { return };
    primary.completed = true;
    primary.updated = clock::now();
    let primary = primary.clone();
    let text = format!("(service {}) (deployment {}) deployment completed.", service.name(), primary.id);
    service.say(text);
    world.emit(events::deployment_changed(world.bus(), service, &primary));
}

/// A task of a service came to run: what failed before is forgotten.
pub(crate) fn task_runs(world: &mut World, id: &str) {
    with_service(world, id, |_, service, deployment| {
        service.failed_starts = 0;
        service.next_start = None;
        if let Some(index) = deployment {
            service.deployments[index].failed_tasks = 0;
        }
    });
}

/// A task of a service ended by itself. ECS holds back the next start only when it never reached RUNNING ("Amazon ECS service
/// throttle logic"); one that ran and crashed is replaced at once, again and again.
pub(crate) fn task_ended(world: &mut World, id: &str, pace: &Pace) {
    let ran = world.task(id).is_some_and(|task| task.times.started.is_some());
    with_service(world, id, |world, service, deployment| {
        if ran {
            service.next_start = Some(Instant::now() + pace.replacement);
            return;
        }
        service.failed_starts += 1;
        service.next_start = Some(Instant::now() + pace.throttle(service.failed_starts));
        if let Some(index) = deployment {
            service.deployments[index].failed_tasks += 1;
        }
        if service.failed_starts.is_multiple_of(IMPAIRED_EVERY) {
            let text = format!(
                "(service {}) is unable to consistently start tasks successfully. \
                 For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.",
                service.name()
            );
            service.say(text);
            world.emit(events::start_impaired(world.bus(), service));
        }
    });
}

/// With the service of a task, and the place of the task's deployment in it.
fn with_service(world: &mut World, id: &str, act: impl FnOnce(&World, &mut Service, Option<usize>)) {
    let Some(task) = world.task(id) else { return };
    let (cluster, started_by) = (task.cluster_arn.clone(), task.started_by.clone());
    let Some(name) = task.service().map(str::to_owned) else { return };
    let found = world.services.values().find(|service| service.stored.cluster_arn == cluster && service.name() == name);
    let Some(arn) = found.map(|service| service.stored.arn.clone()) else { return };
    let Some(mut service) = world.services.remove(&arn) else { return };
    let deployment = service.deployments.iter().position(|deployment| Some(&deployment.id) == started_by.as_ref());
    act(world, &mut service, deployment);
    world.services.insert(arn, service);
}
