//! A small agent for the sandbox's tasks: it answers `/health`, is sick, well or gone when told to, and ends on SIGTERM as
//! agents do. `sample-agent check` asks the agent of the same task how it is: the command of a container health check.
//!
//! Environment: `TASK_IP` and `PORT` (8080) say where it listens; `EXIT_AFTER_MS` and `EXIT_CODE` make it end by itself;
//! `IGNORE_SIGTERM=1` makes it one that must be killed; `SICK=1` one whose health check fails from the start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// 128 + SIGTERM.
const TERMINATED: i32 = 143;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let address = variable("TASK_IP").context("TASK_IP is not set: on which address shall the agent listen?")?;
    let port = variable("PORT").unwrap_or_else(|| "8080".to_owned());
    if std::env::args().nth(1).as_deref() == Some("check") {
        return check(&address, &port).await;
    }
    // Before anything else, so that no SIGTERM finds the default handler.
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let listener = TcpListener::bind(format!("{address}:{port}"))
        .await
        .with_context(|| format!("listening on {address}:{port}"))?;
    println!("sample-agent listens on {address}:{port}");

    let sick = Arc::new(AtomicBool::new(variable("SICK").as_deref() == Some("1")));
    let router = Router::new()
        .route("/health", get(health))
        .route("/exit", post(exit))
        .route("/sick", post(async |State(sick): State<Arc<AtomicBool>>| sick.store(true, Ordering::Relaxed)))
        .route("/well", post(async |State(sick): State<Arc<AtomicBool>>| sick.store(false, Ordering::Relaxed)))
        .with_state(sick);
    let code = tokio::select! {
        served = async { axum::serve(listener, router).await } => {
            served.context("serving")?;
            0
        }
        () = until_terminated(&mut terminate) => TERMINATED,
        code = until_own_end() => code?,
    };
    println!("sample-agent exits with {code}");
    std::process::exit(code)
}

async fn health(State(sick): State<Arc<AtomicBool>>) -> (StatusCode, [(HeaderName, &'static str); 1], &'static str) {
    let (status, body) = if sick.load(Ordering::Relaxed) {
        (StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"sick"}"#)
    } else {
        (StatusCode::OK, r#"{"status":"ok"}"#)
    };
    (status, [(header::CONTENT_TYPE, "application/json")], body)
}

async fn check(address: &str, port: &str) -> anyhow::Result<()> {
    let answer = reqwest::get(format!("http://{address}:{port}/health")).await.context("asking the agent")?;
    ensure!(answer.status().is_success(), "the agent answered {}", answer.status());
    Ok(())
}

async fn exit(RawQuery(query): RawQuery) -> (StatusCode, &'static str) {
    let code = query.as_deref().and_then(|query| query.strip_prefix("code=")?.parse::<i32>().ok());
    match code {
        Some(code) => std::process::exit(code),
        None => (StatusCode::BAD_REQUEST, "say which: POST /exit?code=N\n"),
    }
}

async fn until_terminated(terminate: &mut tokio::signal::unix::Signal) {
    loop {
        terminate.recv().await;
        if variable("IGNORE_SIGTERM").as_deref() != Some("1") {
            return;
        }
        println!("sample-agent ignores SIGTERM");
    }
}

async fn until_own_end() -> anyhow::Result<i32> {
    let Some(after) = variable("EXIT_AFTER_MS") else {
        return std::future::pending().await;
    };
    let after = after.parse().context("EXIT_AFTER_MS is not a number")?;
    let code = variable("EXIT_CODE").unwrap_or_else(|| "0".to_owned());
    tokio::time::sleep(Duration::from_millis(after)).await;
    code.parse().context("EXIT_CODE is not a number")
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
