//! A stopped task as ECS describes it, as the event would have told it.

use aws_sdk_ecs::types::{self, Task};
use watchkeeper_events::{
    ClusterArn, Container, Origin, StopCode, TaskArn, TaskDefinitionArn, TaskStateChange, TaskStatus,
};

use super::sight::instant;

/// The event of a task that has stopped; none of one that has not yet.
pub(crate) fn stopped(task: &Task) -> Option<TaskStateChange> {
    if task.last_status() != Some("STOPPED") {
        return None;
    }
    let arn = TaskArn::parse(task.task_arn()?).ok()?;
    let at = |at: Option<&aws_sdk_ecs::primitives::DateTime>| at.and_then(instant);
    let stopped_at = at(task.stopped_at());
    Some(TaskStateChange {
        origin: Origin {
            event_id: format!("sweep {arn}"),
            account: arn.arn().account().to_owned(),
            region: arn.arn().region().to_owned(),
            time: stopped_at,
        },
        cluster: ClusterArn::parse(task.cluster_arn()?).ok()?,
        task_definition: task.task_definition_arn().and_then(|text| TaskDefinitionArn::parse(text).ok()),
        group: text(task.group()),
        started_by: text(task.started_by()),
        status: TaskStatus::Stopped,
        version: task.version(),
        stop_code: task.stop_code().map(|code| StopCode::from_text(code.as_str())),
        stopped_reason: text(task.stopped_reason()),
        containers: task.containers().iter().filter_map(container).collect(),
        launch_type: task.launch_type().map(|launch_type| launch_type.as_str().to_owned()),
        availability_zone: text(task.availability_zone()),
        created_at: at(task.created_at()),
        connectivity_at: at(task.connectivity_at()),
        pull_started_at: at(task.pull_started_at()),
        pull_stopped_at: at(task.pull_stopped_at()),
        started_at: at(task.started_at()),
        stopping_at: at(task.stopping_at()),
        execution_stopped_at: at(task.execution_stopped_at()),
        stopped_at,
        task: arn,
    })
}

fn container(container: &types::Container) -> Option<Container> {
    Some(Container {
        name: container.name()?.to_owned(),
        image: text(container.image()),
        exit_code: container.exit_code().map(i64::from),
        reason: text(container.reason()),
        runtime_id: text(container.runtime_id()),
        health_status: container.health_status().map(|status| status.as_str().to_owned()),
    })
}

fn text(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::primitives::{DateTime, DateTimeFormat};
    use serde_json::Value;
    use watchkeeper_events::Event;

    fn sample(name: &str) -> Value {
        let path = format!("{}/../../shared/events/tests/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    /// The task as `DescribeTasks` would show it.
    fn described(detail: &Value) -> Task {
        let text = |name: &str| detail[name].as_str().map(str::to_owned);
        let at = |name: &str| detail[name].as_str().map(|at| DateTime::from_str(at, DateTimeFormat::DateTime).unwrap());
        let containers = detail["containers"].as_array().unwrap().iter().map(|container| {
            let text = |name: &str| container[name].as_str().map(str::to_owned);
            types::Container::builder()
                .set_name(text("name"))
                .set_image(text("image"))
                .set_exit_code(container["exitCode"].as_i64().map(|code| i32::try_from(code).unwrap()))
                .set_reason(text("reason"))
                .set_runtime_id(text("runtimeId"))
                .set_health_status(text("healthStatus").map(|status| status.as_str().into()))
                .build()
        });
        Task::builder()
            .set_task_arn(text("taskArn"))
            .set_cluster_arn(text("clusterArn"))
            .set_task_definition_arn(text("taskDefinitionArn"))
            .set_group(text("group"))
            .set_started_by(text("startedBy"))
            .set_last_status(text("lastStatus"))
            .version(detail["version"].as_i64().unwrap_or_default())
            .set_stop_code(text("stopCode").map(|code| code.as_str().into()))
            .set_stopped_reason(text("stoppedReason"))
            .set_containers(Some(containers.collect()))
            .set_launch_type(text("launchType").map(|launch_type| launch_type.as_str().into()))
            .set_availability_zone(text("availabilityZone"))
            .set_created_at(at("createdAt"))
            .set_connectivity_at(at("connectivityAt"))
            .set_pull_started_at(at("pullStartedAt"))
            .set_pull_stopped_at(at("pullStoppedAt"))
            .set_started_at(at("startedAt"))
            .set_stopping_at(at("stoppingAt"))
            .set_execution_stopped_at(at("executionStoppedAt"))
            .set_stopped_at(at("stoppedAt"))
            .build()
    }

    #[test]
    fn it_is_what_its_event_says() {
        for name in [
            "task-failed-to-start-image",
            "task-failed-to-start-secret",
            "task-stopped-elb-health",
            "task-stopped-exit-0",
            "task-stopped-exit-1",
            "task-stopped-out-of-memory",
            "task-stopped-scale-in",
        ] {
            let sample = sample(name);
            let Event::Task(event) = Event::parse(&sample).unwrap() else { panic!("{name}") };
            let mut found = stopped(&described(&sample["detail"])).unwrap();
            assert_eq!(found.origin.event_id, format!("sweep {}", event.task));
            assert_eq!((&found.origin.account, &found.origin.region), (&event.origin.account, &event.origin.region));
            assert_eq!(found.origin.time, event.stopped_at);
            found.origin = event.origin.clone();
            assert_eq!(found, *event, "{name}");
        }
    }

    #[test]
    fn what_is_stopping_still_has_not_stopped() {
        assert_eq!(stopped(&described(&sample("task-running")["detail"])), None);
        let mut sample = sample("task-stopped-exit-1");
        sample["detail"]["lastStatus"] = "DEPROVISIONING".into();
        assert_eq!(stopped(&described(&sample["detail"])), None);
    }
}
