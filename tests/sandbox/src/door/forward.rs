//! Passing a call on to ministack with its path, query, headers and body as they came.

use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::uri::{Authority, PathAndQuery, Scheme};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::error::{self, Protocol};

/// Headers that belong to one connection, not to the call (RFC 9110, 7.6.1); the length is set anew by the body.
const HOP_BY_HOP: [HeaderName; 4] =
    [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, HeaderName::from_static("keep-alive")];

/// By which ministack knows that a proxy in front of it took the call over TLS.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// ministack, as the front door sees it.
pub(crate) struct Upstream {
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
}

/// An answer, complete in memory.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Upstream {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    pub(crate) async fn forward(&self, parts: &Parts, body: Bytes) -> Answer {
        match self.exchange(parts, body).await {
            Ok(answer) => answer,
            Err(error) => bad_gateway(&format!("ministack did not answer: {error}")),
        }
    }

    async fn exchange(&self, parts: &Parts, body: Bytes) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        // A `Uri` keeps path and query byte for byte: a signature covers them.
        let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(Authority::try_from(self.address.to_string())?)
            .path_and_query(path)
            .build()?;
        let mut request = Request::builder().method(parts.method.clone()).uri(uri).body(Body::from(body))?;
        // `Host` is among them, so the client does not set its own: it is signed too.
        *request.headers_mut() = without_hop_by_hop(parts.headers.clone());
        // The front door stands where TLS would end, so that policies that demand it (aws:SecureTransport) are evaluated.
        // No signature covers this header.
        request.headers_mut().insert(FORWARDED_PROTO, HeaderValue::from_static("https"));

        let is_head = parts.method == Method::HEAD;
        let (parts, body) = self.client.request(request).await?.into_parts();
        let body = axum::body::to_bytes(Body::new(body), usize::MAX).await?;
        let length = parts.headers.get(header::CONTENT_LENGTH).cloned();
        let mut headers = without_hop_by_hop(parts.headers);
        // The answer to HEAD tells the length of a body that it does not have.
        if let Some(length) = length.filter(|_| is_head) {
            headers.insert(header::CONTENT_LENGTH, length);
        }
        Ok(Answer { status: parts.status.as_u16(), headers, body })
    }
}

impl Answer {
    /// An answer of the AWS JSON protocol.
    pub(crate) fn json_body(status: u16, body: &Value) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        if let Ok(id) = HeaderValue::from_str(&crate::ids::uuid()) {
            headers.insert(HeaderName::from_static("x-amzn-requestid"), id);
        }
        Self { status, headers, body: body.to_string().into() }
    }

    /// The body as JSON; null when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_GATEWAY)
    }

    /// AWS's error code, when this is a refusal.
    pub(crate) fn error_code(&self) -> Option<String> {
        if self.status < 400 {
            return None;
        }
        let header = self.headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
        Some(error::code(header, &self.body).unwrap_or_else(|| "Unknown".to_owned()))
    }
}

/// The answer when there is none to pass on.
pub(crate) fn bad_gateway(message: &str) -> Answer {
    error::answer(Protocol::Json, 502, "BadGateway", message)
}

fn without_hop_by_hop(mut headers: HeaderMap) -> HeaderMap {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers
}
