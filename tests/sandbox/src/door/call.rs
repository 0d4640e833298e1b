//! What a request is: which service, which action, about what, from whom.

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use axum::http::request::Parts;
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::error::Protocol;

/// The target prefix of ECS (its service model's `targetPrefix`).
const ECS_TARGET: &str = "AmazonEC2ContainerServiceV20141113.";

/// Members that name what a call is about; the first one present counts.
const RESOURCE_MEMBERS: [&str; 23] = [
    "TableName",
    "QueueUrl",
    "QueueName",
    "TopicArn",
    "TargetArn",
    "SecretId",
    "FunctionName",
    "StackName",
    "StateMachineArn",
    "logGroupName",
    "DBClusterIdentifier",
    "RoleName",
    "Rule",
    "Name",
    "Names",
    "ResourceId",
    "service",
    "services",
    "task",
    "tasks",
    "serviceName",
    "taskDefinition",
    "cluster",
];

/// One call that came through the front door.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// Its place in the record.
    pub index: usize,
    /// When it came in.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The SDK's application name, else `cli` or `root`.
    pub caller: String,
    /// The service of the credential scope: `sns`, `dynamodb`, `monitoring`, …; `unknown` for an unsigned request.
    pub service: String,
    /// `Publish`, `PutItem`, …; method and path for a REST-style service.
    pub action: String,
    /// What it is about, where the request says so plainly.
    pub resource: Option<String>,
    /// What came of it; `None` while ministack works on it.
    pub outcome: Option<Outcome>,
}

impl Call {
    /// Whether it is this action of this service.
    #[must_use]
    pub fn is(&self, service: &str, action: &str) -> bool {
        self.service == service && self.action == action
    }
}

/// How a call ended.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The HTTP status.
    pub status: u16,
    /// AWS's error code, if it was refused.
    pub error: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// Whether the answer was held back from the caller.
    pub held: bool,
}

/// A request as classified, before anything is done about it.
pub(crate) struct Incoming {
    pub(crate) caller: String,
    pub(crate) service: String,
    pub(crate) action: String,
    pub(crate) resource: Option<String>,
    pub(crate) protocol: Protocol,
    /// The operation's name when it is a call of ECS.
    pub(crate) ecs_action: Option<String>,
}

impl Incoming {
    pub(crate) fn classify(parts: &Parts, body: &[u8]) -> Self {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let path = parts.uri.path();
        let target = header("x-amz-target");
        let service = scope_service(header(AUTHORIZATION.as_str()), parts.uri.query()).unwrap_or("unknown").to_owned();

        let (action, resource, protocol) = if let Some((_, action)) = target.rsplit_once('.') {
            let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
            (action.to_owned(), resource_of(|name| member(&body, name)), Protocol::Json)
        } else if header(CONTENT_TYPE.as_str()).starts_with("application/x-www-form-urlencoded") {
            let action = form_value(body, "Action").unwrap_or_else(|| format!("{} {path}", parts.method));
            (action, resource_of(|name| form_value(body, name)), Protocol::Query)
        } else if let Some((_, action)) = path.split_once("/operation/") {
            (action.to_owned(), None, Protocol::Cbor)
        } else {
            let protocol = match service.as_str() {
                "s3" => Protocol::Xml,
                // A REST service, whose errors look as those of the query protocol.
                "route53" => Protocol::Query,
                _ => Protocol::Json,
            };
            (format!("{} {path}", parts.method), Some(path.to_owned()), protocol)
        };
        Self {
            caller: caller(header("x-amz-user-agent"), header(USER_AGENT.as_str())),
            service,
            action,
            resource,
            protocol,
            ecs_action: target.strip_prefix(ECS_TARGET).map(str::to_owned),
        }
    }
}

/// The service in `Credential=KEY/DATE/REGION/SERVICE/aws4_request`, of the header or of a presigned URL.
fn scope_service<'a>(authorization: &'a str, query: Option<&'a str>) -> Option<&'a str> {
    if let Some((_, scope)) = authorization.split_once("Credential=") {
        return scope.split([',', ' ']).next()?.split('/').nth(3);
    }
    let scope = query?.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
    scope.split("%2F").nth(3).or_else(|| scope.split('/').nth(3))
}

