//! The front door's own path by which `cargo sandbox disorder` reaches a running sandbox.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::routing::get;
use serde::{Deserialize, Serialize};

use super::{Disorder, Plan, Report};

/// No AWS service has a path that begins so.
pub(crate) const PATH: &str = "/_sandbox/disorder";

/// A plan in force, as the path shows it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) plan: Plan,
    pub(crate) report: Report,
}

/// GET shows all plans in force, PUT sets one, DELETE ends that and says what it did.
pub(crate) fn router(disorder: Disorder) -> Router {
    Router::new().route(PATH, get(show).put(set).delete(clear)).with_state(disorder)
}

async fn show(State(disorder): State<Disorder>) -> Response<Body> {
    let shown: Vec<_> = disorder.in_force().into_iter().map(|(plan, report)| Shown { plan, report }).collect();
    json(StatusCode::OK, &shown)
}

async fn set(State(disorder): State<Disorder>, body: Bytes) -> Response<Body> {
    match Plan::from_json(&body).and_then(|plan| disorder.set(plan)) {
        Ok(()) => json(StatusCode::OK, &()),
        Err(error) => json(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

async fn clear(State(disorder): State<Disorder>) -> Response<Body> {
    json(StatusCode::OK, &disorder.clear())
}

fn json(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let (status, body) = match serde_json::to_vec(body) {
        Ok(body) => (status, body),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string().into_bytes()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
