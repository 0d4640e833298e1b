//! A task that should not have stopped.

use watchkeeper_events::{TaskDefinitionArn, TaskStateChange};
use watchkeeper_stops::{Cause, Crash};

use crate::alert::{Alert, AlertKey, Facts, Kind};
use crate::{console, moment};

/// The alert for a crash. A task stops once, so its key is the task alone.
#[must_use]
pub fn crash(task: &TaskStateChange, crash: &Crash) -> Alert {
    let service = task.service_arn();
    let family = task.group.as_deref().and_then(|group| group.strip_prefix("family:"));
    // A task that was given a group of its own is known by its definition all the same.
    let family =
        family.or(task.task_definition.as_ref().filter(|_| !task.belongs_to_service()).map(TaskDefinitionArn::family));
    let about = task.service_name().or(family).unwrap_or(task.task.id()).to_owned();
    let container = crash.container.as_ref();
    let revision = task.task_definition.as_ref();
    let place = task.task.arn();
    let exit_code = container.and_then(|container| container.exit_code);
    let where_it_ran = [task.launch_type.as_deref(), task.availability_zone.as_deref()];

    let facts = Facts::default()
        .with("Service", task.service_name())
        .with("Family", family)
        .with("Cluster", Some(task.cluster.name()))
        .with("Task", Some(task.task.id()))
        .with("Revision", revision.map(TaskDefinitionArn::revision))
        .with("Container", container.map(|container| container.name.as_str()))
        .with("Image", container.and_then(|container| container.image.as_deref()))
        .with("Cause", Some(cause_words(crash.cause)))
        .with("Exit code", exit_code.map(|code| code.to_string()))
        .with("Reason", crash.reason.as_deref())
        .with("Stopped", task.stopped_at.or(task.origin.time).map(moment::utc))
        .with("Ran for", ran_for(task))
        .with("On", Some(where_it_ran.into_iter().flatten().collect::<Vec<_>>().join(", ")).filter(|on| !on.is_empty()))
        .with("Account", Some(format!("{} in {}", place.account(), place.region())));

    let links = [
        console::task(&task.cluster, &task.task),
        service.as_ref().and_then(|service| console::service(service, "health")),
        revision.and_then(console::revision),
    ];
    Alert {
        key: AlertKey { subject: format!("task#{}", task.task), occurrence: "stopped".to_owned() },
        kind: Kind::Crash,
        severity: crash.cause.severity(),
        cause: crash.cause.id().to_owned(),
        about,
        cluster: Some(task.cluster.name().to_owned()),
        service: task.service_name().map(str::to_owned),
        summary: crash.summary(),
        facts: facts.done(),
        next_step: Some(crash.cause.next_step().to_owned()),
        links: links.into_iter().flatten().collect(),
    }
}

fn cause_words(cause: Cause) -> String {
    cause.id().replace('-', " ")
}

fn ran_for(task: &TaskStateChange) -> Option<String> {
    let stopped = task.stopped_at.or(task.origin.time)?;
    Some(match task.started_at {
        Some(started) => format!("{}, since {}", moment::duration(stopped - started), moment::utc(started)),
        None => "never: it did not get to run".to_owned(),
    })
}
