//! The verdict on a stopped task.

use watchkeeper_events::{Container, StopCode, TaskStateChange};

use crate::cause::Cause;
use crate::container::{all_ended_well, beginner};
use crate::reason;

/// What a task's stop was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Meant to be; it never alerts, whatever the exit code.
    Planned(Planned),
    /// A standalone task that did its work and exited 0.
    EndedWell,
    /// It should not have stopped.
    Crashed(Crash),
}

/// Who meant it to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planned {
    /// The service's scheduler: a deployment, a scale-in, a service that was drained or deleted.
    Scheduler,
    /// Somebody who called `StopTask`.
    Operator,
}

/// A stop that should not have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crash {
    /// Why.
    pub cause: Cause,
    /// The container that began it, where one did.
    pub container: Option<Container>,
    /// The most telling reason, as ECS wrote it.
    pub reason: Option<String>,
}

impl Crash {
    /// What happened in one line: `container "agent" exited with code 1`.
    #[must_use]
    pub fn summary(&self) -> String {
        match &self.container {
            Some(container) => format!("container \"{}\" {}", container.name, self.cause.summary()),
            None => format!("the task {}", self.cause.summary()),
        }
    }
}

/// Judges why a stopped task stopped.
#[must_use]
pub fn judge(task: &TaskStateChange) -> Verdict {
    let stopped_reason = task.stopped_reason.as_deref().unwrap_or_default();
    match &task.stop_code {
        Some(StopCode::UserInitiated) => Verdict::Planned(Planned::Operator),
        Some(StopCode::ServiceSchedulerInitiated) => by_scheduler(task, stopped_reason),
        Some(StopCode::SpotInterruption) => whole_task(task, Cause::SpotInterruption),
        Some(StopCode::TerminationNotice) => {
            whole_task(task, reason::cause_of(stopped_reason).unwrap_or(Cause::Infrastructure))
        }
        Some(StopCode::InfrastructureHealth) => {
            let cause = match reason::cause_of(stopped_reason) {
                Some(Cause::FargateRetirement) => Cause::FargateRetirement,
                _ => Cause::Infrastructure,
            };
            whole_task(task, cause)
        }
        _ => by_itself(task, stopped_reason),
    }
}

/// The scheduler stops tasks on purpose, except those that fail health checks or sit on a host that goes.
fn by_scheduler(task: &TaskStateChange, stopped_reason: &str) -> Verdict {
    match reason::cause_of(stopped_reason) {
        Some(
            cause @ (Cause::LoadBalancerHealthCheck
            | Cause::ContainerHealthCheck
            | Cause::FargateRetirement
            | Cause::SpotInterruption
            | Cause::Infrastructure),
        ) => whole_task(task, cause),
        _ if stopped_reason.to_lowercase().contains("failed") => whole_task(task, Cause::Unknown),
        _ => Verdict::Planned(Planned::Scheduler),
    }
}

/// A stop that the task or a container of it began: the container's own reason, then the task's, then
/// the exit code.
fn by_itself(task: &TaskStateChange, stopped_reason: &str) -> Verdict {
    let container = beginner(task);
    if let Some((container, reason, cause)) = container.and_then(|container| {
        let reason = container.reason.as_deref()?;
        Some((container, reason, reason::cause_of(reason)?))
    }) {
        return crashed(cause, Some(container), Some(reason));
    }
    if let Some(cause) = reason::cause_of(stopped_reason) {
        let suspect = container.filter(|container| container.exit_code.is_some());
        return crashed(cause, suspect, Some(stopped_reason));
    }
    let reason = container.and_then(|container| container.reason.as_deref()).or(task.stopped_reason.as_deref());
    match container.and_then(|container| container.exit_code) {
        Some(0) if ended_well(task) => Verdict::EndedWell,
        Some(code @ 129..=159) => crashed(Cause::Signal(code - 128), container, reason),
        Some(code) => crashed(Cause::Exit(code), container, reason),
        None => crashed(Cause::Unknown, container, reason),
    }
}

/// A standalone task that did its work: it ran, and no container of it failed.
fn ended_well(task: &TaskStateChange) -> bool {
    !task.belongs_to_service() && task.stop_code != Some(StopCode::TaskFailedToStart) && all_ended_well(task)
}

/// A cause that lies outside the containers: their exit codes are only what came of it.
fn whole_task(task: &TaskStateChange, cause: Cause) -> Verdict {
    crashed(cause, None, task.stopped_reason.as_deref())
}

fn crashed(cause: Cause, container: Option<&Container>, reason: Option<&str>) -> Verdict {
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty()).map(str::to_owned);
    Verdict::Crashed(Crash { cause, container: container.cloned(), reason })
}
