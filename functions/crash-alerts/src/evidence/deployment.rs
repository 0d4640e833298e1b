//! The deployment under way, in words.

use time::UtcOffset;
use time::macros::format_description;
use watchkeeper_redact::readable;

use crate::evidence::service::{DeploymentSeen, Rollout, ServiceSeen};

/// What ECS says of it is cut here.
const REASON: usize = 200;

/// `ecs-svc/123 of revision agent:8: in progress since 2026-11-20 10:02 UTC, 1 of 2 running, 3 failed tasks`; none where
/// none is under way.
pub(crate) fn under_way(service: &ServiceSeen) -> Option<String> {
    let deployment = service.unfinished()?;
    let mut words = readable(&deployment.id, REASON);
    if let Some(definition) = &deployment.task_definition {
        words.push_str(" of revision ");
        words.push_str(definition.revision());
    }
    words.push_str(": ");
    words.push_str(&state(deployment));
    let failed = match deployment.failed_tasks {
        0 => String::new(),
        1 => ", 1 failed task".to_owned(),
        n => format!(", {n} failed tasks"),
    };
    let mut words = format!("{words}, {} of {} running{failed}", deployment.running, deployment.desired);
    // In progress, ECS says no more than that.
    if deployment.rollout == Some(Rollout::Failed)
        && let Some(reason) = &deployment.rollout_reason
    {
        words.push_str(": ");
        words.push_str(&readable(reason, REASON));
    }
    if !service.circuit_breaker && deployment.rollout == Some(Rollout::InProgress) {
        words.push_str("; no circuit breaker ends it");
    }
    Some(words)
}

/// What becomes of a service whose deployment failed, in a sentence or two; none if ECS shows too little.
pub(crate) fn aftermath(service: &ServiceSeen, failed: &str) -> Option<String> {
    let primary = service.primary()?;
    let revision = primary.task_definition.as_ref()?.revision();
    let count = format!("{} of {} tasks run", service.running, service.desired);
    let words = match (primary.id == failed, &primary.rollout) {
        (true, _) if service.rolls_back => {
            format!("{revision} failed, and its circuit breaker goes back to the revision before; {count} now.")
        }
        (true, _) => {
            format!("{revision} failed, and nothing takes it back: it stays until another is deployed; {count}.")
        }
        (false, Some(Rollout::Completed)) => format!("The service is on {revision}, where {count}."),
        (false, Some(Rollout::InProgress)) => {
            format!("ECS deploys {revision} in its place; {count}. You hear when all do.")
        }
        (false, _) => return None,
    };
    Some(words)
}

fn state(deployment: &DeploymentSeen) -> String {
    let state = match &deployment.rollout {
        Some(Rollout::InProgress) | None => "in progress",
        Some(Rollout::Completed) => "completed",
        Some(Rollout::Failed) => "failed",
        Some(Rollout::Other(other)) => other,
    };
    let since = deployment.created_at.and_then(|at| {
        let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
        at.to_offset(UtcOffset::UTC).format(&format).ok()
    });
    match since {
        Some(since) if state == "in progress" => format!("{state} since {since}"),
        Some(since) => format!("{state}, begun {since}"),
        None => state.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use watchkeeper_events::{ServiceArn, TaskDefinitionArn};

    use super::*;

    fn service(id: &str, revision: u32, rollout: Rollout, rolls_back: bool) -> ServiceSeen {
        let definition = format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/gateway:{revision}");
        let primary = DeploymentSeen {
            id: id.to_owned(),
            status: "PRIMARY".to_owned(),
            rollout: Some(rollout),
            rollout_reason: None,
            created_at: None,
            updated_at: None,
            task_definition: Some(TaskDefinitionArn::parse(&definition).unwrap()),
            running: 1,
            desired: 2,
            pending: 0,
            failed_tasks: 0,
        };
        ServiceSeen {
            service: ServiceArn::parse("arn:aws:ecs:eu-west-1:123456789012:service/demo/gateway").unwrap(),
            status: "ACTIVE".to_owned(),
            running: 1,
            desired: 2,
            pending: 0,
            created_at: None,
            deployments: vec![primary],
            circuit_breaker: rolls_back,
            rolls_back,
            owner: None,
            runbook: None,
            silence: None,
            ignored: false,
        }
    }

    #[test]
    fn who_reads_of_a_failed_deployment_learns_what_runs_instead() {
        for (service, expected) in [
            (service("new", 3, Rollout::Failed, true), Some("gateway:3 failed, and its circuit breaker goes back to")),
            (service("new", 3, Rollout::Failed, false), Some("gateway:3 failed, and nothing takes it back")),
            (
                service("old", 2, Rollout::InProgress, true),
                Some("ECS deploys gateway:2 in its place; 1 of 2 tasks run."),
            ),
            (service("old", 2, Rollout::Completed, true), Some("The service is on gateway:2, where 1 of 2 tasks run.")),
            (service("old", 2, Rollout::Other("PAUSED".to_owned()), true), None),
            (ServiceSeen { deployments: vec![], ..service("old", 2, Rollout::Completed, true) }, None),
        ] {
            let told = aftermath(&service, "new");
            assert!(
                told.as_deref().is_some_and(|told| expected.is_some_and(|expected| told.starts_with(expected)))
                    || told.is_none() && expected.is_none(),
                "{told:?} {expected:?}"
            );
        }
    }
}
