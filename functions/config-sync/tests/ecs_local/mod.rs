//! A sandbox with clusters, task definitions and services in it.
#![allow(dead_code, reason = "each program of tests uses its part")]

use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use aws_sdk_ecs::operation::create_service::builders::CreateServiceFluentBuilder;
use aws_sdk_ecs::types::{
    AwsVpcConfiguration, Compatibility, ContainerDefinition, LaunchType, NetworkConfiguration, NetworkMode, Secret,
};
use aws_sdk_ecs::{Client, config};
use sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use watchkeeper_events::ServiceArn;

/// What a container does that lasts.
pub(crate) const LASTS: &str = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
/// A secret's ARN; it need not be there for a task definition to name it.
pub(crate) const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:team/db-AbCdEf";
/// A parameter's ARN, likewise.
pub(crate) const PARAMETER: &str = "arn:aws:ssm:eu-west-1:123456789012:parameter/team/token";
pub(crate) const TABLE: &str = "state";

pub(crate) struct Local {
    pub(crate) sandbox: Sandbox,
    pub(crate) ecs: Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
}

macro_rules! client {
    ($sdk:ident, $sandbox:expr) => {{
        use $sdk::config::{BehaviorVersion, Config, Credentials, Region};
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url($sandbox.endpoint())
            .region(Region::new($sandbox.options().region.clone()))
            .credentials_provider(Credentials::new("test", "test", None, None, "tests"));
        $sdk::Client::from_conf(config.build())
    }};
}

impl Local {
    pub(crate) async fn start() -> Self {
        let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
        let local = Self { ecs: client!(aws_sdk_ecs, sandbox), dynamodb: client!(aws_sdk_dynamodb, sandbox), sandbox };
        local.table().await;
        local
    }

    async fn table(&self) {
        let mut table = self.dynamodb.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
        for (name, role) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
            let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
            let key = KeySchemaElement::builder().attribute_name(name).key_type(role);
            table = table.attribute_definitions(attribute.build().unwrap()).key_schema(key.build().unwrap());
        }
        table.send().await.unwrap();
    }

    /// A role that lets ECS read secrets and parameters for a task.
    pub(crate) async fn execution_role(&self) -> String {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "ecs-tasks.amazonaws.com" }, "Action": "sts:AssumeRole",
        }] });
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": ["secretsmanager:GetSecretValue", "ssm:GetParameters"], "Resource": "*",
        }] });
        let (trust, policy) = (trust.to_string(), policy.to_string());
        let role = [("RoleName", "starts"), ("AssumeRolePolicyDocument", &*trust)];
        self.sandbox.aws().query("iam", "CreateRole", &role).await.unwrap();
        let allowed = [("RoleName", "starts"), ("PolicyName", "reads"), ("PolicyDocument", &*policy)];
        self.sandbox.aws().query("iam", "PutRolePolicy", &allowed).await.unwrap();
        format!("arn:aws:iam::{}:role/starts", self.sandbox.options().account)
    }

    pub(crate) async fn call(&self, service: &str, operation: &str, request: Value) -> Value {
        self.sandbox.aws().json(service, operation, &request).await.unwrap()
    }

    pub(crate) async fn cluster(&self, name: &str) {
        self.ecs.create_cluster().cluster_name(name).send().await.unwrap();
    }

    /// A revision of this family with one container; its ARN.
    pub(crate) async fn define(&self, family: &str, role: Option<&str>, container: ContainerDefinition) -> String {
        let define = self
            .ecs
            .register_task_definition()
            .family(family)
            .network_mode(NetworkMode::Awsvpc)
            .requires_compatibilities(Compatibility::Fargate)
            .cpu("256")
            .memory("512")
            .set_execution_role_arn(role.map(str::to_owned))
            .container_definitions(container);
        define.send().await.unwrap().task_definition.unwrap().task_definition_arn.unwrap()
    }

    /// A service of this name, in a cluster, of a family or a revision.
    pub(crate) fn service(
        &self,
        cluster: &str,
        name: &str,
        definition: &str,
        desired: i32,
    ) -> CreateServiceFluentBuilder {
        let subnets = AwsVpcConfiguration::builder().subnets("subnet-1").build().unwrap();
        self.ecs
            .create_service()
            .cluster(cluster)
            .service_name(name)
            .task_definition(definition)
            .desired_count(desired)
            .launch_type(LaunchType::Fargate)
            .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(subnets).build())
    }

    pub(crate) fn arn(&self, cluster: &str, name: &str) -> ServiceArn {
        let (region, account) = (&self.sandbox.options().region, &self.sandbox.options().account);
        ServiceArn::parse(&format!("arn:aws:ecs:{region}:{account}:service/{cluster}/{name}")).unwrap()
    }

    /// The calls of ECS since the call of this number, by action.
    pub(crate) fn ecs_calls_since(&self, index: usize) -> Vec<String> {
        let calls = self.sandbox.door().calls_where(index, |call| call.service == "ecs");
        calls.into_iter().map(|call| call.action).collect()
    }
}

/// A container that runs a line of shell, and is given these.
pub(crate) fn container(
    script: &str,
    values_from: &[&str],
) -> aws_sdk_ecs::types::builders::ContainerDefinitionBuilder {
    let secrets = values_from.iter().enumerate().map(|(index, value_from)| {
        Secret::builder().name(format!("VALUE_{index}")).value_from(*value_from).build().unwrap()
    });
    let container = ContainerDefinition::builder().name("agent").image("busybox:1");
    container.command("sh").command("-c").command(script).set_secrets(Some(secrets.collect()))
}

/// A client that tries each call once.
pub(crate) fn once(client: &Client) -> Client {
    Client::from_conf(client.config().to_builder().retry_config(config::retry::RetryConfig::disabled()).build())
}
