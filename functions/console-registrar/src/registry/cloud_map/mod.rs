//! Cloud Map: each agent is an instance of a service.
//!
//! Cloud Map changes an instance without a condition, so each is looked at before: what bears another owner's mark is left.

mod check;
mod settings;

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use aws_sdk_servicediscovery::Client;
use aws_sdk_servicediscovery::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_servicediscovery::operation::deregister_instance::DeregisterInstanceError;
use aws_sdk_servicediscovery::operation::get_instance::GetInstanceError;
use aws_sdk_servicediscovery::operation::list_instances::ListInstancesError;
use aws_sdk_servicediscovery::operation::register_instance::RegisterInstanceError;
use aws_sdk_servicediscovery::types::{InstanceSummary, Operation as Answer, OperationStatus};
use tokio::time::{Instant, sleep};

pub use settings::Settings;

use super::{Address, AgentId, Entry, IfStill, Put, Registry, Trouble, aws_error, fitting};

const IPV4: &str = "AWS_INSTANCE_IPV4";
const PORT: &str = "AWS_INSTANCE_PORT";
/// The attribute with the owner's mark.
const OWNER: &str = "WATCHKEEPER_OWNER";

/// How long operations are followed that were begun together. With DNS records one takes seconds.
const PATIENCE: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What Cloud Map is at work on.
struct Operation {
    doing: String,
    id: Option<String>,
    /// Whether it is the change that we asked for; else it was under way already, and ours was not begun.
    is_ours: bool,
}

/// A service of Cloud Map.
#[derive(Debug, Clone)]
pub struct CloudMap {
    client: Client,
    service: String,
    patience: Duration,
}

impl CloudMap {
    /// The service that `settings` name.
    pub fn new(client: Client, settings: &Settings) -> Self {
        Self { client, service: settings.service.clone(), patience: PATIENCE }
    }

    /// The same, but follows operations no longer than this.
    #[must_use]
    pub fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    fn doing(&self, what: &str) -> String {
        format!("{what} the Cloud Map service {}", self.service)
    }

