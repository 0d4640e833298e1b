//! ECS Service Action (ECS Developer Guide, "Amazon ECS service action events").

use time::OffsetDateTime;

use crate::arn::{ClusterArn, ServiceArn};
use crate::event::{EventError, Origin};
use crate::fields::Fields;

/// How ECS itself ranks an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionLevel {
    /// All is well.
    Info,
    /// Something holds the service up.
    Warn,
    /// Something fails.
    Error,
    /// One that came later, by its name.
    Other(String),
}

/// A service did, or failed to do, something.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceAction {
    /// Where and when.
    pub origin: Origin,
    /// The service.
    pub service: ServiceArn,
    /// `INFO`, `WARN`, `ERROR`.
    pub level: ActionLevel,
    /// For example `SERVICE_STEADY_STATE`.
    pub name: String,
    /// ECS's words, where it has any.
    pub reason: Option<String>,
    /// The deployment, where ECS names it.
    pub deployment_id: Option<String>,
    /// Target groups, capacity providers or instances that it concerns.
    pub concerns: Vec<String>,
    /// When it arose. These events carry no version.
    pub created_at: Option<OffsetDateTime>,
}

impl ServiceAction {
    pub(crate) fn read(
        origin: Origin,
        envelope: &Fields<'_>,
        resources: &[String],
        detail: &Fields<'_>,
    ) -> Result<Self, EventError> {
        let level = match detail.required_text("eventType")?.as_str() {
            "INFO" => ActionLevel::Info,
            "WARN" => ActionLevel::Warn,
            "ERROR" => ActionLevel::Error,
            other => ActionLevel::Other(other.to_owned()),
        };
        let mut concerns = Vec::new();
        for name in
            ["targetGroupArns", "capacityProviderArns", "containerInstanceArns", "serviceRegistryArns", "taskSetArns"]
        {
            concerns.extend(detail.texts(name)?);
        }
        Ok(Self {
            service: service_of(envelope, resources, detail, &origin)?,
            level,
            name: detail.required_text("eventName")?,
            reason: detail.text("reason")?,
            deployment_id: detail.text("deploymentId")?,
            concerns,
            created_at: detail.instant("createdAt")?.or(detail.instant("updatedAt")?),
            origin,
        })
    }
}

/// The service an event is about: `resources[0]`, else the name that some events carry in the detail.
pub(crate) fn service_of(
    envelope: &Fields<'_>,
    resources: &[String],
    detail: &Fields<'_>,
    origin: &Origin,
) -> Result<ServiceArn, EventError> {
    let cluster = detail
        .text("clusterArn")?
        .map(|text| ClusterArn::parse(&text))
        .transpose()
        .map_err(|error| detail.fault("clusterArn", error.to_string()))?;
    let full_arn = |name: &str| {
        let cluster = cluster.as_ref()?;
        let partition = cluster.arn().partition();
        let text =
            format!("arn:{partition}:ecs:{}:{}:service/{}/{name}", origin.region, origin.account, cluster.name());
        ServiceArn::parse(&text).ok()
    };
    if let Some(first) = resources.first() {
        let service = ServiceArn::parse(first).map_err(|error| envelope.fault("resources[0]", error.to_string()))?;
        return Ok(match service.cluster_name() {
            Some(_) => service,
            None => full_arn(service.name()).unwrap_or(service),
        });
    }
    let name = detail.text("serviceName")?.or(detail.text("service")?);
    name.as_deref()
        .and_then(|name| ServiceArn::parse(name).ok().or_else(|| full_arn(name)))
        .ok_or_else(|| envelope.fault("resources", "is empty, and the detail names no service and cluster either"))
}
