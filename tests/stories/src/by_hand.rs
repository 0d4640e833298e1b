//! The deployed function, run by hand: its own binary and environment under a Runtime API of the test's,
//! so that the test says when it is invoked and when it is killed.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, bail};
use runtime_api::{Answer, Running};
use sandbox::stage::Stage;
use serde_json::Value;

/// How long an invocation gets. The function begins a message only if it has 5 s for it.
pub const TIME: Duration = Duration::from_secs(8);

/// Starts crash-alerts with the environment that the template gives it.
pub async fn start(stage: &Stage) -> anyhow::Result<Running> {
    let name = stage.stack.output("CrashAlertsFunctionName")?;
    let path = format!("/2015-03-31/functions/{name}/configuration");
    let configuration = stage.sandbox.aws().rest("lambda", "GET", &path, Vec::new()).await?;
    let configuration: Value = serde_json::from_str(&configuration).context("reading the function's configuration")?;
    let variables = configuration["Environment"]["Variables"].as_object().context("the function has no environment")?;
    let mut environment: Vec<(&str, &str)> =
        variables.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
    environment.extend([
        ("AWS_REGION", stage.sandbox.options().region.as_str()),
        ("AWS_ENDPOINT_URL", stage.sandbox.endpoint()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ]);
    let mut running = Running::start(&stage.sandbox.options().binaries.join("crash-alerts"), &environment).await?;
    running.ready().await?;
    Ok(running)
}

/// Invokes the function with a batch; returns the ids of the messages that must come again.
pub async fn failures(running: &mut Running, batch: &Value) -> anyhow::Result<BTreeSet<String>> {
    match running.invoke(batch, TIME).await? {
        Answer::Response(body) => {
            let failures = body["batchItemFailures"].as_array().context("the answer names no failures")?;
            Ok(failures.iter().filter_map(|failure| failure["itemIdentifier"].as_str().map(str::to_owned)).collect())
        }
        Answer::Error(error) => bail!("the function failed: {error}"),
    }
}

/// Invokes it with a batch again and again, as SQS would, until no message must come again.
pub async fn until_done(running: &mut Running, batch: &Value) -> anyhow::Result<()> {
    let done = async {
        while !failures(running, batch).await?.is_empty() {
            // A held alert is free again when its holder's invocation would have ended; nothing announces that.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(3 * TIME, done).await.context("some message is never done")?
}
