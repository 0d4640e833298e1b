//! Parameters of Systems Manager, as ECS reads them.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{SecretValue, refusal};
use crate::aws::AwsError;
use crate::ecs::execution_role::{ExecutionRole, access_denied};

const ACTION: &str = "ssm:GetParameters";

/// `GetParameters` takes ten names at a time.
const AT_ONCE: usize = 10;

/// The values of the parameters of these names or ARNs.
pub(super) async fn read(role: &ExecutionRole<'_>, names: &[&str]) -> Result<HashMap<String, SecretValue>, String> {
    let mut values = HashMap::new();
    for some in names.chunks(AT_ONCE) {
        let answer = fetch(role, some).await.map_err(|error| refusal(&error))?;
        let invalid: Vec<&str> = some.iter().copied().filter(|name| found(&answer, name).is_none()).collect();
        if !invalid.is_empty() {
            return Err(format!("invalid ssm parameters: {}", invalid.join(",")));
        }
        let value = |name: &&str| {
            let text = found(&answer, name)?["Value"].as_str().unwrap_or_default();
            Some(((*name).to_owned(), SecretValue(text.to_owned())))
        };
        values.extend(some.iter().filter_map(value));
    }
    Ok(values)
}

async fn fetch(role: &ExecutionRole<'_>, names: &[&str]) -> Result<Value, AwsError> {
    for name in names {
        role.may(ACTION, &arn(role, name)).await?;
    }
    let request = json!({ "Names": names, "WithDecryption": true });
    let answer = role.aws.json("ssm", "AmazonSSM.GetParameters", &request).await?;
    let secure = parameters(&answer).filter(|parameter| parameter["Type"] == "SecureString");
    for parameter in secure {
        let filter = json!({ "Key": "Name", "Option": "Equals", "Values": [parameter["Name"]] });
        let request = json!({ "ParameterFilters": [filter] });
        let described = role.aws.json("ssm", "AmazonSSM.DescribeParameters", &request).await?;
        if let Some(key) = described["Parameters"][0]["KeyId"].as_str() {
            role.may_decrypt(key).await.map_err(|_| cannot_decrypt())?;
        }
    }
    Ok(answer)
}

/// The parameter that was asked for by that name or ARN, which may end in `:version` or `:label`.
fn found<'a>(answer: &'a Value, name: &str) -> Option<&'a Value> {
    parameters(answer).find(|parameter| {
        let selector = parameter["Selector"].as_str().unwrap_or_default();
        let names = [&parameter["Name"], &parameter["ARN"]].into_iter().filter_map(Value::as_str);
        names.into_iter().any(|own| name.strip_prefix(own) == Some(selector))
    })
}

fn parameters(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["Parameters"].as_array().into_iter().flatten()
}

/// What IAM checks: the parameter, whichever version of it is asked for.
fn arn(role: &ExecutionRole<'_>, name: &str) -> String {
    if name.starts_with("arn:") {
        return name.splitn(7, ':').take(6).collect::<Vec<_>>().join(":");
    }
    let name = name.split(':').next().unwrap_or(name).trim_start_matches('/');
    format!("arn:aws:ssm:{}:{}:parameter/{name}", role.region, role.account)
}

/// What Systems Manager makes of a refusal by KMS.
fn cannot_decrypt() -> AwsError {
    let message = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you \
                   are not allowed to access.";
    access_denied(ACTION, message.to_owned())
}
