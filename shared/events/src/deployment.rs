//! ECS Deployment State Change (ECS Developer Guide, "Amazon ECS service deployment state change events").

use time::OffsetDateTime;

use crate::arn::ServiceArn;
use crate::event::{EventError, Origin};
use crate::fields::Fields;
use crate::service_action::service_of;

/// What became of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeploymentOutcome {
    /// It has begun.
    InProgress,
    /// It has begun in order to undo a failed one: an `IN_PROGRESS` that only its reason tells apart.
    RollingBack,
    /// It is done and steady.
    Completed,
    /// It failed. Without a circuit breaker or alarms ECS never says so.
    Failed,
    /// One that came later, by its name.
    Other(String),
}

/// A deployment of a service changed state.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentStateChange {
    /// Where and when.
    pub origin: Origin,
    /// The service.
    pub service: ServiceArn,
    /// What became of it.
    pub outcome: DeploymentOutcome,
    /// `ecs-svc/…`.
    pub deployment_id: Option<String>,
    /// ECS's words.
    pub reason: Option<String>,
    /// When it changed.
    pub updated_at: Option<OffsetDateTime>,
}

impl DeploymentStateChange {
    pub(crate) fn read(
        origin: Origin,
        envelope: &Fields<'_>,
        resources: &[String],
        detail: &Fields<'_>,
    ) -> Result<Self, EventError> {
        let reason = detail.text("reason")?;
        let outcome = DeploymentOutcome::from_name(&detail.required_text("eventName")?, reason.as_deref());
        Ok(Self {
            service: service_of(envelope, resources, detail, &origin)?,
            outcome,
            deployment_id: detail.text("deploymentId")?,
            reason,
            updated_at: detail.instant("updatedAt")?,
            origin,
        })
    }
}

impl DeploymentOutcome {
    /// By the event's name, and its reason for the one that the name does not tell.
    pub(crate) fn from_name(name: &str, reason: Option<&str>) -> Self {
        let rolls_back = || {
            reason.is_some_and(|reason| {
                let reason = reason.to_lowercase();
                ["rolling back", "rollback", "rolled back"].iter().any(|word| reason.contains(word))
            })
        };
        match name {
            "SERVICE_DEPLOYMENT_IN_PROGRESS" if rolls_back() => Self::RollingBack,
            "SERVICE_DEPLOYMENT_IN_PROGRESS" => Self::InProgress,
            "SERVICE_DEPLOYMENT_COMPLETED" => Self::Completed,
            "SERVICE_DEPLOYMENT_FAILED" => Self::Failed,
            other => Self::Other(other.to_owned()),
        }
    }
}
