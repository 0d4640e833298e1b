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
pub const BINARIES: [(&str, &str); 3] =
    [("bench", "bare-function"), ("bench", LOCAL_AWS), ("crash-alerts", "crash-alerts")];

/// The AWS that they are measured against.
pub const LOCAL_AWS: &str = "local-aws";

/// Which columns are divided by which: (of, by).
pub const RATIOS: [(&str, &str); 2] = [("crash-alerts", "bare"), ("python", "crash-alerts")];

/// A crash as ECS tells it.
const CRASH: &str = include_str!("../../../shared/events/tests/samples/task-stopped-exit-1.json");

/// What must be known, stored and said for one incident that begins.
const INCIDENT: [(&str, usize); 11] = [
    // What is known of it; its service and its subject's other incidents; it is stored, and comes again to be looked at.
    ("dynamodb:BatchGetItem", 1),
    ("ecs:DescribeServices", 2),
    ("dynamodb:Query", 1),
    ("dynamodb:TransactWriteItems", 2),
    ("sqs:SendMessage", 1),
    // The lease of who sends: taken, let go.
    ("dynamodb:UpdateItem", 2),
    // The incident before and after, its evidence, the revision that was steady.
    ("dynamodb:GetItem", 4),
    // The revisions before and after: read once.
    ("ecs:DescribeTaskDefinition", 2),
    ("logs:GetLogEvents", 1),
    ("dynamodb:PutItem", 1),
    ("sns:Publish", 1),
];

/// The three calls of the plain alert.
const PLAIN_ALERT: [(&str, usize); 3] = [("dynamodb:PutItem", 1), ("sns:Publish", 1), ("dynamodb:UpdateItem", 1)];

const TABLE: (&str, &str) = ("TABLE_NAME", "state");
const TOPIC: (&str, &str) = ("TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:alerts");

/// The floor: a function that does nothing but answer.
pub fn bare(binaries: &Path) -> anyhow::Result<Subject> {
    native("bare", binaries.join("bare-function"), Value::Null)
}

/// crash-alerts on its main path: a service crashes for the first time, and the alert has all the evidence there is.
pub fn crash_alerts(binaries: &Path) -> anyhow::Result<Subject> {
    let subject = native("crash-alerts", binaries.join("crash-alerts"), nothing_failed())?;
    let environment = vec![
        TABLE,
        TOPIC,
        ("QUEUE_URL", "http://127.0.0.1/123456789012/crash-alerts"),
        ("DEAD_LETTER_QUEUE_URL", "http://127.0.0.1/123456789012/dead"),
        ("STACK_NAME", "bench"),
        ("OWN_ALARM_PREFIX", "bench-"),
        ("BELOW_DESIRED_MINUTES", "10"),
        ("DEPLOYMENT_STUCK_MINUTES", "30"),
    ];
    let warm_calls = calls(INCIDENT.into_iter().filter(|(call, _)| *call != "ecs:DescribeTaskDefinition"));
    // It publishes at most every 250 ms, and would wait for its turn.
    let rest = Duration::from_millis(250);
    Ok(Subject { environment, first_calls: calls(INCIDENT), warm_calls, rest, ..subject })
}

/// One crash, one alert in plain Python with boto3: no incident, no evidence, one text for all channels. It runs under awslambdaric, the runtime client of Lambda's own Python
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
        first_calls: plain_alert(),
        warm_calls: plain_alert(),
        rest: Duration::ZERO,
        package: Package { own, called: "function.py", libraries: python.boto3() },
    })
}

/// The calls of an alert that is claimed, published and recorded.
#[must_use]
pub fn plain_alert() -> Calls {
    calls(PLAIN_ALERT)
}

fn calls<'a>(of: impl IntoIterator<Item = (&'a str, usize)>) -> Calls {
    of.into_iter().map(|(call, times)| (call.to_owned(), times)).collect()
}

fn native(name: &'static str, binary: PathBuf, answer: Value) -> anyhow::Result<Subject> {
    Ok(Subject {
        name,
        program: binary.clone(),
        arguments: Vec::new(),
        folder: binary.parent().map(Path::to_owned).context("a binary has a folder")?,
        environment: Vec::new(),
        event: crash()?,
        answer,
        first_calls: Calls::new(),
        warm_calls: Calls::new(),
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
