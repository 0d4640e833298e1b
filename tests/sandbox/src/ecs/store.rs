//! What ministack stores about services: written by calls through the front door.

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::breaker::CircuitBreaker;
use super::service::Deployment;
use crate::aws::Aws;

/// `DescribeServices` takes ten at a time.
const SERVICES_AT_ONCE: usize = 10;

/// A service as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// The ARN of its cluster.
    pub cluster_arn: String,
    /// How many tasks it wants.
    pub desired: u32,
    /// Percent of the wanted tasks that must stay healthy.
    pub minimum_healthy_percent: u32,
    /// Percent of the wanted tasks that may be there at once.
    pub maximum_percent: u32,
    /// The ARN of the wanted revision.
    pub definition_arn: String,
    /// ministack's id of the PRIMARY deployment: a new one is a new deployment.
    pub primary: String,
    /// Beside the definition, what a change of makes a new deployment.
    pub(crate) revision: Value,
    /// The subnets of its tasks.
    pub subnets: Vec<String>,
    /// Set when it asks for a capacity provider.
    pub capacity_provider: Option<String>,
    /// Whether its tasks allow ECS Exec.
    pub execute_command: bool,
    /// Set when its deployments can fail.
    pub(crate) circuit_breaker: Option<CircuitBreaker>,
    /// Whose tags its tasks get.
    pub(crate) propagate_tags: PropagateTags,
    /// Whether its tasks get the names of their cluster and service as tags.
    pub(crate) managed_tags: bool,
    /// Its own tags, as the API writes them.
    pub tags: Vec<Value>,
    /// What the sandbox cannot run of it.
    pub not_modelled: Option<String>,
    /// What it asks for that the sandbox leaves out; its tasks run all the same.
    pub(crate) left_out: Vec<&'static str>,
}

/// Whose tags a task gets when it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PropagateTags {
    Nobodys,
    TaskDefinitions,
    Services,
}

impl PropagateTags {
    pub(crate) fn read(value: &Value) -> Self {
        match value.as_str() {
            Some("TASK_DEFINITION") => Self::TaskDefinitions,
            Some("SERVICE") => Self::Services,
            _ => Self::Nobodys,
        }
    }
}

/// Reads the services and task definitions behind the front door.
#[derive(Clone)]
pub(crate) struct Store {
    aws: Aws,
}

impl Store {
    pub(crate) fn new(aws: Aws) -> Self {
        Self { aws }
    }

    /// Its client of ministack.
    pub(crate) fn aws(&self) -> &Aws {
        &self.aws
    }

    /// All active services of all clusters.
    pub(crate) async fn services(&self) -> anyhow::Result<Vec<Value>> {
        let mut services = Vec::new();
        let clusters = self.call("ListClusters", &json!({})).await?;
        for cluster in texts(&clusters["clusterArns"]) {
            let arns = self.call("ListServices", &json!({ "cluster": cluster })).await?;
            for some in texts(&arns["serviceArns"]).chunks(SERVICES_AT_ONCE) {
                let request = json!({ "cluster": cluster, "services": some, "include": ["TAGS"] });
                let mut answer = self.call("DescribeServices", &request).await?;
                let described = answer["services"].as_array_mut().map(std::mem::take).unwrap_or_default();
                services.extend(described.into_iter().filter(|service| service["status"] == "ACTIVE"));
            }
        }
        Ok(services)
    }

    /// `DescribeTaskDefinition`'s answer about a task definition, with its tags.
    pub(crate) async fn task_definition(&self, name: &str) -> anyhow::Result<Value> {
        self.call("DescribeTaskDefinition", &json!({ "taskDefinition": name, "include": ["TAGS"] })).await
    }

    /// ministack's id of the service's PRIMARY deployment.
    pub(crate) async fn primary(&self, service: &Stored) -> anyhow::Result<Option<String>> {
        let request = json!({ "cluster": service.cluster_arn, "services": [service.arn] });
        let answer = self.call("DescribeServices", &request).await?;
        Ok(primary(&answer["services"][0]))
    }

    /// Puts the service back to what a deployment brought; returns it as it is then.
    pub(crate) async fn put_back(&self, service: &Stored, deployment: &Deployment) -> anyhow::Result<Value> {
        let mut request = json!({ "cluster": service.cluster_arn, "service": service.arn });
        request["taskDefinition"] = json!(deployment.definition_arn);
        if let (Some(request), Some(revision)) = (request.as_object_mut(), deployment.revision.as_object()) {
            request.extend(revision.clone());
        }
        Ok(self.call("UpdateService", &request).await?["service"].take())
    }

