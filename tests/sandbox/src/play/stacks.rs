//! Stacks of the agents, made with the local AWS's CloudFormation.

use std::time::Duration;

use anyhow::Context;

use super::Play;
use crate::stage::PATIENCE;

/// How often CloudFormation is asked how far it is: nothing announces it.
const LOOK: Duration = Duration::from_millis(100);

impl Play<'_> {
    pub(super) async fn cloudformation(
        &self,
        stack: &str,
        action: &str,
        more: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let parameters = [&[("StackName", stack)], more].concat();
        Ok(self.stage.sandbox.aws().query("cloudformation", action, &parameters).await?)
    }

    /// Waits until CloudFormation is done with the stack; returns its status.
    pub(super) async fn settled(&self, stack: &str) -> anyhow::Result<String> {
        let settled = async {
            loop {
                let answer = self.cloudformation(stack, "DescribeStacks", &[]).await?;
                let status = element(&answer, "StackStatus").context("the stack has no status")?;
                if !status.ends_with("_IN_PROGRESS") {
                    return anyhow::Ok(status.to_owned());
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, settled).await.context("CloudFormation does not finish")?
    }

    /// Waits until the stack is no more.
    pub(super) async fn gone(&self, stack: &str) -> anyhow::Result<()> {
        let gone = async {
            while self.cloudformation(stack, "DescribeStacks", &[]).await.is_ok() {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.context("the stack is not deleted")
    }

    /// What CloudFormation says about the resource that came to this status.
    pub(super) async fn reason(&self, stack: &str, status: &str) -> anyhow::Result<String> {
        let events = self.cloudformation(stack, "DescribeStackEvents", &[]).await?;
        let failed = events.split("<member>").find(|event| element(event, "ResourceStatus") == Some(status));
        let reason = failed.and_then(|event| element(event, "ResourceStatusReason")).context("no resource failed")?;
        Ok(reason.replace("&quot;", "\"").replace("&#x27;", "'"))
    }
}

/// The text of the first element of that name in an answer of CloudFormation.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}
