//! The Runtime API's four paths.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinHandle;

/// An event on its way to the function.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) request_id: String,
    pub(crate) event: String,
    pub(crate) time: Duration,
}

/// What the function posted.
#[derive(Debug)]
pub(crate) enum Outcome {
    Response(Value),
    Error(Value),
}

#[derive(Debug)]
struct Shared {
    next: Mutex<mpsc::Receiver<Invocation>>,
    post: mpsc::Sender<Outcome>,
    polled: watch::Sender<u64>,
}

/// A Runtime API on a free port.
#[derive(Debug)]
pub(crate) struct Server {
    address: String,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(
        next: mpsc::Receiver<Invocation>,
        post_outcome: mpsc::Sender<Outcome>,
        polled: watch::Sender<u64>,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("finding a port for the Runtime API")?;
        let address = listener.local_addr().context("reading the Runtime API's port")?.to_string();
        let shared = Arc::new(Shared { next: Mutex::new(next), post: post_outcome, polled });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(invocation))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(error))
            .with_state(shared);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("the Runtime API ended: {error}");
            }
        });
        Ok(Self { address, task })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn invocation(State(shared): State<Arc<Shared>>) -> Response {
    shared.polled.send_modify(|polls| *polls += 1);
    let Some(invocation) = shared.next.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = SystemTime::now() + invocation.time;
    let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let headers = [
        ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
        ("Lambda-Runtime-Deadline-Ms", deadline.to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:123456789012:function:function".to_owned()),
        ("Content-Type", "application/json".to_owned()),
    ];
    (headers, invocation.event).into_response()
}

async fn response(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    posted(&shared, Outcome::Response(json(&body))).await
}

async fn error(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    posted(&shared, Outcome::Error(json(&body))).await
}

async fn posted(shared: &Shared, outcome: Outcome) -> StatusCode {
    match shared.post.send(outcome).await {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::GONE,
    }
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}
