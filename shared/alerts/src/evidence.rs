//! What was found out about a crash while ECS and CloudWatch Logs still knew it.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Everything that was gathered for one incident. What could not be gathered is said in `gaps`; it never holds an alert up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What the container wrote.
    pub logs: Vec<LogTail>,
    /// The task's life, in the order of time.
    pub timeline: Vec<Moment>,
    /// The revision that it is compared with, `family:revision`: the one that was last seen steady, or, where that is the task's own and
    /// young, the one before.
    pub compared_with: Option<String>,
    /// Since when that one was seen steady, if it is the one before.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub compared_with_since: Option<OffsetDateTime>,
    /// Since when the task's own revision is seen steady, if it is the newest that was.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub steady_since: Option<OffsetDateTime>,
    /// What the task's revision changed against it, a line each: `image  old -> new`. Values of variables are never read.
    pub changes: Vec<String>,
    /// What became of the service whose deployment failed: whether it is rolled back, and what runs.
    #[serde(default)]
    pub aftermath: Option<String>,
    /// The deployment under way, in words.
    pub deployment: Option<String>,
    /// How many tasks there are.
    pub running: Option<Running>,
    /// What is not known, and why, a sentence each: `The log group /ecs/agent does not exist.`
    pub gaps: Vec<String>,
}

/// Lines of one log stream, with secrets redacted and control sequences left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTail {
    /// The container that wrote them.
    pub container: String,
    /// The log group.
    pub group: String,
    /// The stream in it.
    pub stream: String,
    /// The first lines, for a task that ended soon after its start; else empty.
    pub head: Vec<String>,
    /// The last lines, in the order in which they were written.
    pub tail: Vec<String>,
    /// Whether there are lines between head and tail (or before the tail, without a head) that are not here.
    pub gap: bool,
    /// The stream in the CloudWatch console; none in a partition whose console is not known.
    pub url: Option<String>,
}

/// One moment of a task's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What happened: `created`, `image pulled`, `started`, `stopping`, `stopped`; and how its health was last seen.
    pub what: String,
}

/// A service's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// How many run.
    pub running: i32,
    /// How many should.
    pub desired: i32,
    /// How many are about to run.
    pub pending: i32,
}
