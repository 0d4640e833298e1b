//! A task's life, of what its last event says.

use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::Moment;
use watchkeeper_events::{Container, TaskStateChange};
use watchkeeper_redact::readable;

/// A container's name and end are not longer than this.
const WORDS: usize = 60;

/// What is known of the task's life, in the order of time.
pub(crate) fn timeline(task: &TaskStateChange) -> Vec<Moment> {
    let pulled = match (task.pull_started_at, task.pull_stopped_at) {
        (Some(from), Some(to)) if to >= from => format!("image pulled in {}", seconds(to - from)),
        _ => "image pulled".to_owned(),
    };
    let stopping = match (task.started_at, task.stopping_at) {
        (Some(from), Some(to)) if to >= from => format!("stopping, after it ran for {}", seconds(to - from)),
        _ => "stopping".to_owned(),
    };
    let moments = [
        (task.created_at, "created".to_owned()),
        (task.connectivity_at, "network attached".to_owned()),
        // Of a pull that ended, the end says it all.
        (task.pull_started_at.filter(|_| task.pull_stopped_at.is_none()), "pull of the image begun".to_owned()),
        (task.pull_stopped_at, pulled),
        (task.started_at, "started".to_owned()),
        (task.stopping_at, stopping),
        (task.execution_stopped_at, ended(&task.containers)),
        (task.stopped_at, "stopped".to_owned()),
    ];
    let mut known: Vec<Moment> = moments.into_iter().filter_map(|(at, what)| Some(Moment { at: at?, what })).collect();
    // Of two at the same time, the one that comes first in a task's life stays first.
    known.sort_by_key(|moment| moment.at);
    known
}

/// How long the task ran; none if it never did.
pub(crate) fn ran_for(task: &TaskStateChange) -> Option<Duration> {
    let ended = task.execution_stopped_at.or(task.stopping_at).or(task.stopped_at)?;
    Some((ended - task.started_at?).max(Duration::ZERO))
}

/// The earliest time that a line of it can have.
pub(crate) fn since(task: &TaskStateChange) -> Option<i64> {
    // Its host's clock is not ECS's.
    let from: OffsetDateTime = task.created_at? - Duration::minutes(5);
    i64::try_from(from.unix_timestamp_nanos() / 1_000_000).ok()
}

fn ended(containers: &[Container]) -> String {
    let mut ends = Vec::new();
    for container in containers {
        let code = container.exit_code.map(|code| format!("exit {code}"));
        let health = container.health_status.as_deref().filter(|status| *status == "UNHEALTHY").map(|_| "unhealthy");
        let end: Vec<&str> = code.as_deref().into_iter().chain(health).collect();
        if !end.is_empty() {
            ends.push(format!("{} {}", readable(&container.name, WORDS), end.join(", ")));
        }
    }
    let more = ends.len().saturating_sub(5);
    ends.truncate(5);
    if more > 0 {
        ends.push(format!("and {more} more"));
    }
    if ends.is_empty() { "containers ended".to_owned() } else { format!("containers ended ({})", ends.join("; ")) }
}

/// `3 s`, `6 min 28 s`, `2 h 1 min`, `3 d 4 h`.
fn seconds(duration: Duration) -> String {
    let seconds = duration.whole_seconds();
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, min, s) => format!("{min} min {s} s"),
        (0, h, min, _) => format!("{h} h {min} min"),
        (d, h, ..) => format!("{d} d {h} h"),
    }
}
