//! ECS's events ("Amazon ECS events" in the developer guide).

use serde_json::{Value, json};

use super::render::{self, View};
use super::service::{Deployment, Rollout, Service};
use super::task::Task;
use crate::bus::Bus;
use crate::clock;

pub(crate) fn task_changed(bus: &Bus, task: &Task) -> Value {
    let detail = render::task(task, View::Event);
    bus.event("aws.ecs", "ECS Task State Change", &[&task.arn], &detail)
}

pub(crate) fn deployment_changed(bus: &Bus, service: &Service, deployment: &Deployment) -> Value {
    // The event says "task", the deployment's own reason "tasks" (their examples in the developer guide).
    let (kind, reason) = match deployment.rollout {
        Rollout::Failed => ("ERROR", "ECS deployment circuit breaker: task failed to start."),
        Rollout::InProgress | Rollout::Completed => ("INFO", deployment.reason.as_str()),
    };
    let detail = json!({
        "eventType": kind,
        "eventName": format!("SERVICE_DEPLOYMENT_{}", deployment.rollout.name()),
        "deploymentId": deployment.id,
        "updatedAt": clock::milliseconds(deployment.updated),
        "reason": reason,
    });
    bus.event("aws.ecs", "ECS Deployment State Change", &[&service.stored.arn], &detail)
}

pub(crate) fn steady_state(bus: &Bus, service: &Service) -> Value {
    service_action(bus, service, "INFO", "SERVICE_STEADY_STATE")
}

pub(crate) fn start_impaired(bus: &Bus, service: &Service) -> Value {
    service_action(bus, service, "WARN", "SERVICE_TASK_START_IMPAIRED")
}

fn service_action(bus: &Bus, service: &Service, kind: &str, name: &str) -> Value {
    let detail = json!({
        "eventType": kind,
        "eventName": name,
        "clusterArn": service.stored.cluster_arn,
        "createdAt": clock::milliseconds(clock::now()),
    });
    bus.event("aws.ecs", "ECS Service Action", &[&service.stored.arn], &detail)
}
