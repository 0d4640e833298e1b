//! The agents of the play.

use anyhow::{Context, bail};
use serde_json::json;

use super::Play;
use crate::ecs::{Service, Task};
use crate::stage::PATIENCE;

/// The cluster of the play.
pub(super) const CLUSTER: &str = "demo";
/// Its service.
pub(super) const SERVICE: &str = "agent";
/// An image of tests/sandbox/images.toml.
pub(super) const IMAGE: &str = "watchkeeper/sample-agent:1.0";
/// Where the agents log, and the role with which ECS writes there.
const LOG_GROUP: &str = "/ecs/demo";
const EXECUTION_ROLE: &str = "demo-execution";
/// An image that is not there.
pub(super) const BAD_IMAGE: &str = "watchkeeper/no-such-agent:2.0";

impl Play<'_> {
    /// Registers a revision of a one-container agent; returns its ARN.
    pub(super) async fn register(&self, family: &str, image: &str) -> anyhow::Result<String> {
        let definition = json!({
            "family": family, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "cpu": "256", "memory": "512",
            "executionRoleArn": format!("arn:aws:iam::123456789012:role/{EXECUTION_ROLE}"),
            "containerDefinitions": [{
                "name": "agent", "image": image, "essential": true, "stopTimeout": 5,
                "logConfiguration": {"logDriver": "awslogs", "options": {
                    "awslogs-group": LOG_GROUP, "awslogs-region": "eu-west-1", "awslogs-stream-prefix": family
                }}
            }]
        });
        let answer = self.stage.ecs("RegisterTaskDefinition", definition).await?;
        let arn = answer["taskDefinition"]["taskDefinitionArn"].as_str();
        arn.map(str::to_owned).context("the new revision has no ARN")
    }

    /// Makes what the agents' logs take: a group, and a role that lets ECS write there.
    pub(super) async fn prepare_logs(&self) -> anyhow::Result<()> {
        let aws = self.stage.sandbox.aws();
        aws.json("logs", "Logs_20140328.CreateLogGroup", &json!({"logGroupName": LOG_GROUP})).await?;
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"
        }]});
        let role = [("RoleName", EXECUTION_ROLE), ("AssumeRolePolicyDocument", &*trust.to_string())];
        aws.query("iam", "CreateRole", &role).await?;
        let write = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"
        }]});
        let policy = [("RoleName", EXECUTION_ROLE), ("PolicyName", "logs"), ("PolicyDocument", &*write.to_string())];
        aws.query("iam", "PutRolePolicy", &policy).await?;
        Ok(())
    }

    /// Creates a service of the cluster.
    pub(super) async fn create_service(&self, name: &str, revision: &str, count: u32) -> anyhow::Result<()> {
        let service = json!({
            "cluster": CLUSTER, "serviceName": name, "taskDefinition": revision, "desiredCount": count,
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60718"]}},
            "deploymentConfiguration": {"minimumHealthyPercent": 50, "maximumPercent": 200}
        });
        self.stage.ecs("CreateService", service).await.map(drop)
    }

    /// Waits until the service is steady with so many tasks.
    pub(super) async fn steady(&self, count: usize) -> anyhow::Result<Vec<Task>> {
        self.steady_of(SERVICE, count).await
    }

    /// Waits until a service of the cluster is steady with so many tasks.
    pub(super) async fn steady_of(&self, name: &str, count: usize) -> anyhow::Result<Vec<Task>> {
        let ecs = self.stage.sandbox.ecs();
        ecs.wait_for_service(CLUSTER, name, PATIENCE, |service: &Service| {
            service.is_steady() && usize::try_from(service.running) == Ok(count)
        })
        .await?;
        Ok(ecs.running(CLUSTER, name))
    }

    /// One of the service's running tasks.
    pub(super) fn any_task(&self) -> anyhow::Result<Task> {
        let running = self.stage.sandbox.ecs().running(CLUSTER, SERVICE);
        running.into_iter().next().context("the service runs no task")
    }

    /// Asks the agent in a task to end with an exit code, over its own address.
    pub(super) async fn ask_to_exit(&self, task: &Task, code: u8) -> anyhow::Result<()> {
        let address = task.address().context("the task has no address")?;
        let request = reqwest::Client::new().post(format!("http://{address}:8080/exit?code={code}"));
        match request.send().await {
            // It is gone before it can answer.
            Err(error) if !error.is_connect() => Ok(()),
            Err(error) => Err(error).context("reaching the agent"),
            Ok(answer) => bail!("the agent does not end: {}", answer.status()),
        }
    }
}
