//! A stack whose update goes wrong: CloudFormation, ECS's circuit breaker and ops each say their part.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::agents::{BAD_IMAGE, IMAGE};
use super::{Play, short};
use crate::stage::PATIENCE;

const STACK: &str = "gateway";
const TEMPLATE: &str = include_str!("gateway.yaml");
/// How often CloudFormation is asked how far it is: nothing announces it.
const LOOK: Duration = Duration::from_millis(100);

impl Play<'_> {
    pub(super) async fn broken_stack(&self) -> anyhow::Result<()> {
        let mails = self.mails();
        self.timeline.act(&format!("an agent's own stack {STACK} is created, with a circuit breaker that rolls back"));
        self.cloudformation("CreateStack", &parameters(IMAGE)).await?;
        let status = self.settled().await?;
        ensure!(status == "CREATE_COMPLETE", "the stack is {status}");
        self.timeline.saw("CREATE_COMPLETE: CloudFormation waited until the service was steady");
        self.stage.stays_silent(mails).await?;
        let serving = self.gateway()?;

        let (begin, events) = (Instant::now(), self.events());
        self.timeline.act(&format!("the stack is updated to the image {BAD_IMAGE}, which is not there"));
        self.cloudformation("UpdateStack", &parameters(BAD_IMAGE)).await?;
        for told in ["its image was not found", "DEPLOYMENT FAILED", "ROLLBACK"] {
            self.expect(mails, told, begin).await?;
        }
        let status = self.settled().await?;
        ensure!(status == "UPDATE_ROLLBACK_COMPLETE", "the stack is {status}");
        for line in self.story(events) {
            self.timeline.quote(&line);
        }
        self.timeline.saw(&format!("{status}: {}", self.reason().await?));
        ensure!(self.gateway()? == serving, "the task that served was replaced");
        self.timeline.saw(&format!("task {} served all the time", short(&serving)));
        self.stage.quiet().await?;

        let mails = self.mails();
        self.cloudformation("DeleteStack", &[]).await?;
        self.gone().await?;
        self.stage.stays_silent(mails).await?;
        self.timeline.saw("the stack is deleted, and its service with it");
        Ok(())
    }

    async fn cloudformation(&self, action: &str, more: &[(&str, &str)]) -> anyhow::Result<String> {
        let parameters = [&[("StackName", STACK)], more].concat();
        Ok(self.stage.sandbox.aws().query("cloudformation", action, &parameters).await?)
    }

    /// Waits until CloudFormation is done with the stack; returns its status.
    async fn settled(&self) -> anyhow::Result<String> {
        let settled = async {
            loop {
                let answer = self.cloudformation("DescribeStacks", &[]).await?;
                let status = element(&answer, "StackStatus").context("the stack has no status")?;
                if !status.ends_with("_IN_PROGRESS") {
                    return anyhow::Ok(status.to_owned());
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, settled).await.context("CloudFormation does not finish")?
    }

    async fn gone(&self) -> anyhow::Result<()> {
        let gone = async {
            while self.cloudformation("DescribeStacks", &[]).await.is_ok() {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.context("the stack is not deleted")
    }

    /// What CloudFormation says about the service that failed.
    async fn reason(&self) -> anyhow::Result<String> {
        let events = self.cloudformation("DescribeStackEvents", &[]).await?;
        let failed = events.split("<member>").find(|event| element(event, "ResourceStatus") == Some("UPDATE_FAILED"));
        let reason = failed.and_then(|event| element(event, "ResourceStatusReason")).context("no resource failed")?;
        Ok(reason.replace("&quot;", "\"").replace("&#x27;", "'"))
    }

    /// The task that serves.
    fn gateway(&self) -> anyhow::Result<String> {
        let running = self.stage.sandbox.ecs().running(super::agents::CLUSTER, "gateway");
        running.first().map(|task| task.arn.clone()).context("the gateway runs no task")
    }

    /// What ECS told about the service and its tasks, in order.
    fn story(&self, from: usize) -> Vec<String> {
        let emitted = self.stage.sandbox.bus().emitted();
        let line = |event: &Value| {
            let (kind, detail) = (event["detail-type"].as_str()?, &event["detail"]);
            let about = event["resources"][0].as_str().filter(|arn| arn.ends_with("/gateway"));
            match (about, detail["eventName"].as_str()) {
                (Some(_), Some(name)) => {
                    let reason = detail["reason"].as_str().unwrap_or_default();
                    Some(format!("{kind}: {} {name} {reason}", detail["eventType"].as_str().unwrap_or_default()))
                }
                _ => None,
            }
        };
        emitted.iter().skip(from).filter_map(line).collect()
    }
}

fn parameters(image: &str) -> [(&str, &str); 3] {
    [
        ("TemplateBody", TEMPLATE),
        ("Parameters.member.1.ParameterKey", "Image"),
        ("Parameters.member.1.ParameterValue", image),
    ]
}

/// The text of the first element of that name in an answer of CloudFormation.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}
