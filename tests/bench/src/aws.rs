//! The three answers that one alert needs, given at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

/// DynamoDB and SNS, as far as an alert goes.
pub(crate) struct Server {
    endpoint: String,
    publishes: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("finding a port")?;
        let endpoint = format!("http://{}", listener.local_addr().context("reading the port")?);
        let publishes = Arc::new(AtomicUsize::new(0));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&publishes));
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("the AWS of the benchmark ended: {error}");
            }
        });
        Ok(Self { endpoint, publishes })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn publishes(&self) -> usize {
        self.publishes.load(Ordering::Relaxed)
    }
}

async fn answer(State(publishes): State<Arc<AtomicUsize>>, headers: HeaderMap) -> Response {
    if headers.contains_key("x-amz-target") {
        return ([("content-type", "application/x-amz-json-1.0")], "{}").into_response();
    }
    publishes.fetch_add(1, Ordering::Relaxed);
    let xml = r#"<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>00000000-0000-4000-8000-000000000000</MessageId></PublishResult></PublishResponse>"#;
    ([("content-type", "text/xml")], xml).into_response()
}
