//! What the page shows, as JSON.

use std::cmp::Reverse;

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::World;
use crate::ecs::{Service, ServiceStatus, Status, Task};

/// ECS forgets stopped tasks after an hour; the page shows only the newest.
const STOPPED_SHOWN: usize = 10;
const ALERTS_SHOWN: usize = 50;

impl World {
    pub(super) async fn state(&self) -> Value {
        let (console, agents) = match &self.console {
            None => (Value::Null, Vec::new()),
            Some(console) => {
                let shown =
                    json!({ "endpoint": console.endpoint(), "fault": console.fault(), "calls": console.calls() });
                (shown, console.agents().await)
            }
        };
        json!({
            "endpoint": self.aws.endpoint(),
            "console": console,
            "agents": agents,
            "services": self.services(),
            "tasks": self.tasks(),
            "alerts": self.alerts(),
            "entries": self.entries(),
        })
    }

    fn services(&self) -> Vec<Value> {
        let mut services = self.ecs.services();
        services.retain(|service| service.status != ServiceStatus::Inactive);
        services.iter().map(service).collect()
    }

    fn tasks(&self) -> Vec<Value> {
        let (mut stopped, running): (Vec<_>, Vec<_>) =
            self.ecs.tasks().into_iter().partition(|task| task.status == Status::Stopped);
        stopped.sort_by_key(|task| Reverse(task.times.stopped));
        running.iter().rev().chain(stopped.iter().take(STOPPED_SHOWN)).map(task).collect()
    }

    fn alerts(&self) -> Value {
        let Some(mails) = &self.mails else { return Value::Null };
        let mut alerts: Vec<_> = mails
            .all()
            .iter()
            .enumerate()
            .map(|(place, mail)| {
                json!({ "place": place, "at": when(arrived(mail.at)), "subject": mail.subject, "text": mail.text })
            })
            .collect();
        alerts.reverse();
        alerts.truncate(ALERTS_SHOWN);
        json!(alerts)
    }
}

fn service(service: &Service) -> Value {
    let deployment = service.deployments.first();
    json!({
        "cluster": service.cluster(),
        "name": service.name(),
        "status": service.status.name(),
        "desired": service.stored.desired,
        "running": service.running,
        "pending": service.pending,
        "revision": deployment.map(|deployment| revision(&deployment.definition_arn)),
        "rollout": deployment.map(|deployment| deployment.rollout.name()),
        "message": service.messages.first().map(|message| &message.text),
    })
}

fn task(task: &Task) -> Value {
    let containers: Vec<_> = task
        .containers
        .iter()
        .map(|container| json!({ "name": container.name, "exit": container.exit_code, "reason": container.reason }))
        .collect();
    json!({
        "id": task.id,
        "cluster": task.cluster(),
        "group": task.group,
        "status": task.status.name(),
        "version": task.version,
        "running": task.is_running(),
        "address": task.address(),
        "revision": revision(&task.definition_arn),
        "health": task.health().map(crate::ecs::Health::name),
        "stop": task.stop.as_ref().map(|stop| json!({ "code": stop.code.name(), "reason": stop.reason })),
        "containers": containers,
    })
}

/// `family:7` of a task definition's ARN.
fn revision(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// Milliseconds since 1970, as a browser counts.
pub(super) fn when(at: OffsetDateTime) -> i64 {
    crate::clock::unix_milliseconds(at)
}

pub(super) fn arrived(at: std::time::Instant) -> OffsetDateTime {
    crate::clock::now() - Duration::try_from(at.elapsed()).unwrap_or_default()
}
