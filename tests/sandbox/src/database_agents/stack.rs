//! The agents' own stack, and the database before it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;

use super::{Agent, DatabaseAgents, PATIENCE, documents};
use crate::ecs::Task;
use crate::rds::Cluster;
use crate::{Sandbox, cloudformation};

const TEMPLATE: &str = include_str!("agents.yaml");
/// The parameter that an update changes.
const CONFIG_SYNC: &str = "ConfigSync";

/// The parameters of the template.
const PARAMETERS: [&str; 8] = [
    "FormaeDocument",
    "UrlDocument",
    "TomlParameter",
    "Database",
    "DatabaseName",
    "CaCertificate",
    "PoolLifetime",
    CONFIG_SYNC,
];

/// How the agents are made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The stack's name, and their cluster's in ECS.
    pub stack: String,
    /// How long the agents use a pooled connection: for so long a rotation goes unnoticed.
    pub pool_lifetime: Duration,
    /// The `ServiceToken` of `Custom::ConfigSync`, which then keeps the documents in step.
    pub config_sync: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { stack: "agents".to_owned(), pool_lifetime: Duration::from_secs(3), config_sync: None }
    }
}

/// Makes an Aurora cluster of that name, with a writer, a managed master secret, and PostgreSQL behind it.
pub async fn create_database(sandbox: &Sandbox, name: &str, progress: impl Fn(&str)) -> anyhow::Result<Arc<Cluster>> {
    let (aws, id, engine) = (sandbox.aws(), ("DBClusterIdentifier", name), ("Engine", "aurora-postgresql"));
    let master = [("MasterUsername", "app-admin"), ("ManageMasterUserPassword", "true"), ("DatabaseName", "formae")];
    let allow = [("Tags.Tag.1.Key", "watchkeeper:allow"), ("Tags.Tag.1.Value", "@any")];
    aws.query("rds", "CreateDBCluster", &[&[id, engine], &master[..], &allow[..]].concat()).await?;
    let writer = format!("{name}-writer");
    let instance = [("DBInstanceIdentifier", writer.as_str()), id, engine, ("DBInstanceClass", "db.serverless")];
    aws.query("rds", "CreateDBInstance", &instance).await?;
    sandbox.rds().connect(name, progress).await
}

/// The parameter with the TOML file.
pub(super) fn parameter(stack: &str) -> String {
    format!("/{stack}/toml")
}

impl<'a> DatabaseAgents<'a> {
    /// Creates the stack with documents that are right, and waits until CloudFormation is done.
    pub async fn create(sandbox: &'a Sandbox, database: Arc<Cluster>, settings: &Settings) -> anyhow::Result<Self> {
        let Settings { stack, pool_lifetime, config_sync } = settings;
        // CloudFormation makes no SecureString.
        let document = documents::with_login_of(Agent::Toml, &database).await?;
        let tags = json!([{ "Key": "watchkeeper:allow", "Value": "@any" }]);
        let request = json!({ "Name": parameter(stack), "Value": document, "Type": "SecureString", "Tags": tags });
        sandbox.aws().json("ssm", "AmazonSSM.PutParameter", &request).await?;

        let document = async |agent| documents::with_login_of(agent, &database).await;
        let values = [
            document(Agent::Formae).await?,
            document(Agent::Url).await?,
            parameter(stack),
            database.arn().to_owned(),
            database.database().to_owned(),
            database.server().ca_pem().to_owned(),
            pool_lifetime.as_millis().to_string(),
            config_sync.clone().unwrap_or_default(),
        ];
        let mut named = Vec::new();
        for (number, (name, value)) in (1..).zip(PARAMETERS.into_iter().zip(&values)) {
            named.push((format!("Parameters.member.{number}.ParameterKey"), name));
            named.push((format!("Parameters.member.{number}.ParameterValue"), value));
        }
        change(sandbox, stack, "CREATE", &named).await?;
        let described = cloudformation::call(sandbox.aws(), stack, "DescribeStacks", &[]).await?;
        let output = |name: &str| {
            let mut outputs = described.split("<member>");
            let found = outputs.find(|output| cloudformation::element(output, "OutputKey") == Some(name));
            let value = found.and_then(|output| cloudformation::element(output, "OutputValue"));
            value.map(str::to_owned).with_context(|| format!("the stack has no output {name}"))
        };
        let secrets = [output("Formae")?, output("Url")?];
        Ok(Self {
            sandbox,
            database,
            stack: stack.clone(),
            pool_lifetime: *pool_lifetime,
            secrets,
            http: reqwest::Client::new(),
        })
    }

    /// Updates the stack: from now on it declares a `Custom::ConfigSync` for each document, or with nothing it does no more.
    pub async fn declare(&self, config_sync: Option<&str>) -> anyhow::Result<()> {
        let mut named = Vec::new();
        for (number, name) in (1..).zip(PARAMETERS) {
            named.push((format!("Parameters.member.{number}.ParameterKey"), name));
            named.push(match name {
                CONFIG_SYNC => (format!("Parameters.member.{number}.ParameterValue"), config_sync.unwrap_or_default()),
                _ => (format!("Parameters.member.{number}.UsePreviousValue"), "true"),
            });
        }
        change(self.sandbox, &self.stack, "UPDATE", &named).await
    }

    /// Deletes the stack and the parameter, and waits until they are gone. The database stays.
    pub async fn delete(self) -> anyhow::Result<()> {
        let aws = self.sandbox.aws();
        cloudformation::call(aws, &self.stack, "DeleteStack", &[]).await?;
        cloudformation::gone(aws, &self.stack, PATIENCE).await?;
        aws.json("ssm", "AmazonSSM.DeleteParameter", &json!({ "Name": self.parameter() })).await?;
        Ok(())
    }
}

async fn change(sandbox: &Sandbox, stack: &str, what: &str, parameters: &[(String, &str)]) -> anyhow::Result<()> {
    let aws = sandbox.aws();
    let mut named = vec![("TemplateBody", TEMPLATE), ("Capabilities.member.1", "CAPABILITY_IAM")];
    named.extend(parameters.iter().map(|(name, value)| (name.as_str(), *value)));
    let action = if what == "CREATE" { "CreateStack" } else { "UpdateStack" };
    cloudformation::call(aws, stack, action, &named).await?;
    let settled = cloudformation::settled(aws, stack, PATIENCE).await;
    let status = settled.with_context(|| stopped(sandbox, stack))?;
    if status != format!("{what}_COMPLETE") {
        let reason = cloudformation::reason(aws, stack, &format!("{what}_FAILED")).await;
        bail!("the stack {stack} is {status}: {}", reason.unwrap_or_else(|error| error.to_string()));
    }
    Ok(())
}

/// Why tasks of the stack were stopped, for the text of an error.
fn stopped(sandbox: &Sandbox, stack: &str) -> String {
    let tasks = sandbox.ecs().tasks().into_iter().filter(|task| task.cluster() == stack);
    let stop = |task: Task| Some(format!("a task of {} was stopped: {}; ", task.group, task.stop?.reason));
    tasks.filter_map(stop).collect::<String>() + "the stack does not settle"
}
