//! Permissions that ministack does not check, or checks against another resource than AWS does.
//!
//! For these few actions its own policy simulator is asked instead, about the resource that AWS checks (Service
//! Authorization Reference): what it allows is called as root, what it does not is refused here.

use axum::http::header::{AUTHORIZATION, HeaderValue};
use axum::http::request::Parts;
use serde_json::Value;

use super::call::Incoming;
use crate::aws::{Aws, AwsError};
use crate::ecs::Ecs;

/// ministack gives functions temporary credentials of their roles; those of root do not begin so.
const ROLE_CREDENTIAL: &str = "Credential=ASIA";

/// Who is asked.
pub(crate) struct Permissions {
    root: Aws,
    ecs: Ecs,
    region: String,
    account: String,
}

/// Who decides about a call.
pub(crate) enum Verdict {
    /// ministack, as about most calls.
    Ministack,
    /// The role allows it: it is to be made with these headers.
    Allowed(Box<Parts>),
    /// The role does not, in AWS's words.
    Denied(String),
}

impl Permissions {
    /// `root` is a client of ministack itself; `ecs` knows the tags of services and tasks.
    pub(crate) fn new(root: Aws, ecs: Ecs, region: &str, account: &str) -> Self {
        Self { root, ecs, region: region.to_owned(), account: account.to_owned() }
    }

    /// Who decides about a call, and how, if it is not ministack.
    pub(crate) async fn judge(&self, incoming: &Incoming, parts: &Parts, body: &[u8]) -> Verdict {
        let authorization = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (true, Some((action, resources))) =
            (authorization.contains(ROLE_CREDENTIAL), self.checked_by_aws(incoming, body))
        else {
            return Verdict::Ministack;
        };
        match self.allows(&incoming.caller, action, &resources).await {
            Ok(true) => {
                let mut parts = parts.clone();
                if let Ok(root) = HeaderValue::from_str(&self.root.authorization(&incoming.service)) {
                    parts.headers.insert(AUTHORIZATION, root);
                    parts.headers.remove("x-amz-security-token");
                }
                Verdict::Allowed(Box::new(parts))
            }
            Ok(false) => Verdict::Denied(format!(
                "The role of {} is not authorized to perform: {action} on resource: {}",
                incoming.caller,
                resources.join(", ")
            )),
            Err(error) => {
                Verdict::Denied(format!("the front door could not find out whether {action} is allowed: {error}"))
            }
        }
    }

    /// The action and the resources that AWS checks, for the actions where ministack takes others.
    fn checked_by_aws(&self, incoming: &Incoming, body: &[u8]) -> Option<(&'static str, Vec<String>)> {
        let (action, kind, named) = match (incoming.service.as_str(), incoming.action.as_str()) {
            // ministack: the cluster of all these, and no tags.
            ("ecs", "DescribeServices") => ("ecs:DescribeServices", "service", "services"),
            ("ecs", "DescribeTasks") => ("ecs:DescribeTasks", "task", "tasks"),
            ("ecs", "StopTask") => ("ecs:StopTask", "task", "task"),
            ("ecs", "UpdateService") => ("ecs:UpdateService", "service", "service"),
            // ministack: nothing at all, in the protocol of the Rust SDK.
            ("monitoring", "ListTagsForResource") => {
                return Some(("cloudwatch:ListTagsForResource", vec![first_arn(body)?]));
            }
            // ministack: the group.
            ("logs", "GetLogEvents") => return Some(("logs:GetLogEvents", vec![self.log_stream(body)?])),
            _ => return None,
        };
        let request: Value = serde_json::from_slice(body).ok()?;
        Some((action, self.ecs_arns(kind, &request["cluster"], &request[named])))
    }

