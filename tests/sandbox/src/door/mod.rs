//! The front door: the one endpoint that functions and the `aws` CLI are given.
//!
//! It forwards every call to ministack untouched (calls of functions are signed, so a changed byte would be a refused call),
//! records it, lets tests step in, and puts the sandbox's own ECS into ECS's answers and
//! its databases into those of RDS.

pub mod call;
pub(crate) mod error;
pub(crate) mod forward;
mod intervention;
pub(crate) mod permission;
pub(crate) mod publish;
mod record;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use call::{Call, Outcome};
pub use intervention::{Hook, Intervention};

use crate::disorder::process::{self, Addresses};
use crate::disorder::{self, CallEffect, Disorder, Moment};
use crate::ecs::Ecs;
use crate::rds::Rds;
use call::Incoming;
use forward::{Answer, Upstream};
use intervention::Interventions;
use permission::{Permissions, Verdict};
use publish::Published;
use record::Record;

/// A CloudFormation template or function code in one request; ministack's own limit is not lower.
const LARGEST_BODY: usize = 128 * 1024 * 1024;

/// The front door of one sandbox.
pub struct Door {
    endpoint: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    upstream: Upstream,
    permissions: Permissions,
    record: Record,
    interventions: Interventions,
    disorder: Disorder,
    addresses: Addresses,
    published: Published,
    ecs: Ecs,
    rds: Rds,
}

