//! One round: every subject is started, answers once, and then answers more, all in turn.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use runtime_api::{Answer, Running};
use tokio::process::Command;
use tokio::time::sleep_until;

use crate::aws::Server;
use crate::statistics::median;
use crate::subject::Subject;

/// The time-out that a function is told.
const TIME: Duration = Duration::from_secs(30);

/// What one process took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// From its start until it asks for its first invocation.
    pub ready_ms: f64,
    /// From its start to its first answer.
    pub answered_ms: f64,
    /// CPU time from its start until it rests after its first answer.
    pub first_cpu_ms: f64,
    /// From an event to its answer; the median of the warm invocations.
    pub warm_ms: f64,
    /// CPU time for each warm invocation, its part of asking for the next one included.
    pub warm_cpu_ms: f64,
    /// The most memory it ever had resident.
    pub peak_mib: f64,
}

/// A subject and the AWS that it talks to.
#[derive(Debug)]
pub struct Contestant {
    /// Who.
    pub subject: Subject,
    aws: Server,
}

impl Contestant {
    /// Gives it its AWS.
    pub async fn new(subject: Subject) -> anyhow::Result<Self> {
        Ok(Self { subject, aws: Server::start().await? })
    }

    /// Starts a process of it and lets it answer once.
    async fn start(&self) -> anyhow::Result<Started<'_>> {
        let mut command = Command::new(&self.subject.program);
        command.args(&self.subject.arguments).current_dir(&self.subject.folder);
        let mut running = Running::start_command(command, &self.environment()).await?;
        let ready = running.ready().await?;
        let mut process = Process { contestant: self, running, rested: Instant::now() };
        let first = process.invoke().await?;
        let first_cpu = process.running.usage()?.cpu;
        Ok(Started { process, ready, first, first_cpu, warm: Vec::new() })
    }

    /// What Lambda gives every function (Lambda Developer Guide, "Defined runtime environment variables"), and the
    /// AWS of the bench in place of the real one. The files of whoever runs the bench stay out of it.
    fn environment(&self) -> Vec<(&str, &str)> {
        let mut environment = vec![
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", self.aws.endpoint()),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ];
        environment.extend(&self.subject.environment);
        environment
    }
}

struct Process<'a> {
    contestant: &'a Contestant,
    running: Running,
    /// When it was last done.
    rested: Instant,
}

impl Process<'_> {
    /// Invokes it and waits until it rests again; returns the time to the answer.
    async fn invoke(&mut self) -> anyhow::Result<Duration> {
        let subject = &self.contestant.subject;
        let sent = Instant::now();
        let answer = self.running.invoke(&subject.event, TIME).await?;
        let took = sent.elapsed();
        ensure!(answer == Answer::Response(subject.answer.clone()), "it did not do its job: {answer:?}");
        self.running.settled().await?;
        self.rested = Instant::now();
        Ok(took)
    }
}

/// A process that has answered once, and maybe more.
struct Started<'a> {
    process: Process<'a>,
    ready: Duration,
    first: Duration,
    first_cpu: Duration,
    warm: Vec<f64>,
}

impl Started<'_> {
    async fn invoke_warm(&mut self) -> anyhow::Result<()> {
        sleep_until((self.process.rested + self.process.contestant.subject.rest).into()).await;
        self.warm.push(milliseconds(self.process.invoke().await?));
        Ok(())
    }

    /// Ends it, and checks that it asked of AWS what it had to.
    async fn end(self) -> anyhow::Result<Measurement> {
        let Process { contestant, running, .. } = self.process;
        let usage = running.usage()?;
        running.kill().await?;
        let (made, wanted) = (contestant.aws.take_calls(), contestant.subject.calls.times(1 + self.warm.len()));
        ensure!(
            made == wanted,
            "it made other calls than its job needs, so its numbers mean nothing: {made:?} instead of {wanted:?}"
        );
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        Ok(Measurement {
            ready_ms: milliseconds(self.ready),
            answered_ms: milliseconds(self.ready + self.first),
            first_cpu_ms: milliseconds(self.first_cpu),
            warm_ms: median(&self.warm),
            warm_cpu_ms: milliseconds(usage.cpu.saturating_sub(self.first_cpu)) / self.warm.len().max(1) as f64,
            peak_mib: usage.peak_kib as f64 / 1024.0,
        })
    }
}

/// Starts the contestants one after the other, beginning with the one whose turn it is, then lets each answer `warm`
/// more times: one answer each in turn, so that one rests while the others work. The measurements come in the
/// contestants' order.
pub async fn round(contestants: &[Contestant], turn: usize, warm: usize) -> anyhow::Result<Vec<Measurement>> {
    let about = |index: usize| format!("measuring {}", contestants[index].subject.name);
    let mut started = Vec::new();
    for index in (0..contestants.len()).map(|offset| (turn + offset) % contestants.len()) {
        started.push((index, contestants[index].start().await.with_context(|| about(index))?));
    }
    for _ in 0..warm {
        for (index, process) in &mut started {
            process.invoke_warm().await.with_context(|| about(*index))?;
        }
    }
    let mut measured = Vec::new();
    for (index, process) in started {
        measured.push((index, process.end().await.with_context(|| about(index))?));
    }
    measured.sort_by_key(|(index, _)| *index);
    Ok(measured.into_iter().map(|(_, measurement)| measurement).collect())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
