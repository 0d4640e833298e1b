//! A stack whose update goes wrong: CloudFormation, ECS's circuit breaker and ops each say their part.

use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::agents::{BAD_IMAGE, IMAGE};
use super::{Play, short};

const STACK: &str = "gateway";
const TEMPLATE: &str = include_str!("gateway.yaml");

impl Play<'_> {
    pub(super) async fn broken_stack(&self) -> anyhow::Result<()> {
        let mails = self.mails();
        self.timeline.act(&format!("an agent's own stack {STACK} is created, with a circuit breaker that rolls back"));
        self.cloudformation(STACK, "CreateStack", &parameters(IMAGE)).await?;
        let status = self.settled(STACK).await?;
        ensure!(status == "CREATE_COMPLETE", "the stack is {status}");
        self.timeline.saw("CREATE_COMPLETE: CloudFormation waited until the service was steady");
        self.silent(mails).await?;
        let serving = self.gateway()?;

        let (begin, events) = (Instant::now(), self.events());
        self.timeline.act(&format!("the stack is updated to the image {BAD_IMAGE}, which is not there"));
        self.cloudformation(STACK, "UpdateStack", &parameters(BAD_IMAGE)).await?;
        self.expect(mails, "its image was not found", begin).await?;
        let mail = self.expect(mails, "DEPLOYMENT FAILED", begin).await?;
        self.timeline.quote(&mail.text);
        let status = self.settled(STACK).await?;
        ensure!(status == "UPDATE_ROLLBACK_COMPLETE", "the stack is {status}");
        for line in self.story(events) {
            self.timeline.quote(&line);
        }
        self.timeline.saw(&format!("{status}: {}", self.reason(STACK, "UPDATE_FAILED").await?));
        ensure!(self.gateway()? == serving, "the task that served was replaced");
        self.timeline.saw(&format!("task {} served all the time", short(&serving)));
        self.over(mails, "gateway", begin).await?;
        self.nothing_but(mails, 2).await.context("the failed deployment speaks for its tasks and for the way back")?;

        let mails = self.mails();
        self.cloudformation(STACK, "DeleteStack", &[]).await?;
        self.gone(STACK).await?;
        self.silent(mails).await?;
        self.timeline.saw("the stack is deleted, and its service with it");
        Ok(())
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
