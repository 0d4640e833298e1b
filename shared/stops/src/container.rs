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

fn ended(container: &Container) -> bool {
    container.exit_code.is_some() || container.reason.is_some()
}

fn rank(container: &Container, task: &TaskStateChange) -> u8 {
    if container.reason.as_deref().and_then(reason::cause_of).is_some_and(|cause| cause != Cause::StopTimeout) {
        return 0;
    }
    match container.exit_code {
        Some(SIGKILL) if stop_took_the_time_out(task) => 4,
        Some(SIGKILL) => 2,
        Some(0) => 3,
        Some(SIGTERM) => 5,
        Some(_) => 1,
        None => 6,
    }
}

fn stop_took_the_time_out(task: &TaskStateChange) -> bool {
    let end = task.execution_stopped_at.or(task.stopped_at);
    matches!((task.stopping_at, end), (Some(begin), Some(end)) if (end - begin).whole_seconds() >= STOP_TIMEOUT)
}
