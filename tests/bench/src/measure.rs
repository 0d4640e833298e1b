//! One cold start, measured.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use runtime_api::{Answer, Running};
use serde_json::{Value, json};

const TIME_OUT: Duration = Duration::from_secs(30);

/// A function to measure: its binary and its environment.
pub(crate) struct Subject {
    binary: PathBuf,
    environment: Vec<(&'static str, String)>,
}

/// What one cold start took.
pub(crate) struct Cold {
    pub(crate) ready_ms: f64,
    pub(crate) answered_ms: f64,
    pub(crate) peak_mib: f64,
}

impl Subject {
    pub(crate) fn bare(binary: PathBuf) -> Self {
        Self { binary, environment: Vec::new() }
    }

    pub(crate) fn crash_alerts(binary: PathBuf, endpoint: &str) -> Self {
        let environment = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("TABLE_NAME", "state"),
            ("TOPIC_ARN", "arn:aws:sns:eu-west-1:123456789012:alerts"),
            ("DEAD_LETTER_QUEUE_URL", "http://127.0.0.1/123456789012/dead"),
            ("STACK_NAME", "bench"),
            ("OWN_ALARM_PREFIX", "bench-"),
        ];
        let environment = environment.map(|(name, value)| (name, value.to_owned())).to_vec();
        Self { binary, environment }
    }

    /// Starts it, lets it answer once, ends it.
    pub(crate) async fn cold(&self) -> anyhow::Result<Cold> {
        let environment: Vec<_> = self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let begin = Instant::now();
        let mut running = Running::start(&self.binary, &environment).await?;
        let ready = running.ready().await?;
        self.invoke(&mut running).await?;
        let answered = begin.elapsed();
        let usage = running.usage()?;
        running.kill().await?;
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        Ok(Cold {
            ready_ms: milliseconds(ready),
            answered_ms: milliseconds(answered),
            peak_mib: usage.peak_kib as f64 / 1024.0,
        })
    }

    async fn invoke(&self, running: &mut Running) -> anyhow::Result<()> {
        let answer = running.invoke(&crash(), TIME_OUT).await?;
        let failures = match &answer {
            Answer::Response(Value::Null) => true,
            Answer::Response(body) => body["batchItemFailures"] == json!([]),
            Answer::Error(_) => false,
        };
        ensure!(failures, "the function did not do its job: {answer:?}");
        Ok(())
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// An SQS batch of one crash.
fn crash() -> Value {
    let event = json!({
        "version": "0", "id": "bench", "detail-type": "ECS Task State Change", "source": "aws.ecs",
        "account": "123456789012", "time": "2026-11-20T10:04:31Z", "region": "eu-west-1",
        "resources": ["arn:aws:ecs:eu-west-1:123456789012:task/bench/1"],
        "detail": {
            "taskArn": "arn:aws:ecs:eu-west-1:123456789012:task/bench/1",
            "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/bench",
            "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/agent:1",
            "group": "service:agent", "lastStatus": "STOPPED", "desiredStatus": "STOPPED", "version": 5,
            "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited",
            "containers": [{"name": "agent", "exitCode": 1, "image": "agent:1"}],
            "startedAt": "2026-11-20T09:58:02.511Z", "stoppedAt": "2026-11-20T10:04:30.811Z"
        }
    });
    json!({"Records": [{"messageId": "m1", "body": event.to_string(), "attributes": {}}]})
}

/// The middle one.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
