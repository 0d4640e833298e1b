//! The Console's HTTP server, which can be down.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::middleware::{self, Next};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{Fault, Shared, rest, script_runner};

/// The name, in the count of calls, of those that a fault kept from being served.
const UNSERVED: &str = "not served";

/// Serves until the sandbox ends. While the fault is [`Fault::Down`] nobody listens.
pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener, mut ending: watch::Receiver<bool>) {
    let mut listener = Some(listener);
    let mut fault = shared.fault.subscribe();
    let is_down = |fault: &Option<Fault>| *fault == Some(Fault::Down);
    loop {
        let listening = match listener.take() {
            Some(listener) => Ok(listener),
            None => TcpListener::bind(shared.address).await,
        };
        match listening {
            Ok(listener) => {
                let mut down = shared.fault.subscribe();
                let stop = async move { drop(down.wait_for(is_down).await) };
                let serving = axum::serve(listener, router(Arc::clone(&shared))).with_graceful_shutdown(stop);
                let mended = async {
                    let _ = fault.wait_for(is_down).await;
                    let _ = fault.wait_for(|fault| !is_down(fault)).await;
                };
                tokio::select! {
                    // A listener on loopback does not fail by itself: it was told to stop.
                    _ = async { serving.await } => {}
                    // Who still waits for an answer does not keep the others waiting.
                    () = mended => {}
                    _ = ending.wait_for(|ending| *ending) => return,
                }
            }
            // Another program took the port while the Console was down.
            Err(error) => {
                eprintln!("the Console cannot listen at {} again: {error}", shared.address);
                return;
            }
        }
        tokio::select! {
            _ = fault.wait_for(|fault| !is_down(fault)) => {}
            _ = ending.wait_for(|ending| *ending) => return,
        }
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/console/ScriptRunner", post(script_runner::run))
        .route("/api/openapi.yaml", get(rest::openapi))
        .route("/api/agents", get(rest::list))
        .route("/api/agents/{id}", get(rest::get).put(rest::put).delete(rest::delete))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), broken))
        .with_state(shared)
}

/// What stands before every answer when the Console is broken.
async fn broken(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response<Body> {
    let fault = shared.fault.borrow().clone();
    match fault {
        // When it is down: a connection that was open already.
        Some(Fault::Down | Fault::Unavailable) => {
            shared.count(UNSERVED);
            text(StatusCode::SERVICE_UNAVAILABLE, "the Console is not available\n")
        }
        Some(Fault::Slow { by }) => {
            tokio::time::sleep(by).await;
            next.run(request).await
        }
        Some(Fault::Says { text: said }) => {
            shared.count(UNSERVED);
            text(StatusCode::OK, &said)
        }
        Some(Fault::WrongPassword) | None => next.run(request).await,
    }
}

pub(super) fn text(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
