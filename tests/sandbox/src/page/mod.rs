//! A web page on loopback that shows what goes on in the sandbox, and lets a person step in.

mod act;
mod entries;
mod state;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use axum::middleware::{self, Next};
use axum::routing::{get, post};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::inbox::Mails;
use crate::{Aws, Bus, Console, Ecs, Sandbox};
use act::Act;

const HTML: &str = include_str!("../../page/index.html");
/// Stands in the page where its scripts and styles are let in, and is replaced each time it is served.
const NONCE: &str = "NONCE";

/// The page's server; it ends when dropped, or with the sandbox.
#[derive(Debug)]
pub struct Page {
    address: SocketAddr,
    server: JoinHandle<()>,
}

/// What the page looks at and acts upon.
struct World {
    address: SocketAddr,
    ecs: Ecs,
    bus: Bus,
    /// A person's calls, recorded by the front door as of `page`.
    aws: Aws,
    mails: Option<Mails>,
    console: Option<Console>,
    by_hand: Mutex<Vec<(OffsetDateTime, String)>>,
}

impl Page {
    /// Serves the page on a free port of loopback. Without an inbox it shows no alerts, without a Console no agents.
    pub async fn start(sandbox: &Sandbox, console: Option<Console>, mails: Option<Mails>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("finding a port for the page")?;
        let address = listener.local_addr().context("reading the page's port")?;
        let world = Arc::new(World {
            address,
            ecs: sandbox.ecs().clone(),
            bus: sandbox.bus().clone(),
            aws: Aws::new(sandbox.endpoint(), &sandbox.options().region, "page"),
            mails,
            console,
            by_hand: Mutex::default(),
        });
        let router = Router::new()
            .route("/", get(page))
            .route("/state", get(state))
            .route("/act", post(act))
            .layer(middleware::from_fn_with_state(Arc::clone(&world), guard))
            .with_state(world);
        let mut ending = sandbox.ending();
        let server = tokio::spawn(async move {
            tokio::select! {
                // A listener on loopback does not fail by itself.
                _ = async { axum::serve(listener, router).await } => {}
                _ = ending.wait_for(|ending| *ending) => {}
            }
        });
        Ok(Self { address, server })
    }

    /// Its address: `http://127.0.0.1:PORT/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Other sites that a browser has open must not reach the page: not by a name that points here, and not by a form.
async fn guard(State(world): State<Arc<World>>, request: Request, next: Next) -> Response<Body> {
    if is_from_the_page(&world, request.method(), request.headers()) {
        return next.run(request).await;
    }
    answer(StatusCode::FORBIDDEN, &json!({ "error": "this is not a call of the page itself" }))
}

fn is_from_the_page(world: &World, method: &Method, headers: &HeaderMap) -> bool {
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    header(header::HOST) == Some(world.address.to_string().as_str())
        && (method == Method::GET || header(header::CONTENT_TYPE) == Some("application/json"))
}

async fn page() -> Response<Body> {
    let nonce = crate::ids::hex32();
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut response = Response::new(Body::from(HTML.replace(NONCE, &nonce)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

async fn state(State(world): State<Arc<World>>) -> Response<Body> {
    answer(StatusCode::OK, &world.state().await)
}

async fn act(State(world): State<Arc<World>>, body: Bytes) -> Response<Body> {
    let act: Act = match serde_json::from_slice(&body) {
        Ok(act) => act,
        Err(error) => return answer(StatusCode::BAD_REQUEST, &json!({ "error": error.to_string() })),
    };
    match world.act(act).await {
        Ok(done) => {
            let mut by_hand = world.by_hand.lock().unwrap_or_else(PoisonError::into_inner);
            by_hand.push((crate::clock::now(), done.clone()));
            answer(StatusCode::OK, &json!({ "done": done }))
        }
        Err(error) => answer(StatusCode::CONFLICT, &json!({ "error": format!("{error:#}") })),
    }
}

fn answer(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
