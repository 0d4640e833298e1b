//! The AWS of one subject, as far as an alert goes: it answers at once, counts what it was asked, and notes when an alert came in.
//!
//! It knows a service that runs one task of two, its two revisions, and the lines that the crashed task wrote; so whoever wants to
//! know more than the event tells finds something.

mod answers;
mod memory;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use memory::Memory;

/// How often each call was made, by its name: `dynamodb:PutItem`. What is not known here is refused, and counted no less.
pub type Calls = BTreeMap<String, usize>;

/// What was asked since the last look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// The calls.
    pub calls: Calls,
    /// When the first alert came in.
    pub alerted_at: Option<SystemTime>,
    /// How many calls had come before it.
    pub calls_before: usize,
}

/// The AWS of one subject, in a process of its own: built as the functions are, so that it does not set their pace.
#[derive(Debug)]
pub struct Server {
    endpoint: String,
    answers: Lines<BufReader<ChildStdout>>,
    questions: ChildStdin,
    _process: Child,
}

#[derive(Debug, Default)]
struct Shared {
    asked: Asked,
    memory: Memory,
}

impl Server {
    /// Starts it.
    pub async fn start(binary: &Path) -> anyhow::Result<Self> {
        let mut process = Command::new(binary)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", binary.display()))?;
        let answers = process.stdout.take().context("the AWS of the bench has no output")?;
        let questions = process.stdin.take().context("the AWS of the bench has no input")?;
        let mut answers = BufReader::new(answers).lines();
        let endpoint = answers.next_line().await?.context("the AWS of the bench did not start")?;
        Ok(Self { endpoint, answers, questions, _process: process })
    }

    /// Its URL.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What was asked since the last look. The table is as it was in the beginning then, so that the same crash is news again.
    pub async fn take(&mut self) -> anyhow::Result<Asked> {
        self.questions.write_all(b"\n").await.context("asking the AWS of the bench")?;
        let line = self.answers.next_line().await.context("asking the AWS of the bench")?;
        let line = line.context("the AWS of the bench ended")?;
        Asked::read(&line).with_context(|| format!("the AWS of the bench said {line}"))
    }
}

/// Serves on a free port, which it says on standard output, and then, for each line of its input, what was asked. Ends with its input.
pub async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("finding a port for AWS")?;
    println!("http://{}", listener.local_addr().context("reading the port of AWS")?);
    let shared = Arc::new(Mutex::new(Shared::default()));
    let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
    let said = tokio::task::spawn_blocking(move || {
        for question in std::io::stdin().lines() {
            question?;
            println!("{}", std::mem::take(&mut *lock(&shared)).asked.written());
        }
        std::io::Result::Ok(())
    });
    tokio::select! {
        said = said => said?.context("reading what is asked"),
        ended = async { axum::serve(listener, router).await } => ended.context("serving"),
    }
}

impl Asked {
    fn written(&self) -> Value {
        let since = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        json!({"calls": self.calls, "alerted_at": self.alerted_at.map(since), "calls_before": self.calls_before})
    }

    fn read(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let count = |count: &Value| count.as_u64().and_then(|count| usize::try_from(count).ok());
        let calls = value["calls"].as_object()?.iter().map(|(name, times)| Some((name.clone(), count(times)?)));
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds);
        Some(Self {
            calls: calls.collect::<Option<_>>()?,
            alerted_at: value["alerted_at"].as_f64().map(at),
            calls_before: count(&value["calls_before"])?,
        })
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The services that name their action in a header, by the beginning of its value.
const JSON: [(&str, &str); 4] = [
    ("DynamoDB_20120810.", "dynamodb"),
    ("AmazonEC2ContainerServiceV20141113.", "ecs"),
    ("Logs_20140328.", "logs"),
    ("AmazonSQS.", "sqs"),
];

/// (service, action). SNS speaks the query protocol, a form that names it; an alert without words is none.
fn call<'a>(target: Option<&'a str>, body: &'a str) -> (&'static str, &'a str) {
    if let Some(target) = target {
        let named = JSON.iter().find_map(|(prefix, service)| Some((*service, target.strip_prefix(prefix)?)));
        return named.unwrap_or(("unknown", target));
    }
    let field = |name: &str| body.split('&').find_map(|pair| pair.strip_prefix(name)).unwrap_or_default();
    match field("Action=") {
        "Publish" if field("Subject=").is_empty() || field("Message=").is_empty() => ("sns", "Publish of nothing"),
        action => ("sns", action),
    }
}

async fn answer(State(shared): State<Arc<Mutex<Shared>>>, headers: HeaderMap, body: String) -> Response {
    let at = SystemTime::now();
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let (service, action) = call(target, &body);
    let mut shared = lock(&shared);
    if (service, action) == ("sns", "Publish") && shared.asked.alerted_at.is_none() {
        shared.asked.calls_before = shared.asked.calls.values().sum();
        shared.asked.alerted_at = Some(at);
    }
    *shared.asked.calls.entry(format!("{service}:{action}")).or_default() += 1;
    if service == "sns" {
        return match action {
            "Publish" => ([("content-type", "text/xml")], answers::PUBLISHED).into_response(),
            _ => StatusCode::BAD_REQUEST.into_response(),
        };
    }
    let request: Value = serde_json::from_str(&body).unwrap_or_default();
    let answer = match service {
        "dynamodb" => shared.memory.answer(action, &request),
        _ => answers::answer(service, action, &request),
    };
    match answer {
        Some(answer) => ([("content-type", "application/x-amz-json-1.0")], answer.to_string()).into_response(),
        None => StatusCode::BAD_REQUEST.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_survives_being_written() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        let calls = Calls::from([("sns:Publish".to_owned(), 1)]);
        for asked in [Asked::default(), Asked { calls, alerted_at: Some(at), calls_before: 3 }] {
            assert_eq!(Asked::read(&asked.written().to_string()), Some(asked));
        }
        assert_eq!(Asked::read("{}"), None);
    }

    #[test]
    fn calls_are_named_and_an_alert_has_words() {
        assert_eq!(call(Some("DynamoDB_20120810.PutItem"), "{}"), ("dynamodb", "PutItem"));
        assert_eq!(call(Some("Other_1.Do"), "{}"), ("unknown", "Other_1.Do"));
        assert_eq!(call(None, "Action=Publish&Version=2010-03-31&Subject=CRASH&Message=why"), ("sns", "Publish"));
        assert_eq!(call(None, "Action=Publish&Subject=&Message=why"), ("sns", "Publish of nothing"));
        assert_eq!(call(None, "Action=GetTopicAttributes&Subject=a&Message=b"), ("sns", "GetTopicAttributes"));
    }
}
