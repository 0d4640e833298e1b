//! Which container began it, where a task has several.

use watchkeeper_events::{Container, TaskStateChange};

use crate::cause::Cause;
use crate::reason;

const SIGKILL: i64 = 137;
const SIGTERM: i64 = 143;
/// Containers get this long between SIGTERM and SIGKILL unless the task definition says otherwise
/// (ECS Developer Guide, `stopTimeout`), in seconds.
const STOP_TIMEOUT: i64 = 30;

/// The container that began the stop.
///
/// ECS does not say which one it was. One with a reason of its own began it. Else one that failed by
/// itself: when an essential container ends, ECS sends the others SIGTERM and, after the stop time-out,
/// SIGKILL, so those that end in 143, 0 or 137 may be victims. A SIGKILL that came before the time-out
/// can have passed was not ECS's.
pub(crate) fn beginner(task: &TaskStateChange) -> Option<&Container> {
    // min_by_key takes the first of equals: the order of the task definition.
    task.containers.iter().filter(|container| ended(container)).min_by_key(|container| rank(container, task))
}

/// Whether every container ended well, or because ECS told it to.
pub(crate) fn all_ended_well(task: &TaskStateChange) -> bool {
    task.containers.iter().filter(|container| ended(container)).all(|container| {
        let told = container.exit_code == Some(SIGTERM) || is_kill_after_time_out(container, task);
        container.reason.is_none() && (container.exit_code == Some(0) || told)
    })
}

fn ended(container: &Container) -> bool {
    container.exit_code.is_some() || container.reason.is_some()
}

fn rank(container: &Container, task: &TaskStateChange) -> u8 {
    let cause = container.reason.as_deref().map(reason::cause_of);
    match (cause, container.exit_code) {
        (Some(Some(cause)), _) if cause != Cause::StopTimeout => 0,
        // It waited in vain for another one, and that one began it.
        (Some(_), None) if container.reason.as_deref().is_some_and(waits_for_another) => 6,
        // It never ran, and ECS says something about it.
        (Some(_), None) => 0,
        _ if is_kill_after_time_out(container, task) => 4,
        (_, Some(SIGKILL)) => 2,
        (_, Some(0)) => 3,
        (_, Some(SIGTERM)) => 5,
        (_, Some(_)) => 1,
        (None, None) => 6,
    }
}

/// What the container agent says of a container whose `dependsOn` cannot be met.
fn waits_for_another(reason: &str) -> bool {
    reason.contains("container ordering dependency")
}

/// A container that needed longer than the time-out was killed for it. Only the time at which the containers had
/// ended tells; `stoppedAt` includes taking the network interface down.
fn is_kill_after_time_out(container: &Container, task: &TaskStateChange) -> bool {
    let took = task.stopping_at.zip(task.execution_stopped_at).map(|(begin, end)| (end - begin).whole_seconds());
    container.exit_code == Some(SIGKILL) && took.is_some_and(|seconds| seconds >= STOP_TIMEOUT)
}
