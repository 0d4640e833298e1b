//! The one sandbox that all tests share, and the few calls they all make.

use std::future::Future;
use std::time::Duration;

use sandbox::ecs::Task;
use sandbox::{AwsError, Options, Pace, Sandbox};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// How long a test waits for what should take a moment.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Local {
    pub(crate) sandbox: Sandbox,
}

/// Runs a test on the shared sandbox. It is never taken down by us: when the test process ends, everything ends with it.
pub(crate) fn with_sandbox<F: Future<Output = ()>>(test: impl FnOnce(&'static Local) -> F) {
    static RUNTIME: std::sync::LazyLock<Runtime> = std::sync::LazyLock::new(|| Runtime::new().unwrap());
    static LOCAL: OnceCell<Local> = OnceCell::const_new();
    RUNTIME.block_on(async {
        let local = LOCAL.get_or_init(async || {
            let pace = Pace { healthy_after: Duration::from_millis(100), ..Pace::default() };
            let options = Options { pace, ..Options::default() };
            Local { sandbox: Sandbox::start(options, |text| eprintln!("sandbox: {text}")).await.unwrap() }
        });
        test(local.await).await;
    });
}

impl Local {
    pub(crate) async fn ecs(&self, action: &str, request: Value) -> Value {
        self.try_ecs(action, request).await.unwrap()
    }

    pub(crate) async fn try_ecs(&self, action: &str, request: Value) -> Result<Value, AwsError> {
        self.sandbox.aws().json("ecs", &format!("AmazonEC2ContainerServiceV20141113.{action}"), &request).await
    }

    /// A cluster, and a task definition of one sample agent in it.
    pub(crate) async fn cluster(&self, name: &str, environment: Value) {
        self.ecs("CreateCluster", json!({ "clusterName": name })).await;
        self.define(name, json!([agent(&environment)])).await;
    }

    /// Registers a revision and returns its ARN.
    pub(crate) async fn define(&self, family: &str, containers: Value) -> String {
        let definition = json!({
            "family": family, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "cpu": "256", "memory": "512", "containerDefinitions": containers,
        });
        let answer = self.ecs("RegisterTaskDefinition", definition).await;
        answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
    }

    /// A service `agent` of the cluster's definition.
    pub(crate) async fn service(&self, cluster: &str, desired: u32, configuration: Value) -> Value {
        let request = json!({
            "cluster": cluster, "serviceName": "agent", "taskDefinition": cluster, "desiredCount": desired,
            "launchType": "FARGATE", "networkConfiguration": network(), "deploymentConfiguration": configuration,
        });
        self.ecs("CreateService", request).await["service"].clone()
    }

    pub(crate) async fn describe(&self, cluster: &str) -> Value {
        let answer = self.ecs("DescribeServices", json!({ "cluster": cluster, "services": ["agent"] })).await;
        answer["services"][0].clone()
    }

    pub(crate) async fn steady(&self, cluster: &str) -> Vec<Task> {
        self.sandbox.ecs().wait_for_steady_state(cluster, "agent", SOON).await.unwrap();
        self.sandbox.ecs().running(cluster, "agent")
    }

    /// Every event about the resource so far.
    pub(crate) fn events_about(&self, resource: &str) -> Vec<Value> {
        let about = |event: &Value| event["resources"][0].as_str().is_some_and(|arn| arn.ends_with(resource));
        self.sandbox.bus().emitted().into_iter().filter(about).collect()
    }

    /// The `lastStatus`es of a task's events, in order; fails unless the versions rise by one.
    pub(crate) fn statuses(&self, task: &str) -> Vec<String> {
        let events = self.events_about(&format!("/{task}"));
        for (index, event) in events.iter().enumerate() {
            assert_eq!(event["detail"]["version"], json!(index + 1), "{event}");
        }
        events.iter().map(|event| event["detail"]["lastStatus"].as_str().unwrap().to_owned()).collect()
    }

    /// To be called at the end of every test: nothing that ECS said broke botocore's model.
    pub(crate) fn check_model(&self) {
        assert_eq!(self.sandbox.model_faults(), Vec::<String>::new());
    }
}

pub(crate) fn network() -> Value {
    json!({ "awsvpcConfiguration": { "subnets": ["subnet-1", "subnet-2"], "assignPublicIp": "DISABLED" } })
}

pub(crate) fn agent(environment: &Value) -> Value {
    json!({ "name": "agent", "image": "registry.example/team/sample-agent:1.0", "environment": environment, "stopTimeout": 2 })
}

/// A container that is a line of shell.
pub(crate) fn shell(name: &str, script: &str, essential: bool) -> Value {
    json!({ "name": name, "image": "busybox:1", "command": ["sh", "-c", script], "essential": essential, "stopTimeout": 2 })
}
