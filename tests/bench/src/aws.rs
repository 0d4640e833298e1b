//! DynamoDB and SNS, as far as an alert goes: they answer at once and count what they were asked.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How often each call was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// `PutItem` with a condition.
    pub claims: usize,
    /// `Publish` with a subject and a message.
    pub publishes: usize,
    /// `UpdateItem`.
    pub records: usize,
    /// Anything else; it is refused.
    pub others: usize,
}

impl Calls {
    /// What so many invocations add up to, each of which makes these.
    #[must_use]
    pub fn times(self, invocations: usize) -> Self {
        Self {
            claims: self.claims * invocations,
            publishes: self.publishes * invocations,
            records: self.records * invocations,
            others: self.others * invocations,
        }
    }
}

/// The AWS of one subject, on a port of its own, so that its calls are its own.
#[derive(Debug)]
pub struct Server {
    endpoint: String,
    calls: Arc<Mutex<Calls>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts it.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("finding a port for AWS")?;
        let endpoint = format!("http://{}", listener.local_addr().context("reading the port of AWS")?);
        let calls = Arc::new(Mutex::new(Calls::default()));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&calls));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("the AWS of the bench ended: {error}");
            }
        });
        Ok(Self { endpoint, calls, task })
    }

    /// Its URL.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The calls since the last look.
    pub fn take_calls(&self) -> Calls {
        std::mem::take(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Claim,
    Publish,
    Record,
    Other,
}

/// DynamoDB speaks JSON and names its action in a header; SNS speaks the query protocol, a form that names it.
fn call(target: Option<&str>, body: &str) -> Call {
    let form_has = |field: &str| body.split('&').any(|pair| pair.starts_with(field) && pair.len() > field.len());
    match target {
        Some("DynamoDB_20120810.PutItem") if body.contains("\"ConditionExpression\"") => Call::Claim,
        Some("DynamoDB_20120810.UpdateItem") => Call::Record,
        None if body.split('&').any(|pair| pair == "Action=Publish")
            && form_has("Subject=")
            && form_has("Message=") =>
        {
            Call::Publish
        }
        _ => Call::Other,
    }
}

async fn answer(State(calls): State<Arc<Mutex<Calls>>>, headers: HeaderMap, body: String) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let call = call(target, &body);
    let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
    match call {
        Call::Claim => calls.claims += 1,
        Call::Publish => calls.publishes += 1,
        Call::Record => calls.records += 1,
        Call::Other => calls.others += 1,
    }
    match call {
        Call::Claim | Call::Record => ([("content-type", "application/x-amz-json-1.0")], "{}").into_response(),
        Call::Publish => ([("content-type", "text/xml")], PUBLISHED).into_response(),
        Call::Other => StatusCode::BAD_REQUEST.into_response(),
    }
}

const PUBLISHED: &str = r#"<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>00000000-0000-4000-8000-000000000000</MessageId></PublishResult><ResponseMetadata><RequestId>00000000-0000-4000-8000-000000000001</RequestId></ResponseMetadata></PublishResponse>"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_calls_of_an_alert_count() {
        let put = Some("DynamoDB_20120810.PutItem");
        assert_eq!(call(put, r#"{"Item":{},"ConditionExpression":"x"}"#), Call::Claim);
        assert_eq!(call(put, r#"{"Item":{}}"#), Call::Other);
        assert_eq!(call(Some("DynamoDB_20120810.UpdateItem"), "{}"), Call::Record);
        assert_eq!(call(None, "Action=Publish&Version=2010-03-31&Subject=CRASH&Message=why"), Call::Publish);
        assert_eq!(call(None, "Action=Publish&Version=2010-03-31&Subject=&Message=why"), Call::Other);
        assert_eq!(call(None, "Action=GetTopicAttributes&Subject=CRASH&Message=why"), Call::Other);
    }
}
