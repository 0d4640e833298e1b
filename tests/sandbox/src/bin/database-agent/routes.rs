//! What the agents answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::get;
use sandbox::database_agents::{Agent, REPORT};
use serde_json::{Value, json};

use crate::work::Work;

type Answer = (StatusCode, [(HeaderName, &'static str); 1], String);

/// Health is 200 whatever the database does; what else there is reads it.
pub(crate) fn of(agent: Agent, work: Arc<Work>) -> Router {
    let router = Router::new().route(agent.health(), get(async || answer(StatusCode::OK, "ok")));
    let router = match agent {
        Agent::Formae => router.route("/api/v1/stats", get(stats)),
        Agent::Url => router,
        Agent::Toml => router.route("/ready", get(ready)),
    };
    router.route(REPORT, get(report)).with_state(work)
}

async fn report(State(work): State<Arc<Work>>) -> Answer {
    json(StatusCode::OK, &json!(work.report()))
}

async fn stats(State(work): State<Arc<Work>>) -> Answer {
    if work.is_ready().await {
        answer(StatusCode::OK, "ok")
    } else {
        answer(StatusCode::INTERNAL_SERVER_ERROR, "the datastore does not answer")
    }
}

async fn ready(State(work): State<Arc<Work>>) -> Answer {
    if work.is_ready().await {
        answer(StatusCode::OK, "ready")
    } else {
        answer(StatusCode::SERVICE_UNAVAILABLE, "degraded")
    }
}

fn answer(code: StatusCode, status: &str) -> Answer {
    json(code, &json!({ "status": status }))
}

fn json(code: StatusCode, body: &Value) -> Answer {
    (code, [(header::CONTENT_TYPE, "application/json")], body.to_string())
}
