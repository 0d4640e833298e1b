//! A refusal, as ECS writes one.

use serde_json::{Value, json};

/// Why a request is not carried out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The name of the exception.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// Only a `ConflictException` has any.
    pub(crate) resource_ids: Vec<String>,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), resource_ids: Vec::new() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    pub(crate) fn client(message: impl Into<String>) -> Self {
        Self::new("ClientException", message)
    }

    pub(crate) fn server(error: &anyhow::Error) -> Self {
        Self::new("ServerException", format!("{error:#}"))
    }

    pub(crate) fn no_cluster() -> Self {
        Self::new("ClusterNotFoundException", "Cluster not found.")
    }

    pub(crate) fn no_service() -> Self {
        Self::new("ServiceNotFoundException", "Service not found.")
    }

    pub(crate) fn not_modelled(what: &str) -> Self {
        Self::new("NotModelledBySandbox", format!("the sandbox's ECS does not model {what}"))
    }

    /// Status and body of the answer.
    pub(crate) fn answer(&self) -> (u16, Value) {
        let status = if self.code == "ServerException" { 500 } else { 400 };
        let mut body = json!({ "__type": self.code, "message": self.message });
        if !self.resource_ids.is_empty() {
            body["resourceIds"] = json!(self.resource_ids);
        }
        (status, body)
    }
}