/// The SDK's application name is the token `app/NAME`; the Rust SDK sends it in `x-amz-user-agent`, others in `User-Agent`.
fn caller(amz_agent: &str, agent: &str) -> String {
    let name =
        [amz_agent, agent].into_iter().flat_map(str::split_whitespace).find_map(|token| token.strip_prefix("app/"));
    match name {
        Some(name) => name.to_owned(),
        None if agent.starts_with("aws-cli") => "cli".to_owned(),
        None => "root".to_owned(),
    }
}

fn resource_of(look: impl Fn(&str) -> Option<String>) -> Option<String> {
    RESOURCE_MEMBERS.into_iter().find_map(look)
}

fn member(body: &Value, name: &str) -> Option<String> {
    match body.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => {
            Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")).filter(|text| !text.is_empty())
        }
        _ => None,
    }
}

pub(super) fn form_value(body: &[u8], name: &str) -> Option<String> {
    let body = std::str::from_utf8(body).ok()?;
    let value = body.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))?.1;
    let value = value.replace('+', " ");
    Some(percent_encoding::percent_decode_str(&value).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AK/20261120/eu-west-1/SERVICE/aws4_request, SignedHeaders=host";

    fn classify(service: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Incoming {
        let mut request = Request::builder().method("POST").uri(path);
        request = request.header("authorization", SIGNED.replace("SERVICE", service));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Incoming::classify(&parts, body.as_bytes())
    }

    #[test]
    fn a_json_call_is_named_by_its_target() {
        let call =
            classify("dynamodb", "/", &[("x-amz-target", "DynamoDB_20120810.PutItem")], r#"{"TableName":"state"}"#);
        assert_eq!((call.service.as_str(), call.action.as_str()), ("dynamodb", "PutItem"));
        assert_eq!(call.resource.as_deref(), Some("state"));
        assert_eq!(call.ecs_action, None);
    }

    #[test]
    fn a_query_call_is_named_by_its_form() {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let body = "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A1%3Aalerts&Message=a+b";
        let call = classify("sns", "/", &form, body);
        assert_eq!(call.action, "Publish");
        assert_eq!(call.resource.as_deref(), Some("arn:aws:sns:eu-west-1:1:alerts"));
        assert_eq!(call.protocol, Protocol::Query);
    }

    #[test]
    fn a_cbor_call_is_named_by_its_path() {
        let call = classify("monitoring", "/service/GraniteServiceVersion20100801/operation/PutMetricData", &[], "");
        assert_eq!((call.action.as_str(), call.protocol), ("PutMetricData", Protocol::Cbor));
    }

    #[test]
    fn a_rest_call_is_named_by_method_and_path() {
        let call = classify("lambda", "/2015-03-31/functions/f/invocations", &[], "");
        assert_eq!(call.action, "POST /2015-03-31/functions/f/invocations");
    }

    #[test]
    fn a_call_of_ecs_is_recognised() {
        let target = ("x-amz-target", "AmazonEC2ContainerServiceV20141113.DescribeTasks");
        let call = classify("ecs", "/", &[target], r#"{"cluster":"formae","tasks":["a","b"]}"#);
        assert_eq!(call.ecs_action.as_deref(), Some("DescribeTasks"));
        assert_eq!(call.resource.as_deref(), Some("a,b"));
    }

    #[test]
    fn the_caller_is_the_application_name_else_the_tool() {
        assert_eq!(caller("aws-sdk-rust/1.3 os/linux app/crash-alerts", "aws-sdk-rust/1.3"), "crash-alerts");
        assert_eq!(caller("", "aws-cli/1.46.2 Python/3.11"), "cli");
        assert_eq!(caller("", "curl/8"), "root");
    }

    #[test]
    fn a_presigned_url_names_its_service() {
        let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20261120%2Feu-west-1%2Fs3%2Faws4_request";
        assert_eq!(scope_service("", Some(query)), Some("s3"));
        assert_eq!(scope_service("", None), None);
    }
}
