//! The last lines of the containers that count.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use watchkeeper_alerts::{LogTail, log_stream};
use watchkeeper_events::{Container, TaskArn, TaskStateChange};
use watchkeeper_redact::{cut, redacted_lines};

use crate::evidence::revision::{ContainerSpec, LogSpec, Revision};
use crate::evidence::timeline::{ran_for, since};
use crate::evidence::trace::{Shown, shown};
use crate::evidence::unseen::{in_time, log_gap};
use crate::evidence::witness::{End, Page, Stream, Witness};
use crate::evidence::words;

/// Events that are asked for of the end, in one call: above the frames of a stack trace stands what failed.
const LAST: i32 = 200;
/// Events that are asked for of the beginning, since some hold no line and some hold several.
const FIRST: i32 = 30;
/// Lines that are kept of the end.
const TAIL: usize = 20;
/// Lines that are kept of the beginning.
const HEAD: usize = 10;
/// A line is cut after so many bytes.
const LINE: usize = 500;
/// All lines of a task's containers together: a store's item and a message have an end.
const ALL_LINES: usize = 20_000;
/// Containers whose lines are shown.
const CONTAINERS: usize = 3;
/// A task that ended sooner tells most in its first lines.
const SOON: Duration = Duration::from_mins(1);

/// Lines, and a sentence for each container whose lines are not there.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    pub(crate) tails: Vec<LogTail>,
    pub(crate) gaps: Vec<String>,
}

/// Whose lines are read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Writer<'a> {
    /// A task, as ECS last told of it.
    Seen(&'a TaskStateChange),
    /// One that ECS has forgotten: nothing is known of it but its ARN.
    Forgotten(&'a TaskArn),
}

impl Writer<'_> {
    fn task(&self) -> &TaskArn {
        match self {
            Self::Seen(task) => &task.task,
            Self::Forgotten(task) => task,
        }
    }

    fn container(&self, name: &str) -> Option<&Container> {
        match self {
            Self::Seen(task) => task.containers.iter().find(|container| container.name == name),
            Self::Forgotten(_) => None,
        }
    }

    /// No line of it is older.
    fn since(&self) -> Option<i64> {
        match self {
            Self::Seen(task) => since(task),
            Self::Forgotten(_) => None,
        }
    }

    /// Whether its first lines tell most, as far as is known.
    fn ended_soon(&self) -> bool {
        match self {
            Self::Seen(task) => ran_for(task).is_none_or(|ran| ran < SOON),
            Self::Forgotten(_) => true,
        }
    }

    /// Whether it is known that no container of it ran.
    fn never_ran(&self) -> bool {
        matches!(self, Self::Seen(task) if task.started_at.is_none())
    }
}

/// The lines of the container that began it, then of others that failed.
pub(crate) async fn logs(
    aws: &impl Witness,
    task: Writer<'_>,
    began: Option<&str>,
    revision: &Revision,
    deadline: Instant,
) -> Logs {
    let read = join_all(chosen(task, began, revision).into_iter().map(|container| async move {
        match destination(task, container) {
            Ok(stream) => of_container(aws, task, container, stream, deadline).await,
            Err(gap) => Err(gap),
        }
    }));
    let mut logs = Logs::default();
    let mut left = ALL_LINES;
    for container in read.await {
        match container {
            Ok(mut tail) => {
                left = left.saturating_sub(fit(&mut tail, left));
                logs.tails.push(tail);
            }
            Err(gap) => logs.gaps.push(gap),
        }
    }
    logs
}

/// Which containers: the one that began it (or the first that failed, or the first essential one), then essential ones that failed.
fn chosen<'a>(task: Writer<'_>, began: Option<&str>, revision: &'a Revision) -> Vec<&'a ContainerSpec> {
    let failed = |container: &&ContainerSpec| {
        let seen = task.container(&container.name);
        container.essential && seen.and_then(|seen| seen.exit_code).is_some_and(|code| code != 0)
    };
    let first = began
        .and_then(|name| revision.container(name))
        .or_else(|| revision.containers.iter().find(failed))
        .or_else(|| revision.containers.iter().find(|container| container.essential))
        .or(revision.containers.first());
    let others = revision.containers.iter().filter(failed);
    let others = others.filter(|other| first.is_none_or(|first| first.name != other.name));
    first.into_iter().chain(others).take(CONTAINERS).collect()
}

/// The stream that the container writes to, or why it is not known.
fn destination(task: Writer<'_>, container: &ContainerSpec) -> Result<Stream, String> {
    let name = words(&container.name);
    let Some(logs) = &container.logs else {
        return Err(format!(
            "The container \"{name}\" has no log configuration, so its lines are on its host, if anywhere."
        ));
    };
    if logs.driver != "awslogs" {
        return Err(elsewhere(&name, logs));
    }
    let option = |name: &str| logs.options.get(name).filter(|value| !value.is_empty());
    let Some(group) = option("awslogs-group") else {
        return Err(format!(
            "The container \"{name}\" writes to CloudWatch Logs, but its definition names no log group."
        ));
    };
    let stream = match (
        option("awslogs-stream-prefix"),
        task.container(&container.name).and_then(|seen| seen.runtime_id.as_ref()),
    ) {
        (Some(prefix), _) => format!("{prefix}/{}/{}", container.name, task.task().id()),
        (None, Some(runtime_id)) => runtime_id.clone(),
        (None, None) => {
            return Err(format!(
                "The log stream of the container \"{name}\" in {} is not known: its definition sets no awslogs-stream-prefix.",
                words(group)
            ));
        }
    };
    let region = option("awslogs-region").map_or_else(|| task.task().arn().region(), String::as_str);
    Ok(Stream { region: region.to_owned(), group: group.clone(), name: stream, since: task.since() })
}

