//! What ECS itself warns of: a service action of level WARN or ERROR.

use watchkeeper_events::{ActionLevel, ServiceAction};
use watchkeeper_stops::Severity;

use crate::alert::{Alert, AlertKey, Facts, Kind};
use crate::{console, deployment, moment};

/// The alert for a service action.
#[must_use]
pub fn service_action(action: &ServiceAction) -> Alert {
    let service = &action.service;
    let (summary, next) = words(&action.name);
    let failed = action.name == "SERVICE_DEPLOYMENT_FAILED";
    let cause = if failed { "deployment-failed".to_owned() } else { action.name.to_lowercase().replace('_', "-") };
    let key = if failed {
        deployment::key(service, &cause, action.deployment_id.as_deref(), &action.origin.event_id)
    } else {
        // These events carry no version, and ECS repeats them for as long as the trouble lasts: once an hour is told.
        let hour = action.created_at.or(action.origin.time).map(|at| at.unix_timestamp() / 3600);
        let at = hour.map_or_else(|| action.origin.event_id.clone(), |hour| hour.to_string());
        AlertKey { subject: format!("service#{service}"), occurrence: format!("{cause}#{at}") }
    };
    let concerns = (!action.concerns.is_empty()).then(|| action.concerns.join(", "));
    let facts = Facts::default()
        .with("Service", Some(service.name()))
        .with("Cluster", service.cluster_name())
        .with("Event", Some(action.name.as_str()))
        .with("Deployment", action.deployment_id.as_deref())
        .with("Reason", action.reason.as_deref())
        .with("Concerns", concerns)
        .with("At", action.created_at.or(action.origin.time).map(moment::utc))
        .with("Account", Some(format!("{} in {}", service.arn().account(), service.arn().region())));
    Alert {
        key,
        kind: if failed { Kind::DeploymentFailed } else { Kind::Service },
        severity: if action.level == ActionLevel::Warn { Severity::Warning } else { Severity::Error },
        cause,
        about: service.name().to_owned(),
        cluster: service.cluster_name().map(str::to_owned),
        service: Some(service.name().to_owned()),
        summary: summary.map_or_else(|| format!("ECS reports {}", action.name), str::to_owned),
        facts: facts.done(),
        next_step: Some(next.to_owned()),
        links: console::service(service, "health").into_iter().collect(),
    }
}

/// Summary and next step of the actions that ECS documents.
fn words(name: &str) -> (Option<&'static str>, &'static str) {
    match name {
        "SERVICE_TASK_START_IMPAIRED" => (
            Some("its tasks repeatedly fail to start"),
            "Read why the tasks stopped (their own alerts, or the service's events). ECS tries again more and more slowly.",
        ),
        "SERVICE_TASK_PLACEMENT_FAILURE" => (
            Some("a task could not be placed"),
            "Compare CPU, memory, ports and placement constraints with what the cluster offers; on Fargate look for free capacity in other zones.",
        ),
        "SERVICE_TASK_CONFIGURATION_FAILURE" => (
            Some("a task could not be placed for its configuration"),
            "Check launch type, network mode, ports and IAM roles of the service and its task definition.",
        ),
        "SERVICE_DISCOVERY_INSTANCE_UNHEALTHY" => (
            Some("service discovery reports a task unhealthy"),
            "Look at the task's health and at the Cloud Map service's health check.",
        ),
        "VPC_LATTICE_TARGET_UNHEALTHY" => (
            Some("VPC Lattice reports a task unhealthy"),
            "Look at the VPC Lattice target group's health check and at the task behind it.",
        ),
        "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED" => (
            Some("a daemon's placement constraint is violated"),
            "Compare the service's placement constraints with the attributes of the container instances.",
        ),
        "ECS_OPERATION_THROTTLED" | "SERVICE_DISCOVERY_OPERATION_THROTTLED" => (
            Some("AWS throttles the service's operations"),
            "Deploy fewer services at once; look for callers that use up the account's API limits.",
        ),
        "SERVICE_HEALTH_UNKNOWN" => (
            Some("ECS does not know the service's health"),
            "Look at the service's load balancer or discovery service: ECS could not read the health of its targets.",
        ),
        "SERVICE_DEPLOYMENT_FAILED" => (
            Some("a deployment failed"),
            "Read why its tasks stopped (their own alerts, or the service's events), mend the revision and deploy again.",
        ),
        _ => (None, "Look at the service's events in the console."),
    }
}
