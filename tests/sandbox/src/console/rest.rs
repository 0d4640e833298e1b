//! The REST interface: tests/sandbox/console/openapi.yaml describes it.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::registry::{Agent, Condition, Definition, Put, Refusal};
use super::{Fault, Rest, Shared, online};

const OPENAPI: &str = include_str!("../../console/openapi.yaml");

type Answer = Result<Response<Body>, Refused>;

/// Why a call is not answered as asked.
pub(super) enum Refused {
    Unauthorized,
    BadRequest(String),
    Registry(Refusal),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Registry(refusal)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response<Body> {
        let (status, code, message) = match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "a bearer token is needed".to_owned()),
            Self::BadRequest(why) => (StatusCode::BAD_REQUEST, "bad-request", why),
            Self::Registry(refusal) => {
                let (status, code) = match refusal {
                    Refusal::Unknown(_) => (StatusCode::NOT_FOUND, "not-found"),
                    Refusal::Changed(_) => (StatusCode::PRECONDITION_FAILED, "precondition-failed"),
                    Refusal::Owned(_) => (StatusCode::CONFLICT, "conflict"),
                    Refusal::Invalid(_) => (StatusCode::BAD_REQUEST, "bad-request"),
                };
                (status, code, refusal.to_string())
            }
        };
        let mut response = json_body(status, &json!({ "error": code, "message": message }));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

pub(super) async fn openapi() -> Response<Body> {
    let mut response = Response::new(Body::from(OPENAPI));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/yaml"));
    response
}

pub(super) async fn list(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Answer {
    shared.count("GET /api/agents");
    let_in(&shared, &headers)?;
    Ok(json_body(StatusCode::OK, &json!({ "agents": shared.agents().await })))
}

pub(super) async fn get(State(shared): State<Arc<Shared>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    shared.count("GET /api/agents/{id}");
    let_in(&shared, &headers)?;
    let agent = shared.get(&id)?;
    Ok(one(StatusCode::OK, agent).await)
}

pub(super) async fn put(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    shared.count("PUT /api/agents/{id}");
    let_in(&shared, &headers)?;
    let body: PutBody = serde_json::from_slice(&body).map_err(|error| Refused::BadRequest(error.to_string()))?;
    if body.id.is_some_and(|named| named != id) {
        return Err(Refused::BadRequest("the id in the body is not the one in the path".to_owned()));
    }
    let PutBody { host, port, owner, description, .. } = body;
    let wanted = Definition { id, host, port, owner, description };
    let (done, agent) = shared.put(wanted, &condition(&headers)?, Rest)?;
    let status = if done == Put::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(one(status, agent).await)
}

pub(super) async fn delete(State(shared): State<Arc<Shared>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    shared.count("DELETE /api/agents/{id}");
    let_in(&shared, &headers)?;
    shared.delete(&id, &condition(&headers)?, Rest)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// What a PUT carries. What the Console itself adds to its answers is no part of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutBody {
    id: Option<String>,
    host: String,
    port: u16,
    owner: Option<String>,
    description: Option<String>,
}

fn let_in(shared: &Shared, headers: &HeaderMap) -> Result<(), Refused> {
    let token = text(headers, &header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let right = *shared.fault.borrow() != Some(Fault::WrongPassword);
    if right && token == Some(shared.settings.login.token.reveal()) {
        return Ok(());
    }
    Err(Refused::Unauthorized)
}

/// RFC 9110, section 13: `If-Match` with `*` or an entity tag, `If-None-Match` with `*`.
fn condition(headers: &HeaderMap) -> Result<Condition, Refused> {
    match (text(headers, &header::IF_MATCH), text(headers, &header::IF_NONE_MATCH)) {
        (None, None) => Ok(Condition::Always),
        (Some("*"), None) => Ok(Condition::Present),
        // A tag that is not written as ours are is none of ours, and so never the right one.
        (Some(tag), None) if !tag.contains(',') => Ok(Condition::Version(tag.trim_matches('"').to_owned())),
        (None, Some("*")) => Ok(Condition::Absent),
        _ => {
            let understood = "only If-Match with one tag or *, or If-None-Match with *, is understood";
            Err(Refused::BadRequest(understood.to_owned()))
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

async fn one(status: StatusCode, agent: Agent) -> Response<Body> {
    let etag = HeaderValue::from_str(&format!("\"{}\"", agent.etag));
    let registered = online::look(vec![agent]).await;
    let mut response = json_body(status, &json!(registered.first()));
    if let Ok(etag) = etag {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

fn json_body(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
