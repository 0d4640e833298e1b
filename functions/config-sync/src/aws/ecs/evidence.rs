//! What went wrong with a deployment's tasks, in words.

use aws_sdk_ecs::types::{Container as EcsContainer, DesiredStatus, Task as EcsTask, TaskStopCode};
use aws_smithy_types::DateTime;
use time::OffsetDateTime;
use watchkeeper_aws_errors::Failed;
use watchkeeper_events::{ClusterArn, Container, Origin, ServiceArn, StopCode, TaskArn, TaskStateChange, TaskStatus};
use watchkeeper_stops::{Crash, Verdict, judge};

use super::tasks::is_gone;
use super::{Cluster, cluster};
use crate::trouble::Trouble;

/// An image's name and a registry's answer are longer than anybody reads.
const LONGEST: usize = 500;
/// What ECS says of a task when its container's exit code says it already.
const SAYS_NOTHING: &str = "Essential container in task exited";

impl Cluster {
    /// Why the last task of this deployment stopped that should not have, as far as ECS remembers: about an hour.
    pub(super) async fn last_crash(&self, service: &ServiceArn, deployment: &str) -> Result<Option<String>, Trouble> {
        // The newest page of them suffices: where there are more, they end alike.
        let list = self.client.list_tasks().cluster(cluster(service)).started_by(deployment);
        let arns = match list.desired_status(DesiredStatus::Stopped).send().await {
            Ok(answer) => answer.task_arns.unwrap_or_default(),
            Err(error) if error.as_service_error().is_some_and(is_gone) => return Ok(None),
            Err(error) => return Err(Failed::of("listing the service's stopped tasks", &error).into()),
        };
        if arns.is_empty() {
            return Ok(None);
        }
        Ok(words(&self.describe(service, arns).await?))
    }
}

/// One line of the last that should not have stopped.
fn words(tasks: &[EcsTask]) -> Option<String> {
    let crashes = tasks.iter().filter_map(|task| {
        let task = as_event(task)?;
        match judge(&task) {
            Verdict::Crashed(crash) => Some((task.stopped_at.or(task.stopping_at).or(task.created_at), crash)),
            Verdict::Planned(_) | Verdict::EndedWell => None,
        }
    });
    let (_, crash) = crashes.max_by_key(|(at, _)| *at)?;
    Some(one_line(&crash))
}

