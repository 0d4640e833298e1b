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
