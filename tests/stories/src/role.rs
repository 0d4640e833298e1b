//! The function's role in the local AWS: what it grants, and the same with one action less.

use std::collections::BTreeSet;

use anyhow::Context;
use sandbox::stage::Stage;
use serde_json::Value;

use crate::cli::aws;

/// The inline policy of crash-alerts' role.
#[derive(Clone, Debug)]
pub struct Role {
    name: String,
    policy_name: String,
    policy: Value,
}

/// The name of a function's role; `output` is that of the stack which names the function.
async fn of_function(stage: &Stage, output: &str) -> anyhow::Result<String> {
    let function = stage.stack.output(output)?;
    let configuration = aws(stage, &["lambda", "get-function-configuration", "--function-name", function]).await?;
    let arn = configuration["Role"].as_str().context("the function has no role")?;
    Ok(arn.rsplit('/').next().context("the role has no name")?.to_owned())
}

/// Every action that a function's role grants, in all its inline policies.
pub async fn granted(stage: &Stage, output: &str) -> anyhow::Result<BTreeSet<String>> {
    let name = of_function(stage, output).await?;
    let names = aws(stage, &["iam", "list-role-policies", "--role-name", &name]).await?;
    let mut actions = BTreeSet::new();
    for policy in texts(&names["PolicyNames"]) {
        let get = ["iam", "get-role-policy", "--role-name", &name, "--policy-name", &policy];
        actions.extend(actions_of(&aws(stage, &get).await?["PolicyDocument"]));
    }
    Ok(actions)
}

fn actions_of(policy: &Value) -> Vec<String> {
    let statements = policy["Statement"].as_array().cloned().unwrap_or_default();
    statements.iter().flat_map(|statement| texts(&statement["Action"])).collect()
}

impl Role {
    /// Reads it from the deployed stack.
    pub async fn of_crash_alerts(stage: &Stage) -> anyhow::Result<Self> {
        let name = of_function(stage, "CrashAlertsFunctionName").await?;
        let names = aws(stage, &["iam", "list-role-policies", "--role-name", &name]).await?;
        let policy_name = names["PolicyNames"][0].as_str().context("the role has no inline policy")?.to_owned();
        let found =
            aws(stage, &["iam", "get-role-policy", "--role-name", &name, "--policy-name", &policy_name]).await?;
        Ok(Self { name, policy_name, policy: found["PolicyDocument"].clone() })
    }

    /// Every action that it grants.
    pub fn actions(&self) -> Vec<String> {
        actions_of(&self.policy)
    }

    /// Puts the policy in force without `action`, or whole.
    pub async fn grant_all_but(&self, stage: &Stage, action: Option<&str>) -> anyhow::Result<()> {
        let mut policy = self.policy.clone();
        let statements = policy["Statement"].as_array_mut().context("the policy has no statements")?;
        for statement in &mut *statements {
            let left: Vec<_> =
                texts(&statement["Action"]).into_iter().filter(|name| Some(name.as_str()) != action).collect();
            statement["Action"] = Value::from(left);
        }
        statements.retain(|statement| statement["Action"] != Value::Array(Vec::new()));
        let document = policy.to_string();
        let arguments = [
            "iam",
            "put-role-policy",
            "--role-name",
            &self.name,
            "--policy-name",
            &self.policy_name,
            "--policy-document",
            &document,
        ];
        aws(stage, &arguments).await.map(drop)
    }
}

/// One text or a list of texts.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}