    fn trouble<E: Error + ProvideErrorMetadata + 'static>(&self, doing: &str, error: &SdkError<E>) -> Trouble {
        let listed = format!("the ARN of {} (and of its namespace's hosted zone, if it has DNS records)", self.service);
        aws_error::trouble(doing, &listed, error)
    }

    /// All instances; none if the service is gone, and all of them with it.
    async fn instances(&self) -> Result<Vec<InstanceSummary>, Trouble> {
        let mut pages = self.client.list_instances().service_id(&self.service).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => found.extend(page.instances.unwrap_or_default()),
                Err(error) if error.as_service_error().is_some_and(ListInstancesError::is_service_not_found) => {
                    return Ok(Vec::new());
                }
                Err(error) => return Err(self.trouble(&self.doing("listing"), &error)),
            }
        }
        Ok(found)
    }

    async fn find(&self, id: &AgentId) -> Result<Option<Entry>, Trouble> {
        match self.client.get_instance().service_id(&self.service).instance_id(&id.0).send().await {
            Ok(found) => Ok(found.instance.map(|found| entry(id.clone(), &found.attributes.unwrap_or_default()))),
            Err(error) if error.as_service_error().is_some_and(GetInstanceError::is_instance_not_found) => Ok(None),
            Err(error) if error.as_service_error().is_some_and(GetInstanceError::is_service_not_found) => Ok(None),
            Err(error) => Err(self.trouble(&self.doing(&format!("looking for {id} in")), &error)),
        }
    }

    /// Follows an operation to its end.
    async fn follow(&self, operation: &Operation, until: Instant) -> Result<(), Trouble> {
        let Operation { doing, id, .. } = operation;
        let Some(id) = id else {
            return Err(Trouble::Unavailable(format!("{doing}: Cloud Map names no operation; it is looked at again")));
        };
        let mut pause = FIRST_PAUSE;
        loop {
            let answer = self.client.get_operation().operation_id(id).send().await;
            let answer = answer.map_err(|error| self.trouble(doing, &error))?.operation;
            match answer.as_ref().and_then(|answer| answer.status.as_ref()) {
                Some(OperationStatus::Success) => return Ok(()),
                Some(OperationStatus::Fail) => return Err(failed(doing, answer.as_ref())),
                _ if Instant::now() + pause > until => {
                    let seconds = self.patience.as_secs();
                    return Err(Trouble::Unavailable(format!(
                        "{doing}: not done after {seconds} s; it is looked at again"
                    )));
                }
                _ => sleep(pause).await,
            }
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// Asks for what is to be put, unless it is there.
    async fn begin(&self, put: &Put) -> Result<Option<Operation>, Trouble> {
        let ip = fitting::ipv4(put)?;
        let doing = self.doing(&format!("registering {} in", put.id));
        match (&put.if_still, self.find(&put.id).await?) {
            (_, Some(found)) if is_as_wanted(&found, put) => return Ok(None),
            (IfStill::Absent, Some(_)) => return Err(overtaken(&doing, "it is there by now")),
            (IfStill::Present(_), None) => return Err(overtaken(&doing, "the old one is not there any more")),
            (IfStill::Present(_), Some(found)) if found.owner.as_ref().is_some_and(|owner| *owner != put.owner) => {
                return Err(overtaken(&doing, "it belongs to another owner"));
            }
            _ => {}
        }
        let register = self.client.register_instance().service_id(&self.service).instance_id(&put.id.0);
        let register = register.attributes(IPV4, ip.to_string()).attributes(PORT, put.address.port.to_string());
        match register.attributes(OWNER, &put.owner).send().await {
            Ok(answer) => Ok(Some(Operation { doing, id: answer.operation_id, is_ours: true })),
            Err(error) => match error.as_service_error() {
                Some(RegisterInstanceError::DuplicateRequest(other)) => {
                    Ok(Some(Operation { doing, id: other.duplicate_operation_id.clone(), is_ours: false }))
                }
                _ => Err(self.trouble(&doing, &error)),
            },
        }
    }

    /// What came of a put that was begun.
    async fn finish(&self, put: &Put, operation: &Operation, until: Instant) -> Result<(), Trouble> {
        self.follow(operation, until).await?;
        if operation.is_ours || self.find(&put.id).await?.is_some_and(|found| is_as_wanted(&found, put)) {
            return Ok(());
        }
        Err(overtaken(&operation.doing, "another change of it was under way"))
    }

    fn patience_from_now(&self) -> Instant {
        Instant::now() + self.patience
    }
}

impl Registry for CloudMap {
    async fn list(&self, _: &AgentId) -> Result<Vec<Entry>, Trouble> {
        let found = self.instances().await?;
        Ok(found
            .into_iter()
            .filter_map(|one| Some(entry(AgentId(one.id?), &one.attributes.unwrap_or_default())))
            .collect())
    }

    async fn put(&self, put: &Put) -> Result<(), Trouble> {
        // There is one outcome for each put.
        self.put_all(std::slice::from_ref(put)).await.into_iter().collect()
    }

    /// Begins all before it follows any: Cloud Map works on them at the same time.
    async fn put_all(&self, puts: &[Put]) -> Vec<Result<(), Trouble>> {
        let mut begun = Vec::with_capacity(puts.len());
        for put in puts {
            begun.push(self.begin(put).await);
        }
        let until = self.patience_from_now();
        let mut outcomes = Vec::with_capacity(puts.len());
        for (put, begun) in puts.iter().zip(begun) {
            outcomes.push(match begun {
                Ok(None) => Ok(()),
                Ok(Some(operation)) => self.finish(put, &operation, until).await,
                Err(trouble) => Err(trouble),
            });
        }
        outcomes
    }

    async fn remove(&self, entry: &Entry) -> Result<(), Trouble> {
        let doing = self.doing(&format!("taking {} out of", entry.id));
        match self.find(&entry.id).await? {
            None => return Ok(()),
            Some(found) if found != *entry => return Err(overtaken(&doing, "it is not as it was listed")),
            Some(_) => {}
        }
        let deregister = self.client.deregister_instance().service_id(&self.service).instance_id(&entry.id.0);
        let operation = match deregister.send().await {
            Ok(answer) => Operation { doing, id: answer.operation_id, is_ours: true },
            Err(error) => match error.as_service_error() {
                Some(DeregisterInstanceError::InstanceNotFound(_) | DeregisterInstanceError::ServiceNotFound(_)) => {
                    return Ok(());
                }
                Some(DeregisterInstanceError::DuplicateRequest(other)) => {
                    Operation { doing, id: other.duplicate_operation_id.clone(), is_ours: false }
                }
                _ => return Err(self.trouble(&doing, &error)),
            },
        };
        self.follow(&operation, self.patience_from_now()).await?;
        if operation.is_ours || self.find(&entry.id).await?.is_none() {
            return Ok(());
        }
        Err(overtaken(&operation.doing, "another change of it was under way"))
    }
}

fn entry(id: AgentId, attributes: &HashMap<String, String>) -> Entry {
    let port = attributes.get(PORT).and_then(|port| port.parse().ok());
    let address = attributes.get(IPV4).zip(port).map(|(host, port)| Address { host: host.clone(), port });
    Entry { id, address, owner: attributes.get(OWNER).cloned(), version: None }
}

fn is_as_wanted(found: &Entry, put: &Put) -> bool {
    found.address.as_ref() == Some(&put.address) && found.owner.as_ref() == Some(&put.owner)
}

fn overtaken(doing: &str, why: &str) -> Trouble {
    Trouble::Overtaken(format!("{doing}: {why}"))
}

/// `ErrorCode` and `ErrorMessage` of an operation that failed (Cloud Map API, `Operation`).
fn failed(doing: &str, operation: Option<&Answer>) -> Trouble {
    let code = operation.and_then(|operation| operation.error_code.as_deref()).unwrap_or("FAIL");
    let message =
        operation.and_then(|operation| operation.error_message.as_deref()).unwrap_or("Cloud Map does not say why");
    let text = aws_error::line(&format!("{doing}: {code}: {message}"));
    match code {
        "THROTTLED_REQUEST" | "INTERNAL_FAILURE" | "EXPIRED_TOKEN" => Trouble::Unavailable(text),
        // Cloud Map writes DNS records with the rights of who asks.
        "ACCESS_DENIED" => Trouble::Refused(format!(
            "{text}. The parameter RegistryArns of Watchkeeper's stack must also list the ARN of the namespace's hosted zone"
        )),
        _ => Trouble::Refused(text),
    }
}
