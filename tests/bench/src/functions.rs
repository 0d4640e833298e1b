//! The functions that are measured.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use crate::aws::Calls;
use crate::package::Package;
use crate::python::Python;
use crate::subject::Subject;

/// What is built for it: (package, binary).
pub const BINARIES: [(&str, &str); 2] = [("bench", "bare-function"), ("crash-alerts", "crash-alerts")];

/// Which columns are divided by which: (of, by).
pub const RATIOS: [(&str, &str); 2] = [("crash-alerts", "bare"), ("python", "crash-alerts")];

/// A crash as ECS tells it.
const CRASH: &str = include_str!("../../../shared/events/tests/samples/task-stopped-exit-1.json");

/// The three calls of one alert.
pub const ALERT: Calls = Calls { claims: 1, publishes: 1, records: 1, others: 0 };

const TABLE: (&str, &str) = ("TABLE_NAME", "state");
const TOPIC: (&str, &str) = ("TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:alerts");

/// The floor: a function that does nothing but answer.
pub fn bare(binaries: &Path) -> anyhow::Result<Subject> {
    native("bare", binaries.join("bare-function"), Value::Null, Calls::default())
}

/// crash-alerts on its main path: one crash, one alert.
pub fn crash_alerts(binaries: &Path) -> anyhow::Result<Subject> {
    let subject = native("crash-alerts", binaries.join("crash-alerts"), nothing_failed(), ALERT)?;
    let environment = vec![
        TABLE,
        TOPIC,
        ("DEAD_LETTER_QUEUE_URL", "http://127.0.0.1/123456789012/dead"),
        ("STACK_NAME", "bench"),
        ("OWN_ALARM_PREFIX", "bench-"),
    ];
    // It publishes at most every 250 ms, and would wait for its turn.
    Ok(Subject { environment, rest: Duration::from_millis(250), ..subject })
}

/// The same job in plain Python with boto3. It runs under awslambdaric, the runtime client of Lambda's own Python
/// runtimes: `PyPI` has it as a wheel, so no stand-in for it is needed.
pub fn python(python: &Python) -> anyhow::Result<Subject> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let own = folder.join("function.py");
    Ok(Subject {
        name: "python",
        program: python.interpreter(),
        arguments: vec!["-m", "awslambdaric", "function.handler"],
        folder,
        // In Lambda too a function's folder is read-only, so its own files are compiled anew at each start.
        environment: vec![TABLE, TOPIC, ("PYTHONDONTWRITEBYTECODE", "1")],
        event: crash()?,
        answer: nothing_failed(),
        calls: ALERT,
        rest: Duration::ZERO,
        package: Package { own, called: "function.py", libraries: python.boto3() },
    })
}

fn native(name: &'static str, binary: PathBuf, answer: Value, calls: Calls) -> anyhow::Result<Subject> {
    Ok(Subject {
        name,
        program: binary.clone(),
        arguments: Vec::new(),
        folder: binary.parent().map(Path::to_owned).context("a binary has a folder")?,
        environment: Vec::new(),
        event: crash()?,
        answer,
        calls,
        rest: Duration::ZERO,
        package: Package { own: binary, called: "bootstrap", libraries: Vec::new() },
    })
}

fn nothing_failed() -> Value {
    json!({"batchItemFailures": []})
}

/// An SQS batch of one crash, with every field that a message has (Lambda Developer Guide, "Using Lambda with Amazon
/// SQS"); nobody reads the made-up ones.
fn crash() -> anyhow::Result<Value> {
    let event: Value = serde_json::from_str(CRASH).context("reading the sample of a crash")?;
    Ok(json!({"Records": [{
        "messageId": "00000000-0000-4000-8000-000000000001",
        "receiptHandle": "receipt".repeat(24),
        "body": event.to_string(),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1795169071002",
            "SenderId": "AIDA00000000000000000",
            "ApproximateFirstReceiveTimestamp": "1795169071008"
        },
        "messageAttributes": {},
        "md5OfBody": "00000000000000000000000000000000",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:crash-alerts",
        "awsRegion": "eu-west-1"
    }]}))
}
