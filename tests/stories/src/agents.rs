//! Services of agents in the sandbox, and the function of ours that looks after them.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "only tests use it, and they fail by panicking")]

use std::time::Duration;

use sandbox::Call;
use sandbox::disorder::{EventEffect, EventMatch, EventRule, Plan};
use sandbox::ecs::Task;
use sandbox::stage::{PATIENCE, Stage};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{interval, timeout};

use crate::cli::aws;

/// The cluster.
pub const CLUSTER: &str = "demo";
/// What its tasks run unless a story says otherwise.
pub const IMAGE: &str = "watchkeeper/sample-agent:1.0";

/// What a function of ours is called.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// Its own name.
    pub function: &'static str,
    /// What its resources' names in the template begin with.
    pub resources: &'static str,
}

/// A sandbox with our stack and a cluster, and the function that a story is about.
pub struct Agents {
    /// The sandbox.
    pub stage: Stage,
    names: Names,
}

impl Agents {
    /// Makes the cluster.
    pub async fn set(stage: Stage, names: Names) -> Self {
        stage.ecs("CreateCluster", json!({"clusterName": CLUSTER})).await.unwrap();
        Self { stage, names }
    }

    /// A service of one container; waits until it is steady.
    pub async fn service(&self, name: &str, count: u32) {
        let definition = json!({
            "family": name, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
            "containerDefinitions": [{"name": "agent", "image": IMAGE, "essential": true, "stopTimeout": 5}]
        });
        self.service_of(name, count, definition).await;
        self.steady(name, count).await;
    }

