//! A task's life, of what its last event says.

use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::Moment;
use watchkeeper_events::{Container, TaskStateChange};
use watchkeeper_redact::readable;

use crate::evidence::revision::Revision;

/// A container's name and end are not longer than this.
const WORDS: usize = 60;
/// More containers are counted, not named.
const CONTAINERS: usize = 5;

/// What is known of the task's life, in the order of time. ECS tells no moment at which a task turned healthy or unhealthy, so its health
/// is told as it was last seen.
pub(crate) fn timeline(task: &TaskStateChange, revision: Option<&Revision>) -> Vec<Moment> {
    let pulled = match (task.pull_started_at, task.pull_stopped_at) {
        (Some(from), Some(to)) if to >= from => format!("image pulled in {}", seconds(to - from)),
        _ => "image pulled".to_owned(),
    };
    let stopping = match (task.started_at, task.stopping_at) {
        (Some(from), Some(to)) if to >= from => format!("stopping, after it ran for {}", seconds(to - from)),
        _ => "stopping".to_owned(),
    };
    let health = health(&task.containers, revision);
    let moments = [
        (task.created_at, "created".to_owned()),
        (task.connectivity_at, "network attached".to_owned()),
        // Of a pull that ended, the end says it all.
        (task.pull_started_at.filter(|_| task.pull_stopped_at.is_none()), "pull of the image begun".to_owned()),
        (task.pull_stopped_at, pulled),
        (task.started_at, "started".to_owned()),
        (task.stopping_at, stopping),
        (task.stopping_at.or(task.execution_stopped_at).or(task.stopped_at).filter(|_| !health.is_empty()), health),
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
        if let Some(code) = container.exit_code {
            ends.push(format!("{} exit {code}", readable(&container.name, WORDS)));
        }
    }
    shorten(&mut ends);
    if ends.is_empty() { "containers ended".to_owned() } else { format!("containers ended ({})", ends.join("; ")) }
}

/// `health last seen: agent UNHEALTHY`; nothing where no container's health is checked. One that ECS takes for unhealthy is checked, also where its revision is not known.
fn health(containers: &[Container], revision: Option<&Revision>) -> String {
    let checked = containers.iter().filter_map(|container| {
        let status = container.health_status.as_deref()?;
        let is_checked =
            status == "UNHEALTHY" || revision.is_some_and(|revision| revision.checks_health(&container.name));
        is_checked.then(|| format!("{} {}", readable(&container.name, WORDS), readable(status, WORDS)))
    });
    let mut checked: Vec<String> = checked.collect();
    shorten(&mut checked);
    if checked.is_empty() { String::new() } else { format!("health last seen: {}", checked.join("; ")) }
}

fn shorten(containers: &mut Vec<String>) {
    let more = containers.len().saturating_sub(CONTAINERS);
    containers.truncate(CONTAINERS);
    if more > 0 {
        containers.push(format!("and {more} more"));
    }
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
