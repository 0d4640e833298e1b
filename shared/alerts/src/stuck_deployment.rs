//! A deployment that neither gets done nor fails.

use time::OffsetDateTime;
use watchkeeper_stops::Severity;

use crate::alert::{Alert, AlertKey, Kind};
use crate::sight::{DeploymentSight, ServiceSight};
use crate::{console, moment};

/// The cause's stable word.
pub const DEPLOYMENT_STUCK: &str = "deployment-stuck";

/// The alert for a deployment under way since then; `breaker` says whether a circuit breaker is on.
#[must_use]
pub fn stuck_deployment(
    sight: &ServiceSight,
    deployment: &DeploymentSight,
    since: OffsetDateTime,
    breaker: bool,
    now: OffsetDateTime,
) -> Alert {
    let service = &sight.service;
    let (circuit_breaker, next) = if breaker {
        (
            "on, and it has not ended this deployment: too few tasks failed for it",
            "Read what ECS says and why the new tasks stop or stay unhealthy. To end it, deploy the last revision that worked; the circuit breaker acts only once its threshold of failed tasks is reached.",
        )
    } else {
        (
            "off: ECS goes on trying without end",
            "Read what ECS says and why the new tasks stop or stay unhealthy. To end it, deploy the last revision that worked; a circuit breaker with rollback does so by itself.",
        )
    };
    // The service's own task counts are enough where the old tasks still do the work.
    let is_short = sight.tasks.running < sight.tasks.desired;
    let facts =
        sight.facts(since, now).with("Breaker", Some(circuit_breaker)).with("Reason", deployment.reason.as_deref());
    Alert {
        key: AlertKey {
            subject: format!("service#{service}"),
            occurrence: format!("{DEPLOYMENT_STUCK}#{}", deployment.id),
        },
        kind: Kind::DeploymentStuck,
        severity: if is_short { Severity::Error } else { Severity::Warning },
        cause: DEPLOYMENT_STUCK.to_owned(),
        about: service.name().to_owned(),
        cluster: service.cluster_name().map(str::to_owned),
        service: Some(service.name().to_owned()),
        summary: format!("a deployment is under way for {}", moment::duration(now - since)),
        facts: facts.done(),
        next_step: Some(next.to_owned()),
        links: [console::service(service, "deployments"), console::service(service, "health")]
            .into_iter()
            .flatten()
            .collect(),
    }
}