fn one_line(crash: &Crash) -> String {
    let reason = crash.reason.as_deref().filter(|reason| *reason != SAYS_NOTHING);
    let text = reason.map_or_else(|| crash.summary(), |reason| format!("{}: {reason}", crash.summary()));
    let words: Vec<_> = text.split(|one: char| one.is_whitespace() || one.is_control()).collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// What is judged is the task's last event; the same is in what ECS describes.
fn as_event(task: &EcsTask) -> Option<TaskStateChange> {
    if task.last_status() != Some("STOPPED") {
        return None;
    }
    let arn = TaskArn::parse(task.task_arn()?).ok()?;
    let (account, region) = (arn.arn().account().to_owned(), arn.arn().region().to_owned());
    Some(TaskStateChange {
        origin: Origin { event_id: String::new(), account, region, time: None },
        task: arn,
        cluster: ClusterArn::parse(task.cluster_arn()?).ok()?,
        task_definition: None,
        group: task.group.clone(),
        started_by: task.started_by.clone(),
        status: TaskStatus::Stopped,
        version: task.version(),
        stop_code: task.stop_code().map(stop_code),
        stopped_reason: task.stopped_reason.clone(),
        containers: task.containers().iter().map(container).collect(),
        launch_type: None,
        availability_zone: task.availability_zone.clone(),
        created_at: instant(task.created_at()),
        connectivity_at: instant(task.connectivity_at()),
        pull_started_at: instant(task.pull_started_at()),
        pull_stopped_at: instant(task.pull_stopped_at()),
        started_at: instant(task.started_at()),
        stopping_at: instant(task.stopping_at()),
        execution_stopped_at: instant(task.execution_stopped_at()),
        stopped_at: instant(task.stopped_at()),
    })
}

fn container(container: &EcsContainer) -> Container {
    Container {
        name: container.name().unwrap_or_default().to_owned(),
        image: container.image.clone(),
        exit_code: container.exit_code().map(i64::from),
        reason: container.reason.clone(),
        runtime_id: container.runtime_id.clone(),
        health_status: container.health_status().map(|status| status.as_str().to_owned()),
    }
}

fn stop_code(code: &TaskStopCode) -> StopCode {
    match code {
        TaskStopCode::TaskFailedToStart => StopCode::TaskFailedToStart,
        TaskStopCode::EssentialContainerExited => StopCode::EssentialContainerExited,
        TaskStopCode::UserInitiated => StopCode::UserInitiated,
        TaskStopCode::ServiceSchedulerInitiated => StopCode::ServiceSchedulerInitiated,
        TaskStopCode::SpotInterruption => StopCode::SpotInterruption,
        TaskStopCode::TerminationNotice => StopCode::TerminationNotice,
        // One that the SDK does not know yet has a name all the same.
        other => match other.as_str() {
            "InfrastructureHealth" => StopCode::InfrastructureHealth,
            other => StopCode::Other(other.to_owned()),
        },
    }
}

fn instant(at: Option<&DateTime>) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(at?.as_nanos()).ok()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::builders::TaskBuilder;

    use super::*;

    fn stopped(at: i64, code: TaskStopCode, reason: &str) -> TaskBuilder {
        EcsTask::builder()
            .task_arn(format!("arn:aws:ecs:eu-west-1:123456789012:task/agents/{at}"))
            .cluster_arn("arn:aws:ecs:eu-west-1:123456789012:cluster/agents")
            .group("service:agent")
            .started_by("ecs-svc/1")
            .last_status("STOPPED")
            .stop_code(code)
            .stopped_reason(reason)
            .stopped_at(DateTime::from_secs(at))
    }

    fn exited(at: i64, code: i32) -> EcsTask {
        let container = EcsContainer::builder().name("agent").exit_code(code).build();
        stopped(at, TaskStopCode::EssentialContainerExited, SAYS_NOTHING).containers(container).build()
    }

    #[test]
    fn the_last_crash_is_told_in_one_line() {
        let planned = stopped(9, TaskStopCode::ServiceSchedulerInitiated, "Scaling activity initiated by deployment");
        let pull =
            "CannotPullContainerError: pull image manifest has been retried 1 time(s):\n  no such\u{0}image: not found";
        let pull = stopped(8, TaskStopCode::TaskFailedToStart, pull).build();
        for (tasks, expected) in [
            (vec![], None),
            (vec![planned.clone().build()], None),
            (vec![exited(2, 1), exited(1, 2), planned.build()], Some("container \"agent\" exited with code 1")),
            (
                vec![exited(2, 1), pull],
                Some(
                    "the task could not start: its image was not found: CannotPullContainerError: pull image manifest \
                     has been retried 1 time(s): no such image: not found",
                ),
            ),
            (vec![EcsTask::builder().last_status("STOPPED").build()], None),
        ] {
            assert_eq!(words(&tasks).as_deref(), expected);
        }
    }

    #[test]
    fn what_nobody_reads_to_the_end_is_cut() {
        let line = words(&[stopped(1, TaskStopCode::TaskFailedToStart, &"ü".repeat(10_000)).build()]).unwrap();
        assert!(line.chars().count() == LONGEST + 1 && line.ends_with("ü…"), "{line}");
    }

    #[test]
    fn all_codes_of_ecs_are_known_by_their_names() {
        for code in TaskStopCode::values() {
            let read = stop_code(&TaskStopCode::from(*code));
            assert_eq!(format!("{read:?}"), *code);
        }
        assert_eq!(stop_code(&"InfrastructureHealth".into()), StopCode::InfrastructureHealth);
    }
}