    /// A service of that task definition; nothing is waited for.
    pub async fn service_of(&self, name: &str, count: u32, definition: Value) {
        let answer = self.stage.ecs("RegisterTaskDefinition", definition).await.unwrap();
        let service = json!({
            "cluster": CLUSTER, "serviceName": name, "taskDefinition": answer["taskDefinition"]["taskDefinitionArn"],
            "desiredCount": count, "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60718"]}}
        });
        self.stage.ecs("CreateService", service).await.unwrap();
    }

    /// Changes a service.
    pub async fn update(&self, service: &str, change: Value) {
        let mut update = json!({"cluster": CLUSTER, "service": service});
        update.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.stage.ecs("UpdateService", update).await.unwrap();
    }

    /// Has it want so many tasks.
    pub async fn scale(&self, service: &str, count: u32) {
        self.update(service, json!({"desiredCount": count})).await;
    }

    /// Waits until it has just these many and no deployment on its way.
    pub async fn steady(&self, name: &str, count: u32) {
        let ecs = self.stage.sandbox.ecs();
        let steady = |service: &sandbox::ecs::Service| service.is_steady() && service.running == count;
        ecs.wait_for_service(CLUSTER, name, PATIENCE, steady).await.unwrap();
    }

    /// Its tasks that run.
    pub fn tasks(&self, service: &str) -> Vec<Task> {
        self.stage.sandbox.ecs().running(CLUSTER, service)
    }

    /// `kill -9`, as a bug would; the task is over then.
    pub async fn crash(&self, task: &Task) {
        let ecs = self.stage.sandbox.ecs();
        let pid = ecs.pid(&task.id, "agent").unwrap();
        assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().await.unwrap().success());
        ecs.wait_for_task(&task.id, PATIENCE, |task| !task.is_running()).await.unwrap();
    }

    /// Sets a variable of the function's environment, and leaves the others.
    pub async fn set_variable(&self, name: &str, value: impl FnOnce(&str) -> String) {
        let function = self.output("FunctionName");
        let path = format!("/2015-03-31/functions/{function}/configuration");
        let root = self.stage.sandbox.aws();
        let configuration = root.rest("lambda", "GET", &path, Vec::new()).await.unwrap();
        let configuration: Value = serde_json::from_str(&configuration).unwrap();
        let mut variables = configuration["Environment"]["Variables"].clone();
        variables[name] = json!(value(variables[name].as_str().unwrap_or_default()));
        let change = json!({"Environment": {"Variables": variables}}).to_string();
        root.rest("lambda", "PUT", &path, change.into_bytes()).await.unwrap();
    }

    /// Wakes the function with a sweep, and waits until it is done with all it has.
    pub async fn sweep(&self) {
        self.send(&json!({"watchkeeper": "sweep"}).to_string()).await;
        self.quiet().await;
    }

    /// Puts a message into the function's queue.
    pub async fn send(&self, body: &str) {
        let message = json!({"QueueUrl": self.queue(), "MessageBody": body});
        self.stage.sandbox.aws().json("sqs", "AmazonSQS.SendMessage", &message).await.unwrap();
    }

    /// Waits until the function is done with all that was emitted.
    pub async fn quiet(&self) {
        self.stage.sandbox.bus().delivered().await;
        let empty = async {
            let mut poll = interval(Duration::from_millis(50));
            while !self.stage.is_empty(self.queue()).await.unwrap() {
                poll.tick().await;
            }
        };
        timeout(2 * PATIENCE, empty).await.unwrap();
    }

    fn output(&self, of: &str) -> &str {
        self.stage.stack.output(&format!("{}{of}", self.names.resources)).unwrap()
    }

    /// The URL of the function's queue.
    pub fn queue(&self) -> &str {
        self.output("QueueUrl")
    }

    /// Waits until so many requests of stacks are noted to be tried again.
    pub async fn waiting(&self, count: usize) {
        let query = json!({
            "TableName": self.stage.stack.output("TableName").unwrap(), "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": format!("waiting#{}", self.names.function)}}, "ConsistentRead": true,
        });
        let looks = self.stage.sandbox.looks();
        let noted = async {
            let mut poll = interval(Duration::from_millis(50));
            loop {
                poll.tick().await;
                let answer = looks.json("dynamodb", "DynamoDB_20120810.Query", &query).await.unwrap();
                if answer["Items"].as_array().is_some_and(|items| items.len() == count) {
                    return;
                }
            }
        };
        timeout(PATIENCE, noted).await.unwrap();
    }

    /// From now on no sweep comes by itself.
    pub async fn stop_the_clock(&self) {
        let listed = aws(&self.stage, &["scheduler", "list-schedules"]).await.unwrap();
        let mut stopped = 0;
        for schedule in listed["Schedules"].as_array().unwrap() {
            let (name, group) = (schedule["Name"].as_str().unwrap(), schedule["GroupName"].as_str().unwrap());
            if name.contains(&format!("{}Sweep", self.names.resources)) {
                let delete = ["scheduler", "delete-schedule", "--name", name, "--group-name", group];
                aws(&self.stage, &delete).await.unwrap();
                stopped += 1;
            }
        }
        assert_eq!(stopped, 1, "{listed}");
    }

    /// From now on no event of ECS arrives.
    pub fn lose_events(&self) {
        let events =
            vec![EventRule::new(EventMatch { source: "aws.ecs".into(), ..EventMatch::default() }, EventEffect::Drop)];
        self.stage.sandbox.disorder().set(Plan { events, ..Plan::default() }).unwrap();
    }

    /// Events arrive again.
    pub fn find_events(&self) {
        self.stage.sandbox.disorder().clear();
    }

    /// All that the function logged.
    pub async fn log(&self) -> String {
        let group = format!("/watchkeeper/watchkeeper/{}", self.names.function);
        let group = ["logs", "filter-log-events", "--log-group-name", &group];
        let answer = aws(&self.stage, &group).await.unwrap();
        let lines = answer["events"].as_array().unwrap().iter().filter_map(|event| event["message"].as_str());
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Whether IAM let the function do all that it tried.
    pub fn was_never_refused(&self) {
        let refused = self.stage.sandbox.door().calls_where(0, |call| self.is_by_it(call) && is_refused(call));
        assert!(refused.is_empty(), "{refused:?}");
    }

    /// Whether the function made this call.
    #[must_use]
    pub fn is_by_it(&self, call: &Call) -> bool {
        call.caller == self.names.function
    }
}

/// Makes a secret.
pub async fn secret(stage: &Stage, name: &str, value: &str, tags: &[(&str, &str)]) -> String {
    let tags: Vec<_> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let create = json!({"Name": name, "SecretString": value, "Tags": tags});
    let answer = stage.sandbox.aws().json("secretsmanager", "secretsmanager.CreateSecret", &create).await.unwrap();
    answer["ARN"].as_str().unwrap().to_owned()
}

/// Whether IAM refused it.
#[must_use]
pub fn is_refused(call: &Call) -> bool {
    call.outcome.as_ref().is_some_and(|outcome| {
        outcome.status == 403 || outcome.error.as_ref().is_some_and(|error| error.contains("AccessDenied"))
    })
}
