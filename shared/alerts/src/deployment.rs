//! A deployment that failed, or is being undone.

use watchkeeper_events::{DeploymentStateChange, ServiceArn};
use watchkeeper_stops::Severity;

use crate::alert::{Alert, AlertKey, Facts, Kind};
use crate::{console, moment};

/// The alert for a failed deployment.
#[must_use]
pub fn deployment_failed(deployment: &DeploymentStateChange) -> Alert {
    let next =
        "Read why its tasks stopped (their own alerts, or the service's events), mend the revision and deploy again.";
    alert(deployment, Kind::DeploymentFailed, "deployment-failed", "a deployment failed", next)
}

/// The alert for a rollback that has begun.
#[must_use]
pub fn rollback(deployment: &DeploymentStateChange) -> Alert {
    let next = "ECS is going back to the last revision that worked: see that it gets steady, then read why the new revision's tasks stopped before deploying it again.";
    alert(deployment, Kind::Rollback, "deployment-rollback", "a deployment is being rolled back", next)
}

fn alert(deployment: &DeploymentStateChange, kind: Kind, cause: &str, summary: &str, next: &str) -> Alert {
    let service = &deployment.service;
    let facts = Facts::default()
        .with("Service", Some(service.name()))
        .with("Cluster", service.cluster_name())
        .with("Deployment", deployment.deployment_id.as_deref())
        .with("Reason", deployment.reason.as_deref())
        .with("At", deployment.updated_at.or(deployment.origin.time).map(moment::utc))
        .with("Account", Some(format!("{} in {}", service.arn().account(), service.arn().region())));
    Alert {
        key: key(service, cause, deployment.deployment_id.as_deref(), &deployment.origin.event_id),
        kind,
        severity: Severity::Error,
        cause: cause.to_owned(),
        about: service.name().to_owned(),
        cluster: service.cluster_name().map(str::to_owned),
        service: Some(service.name().to_owned()),
        summary: summary.to_owned(),
        facts: facts.done(),
        next_step: Some(next.to_owned()),
        links: [console::service(service, "deployments"), console::service(service, "health")]
            .into_iter()
            .flatten()
            .collect(),
    }
}

/// A failure can arrive as a deployment's change and as a service's action: where both name the
/// deployment they are one occurrence.
pub(crate) fn key(service: &ServiceArn, cause: &str, deployment_id: Option<&str>, event_id: &str) -> AlertKey {
    AlertKey {
        subject: format!("service#{service}"),
        occurrence: format!("{cause}#{}", deployment_id.unwrap_or(event_id)),
    }
}
