//! One round: every subject is started, answers once, and then answers more, all in turn.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, ensure};
use runtime_api::{Answer, Running};
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::sleep_until;

use crate::aws::{Asked, Calls, Server};
use crate::functions::LOCAL_AWS;
use crate::statistics::median;
use crate::subject::Subject;

/// The time-out that a function is told.
const TIME: Duration = Duration::from_secs(30);

/// What one process took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// From its start until it asks for its first invocation.
    pub ready_ms: f64,
    /// From its start until its first alert came in at SNS; none of who alerts nobody.
    pub alerted_ms: Option<f64>,
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
    endpoint: String,
    aws: Mutex<Server>,
}

impl Contestant {
    /// Gives it its AWS, whose binary is among these.
    pub async fn new(subject: Subject, binaries: &Path) -> anyhow::Result<Self> {
        let aws = Server::start(&binaries.join(LOCAL_AWS)).await?;
        Ok(Self { subject, endpoint: aws.endpoint().to_owned(), aws: Mutex::new(aws) })
    }

    /// Starts a process of it and lets it answer once.
    async fn start(&self) -> anyhow::Result<Started<'_>> {
        let mut command = Command::new(&self.subject.program);
        command.args(&self.subject.arguments).current_dir(&self.subject.folder);
        let mut running = Running::start_command(command, &self.environment()).await?;
        let ready = running.ready().await?;
        let mut process = Process { contestant: self, running, rested: Instant::now() };
        self.aws.lock().await.take().await?;
        let sent = SystemTime::now();
        let first = process.invoke().await?;
        let first_cpu = process.running.usage()?.cpu;
        let asked = self.asked(&self.subject.first_calls).await?;
        let alerted = asked.alerted_at.map(|at| ready + at.duration_since(sent).unwrap_or_default());
        Ok(Started { process, ready, alerted, first, first_cpu, warm: Vec::new() })
    }

    /// What was asked of AWS in an invocation, once it is what it had to be.
    async fn asked(&self, wanted: &Calls) -> anyhow::Result<Asked> {
        let asked = self.aws.lock().await.take().await?;
        ensure!(
            asked.calls == *wanted,
            "it made other calls than its job needs, so its numbers mean nothing: {:?} instead of {wanted:?}",
            asked.calls
        );
        Ok(asked)
    }

    /// What Lambda gives every function (Lambda Developer Guide, "Defined runtime environment variables"), and the
    /// AWS of the bench in place of the real one. The files of whoever runs the bench stay out of it.
    fn environment(&self) -> Vec<(&str, &str)> {
        let mut environment = vec![
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
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
    alerted: Option<Duration>,
    first: Duration,
    first_cpu: Duration,
    warm: Vec<f64>,
}

impl Started<'_> {
    async fn invoke_warm(&mut self) -> anyhow::Result<()> {
        sleep_until((self.process.rested + self.process.contestant.subject.rest).into()).await;
        self.warm.push(milliseconds(self.process.invoke().await?));
        let contestant = self.process.contestant;
        contestant.asked(&contestant.subject.warm_calls).await.map(drop)
    }

    /// Ends it.
    async fn end(self) -> anyhow::Result<Measurement> {
        let running = self.process.running;
        let usage = running.usage()?;
        running.kill().await?;
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        Ok(Measurement {
            ready_ms: milliseconds(self.ready),
            alerted_ms: self.alerted.map(milliseconds),
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