impl Door {
    /// Serves on `listener`, forwarding to ministack at `upstream` all but `own_paths`.
    pub(crate) fn open(
        listener: TcpListener,
        upstream: SocketAddr,
        permissions: Permissions,
        disorder: Disorder,
        (ecs, rds): (Ecs, Rds),
        own_paths: Router,
    ) -> anyhow::Result<Self> {
        let door = listener.local_addr().context("reading the front door's port")?;
        let endpoint = format!("http://{door}");
        let shared = Arc::new(Shared {
            upstream: Upstream::new(upstream),
            permissions,
            record: Record::default(),
            interventions: Interventions::default(),
            disorder,
            addresses: Addresses { door, ministack: upstream },
            published: Published::default(),
            ecs,
            rds,
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&shared)).merge(own_paths);
        let router = router.into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move {
            // Ends with the sandbox; a listener on loopback does not fail by itself.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { endpoint, shared, server })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// How many calls were recorded so far: the index of the next one.
    #[must_use]
    pub fn call_count(&self) -> usize {
        self.shared.record.count()
    }

    /// The calls from `index` on, in the order in which they came in.
    #[must_use]
    pub fn calls_since(&self, index: usize) -> Vec<Call> {
        self.shared.record.since(index)
    }

    /// The calls from `index` on that `filter` takes.
    pub fn calls_where(&self, index: usize, filter: impl Fn(&Call) -> bool) -> Vec<Call> {
        self.calls_since(index).into_iter().filter(filter).collect()
    }

    /// Waits until a call from `index` on satisfies `wanted`, and returns it.
    pub async fn wait_for_call(
        &self,
        index: usize,
        within: Duration,
        wanted: impl Fn(&Call) -> bool,
    ) -> anyhow::Result<Call> {
        self.shared.record.wait_for(index, within, wanted).await
    }

    /// From now on asks `hook` about every call; the last one set counts.
    pub fn on_call(&self, hook: Hook) {
        self.shared.interventions.set(Some(hook));
    }

    /// Calls pass again as if there had never been a hook. Those held stay held.
    pub fn clear_hook(&self) {
        self.shared.interventions.set(None);
    }

    /// Gives the calls that are held their answers.
    pub fn release_held(&self) {
        self.shared.interventions.release();
    }

    /// What was published through it.
    pub(crate) fn published(&self) -> Published {
        self.shared.published.clone()
    }

    pub(crate) fn close(&self) {
        self.server.abort();
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.close();
    }
}

async fn pass(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    // In a task of its own: a caller that hangs up must not cut off a call that ministack is already working on, nor leave
    // it out of the record.
    let call = tokio::spawn(async move { shared.handle(request, peer).await });
    match call.await {
        Ok(response) => response,
        Err(error) => forward::bad_gateway(&format!("the front door failed: {error}")).into_response(),
    }
}

impl Shared {
    async fn handle(&self, request: Request, peer: SocketAddr) -> Response {
        let (parts, body) = request.into_parts();
        let body = match axum::body::to_bytes(body, LARGEST_BODY).await {
            Ok(body) => body,
            Err(error) => return forward::bad_gateway(&format!("reading the request: {error}")).into_response(),
        };
        let incoming = Incoming::classify(&parts, &body);
        let call = self.record.begin(&incoming);
        let intervention = self.interventions.ask(&call);
        let held = intervention == Intervention::Hold;
        let answer = match intervention {
            Intervention::Fail { status, code, message } => error::answer(incoming.protocol, status, &code, &message),
            Intervention::Hold => self.serve(&incoming, &parts, body).await,
            // A hook is a test's own hand: what it fails or holds, no rule of disorder touches or counts.
            Intervention::Pass => match self.disorder.about_call(&call) {
                None => self.serve(&incoming, &parts, body).await,
                Some((effect, by)) => {
                    let answer = self.disturb(effect, &incoming, &parts, body, peer).await;
                    answer.unwrap_or_else(|why| {
                        let why = format!("{}:{} of {}: {why}", call.service, call.action, call.caller);
                        by.fault(format!("call {}: {why}", call.index));
                        error::answer(incoming.protocol, 500, "DisorderFailed", &why)
                    })
                }
            },
        };
        let generation = self.interventions.generation();
        self.record.end(call.index, &answer, held);
        if held {
            generation.released().await;
        }
        answer.into_response()
    }

    /// What the call is answered when a rule of disorder acts on it; an error says why the rule could not.
    async fn disturb(
        &self,
        effect: CallEffect,
        incoming: &Incoming,
        parts: &Parts,
        body: Bytes,
        peer: SocketAddr,
    ) -> Result<Answer, String> {
        let refuse = |status, code: &str, message: &str| error::answer(incoming.protocol, status, code, message);
        match effect {
            CallEffect::Throttle => {
                let (status, code, message) = disorder::throttled(&incoming.service, &incoming.action);
                Ok(refuse(status, code, message))
            }
            CallEffect::Fail { status, code, message } => Ok(refuse(status, &code, &message)),
            CallEffect::Slow(time) => {
                let answer = self.serve(incoming, parts, body).await;
                tokio::time::sleep(time).await;
                Ok(answer)
            }
            CallEffect::Kill(Moment::Before) => {
                process::kill_caller(self.addresses, peer).await?;
                Ok(refuse(500, "KilledByDisorder", "nobody is left to read this"))
            }
            CallEffect::Kill(Moment::After) => {
                let answer = self.serve(incoming, parts, body).await;
                process::kill_caller(self.addresses, peer).await?;
                Ok(answer)
            }
        }
    }

    /// What the call is answered when nobody steps in.
    async fn serve(&self, incoming: &Incoming, parts: &Parts, body: Bytes) -> Answer {
        // What is checked, written, taken over and answered belongs together.
        let _turn = match &incoming.ecs_action {
            Some(action) => self.ecs.turn(action).await,
            None => None,
        };
        if let Some(refused) = self.ecs_refusal(incoming, &body).await {
            return refused;
        }
        if let Some(why) = Rds::refuses(incoming) {
            return error::answer(incoming.protocol, 400, "InvalidRequestException", &why);
        }
        if let Some(why) = publish::refuses(incoming, &body) {
            return error::answer(incoming.protocol, 400, "InvalidParameter", &why);
        }
        let answer = match self.permissions.judge(incoming, parts, &body).await {
            Verdict::Ministack => self.upstream.forward(parts, body.clone()).await,
            Verdict::Allowed(parts) => self.upstream.forward(&parts, body.clone()).await,
            Verdict::Denied(why) => error::answer(incoming.protocol, 400, "AccessDeniedException", &why),
        };
        self.published.note(incoming, &body, &answer);
        match &incoming.ecs_action {
            Some(action) => self.ecs_answer(action, &body, answer).await,
            None => self.rds.answer(incoming, answer),
        }
    }

    /// What ECS refuses must not change ministack's store, which takes nearly everything.
    async fn ecs_refusal(&self, incoming: &Incoming, body: &[u8]) -> Option<Answer> {
        let action = incoming.ecs_action.as_deref()?;
        let request = serde_json::from_slice(body).unwrap_or(serde_json::Value::Null);
        let (status, body) = self.ecs.refuses(&incoming.caller, action, &request).await?;
        Some(Answer::json_body(status, &body))
    }

    /// ministack checks the caller's permissions and keeps the store; what it says about tasks is replaced by our own.
    async fn ecs_answer(&self, action: &str, body: &[u8], stored: Answer) -> Answer {
        let request = serde_json::from_slice(body).unwrap_or(serde_json::Value::Null);
        let (status, body) = self.ecs.answer(action, &request, stored.status, stored.json()).await;
        Answer::json_body(status, &body)
    }
}

impl Answer {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = status;
        *response.headers_mut() = self.headers;
        response
    }
}