    pub(crate) async fn call(&self, action: &str, request: &Value) -> anyhow::Result<Value> {
        let operation = format!("AmazonEC2ContainerServiceV20141113.{action}");
        self.aws.json("ecs", &operation, request).await.with_context(|| format!("asking ministack's store: {action}"))
    }
}

impl Stored {
    /// `None` when it lacks what every service has; ministack stores none such.
    pub(crate) fn read(service: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let number =
            |value: &Value, default: u32| value.as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(default);
        let configuration = &service["deploymentConfiguration"];
        let network = &service["networkConfiguration"]["awsvpcConfiguration"];
        Some(Self {
            arn: text(&service["serviceArn"])?,
            name: text(&service["serviceName"])?,
            cluster_arn: text(&service["clusterArn"])?,
            desired: number(&service["desiredCount"], 0),
            // The defaults of DeploymentConfiguration for the REPLICA scheduler (its API reference).
            minimum_healthy_percent: number(&configuration["minimumHealthyPercent"], 100),
            maximum_percent: number(&configuration["maximumPercent"], 200),
            definition_arn: text(&service["taskDefinition"])?,
            primary: primary(service)?,
            revision: revision(service),
            subnets: texts(&network["subnets"]),
            capacity_provider: text(&service["capacityProviderStrategy"][0]["capacityProvider"]),
            execute_command: service["enableExecuteCommand"].as_bool().unwrap_or(false),
            circuit_breaker: CircuitBreaker::read(&configuration["deploymentCircuitBreaker"]),
            propagate_tags: PropagateTags::read(&service["propagateTags"]),
            managed_tags: service["enableECSManagedTags"].as_bool().unwrap_or(false),
            tags: service["tags"].as_array().cloned().unwrap_or_default(),
            not_modelled: not_modelled(service),
            left_out: left_out(service),
        })
    }
}

/// "Triggers a new service deployment" (API reference of `UpdateService`); the definition does too.
const DEPLOYED: [&str; 7] = [
    "loadBalancers",
    "networkConfiguration",
    "platformVersion",
    "serviceConnectConfiguration",
    "serviceRegistries",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];

fn revision(service: &Value) -> Value {
    let is_empty = |value: &Value| {
        value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty) || *value == json!({})
    };
    let members = DEPLOYED.iter().filter(|name| !is_empty(&service[**name]));
    members.map(|name| ((*name).to_owned(), service[*name].clone())).collect::<Map<_, _>>().into()
}

fn primary(service: &Value) -> Option<String> {
    let deployments = service["deployments"].as_array()?;
    let primary = deployments.iter().find(|deployment| deployment["status"] == "PRIMARY")?;
    primary["id"].as_str().map(str::to_owned)
}

/// What a service may ask for that the sandbox cannot run.
fn not_modelled(service: &Value) -> Option<String> {
    let controller = service["deploymentController"]["type"].as_str().unwrap_or("ECS");
    let strategy = service["deploymentConfiguration"]["strategy"].as_str().unwrap_or("ROLLING");
    let scheduling = service["schedulingStrategy"].as_str().unwrap_or("REPLICA");
    let launch_type = service["launchType"].as_str();
    if controller != "ECS" {
        Some(format!("the deployment controller {controller}"))
    } else if strategy != "ROLLING" {
        Some(format!("the deployment strategy {strategy}"))
    } else if scheduling != "REPLICA" {
        Some(format!("the scheduling strategy {scheduling}"))
    } else {
        launch_type
            .filter(|launch_type| *launch_type != "FARGATE")
            .map(|launch_type| format!("the launch type {launch_type} (say FARGATE)"))
    }
}

fn left_out(service: &Value) -> Vec<&'static str> {
    let configuration = &service["deploymentConfiguration"];
    let asked = |value: &Value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => members.get("enable") != Some(&Value::Bool(false)) && !members.is_empty(),
        _ => true,
    };
    let parts = [
        (&service["loadBalancers"], "loadBalancers"),
        (&service["serviceRegistries"], "serviceRegistries"),
        (&service["serviceConnectConfiguration"], "serviceConnectConfiguration"),
        (&service["volumeConfigurations"], "volumeConfigurations"),
        (&configuration["alarms"], "deploymentConfiguration.alarms"),
        (&configuration["lifecycleHooks"], "deploymentConfiguration.lifecycleHooks"),
    ];
    parts.into_iter().filter(|(value, _)| asked(value)).map(|(_, name)| name).collect()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