    /// The ARN of a log stream that a request names.
    fn log_stream(&self, body: &[u8]) -> Option<String> {
        let request: Value = serde_json::from_slice(body).ok()?;
        let (group, stream) = (request["logGroupName"].as_str()?, request["logStreamName"].as_str()?);
        Some(format!("arn:aws:logs:{}:{}:log-group:{group}:log-stream:{stream}", self.region, self.account))
    }

    /// The ARNs of services or tasks of a cluster, which a request may name by their names or ids.
    fn ecs_arns(&self, kind: &str, cluster: &Value, named: &Value) -> Vec<String> {
        let cluster = cluster.as_str().unwrap_or("default");
        let cluster = cluster.rsplit('/').next().unwrap_or(cluster);
        let arn = |name: &str| {
            if name.starts_with("arn:") {
                return name.to_owned();
            }
            format!("arn:aws:ecs:{}:{}:{kind}/{cluster}/{name}", self.region, self.account)
        };
        let named = named.as_array().map_or(std::slice::from_ref(named), Vec::as_slice);
        named.iter().filter_map(Value::as_str).map(arn).collect()
    }

    async fn allows(&self, caller: &str, action: &str, resources: &[String]) -> Result<bool, AwsError> {
        let Some(role) = self.role(caller).await? else { return Ok(false) };
        let mut parameters =
            vec![("PolicySourceArn".to_owned(), role), ("ActionNames.member.1".to_owned(), action.to_owned())];
        for (n, resource) in resources.iter().enumerate() {
            parameters.push((format!("ResourceArns.member.{}", n + 1), resource.clone()));
        }
        // The simulator looks at the first resource.
        let tags = resources.first().map(|arn| self.ecs.tags(arn)).unwrap_or_default();
        for (n, tag) in tags.iter().enumerate() {
            let entry = format!("ContextEntries.member.{}", n + 1);
            let name = format!("aws:ResourceTag/{}", tag["key"].as_str().unwrap_or_default());
            parameters.push((format!("{entry}.ContextKeyName"), name));
            parameters.push((format!("{entry}.ContextKeyType"), "string".to_owned()));
            let value = tag["value"].as_str().unwrap_or_default().to_owned();
            parameters.push((format!("{entry}.ContextKeyValues.member.1"), value));
        }
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let xml = self.root.query("iam", "SimulatePrincipalPolicy", &parameters).await?;
        Ok(xml.contains("<EvalDecision>allowed<") && !xml.contains("Deny</EvalDecision>"))
    }

    /// The role of the function whose SDK gives itself this name.
    async fn role(&self, caller: &str) -> Result<Option<String>, AwsError> {
        let text = self.root.rest("lambda", "GET", "/2015-03-31/functions", Vec::new()).await?;
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let functions = answer["Functions"].as_array().cloned().unwrap_or_default();
        let named = |function: &&Value| function["Environment"]["Variables"]["AWS_SDK_UA_APP_ID"] == caller;
        Ok(functions.iter().find(named).and_then(|function| function["Role"].as_str()).map(str::to_owned))
    }
}

/// The first ARN in a body of whatever protocol.
fn first_arn(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body).replace("%3A", ":").replace("%2F", "/");
    let begin = text.find("arn:")?;
    let end =
        text[begin..].find(|c: char| !(c.is_ascii_graphic() && c != '"' && c != '&')).unwrap_or(text.len() - begin);
    Some(text[begin..begin + end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::first_arn;

    #[test]
    fn an_arn_is_found_in_json_forms_and_cbor() {
        let arn = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a-b";
        for body in [
            format!("{{\"ResourceARN\":\"{arn}\"}}").into_bytes(),
            format!("Action=X&ResourceARN={}&Version=1", arn.replace(':', "%3A")).into_bytes(),
            [b"\xbfkResourceARNx3".as_slice(), arn.as_bytes(), b"\xff"].concat(),
        ] {
            assert_eq!(first_arn(&body).as_deref(), Some(arn));
        }
        assert_eq!(first_arn(b"nothing"), None);
    }
}
