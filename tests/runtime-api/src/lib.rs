//! Runs one function binary under a Lambda Runtime API of its own, to test and measure it.
//!
//! The API is the documented one (Lambda Developer Guide, "Using the Lambda runtime API"): the function
//! asks for its next invocation and posts its response or its error. One function, one invocation at a
//! time, as in Lambda's execution environments.

mod server;
mod usage;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use server::{Invocation, Outcome, Server};
pub use usage::Usage;

/// How long a function may take to ask for its first invocation; Lambda gives it 10 s.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// A function that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    server: Server,
    invocations: mpsc::Sender<Invocation>,
    outcomes: mpsc::Receiver<Outcome>,
    polls: watch::Receiver<u64>,
    started: Instant,
    count: u64,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The function's response.
    Response(Value),
    /// The error that the function reported.
    Error(Value),
}

impl Running {
    /// Starts `binary` with just these environment variables and the Runtime API's.
    pub async fn start(binary: &Path, environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::start_command(Command::new(binary), environment).await
    }

    /// The same for a function that is not just a binary: `command` has its arguments and its folder.
    pub async fn start_command(mut command: Command, environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let (invocations, next) = mpsc::channel(1);
        let (post, outcomes) = mpsc::channel(1);
        let (polled, polls) = watch::channel(0);
        let server = Server::start(next, post, polled).await?;
        command
            .env_clear()
            .envs(environment.iter().copied())
            .env("AWS_LAMBDA_RUNTIME_API", server.address())
            .env("AWS_LAMBDA_FUNCTION_NAME", "function")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/function")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true);
        let started = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("starting {}", command.as_std().get_program().to_string_lossy()))?;
        Ok(Self { child, server, invocations, outcomes, polls, started, count: 0 })
    }

    /// Waits until the function asks for its first invocation; returns the time since its start.
    pub async fn ready(&mut self) -> anyhow::Result<Duration> {
        self.asked(0).await?;
        Ok(self.started.elapsed())
    }

    /// Waits until the function, after its answers to all that was sent, asks for the next invocation: it rests.
    pub async fn settled(&mut self) -> anyhow::Result<()> {
        self.asked(self.count).await
    }

    /// Waits until the function has asked more than `count` times.
    async fn asked(&mut self, count: u64) -> anyhow::Result<()> {
        tokio::select! {
            asked = timeout(INIT_TIMEOUT, self.polls.wait_for(|polls| *polls > count)) => {
                asked.context("the function did not ask for an invocation within 10 s")?
                    .context("the Runtime API ended")?;
                Ok(())
            }
            ended = self.child.wait() => bail!("the function ended before it asked for an invocation: {}", ended?),
        }
    }

    /// Hands it an event, without waiting for the answer.
    pub async fn send(&mut self, event: &Value, time: Duration) -> anyhow::Result<()> {
        self.count += 1;
        // As in Lambda, no two invocations share an id, whichever process they go to.
        let process = self.child.id().context("the function has ended")?;
        let request_id = format!("{process:08x}-0000-4000-8000-{:012}", self.count);
        let invocation = Invocation { request_id, event: event.to_string(), time };
        self.invocations.send(invocation).await.context("the Runtime API ended")
    }

    /// Waits for the answer to the event sent last.
    pub async fn answer(&mut self, within: Duration) -> anyhow::Result<Answer> {
        tokio::select! {
            outcome = timeout(within, self.outcomes.recv()) => {
                match outcome.context("the function did not answer in time")?.context("the Runtime API ended")? {
                    Outcome::Response(body) => Ok(Answer::Response(body)),
                    Outcome::Error(body) => Ok(Answer::Error(body)),
                }
            }
            ended = self.child.wait() => bail!("the function ended without an answer: {}", ended?),
        }
    }

    /// Hands it an event and waits for the answer; `time` is the function's time-out.
    pub async fn invoke(&mut self, event: &Value, time: Duration) -> anyhow::Result<Answer> {
        self.send(event, time).await?;
        self.answer(time + Duration::from_secs(1)).await
    }

    /// What the process has used so far.
    pub fn usage(&self) -> anyhow::Result<Usage> {
        Usage::of(self.child.id().context("the function has ended")?)
    }

    /// Kills it (SIGKILL), as Lambda does with a function that it cuts off, and waits for its end.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("killing the function")?;
        self.server.stop();
        Ok(())
    }
}
