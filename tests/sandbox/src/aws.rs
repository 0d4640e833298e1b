//! A small client for the local AWS: enough of the JSON, query and REST protocols for tests and the sandbox itself.
//!
//! It calls as root: ministack takes the access key `test` for the account's root and does not check its signature, so a
//! header that names the key, the region and the service is enough.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use serde_json::Value;

/// Unreserved characters of RFC 3986 stay as they are.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A call that AWS refused, or that did not get an answer (`status` 0).
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{call}: {code} (HTTP {status}): {message}")]
pub struct AwsError {
    /// `service:action`.
    pub call: String,
    /// AWS's error code, such as `ResourceNotFoundException`; `NoAnswer` when the connection failed.
    pub code: String,
    /// AWS's text.
    pub message: String,
    /// The HTTP status; 0 when there was no answer.
    pub status: u16,
}

/// A client of one endpoint.
#[derive(Clone, Debug)]
pub struct Aws {
    endpoint: String,
    region: String,
    caller: String,
    http: reqwest::Client,
}

impl Aws {
    /// A root client of `endpoint` whose calls the front door records under `caller`.
    pub fn new(endpoint: impl Into<String>, region: impl Into<String>, caller: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), region: region.into(), caller: caller.into(), http: reqwest::Client::new() }
    }

    /// Where it sends its calls.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A call of an AWS JSON 1.0 or 1.1 service. `service` is the name in the credential scope (`sqs`, `events`, `ecs`, …),
    /// `operation` the whole target (`AmazonSQS.SendMessage`, `AWSEvents.ListRules`).
    pub async fn json(&self, service: &str, operation: &str, body: &Value) -> Result<Value, AwsError> {
        let headers = [(CONTENT_TYPE.as_str(), "application/x-amz-json-1.1"), ("x-amz-target", operation)];
        let action = operation.rsplit('.').next().unwrap_or(operation);
        let text = self.send(service, action, "POST", "/", &headers, body.to_string().into_bytes()).await?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).map_err(|error| AwsError {
            call: format!("{service}:{action}"),
            code: "NotJson".into(),
            message: format!("the answer is not JSON ({error}): {text}"),
            status: 200,
        })
    }

    /// A call of a query-protocol service (SNS, CloudFormation, IAM): the answer's XML.
    pub async fn query(&self, service: &str, action: &str, parameters: &[(&str, &str)]) -> Result<String, AwsError> {
        let encode = |text: &str| utf8_percent_encode(text, FORM).to_string();
        let mut form = format!("Action={}&Version={}", encode(action), api_version(service));
        for (name, value) in parameters {
            form.extend(["&", &encode(name), "=", &encode(value)]);
        }
        let headers = [(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded; charset=utf-8")];
        self.send(service, action, "POST", "/", &headers, form.into_bytes()).await
    }

    /// A call of a REST service (Lambda, S3, Scheduler): the answer's text. `path` begins with `/` and is sent as it is.
    pub async fn rest(&self, service: &str, method: &str, path: &str, body: Vec<u8>) -> Result<String, AwsError> {
        let headers = [(CONTENT_TYPE.as_str(), "application/json")];
        self.send(service, path, method, path, &headers, body).await
    }

    /// The header that makes a call root's.
    pub(crate) fn authorization(&self, service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=test/{}/{}/{service}/aws4_request, SignedHeaders=host, Signature=0",
            crate::clock::date(crate::clock::now()),
            self.region,
        )
    }

    async fn send(
        &self,
        service: &str,
        action: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<String, AwsError> {
        let refused = |code: String, message: String, status| AwsError {
            call: format!("{service}:{action}"),
            code,
            message,
            status,
        };
        let no_answer = |error: &dyn std::fmt::Display| refused("NoAnswer".into(), error.to_string(), 0);

        let request = async {
            let method = reqwest::Method::from_bytes(method.as_bytes()).map_err(|error| no_answer(&error))?;
            let mut all = HeaderMap::new();
            let authorization = self.authorization(service);
            for (name, value) in headers.iter().copied().chain([
                (AUTHORIZATION.as_str(), authorization.as_str()),
                (USER_AGENT.as_str(), format!("sandbox app/{}", self.caller).as_str()),
            ]) {
                let name = reqwest::header::HeaderName::try_from(name).map_err(|error| no_answer(&error))?;
                all.insert(name, HeaderValue::from_str(value).map_err(|error| no_answer(&error))?);
            }
            let call = self.http.request(method, format!("{}{path}", self.endpoint)).headers(all).body(body);
            let answer = call.send().await.map_err(|error| no_answer(&error))?;
            let status = answer.status().as_u16();
            let marked =
                answer.headers().get("x-amzn-errortype").and_then(|value| value.to_str().ok()).map(str::to_owned);
            let text = answer.text().await.map_err(|error| no_answer(&error))?;
            Ok((status, marked, text))
        };
        let (status, marked, text) = request.await?;
        if status < 300 {
            return Ok(text);
        }
        let code = crate::door::error::code(marked.as_deref(), text.as_bytes()).unwrap_or_else(|| "Unknown".into());
        Err(refused(code, crate::door::error::message(&text).unwrap_or(text), status))
    }
}

/// The `Version` that query-protocol services demand (their API references).
fn api_version(service: &str) -> &'static str {
    match service {
        "cloudformation" => "2010-05-15",
        "iam" => "2010-05-08",
        "sts" => "2011-06-15",
        "rds" => "2014-10-31",
        "elasticloadbalancing" => "2015-12-01",
        "monitoring" => "2010-08-01",
        _ => "2010-03-31",
    }
}
