//! The role with which ECS itself reads and writes for a task that starts (`executionRoleArn`).
//!
//! ministack's IAM says what the role may do; what it may is then done as root.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::aws::{Aws, AwsError};

/// Who assumes execution roles ("Amazon ECS task execution IAM role").
const TASKS: &str = "ecs-tasks.amazonaws.com";

/// The execution role of one task.
pub(crate) struct ExecutionRole<'a> {
    pub(crate) aws: &'a Aws,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    /// As the task definition or the caller of `RunTask` gave it.
    pub(crate) arn: Option<&'a str>,
    /// The task's id, which is also the name of ECS's session in the role.
    pub(crate) task: &'a str,
}

impl ExecutionRole<'_> {
    /// Whether ECS can take the role on; `Err` is why not.
    pub(crate) async fn assume(&self) -> Result<(), String> {
        // AWS does not let such a definition be registered.
        let arn = self.arn.ok_or("the task definition needs an executionRoleArn for this and has none")?;
        let trusts = match self.aws.query("iam", "GetRole", &[("RoleName", self.name())]).await {
            Ok(xml) => trusts_tasks(&xml),
            Err(error) if error.code == "NoSuchEntity" => false,
            Err(error) => return Err(error.to_string()),
        };
        if trusts {
            return Ok(());
        }
        // What ECS says of such a role in a service's events and to the caller of RunTask.
        Err(format!(
            "ECS was unable to assume the role '{arn}' that was provided for this task. Please verify that the role being \
             passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this \
             role."
        ))
    }

    /// Whether the role's policies allow `action` on `resource`; `Err` is AWS's refusal.
    pub(crate) async fn may(&self, action: &str, resource: &str) -> Result<(), AwsError> {
        // Without the role's path, of which ministack's simulator makes nothing.
        let arn = format!("arn:aws:iam::{}:role/{}", self.account, self.name());
        let question =
            [("PolicySourceArn", &*arn), ("ActionNames.member.1", action), ("ResourceArns.member.1", resource)];
        let verdict = self.aws.query("iam", "SimulatePrincipalPolicy", &question).await?;
        if verdict.contains("<EvalDecision>allowed<") {
            return Ok(());
        }
        let why = if verdict.contains("<EvalDecision>explicitDeny<") {
            "with an explicit deny in an identity-based policy".to_owned()
        } else {
            format!("because no identity-based policy allows the {action} action")
        };
        let user = format!("arn:aws:sts::{}:assumed-role/{}/{}", self.account, self.name(), self.task);
        let message = format!("User: {user} is not authorized to perform: {action} on resource: {resource} {why}");
        Err(access_denied(action, message))
    }

    /// Whether the role may decrypt what is encrypted with `key`, an id, alias or ARN. Keys that AWS manages serve whoever may
    /// read what they encrypt.
    pub(crate) async fn may_decrypt(&self, key: &str) -> Result<(), AwsError> {
        if key.rsplit(':').next().is_some_and(|name| name.starts_with("alias/aws/")) {
            return Ok(());
        }
        let answer = self.aws.json("kms", "TrentService.DescribeKey", &json!({ "KeyId": key })).await?;
        self.may("kms:Decrypt", answer["KeyMetadata"]["Arn"].as_str().unwrap_or(key)).await
    }

    fn name(&self) -> &str {
        self.arn.and_then(|arn| arn.rsplit('/').next()).unwrap_or_default()
    }
}

/// A refusal for want of a permission.
pub(crate) fn access_denied(call: &str, message: String) -> AwsError {
    AwsError { call: call.to_owned(), code: "AccessDeniedException".to_owned(), message, status: 400 }
}

/// Whether the trust policy in the answer of `GetRole` lets ECS tasks in.
fn trusts_tasks(xml: &str) -> bool {
    let between = |open| Some(xml.split_once(open)?.1.split_once("</AssumeRolePolicyDocument>")?.0);
    let encoded = between("<AssumeRolePolicyDocument>").unwrap_or_default();
    let policy = percent_decode_str(encoded).decode_utf8_lossy();
    let policy: Value = serde_json::from_str(&policy).unwrap_or_default();
    one_or_many(&policy["Statement"]).iter().any(|statement| {
        let services = one_or_many(&statement["Principal"]["Service"]);
        statement["Effect"] == "Allow" && services.iter().any(|service| service == TASKS)
    })
}

/// Policies write one thing without a list around it.
fn one_or_many(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_assumable_when_its_trust_policy_names_ecs_tasks() {
        let answer = |policy: Value| {
            let encoded =
                percent_encoding::utf8_percent_encode(&policy.to_string(), percent_encoding::NON_ALPHANUMERIC)
                    .to_string();
            format!("<Role><AssumeRolePolicyDocument>{encoded}</AssumeRolePolicyDocument></Role>")
        };
        let allow = |service: Value| json!({ "Effect": "Allow", "Principal": { "Service": service } });
        assert!(trusts_tasks(&answer(json!({ "Statement": [allow(json!(TASKS))] }))));
        assert!(trusts_tasks(&answer(json!({ "Statement": allow(json!(["ec2.amazonaws.com", TASKS])) }))));
        assert!(!trusts_tasks(&answer(json!({ "Statement": [allow(json!("lambda.amazonaws.com"))] }))));
        let deny = json!({ "Effect": "Deny", "Principal": { "Service": TASKS } });
        assert!(!trusts_tasks(&answer(json!({ "Statement": [deny] }))));
        assert!(!trusts_tasks("<Role></Role>"));
    }
}
