//! An AWS whose answers a test writes down: for what the local AWS never says.

use std::fmt;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;

/// A call: `GetOperation` for the JSON protocol, method and path for the XML one.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) action: String,
    pub(crate) body: String,
}

type Script = dyn Fn(&Asked, usize) -> (u16, String) + Send + Sync;

/// Answers by a function of the call and of how many there were before it; remembers the calls.
#[derive(Clone)]
pub(crate) struct Scripted {
    script: Arc<Script>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Scripted {
    pub(crate) fn new(script: impl Fn(&Asked, usize) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self { script: Arc::new(script), asked: Arc::default() }
    }

    pub(crate) fn http_client(&self) -> SharedHttpClient {
        let connector = self.clone();
        http_client_fn(move |_, _| SharedHttpConnector::new(connector.clone()))
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How many calls there were of this action.
    pub(crate) fn count(&self, action: &str) -> usize {
        self.asked().iter().filter(|asked| asked.action.starts_with(action)).count()
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Scripted")
    }
}

impl HttpConnector for Scripted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let path =
            request.uri().split_once("://").map_or("", |(_, rest)| rest).split_once('/').map_or("", |(_, path)| path);
        let action = match request.headers().get("x-amz-target").and_then(|target| target.rsplit_once('.')) {
            Some((_, action)) => action.to_owned(),
            None => format!("{} /{path}", request.method()),
        };
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let asked = Asked { action, body };
        let before = self.asked().len();
        self.asked.lock().unwrap().push(asked.clone());
        let (status, answer) = (self.script)(&asked, before);
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer))))
    }
}
