//! Tasks and services as JSON: the API's answers, and the details of events.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::service::{Deployment, Service};
use super::task::{Container, Health, Network, Status, Task};
use crate::clock;

/// The API and the events show the same task a little differently.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// Instants as seconds, attachments called `ElasticNetworkInterface`.
    Api,
    /// Instants as text, attachments called `eni`, and `updatedAt`.
    Event,
}

impl View {
    fn instant(self, at: OffsetDateTime) -> Value {
        match self {
            Self::Api => clock::epoch(at),
            Self::Event => json!(clock::milliseconds(at)),
        }
    }
}

pub(crate) fn task(task: &Task, view: View) -> Value {
    let attachments: Vec<_> =
        task.network.iter().map(|network| attachment(network, &task.placement.subnet, task, view)).collect();
    let mut shown = json!({
        "attachments": attachments,
        "attributes": [{ "name": "ecs.cpu-architecture", "value": "x86_64" }],
        "availabilityZone": task.placement.zone,
        "clusterArn": task.cluster_arn,
        "containers": task.containers.iter().map(|one| container(one, task, view)).collect::<Vec<_>>(),
        "cpu": task.size.0,
        "desiredStatus": if task.is_wanted() { "RUNNING" } else { "STOPPED" },
        "enableExecuteCommand": task.placement.execute_command,
        "ephemeralStorage": { "sizeInGiB": 20 },
        "group": task.group,
        "launchType": "FARGATE",
        "lastStatus": task.status.name(),
        "memory": task.size.1,
        "overrides": task.overrides,
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "taskArn": task.arn,
        "taskDefinitionArn": task.definition_arn,
        "version": task.version,
    });
    let more = [
        ("startedBy", task.started_by.clone().map(Value::from)),
        ("capacityProviderName", task.placement.capacity_provider.clone().map(Value::from)),
        ("healthStatus", health(task.health(), view)),
        ("connectivity", task.times.connectivity.map(|_| json!("CONNECTED"))),
        ("stopCode", task.stop.as_ref().map(|stop| json!(stop.code.name()))),
        ("stoppedReason", task.stop.as_ref().map(|stop| json!(stop.reason))),
        ("updatedAt", (view == View::Event).then(|| view.instant(task.times.updated))),
        ("createdAt", Some(view.instant(task.times.created))),
        ("connectivityAt", task.times.connectivity.map(|at| view.instant(at))),
        ("pullStartedAt", task.times.pull_started.map(|at| view.instant(at))),
        ("pullStoppedAt", task.times.pull_stopped.map(|at| view.instant(at))),
        ("startedAt", task.times.started.map(|at| view.instant(at))),
        ("stoppingAt", task.times.stopping.map(|at| view.instant(at))),
        ("executionStoppedAt", task.times.execution_stopped.map(|at| view.instant(at))),
        ("stoppedAt", task.times.stopped.map(|at| view.instant(at))),
    ];
    put(&mut shown, more);
    shown
}

fn attachment(network: &Network, subnet: &str, task: &Task, view: View) -> Value {
    // arn:aws:ecs:REGION:…
    let region = task.arn.split(':').nth(3).unwrap_or_default();
    let details = [
        ("subnetId", subnet.to_owned()),
        ("networkInterfaceId", network.interface.clone()),
        ("macAddress", network.mac.clone()),
        ("privateDnsName", format!("ip-{}.{region}.compute.internal", network.address.to_string().replace('.', "-"))),
        ("privateIPv4Address", network.address.to_string()),
    ];
    json!({
        "id": network.attachment,
        "type": if view == View::Api { "ElasticNetworkInterface" } else { "eni" },
        "status": if network.attached { "ATTACHED" } else { "DELETED" },
        "details": details.map(|(name, value)| json!({ "name": name, "value": value })),
    })
}

/// The API always says something about health; the events of tasks without health checks say nothing (their examples in the
/// developer guide).
fn health(health: Option<Health>, view: View) -> Option<Value> {
    let health = if view == View::Api { Some(health.unwrap_or(Health::Unknown)) } else { health };
    health.map(|health| json!(health.name()))
}

fn container(container: &Container, task: &Task, view: View) -> Value {
    let interface = |network: &Network| json!({ "attachmentId": network.attachment, "privateIpv4Address": network.address.to_string() });
    let mut shown = json!({
        "containerArn": container.arn,
        "image": container.image,
        "lastStatus": container.status.name(),
        "name": container.name,
        "networkInterfaces": task.network.iter().map(interface).collect::<Vec<_>>(),
        "taskArn": task.arn,
        "cpu": container.cpu,
    });
    let more = [
        ("healthStatus", health(container.health, view)),
        ("runtimeId", container.runtime_id.clone().map(Value::from)),
        ("exitCode", container.exit_code.map(Value::from)),
        ("reason", container.reason.clone().map(Value::from)),
    ];
    put(&mut shown, more);
    shown
}

/// Puts the sandbox's parts into a service as ministack gave it. `tasks` are those of the service.
pub(crate) fn into_service(shown: &mut Value, service: &Service, tasks: &[&Task]) {
    let deployments: Vec<_> = service
        .deployments
        .iter()
        .enumerate()
        .map(|(index, one)| deployment(one, index, service, tasks, shown))
        .collect();
    let messages = service.messages.iter();
    let messages = messages.map(|one| json!({ "id": one.id, "createdAt": clock::epoch(one.at), "message": one.text }));
    let messages: Vec<_> = messages.collect();
    put(
        shown,
        [
            ("status", Some(json!(service.status.name()))),
            ("taskDefinition", service.primary().map(|primary| json!(primary.definition_arn))),
            // The store learns a moment later that the circuit breaker went back.
            ("networkConfiguration", service.primary().map(|one| one.revision["networkConfiguration"].clone())),
            ("runningCount", Some(json!(service.running))),
            ("pendingCount", Some(json!(service.pending))),
            ("deployments", Some(json!(deployments))),
            ("events", Some(json!(messages))),
        ],
    );
}

fn deployment(deployment: &Deployment, index: usize, service: &Service, tasks: &[&Task], shown: &Value) -> Value {
    let own = || tasks.iter().filter(|task| task.started_by.as_deref() == Some(deployment.id.as_str()));
    let running = own().filter(|task| task.status == Status::Running).count();
    let pending = own().filter(|task| task.status < Status::Running).count();
    let desired =
        if index == 0 { service.stored.desired as usize } else { own().filter(|task| task.is_wanted()).count() };
    let mut value = json!({
        "id": deployment.id,
        "status": if index == 0 { "PRIMARY" } else { "ACTIVE" },
        "taskDefinition": deployment.definition_arn,
        "desiredCount": desired,
        "pendingCount": pending,
        "runningCount": running,
        "failedTasks": deployment.failed_tasks,
        "createdAt": clock::epoch(deployment.created),
        "updatedAt": clock::epoch(deployment.updated),
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "rolloutState": deployment.rollout.name(),
        "rolloutStateReason": deployment.reason,
    });
    for name in ["launchType", "capacityProviderStrategy"] {
        if !shown[name].is_null() {
            value[name] = shown[name].clone();
        }
    }
    if !deployment.revision["networkConfiguration"].is_null() {
        value["networkConfiguration"] = deployment.revision["networkConfiguration"].clone();
    }
    value
}

/// AWS leaves out what there is nothing to say about, so absent values are not put.
fn put<const N: usize>(shown: &mut Value, members: [(&str, Option<Value>); N]) {
    let none = &mut Map::new();
    let object = shown.as_object_mut().unwrap_or(none);
    for (name, value) in members {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            object.insert(name.to_owned(), value);
        }
    }
}