/// Where the lines go that are not read here.
fn elsewhere(name: &str, logs: &LogSpec) -> String {
    let option = |names: &[&str]| names.iter().find_map(|name| logs.options.get(*name)).map(|value| words(value));
    let driver = match logs.driver.as_str() {
        "awsfirelens" => "FireLens".to_owned(),
        "none" => return format!("The container \"{name}\" keeps no lines: its log driver is none."),
        on_host @ ("json-file" | "local" | "journald") => {
            return format!(
                "The container \"{name}\" logs through {on_host}: its lines are on the host that it ran on."
            );
        }
        driver => words(driver),
    };
    let places = [
        ("group", option(&["log_group_name"])),
        ("delivery stream", option(&["delivery_stream"])),
        ("stream", option(&["stream"])),
        ("bucket", option(&["bucket"])),
        ("topic", option(&["Topic"])),
        ("host", option(&["Host", "host"])),
        ("region", option(&["region"])),
    ];
    let mut to: Vec<String> =
        option(&["Name", "splunk-url", "fluentd-address", "gelf-address", "syslog-address"]).into_iter().collect();
    to.extend(places.into_iter().filter_map(|(what, place)| Some(format!("{what} {}", place?))));
    let to = if to.is_empty() { String::new() } else { format!(" to {}", to.join(", ")) };
    format!("The container \"{name}\" logs through {driver}{to}; its lines are not read here.")
}

async fn of_container(
    aws: &impl Witness,
    task: Writer<'_>,
    container: &ContainerSpec,
    stream: Stream,
    deadline: Instant,
) -> Result<LogTail, String> {
    let soon = task.ended_soon();
    let url = log_stream(task.task().arn().partition(), &stream.region, &stream.group, &stream.name);
    let gap = |unseen| log_gap(&container.name, &stream, task.never_ran(), url.as_deref(), &unseen);
    let last = in_time(deadline, aws.log(&stream, End::Last, LAST)).await.map_err(gap)?;
    // The beginning is only asked for where it can be another page than the end.
    let first =
        if soon && !last.whole { in_time(deadline, aws.log(&stream, End::First, FIRST)).await.ok() } else { None };
    let (head, tail, cut_between) = ends(&last, first.as_ref(), soon);
    if tail.is_empty() {
        return Err(format!("The container \"{}\" wrote nothing to {}.", words(&container.name), words(&stream.group)));
    }
    Ok(LogTail {
        url,
        container: container.name.clone(),
        group: stream.group.clone(),
        stream: stream.name.clone(),
        head,
        tail,
        gap: cut_between,
    })
}

/// The first and the last lines, and whether there are others between them.
fn ends(last: &Page, first: Option<&Page>, soon: bool) -> (Vec<String>, Vec<String>, bool) {
    let mut earlier = lines(last);
    let Shown { lines: tail, before } = shown(&earlier, TAIL);
    earlier.truncate(before);
    let (head, gap) = match (soon, first) {
        (true, Some(first)) => {
            let mut head = lines(first);
            head.truncate(HEAD);
            (head, true)
        }
        (true, None) if last.whole => {
            let gap = earlier.len() > HEAD;
            earlier.truncate(HEAD);
            (earlier, gap)
        }
        _ => (Vec::new(), !earlier.is_empty() || !last.whole),
    };
    (head, tail, gap)
}

/// An event can hold several lines, and empty ones tell nothing.
fn lines(page: &Page) -> Vec<String> {
    let lines = page.messages.iter().flat_map(|message| message.lines());
    let lines = redacted_lines(lines).into_iter().filter(|line| !line.is_empty());
    lines.map(|line| cut(&line, LINE)).collect()
}

/// Leaves out what is too much, from the middle on; answers with how many bytes are left.
fn fit(tail: &mut LogTail, bytes: usize) -> usize {
    // As they are kept, in JSON.
    let written = |line: &String| line.len() + line.bytes().filter(|c| matches!(c, b'"' | b'\\')).count();
    let size = |lines: &[String]| lines.iter().map(written).sum::<usize>();
    while size(&tail.head) + size(&tail.tail) > bytes {
        tail.gap = true;
        if tail.tail.len() > tail.head.len() || tail.head.is_empty() {
            if tail.tail.is_empty() {
                break;
            }
            tail.tail.remove(0);
        } else {
            tail.head.pop();
        }
    }
    size(&tail.head) + size(&tail.tail)
}
