//! CloudFormation's stacks, as a test drives them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{interval, timeout};

use crate::local::{Local, SOON, network};

/// A stack that was created.
pub(crate) struct Stack<'a> {
    local: &'a Local,
    /// A deleted stack answers to its id only.
    id: String,
}

/// For templates with roles in them.
const CAPABILITY: (&str, &str) = ("Capabilities.member.1", "CAPABILITY_IAM");

impl<'a> Stack<'a> {
    /// Begins to create it.
    pub(crate) async fn create(local: &'a Local, name: &str, resources: &Value) -> Self {
        let body = template(resources);
        let parameters = [
            ("StackName", name),
            ("TemplateBody", &body),
            CAPABILITY,
            ("Tags.member.1.Key", "team"),
            ("Tags.member.1.Value", "blue"),
        ];
        let answer = local.sandbox.aws().query("cloudformation", "CreateStack", &parameters).await.unwrap();
        Self { local, id: texts(&answer, "StackId").remove(0) }
    }

    pub(crate) async fn update(&self, resources: &Value) {
        self.act("UpdateStack", &[("TemplateBody", &template(resources)), CAPABILITY]).await;
    }

    pub(crate) async fn cancel_update(&self) {
        self.act("CancelUpdateStack", &[]).await;
    }

    pub(crate) async fn delete(&self) {
        self.act("DeleteStack", &[]).await;
    }

    /// Waits until it comes to rest, in `status`; returns what it is then.
    pub(crate) async fn comes_to(&self, status: &str) -> String {
        let mut poll = interval(Duration::from_millis(20));
        let rest = async {
            loop {
                poll.tick().await;
                let described = self.act("DescribeStacks", &[]).await;
                if !texts(&described, "StackStatus")[0].ends_with("_IN_PROGRESS") {
                    return described;
                }
            }
        };
        let described = timeout(SOON, rest).await.unwrap_or_default();
        assert_eq!(texts(&described, "StackStatus"), [status], "{}", self.events().await);
        described
    }

    /// Waits until it is gone, whatever it goes through on the way.
    pub(crate) async fn is_deleted(&self) {
        let mut poll = interval(Duration::from_millis(20));
        let deleted = async {
            while texts(&self.act("DescribeStacks", &[]).await, "StackStatus") != ["DELETE_COMPLETE"] {
                poll.tick().await;
            }
        };
        let in_time = timeout(SOON, deleted).await;
        assert!(in_time.is_ok(), "{}", self.events().await);
    }

    /// The physical id of a resource.
    pub(crate) async fn resource(&self, logical_id: &str) -> String {
        let described = self.act("DescribeStackResource", &[("LogicalResourceId", logical_id)]).await;
        texts(&described, "PhysicalResourceId").remove(0)
    }

    /// All that happened to it, with XML's quotes undone.
    pub(crate) async fn events(&self) -> String {
        self.act("DescribeStackEvents", &[]).await.replace("&quot;", "\"").replace("&#x27;", "'")
    }

    async fn act(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        let parameters = [&[("StackName", self.id.as_str())], parameters].concat();
        self.local.sandbox.aws().query("cloudformation", action, &parameters).await.unwrap()
    }
}

fn template(resources: &Value) -> String {
    json!({ "Resources": resources }).to_string()
}

/// The texts of all elements of that name.
pub(crate) fn texts(xml: &str, element: &str) -> Vec<String> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    xml.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect()
}

/// A task definition of one container `agent`.
pub(crate) fn definition(image: &str, environment: &Value) -> Value {
    json!({ "Type": "AWS::ECS::TaskDefinition", "Properties": {
        "NetworkMode": "awsvpc", "RequiresCompatibilities": ["FARGATE"], "Cpu": 256, "Memory": 512,
        "ContainerDefinitions": [{ "Name": "agent", "Image": image, "Environment": environment, "StopTimeout": "2" }],
    } })
}

/// A service of the stack's `Definition`, with more properties.
pub(crate) fn service(cluster: &Value, more: &Value) -> Value {
    let subnets = &network()["awsvpcConfiguration"]["subnets"];
    let mut properties = json!({
        "Cluster": cluster, "TaskDefinition": { "Ref": "Definition" }, "DesiredCount": 1, "LaunchType": "FARGATE",
        "NetworkConfiguration": { "AwsvpcConfiguration": { "Subnets": subnets } },
    });
    let members = more.as_object().unwrap().clone();
    properties.as_object_mut().unwrap().extend(members);
    json!({ "Type": "AWS::ECS::Service", "Properties": properties })
}
