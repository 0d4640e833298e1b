//! The service scheduler: carries out what the plan says, and keeps the service's own story.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::breaker::CircuitBreaker;
use super::definition::Definition;
use super::events;
use super::pace::Pace;
use super::plan::{Action, Phase, Present, Wish, plan};
use super::service::{Deployment, Rollout, Service, ServiceStatus};
use super::store::Stored;
use super::task::{Health, Status, StopCode, Task};
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
        take_over_one(world, stored);
    }
    for arn in gone {
        drain(world, &arn);
    }
}

/// Takes over what is stored about one service.
pub(crate) fn take_over_one(world: &mut World, stored: Stored) {
    let mut service = match world.services.remove(&stored.arn) {
        Some(service) if service.status == ServiceStatus::Active => service,
        // Unknown so far, or deleted and created again.
        _ => Service::new(stored.clone()),
    };
    let other_primary = service.stored_primary != stored.primary;
    if other_primary || service.stored.revision != stored.revision {
        service.stored_primary.clone_from(&stored.primary);
        service.unwritten_rollback = false;
        // ministack makes a deployment of its own only for another definition, or when it is forced.
        let deployment = Deployment::new(&stored, other_primary);
        world.emit(events::deployment_changed(world.bus(), &service, &deployment));
        service.deployments.insert(0, deployment);
        if let Some(what) = &stored.not_modelled {
            service.say(format!("(service {}) is not run: the sandbox does not model {what}.", stored.name));
        }
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
    world.tell();
}

/// A service was deleted.
pub(crate) fn drain(world: &mut World, arn: &str) {
    if let Some(service) = world.services.get_mut(arn).filter(|service| service.status == ServiceStatus::Active) {
        service.status = ServiceStatus::Draining;
        service.stored.desired = 0;
        world.tell();
    }
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
    if service.status == ServiceStatus::Inactive {
        return None;
    }
    let definition = service.primary().and_then(|primary| definitions.get(&primary.definition_arn));
    let present = present(world, service, pace);
    let wish = Wish {
        desired: service.stored.desired,
        minimum_healthy_percent: service.stored.minimum_healthy_percent,
        maximum_percent: service.stored.maximum_percent,
        draining: service.status == ServiceStatus::Draining,
        may_start: definition.is_some()
            && service.stored.not_modelled.is_none()
            && service.next_start.is_none_or(|at| at <= Instant::now()),
        stalled: service.primary().is_some_and(|primary| primary.rollout == Rollout::Failed),
    };
    let mut stopped = Vec::new();
    let mut start = None;
    for action in plan(&wish, &present) {
        match action {
            Action::Stop(id) => {
                let reason = reason_to_stop(world, service, &id);
                world.order_stop(&id, StopCode::ServiceSchedulerInitiated, &reason);
                stopped.push(format!("(task {id})"));
            }
            Action::StopUnhealthy(id) => unhealthy_task(world, service, &id),
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
    settle(world, service, &wish, &present, pace);
    start
}

/// The tasks that are RUNNING or on the way there.
fn present(world: &World, service: &Service, pace: &Pace) -> Vec<Present> {
    let primary = service.primary().map(|deployment| deployment.id.as_str());
    let phase = |task: &Task| match (task.is_wanted(), task.status, task.health()) {
        (false, ..) => Phase::Leaving,
        (true, Status::Running, Some(Health::Healthy)) => Phase::Healthy,
        (true, Status::Running, Some(Health::Unhealthy)) => Phase::Unhealthy,
        (true, Status::Running, None)
            if task.times.started.is_some_and(|at| clock::now() - at >= pace.healthy_after) =>
        {
            Phase::Healthy
        }
        (true, Status::Running, _) => Phase::Unproven,
        (true, ..) => Phase::Starting,
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
fn settle(world: &mut World, service: &mut Service, wish: &Wish, present: &[Present], pace: &Pace) {
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
    // "A service deployment that still has running tasks" is ACTIVE (API reference of `Deployment`).
    let known: Vec<_> = world.tasks_of(service).filter(|task| task.status < Status::Stopped).collect();
    let has_tasks = |deployment: &Deployment| known.iter().any(|task| task.started_by.as_ref() == Some(&deployment.id));
    let kept: Vec<_> = service.deployments.iter().enumerate().map(|(n, one)| n == 0 || has_tasks(one)).collect();
    let mut kept = kept.into_iter();
    service.deployments.retain(|_| kept.next().unwrap_or(true));
    let settled = present.len() == wish.desired as usize
        && !wish.stalled
        && present.iter().all(|task| task.current && task.phase == Phase::Healthy);
    let said_long_ago = service.said_steady.is_some_and(|said| said.elapsed() >= pace.repeat_steady_state);
    if settled && (!service.steady || said_long_ago) {
        service.steady = true;
        service.said_steady = Some(Instant::now());
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
    let in_progress = |primary: &&mut Deployment| primary.rollout == Rollout::InProgress;
    let Some(primary) = service.deployments.first_mut().filter(in_progress) else { return };
    primary.turn(Rollout::Completed, format!("ECS deployment {} completed.", primary.id));
    let primary = primary.clone();
    service.last_completed = Some(primary.clone());
    let text = format!("(service {}) (deployment {}) deployment completed.", service.name(), primary.id);
    service.say(text);
    world.emit(events::deployment_changed(world.bus(), service, &primary));
}

/// A task of a service came to run: its service may start tasks again without delay.
pub(crate) fn task_runs(world: &mut World, id: &str) {
    with_service(world, id, |_, service, _| {
        service.failed_starts = 0;
        service.next_start = None;
    });
    if world.task(id).is_some_and(|task| matches!(task.health(), None | Some(Health::Healthy))) {
        task_is_healthy(world, id);
    }
}

/// A task of a service turned healthy (one without health checks: came to run). The failures before it are forgotten, unless
/// the circuit breaker is told to remember them.
pub(crate) fn task_is_healthy(world: &mut World, id: &str) {
    with_service(world, id, |_, service, deployment| {
        let forgets = service.stored.circuit_breaker.is_none_or(|breaker| breaker.reset_on_healthy_task);
        let deployment = deployment.map(|index| &mut service.deployments[index]);
        if let Some(deployment) = deployment.filter(|one| forgets && one.rollout == Rollout::InProgress) {
            deployment.failed_tasks = 0;
        }
    });
}

/// A task of a service ended by itself. ECS holds back the next start only when it never reached RUNNING ("Amazon ECS service
/// throttle logic"); one that ran and crashed is replaced at once, again and again, and the circuit breaker does not see it.
pub(crate) fn task_ended(world: &mut World, id: &str, pace: &Pace) {
    let ran = world.task(id).is_some_and(|task| task.times.started.is_some());
    with_service(world, id, |world, service, deployment| {
        if ran {
            service.next_start = Some(Instant::now() + pace.replacement);
            return;
        }
        service.failed_starts += 1;
        service.next_start = Some(Instant::now() + pace.throttle(service.failed_starts));
        if service.failed_starts.is_multiple_of(IMPAIRED_EVERY) {
            let text = format!(
                "(service {}) is unable to consistently start tasks successfully. \
                 For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.",
                service.name()
            );
            service.say(text);
            world.emit(events::start_impaired(world.bus(), service));
        }
        if let Some(index) = deployment {
            task_failed(world, service, index);
        }
    });
}

/// A task's health checks failed, and now it is stopped for that.
fn unhealthy_task(world: &mut World, service: &mut Service, id: &str) {
    service.say(format!("(service {}) (task {id}) failed container health checks.", service.name()));
    world.order_stop(id, StopCode::ServiceSchedulerInitiated, "Task failed container health checks");
    if let Some(index) = deployment_of(world, service, id) {
        task_failed(world, service, index);
    }
}

/// Counts a failed task of a deployment, and ends the deployment when it was one too many.
fn task_failed(world: &World, service: &mut Service, index: usize) {
    let deployment = &mut service.deployments[index];
    if deployment.rollout != Rollout::InProgress {
        return;
    }
    deployment.failed_tasks += 1;
    let trips = |breaker: CircuitBreaker| breaker.trips_at(deployment.failed_tasks, service.stored.desired);
    match service.stored.circuit_breaker {
        Some(breaker) if index == 0 && trips(breaker) => fail(world, service, breaker),
        _ => {}
    }
}

/// The PRIMARY deployment failed. With rollback on, the one that was completed last is PRIMARY again.
fn fail(world: &World, service: &mut Service, breaker: CircuitBreaker) {
    let failed = &mut service.deployments[0];
    failed.turn(Rollout::Failed, "ECS deployment circuit breaker: tasks failed to start.".to_owned());
    let failed = failed.clone();
    service.say(format!(
        "(service {}) (deployment {}) deployment failed: tasks failed to start.",
        service.name(),
        failed.id
    ));
    world.emit(events::deployment_changed(world.bus(), service, &failed));
    // "The deployment changes from a COMPLETED to IN_PROGRESS. This means that the deployment is not eligible for another
    // rollback until it reaches a COMPLETED state" (the circuit breaker's page): hence taken, not copied.
    let Some(mut back) = service.last_completed.take_if(|_| breaker.rollback) else { return };
    service.say(format!("(service {}) rolling back to deployment {}.", service.name(), back.id));
    back.turn(
        Rollout::InProgress,
        format!("ECS deployment circuit breaker: rolling back to deploymentId {}.", back.id),
    );
    back.failed_tasks = 0;
    world.emit(events::deployment_changed(world.bus(), service, &back));
    service.deployments.retain(|deployment| deployment.id != back.id);
    service.deployments.insert(0, back);
    service.unwritten_rollback = true;
    service.failed_starts = 0;
    service.next_start = None;
}

/// The place of a task's deployment in its service.
fn deployment_of(world: &World, service: &Service, id: &str) -> Option<usize> {
    let started_by = world.task(id)?.started_by.as_ref()?;
    service.deployments.iter().position(|deployment| deployment.id == *started_by)
}

/// With the service of a task, and the place of the task's deployment in it.
fn with_service(world: &mut World, id: &str, act: impl FnOnce(&World, &mut Service, Option<usize>)) {
    let Some(task) = world.task(id) else { return };
    let cluster = task.cluster_arn.clone();
    let Some(name) = task.service().map(str::to_owned) else { return };
    let found = world.services.values().find(|service| service.stored.cluster_arn == cluster && service.name() == name);
    let Some(arn) = found.map(|service| service.stored.arn.clone()) else { return };
    let Some(mut service) = world.services.remove(&arn) else { return };
    let deployment = deployment_of(world, &service, id);
    act(world, &mut service, deployment);
    world.services.insert(arn, service);
}
