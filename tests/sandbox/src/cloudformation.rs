//! Stacks of agents, made with the local AWS's CloudFormation.

use std::time::Duration;

use anyhow::{Context, bail};

use crate::aws::{Aws, AwsError};

/// How often CloudFormation is asked how far it is: nothing announces it.
const LOOK: Duration = Duration::from_millis(100);

/// A call about a stack; the answer is XML.
pub(crate) async fn call(aws: &Aws, stack: &str, action: &str, more: &[(&str, &str)]) -> Result<String, AwsError> {
    let parameters = [&[("StackName", stack)], more].concat();
    aws.query("cloudformation", action, &parameters).await
}

/// Waits until CloudFormation is done with the stack; returns its status.
pub(crate) async fn settled(aws: &Aws, stack: &str, within: Duration) -> anyhow::Result<String> {
    let settled = async {
        loop {
            let answer = call(aws, stack, "DescribeStacks", &[]).await?;
            let status = element(&answer, "StackStatus").context("the stack has no status")?;
            if !status.ends_with("_IN_PROGRESS") {
                return anyhow::Ok(status.to_owned());
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    if let Ok(status) = tokio::time::timeout(within, settled).await {
        return status;
    }
    let events = events(aws, stack).await?;
    bail!("CloudFormation does not finish; it is at {}", element(&events, "LogicalResourceId").unwrap_or("-"))
}

/// Waits until the stack is no more.
pub(crate) async fn gone(aws: &Aws, stack: &str, within: Duration) -> anyhow::Result<()> {
    let gone = async {
        while call(aws, stack, "DescribeStacks", &[]).await.is_ok() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(within, gone).await.context("the stack is not deleted")
}

/// What CloudFormation says about the resource that came to this status.
pub(crate) async fn reason(aws: &Aws, stack: &str, status: &str) -> anyhow::Result<String> {
    let events = events(aws, stack).await?;
    let failed = events.split("<member>").find(|event| element(event, "ResourceStatus") == Some(status));
    let reason = failed.and_then(|event| element(event, "ResourceStatusReason"));
    reason.map(str::to_owned).context("no resource failed")
}

/// All that happened to the stack, with XML's quotes undone.
async fn events(aws: &Aws, stack: &str) -> Result<String, AwsError> {
    let events = call(aws, stack, "DescribeStackEvents", &[]).await?;
    Ok(events.replace("&quot;", "\"").replace("&#x27;", "'"))
}

/// The text of the first element of that name in an answer of CloudFormation.
pub(crate) fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}
