//! The `aws` CLI against the local AWS.

use anyhow::ensure;
use sandbox::stage::Stage;
use serde_json::Value;
use tokio::process::Command;

/// Runs it; returns what it printed.
pub async fn aws(stage: &Stage, arguments: &[&str]) -> anyhow::Result<Value> {
    let answer = Command::new(stage.sandbox.aws_cli()).args(arguments).args(["--output", "json"]).output().await?;
    ensure!(answer.status.success(), "aws {arguments:?}: {}", String::from_utf8_lossy(&answer.stderr));
    if answer.stdout.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&answer.stdout)?) }
}
