//! Permissions that ministack checks against another resource than AWS does.
//!
//! For these few actions a refusal is looked at again: ministack's own policy simulator is asked about the resource that
//! AWS checks (Service Authorization Reference), and if it allows the call, the call is made as root.

use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, HeaderValue};
use axum::http::request::Parts;
use serde_json::Value;

use super::call::Incoming;
use super::forward::{Answer, Upstream};
use crate::aws::Aws;

/// What a refusal of ministack's IAM says, in whatever protocol.
const REFUSAL: &str = "is not authorized to perform";
const ROLE: &str = ":assumed-role/";

/// Who is asked.
pub(crate) struct Permissions {
    iam: Aws,
    region: String,
    account: String,
}

impl Permissions {
    /// `iam` is a root client of ministack itself.
    pub(crate) fn new(iam: Aws, region: &str, account: &str) -> Self {
        Self { iam, region: region.to_owned(), account: account.to_owned() }
    }

    /// The answer that AWS's check would have led to.
    pub(crate) async fn reconsider(
        &self,
        incoming: &Incoming,
        parts: &Parts,
        body: &Bytes,
        answer: Answer,
        upstream: &Upstream,
    ) -> Answer {
        let said = String::from_utf8_lossy(&answer.body);
        let role = said.split_once(ROLE).and_then(|(_, rest)| rest.split('/').next());
        let (Some(role), Some((action, resources)), true) =
            (role, self.checked_by_aws(incoming, body), said.contains(REFUSAL))
        else {
            return answer;
        };
        if !self.allows(role, action, &resources).await {
            return answer;
        }
        let mut parts = parts.clone();
        if let Ok(root) = HeaderValue::from_str(&self.iam.authorization(&incoming.service)) {
            parts.headers.insert(AUTHORIZATION, root);
            parts.headers.remove("x-amz-security-token");
        }
        upstream.forward(&parts, body.clone()).await
    }

    /// The action and the resources that AWS checks, for the actions where ministack takes others.
    fn checked_by_aws(&self, incoming: &Incoming, body: &[u8]) -> Option<(&'static str, Vec<String>)> {
        match (incoming.service.as_str(), incoming.action.as_str()) {
            // ministack: the cluster.
            ("ecs", "DescribeServices") => {
                let request: Value = serde_json::from_slice(body).ok()?;
                let cluster = request["cluster"].as_str().unwrap_or("default");
                let cluster = cluster.rsplit('/').next().unwrap_or(cluster);
                let arn = |service: &str| match service.starts_with("arn:") {
                    true => service.to_owned(),
                    false => format!("arn:aws:ecs:{}:{}:service/{cluster}/{service}", self.region, self.account),
                };
                let services = request["services"].as_array()?.iter().filter_map(Value::as_str).map(arn).collect();
                Some(("ecs:DescribeServices", services))
            }
            // ministack: every resource.
            ("monitoring", "ListTagsForResource") => Some(("cloudwatch:ListTagsForResource", vec![first_arn(body)?])),
            _ => None,
        }
    }

    async fn allows(&self, role: &str, action: &str, resources: &[String]) -> bool {
        let source = format!("arn:aws:iam::{}:role/{role}", self.account);
        let mut parameters =
            vec![("PolicySourceArn".to_owned(), source), ("ActionNames.member.1".to_owned(), action.to_owned())];
        for (n, resource) in resources.iter().enumerate() {
            parameters.push((format!("ResourceArns.member.{}", n + 1), resource.clone()));
        }
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match self.iam.query("iam", "SimulatePrincipalPolicy", &parameters).await {
            Ok(xml) => xml.contains("<EvalDecision>allowed<") && !xml.contains("Deny</EvalDecision>"),
            Err(error) => {
                eprintln!("front door: {error}");
                false
            }
        }
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
