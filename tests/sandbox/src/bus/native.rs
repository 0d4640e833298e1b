//! The front door's own path by which ministack's services tell their events.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;

use super::Bus;

/// No AWS service has a path that begins so.
const PATH: &str = "/_sandbox/events";

/// POST emits an event.
pub(crate) fn router(bus: Bus) -> Router {
    Router::new().route(PATH, post(emit)).with_state(bus)
}

async fn emit(State(bus): State<Bus>, body: Bytes) -> (StatusCode, &'static str) {
    match serde_json::from_slice(&body).ok().filter(is_event) {
        Some(event) => {
            bus.emit(event);
            (StatusCode::OK, "")
        }
        None => (StatusCode::BAD_REQUEST, "this is no event of an AWS service"),
    }
}

fn is_event(event: &Value) -> bool {
    let has = |name: &str| event[name].as_str().is_some_and(|text| !text.is_empty());
    let is_named = ["id", "detail-type", "account", "time", "region"].into_iter().all(has);
    let is_native = event["source"].as_str().is_some_and(|source| source.starts_with("aws."));
    is_named && is_native && event["resources"].is_array() && event["detail"].is_object()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_whole_events_of_aws_services_are_taken() {
        let event = json!({
            "version": "0", "id": "1", "detail-type": "Parameter Store Change", "source": "aws.ssm", "account": "1",
            "time": "2026-11-20T12:00:00Z", "region": "eu-west-1", "resources": [], "detail": {},
        });
        assert!(is_event(&event));
        for (member, value) in [
            ("source", json!("ours")),
            ("id", json!("")),
            ("detail", json!("{}")),
            ("resources", Value::Null),
            ("account", Value::Null),
        ] {
            let mut event = event.clone();
            event[member] = value;
            assert!(!is_event(&event), "{member}");
        }
        assert!(!is_event(&json!([])));
    }
}
