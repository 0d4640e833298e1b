//! The deployments of a service, as far as they tell how a restart goes.

use aws_sdk_ecs::types::{Deployment as EcsDeployment, DeploymentRolloutState, Service as EcsService, ServiceEvent};
use aws_smithy_types::DateTime;
use lambda_runtime::tracing::warn;
use time::{Duration, OffsetDateTime};
use watchkeeper_aws_errors::Failed;
use watchkeeper_events::ServiceArn;

use super::Cluster;
use crate::service::{Deployment, DeploymentId, Progress};
use crate::trouble::Trouble;

const LOOKING: &str = "looking at the service's deployments";
/// A deployment that takes longer is asked why, though none of its tasks counts as failed: one that came to run and ended soon
/// after does not.
const LONG: Duration = Duration::minutes(3);

impl Cluster {
    /// Its deployments, the PRIMARY one first. Why one goes badly costs two calls, and only then.
    pub(super) async fn deployments(
        &self,
        service: &ServiceArn,
        found: &EcsService,
        now: OffsetDateTime,
    ) -> Result<Vec<Deployment>, Trouble> {
        let mut deployments = Vec::new();
        for one in in_order(found) {
            let mut deployment = read(one)?;
            let back = taken_back(found, one, &deployment);
            deployment.back_after = back.map(|(_, failed)| DeploymentId(failed.to_owned()));
            if goes_badly(one, &deployment, now) {
                let of_task = self.evidence(service, &deployment.id.0).await;
                let of_ecs = || one.rollout_state_reason().filter(|_| deployment.progress == Progress::Failed);
                deployment.evidence = of_task.or_else(|| of_ecs().map(str::to_owned));
            } else if let Some((message, failed)) = back {
                let of_task = self.evidence(service, failed).await;
                deployment.evidence = Some(of_task.unwrap_or_else(|| message.to_owned()));
            }
            deployments.push(deployment);
        }
        Ok(deployments)
    }

    /// Why its last task stopped, if ECS says it: a run does not fail for want of that.
    async fn evidence(&self, service: &ServiceArn, deployment: &str) -> Option<String> {
        self.last_crash(service, deployment).await.unwrap_or_else(|trouble| {
            warn!(%service, deployment, %trouble, "why its tasks stopped is not known");
            None
        })
    }
}

/// The one that is wanted.
pub(super) fn primary(service: &EcsService) -> Option<&EcsDeployment> {
    service.deployments().iter().find(|one| is_primary(one))
}

/// A deployment, without evidence.
pub(super) fn read(deployment: &EcsDeployment) -> Result<Deployment, Failed> {
    let id = deployment.id().unwrap_or_default();
    Ok(Deployment {
        id: DeploymentId(id.to_owned()),
        made_at: instant(LOOKING, id, deployment.created_at())?,
        progress: progress(deployment),
        evidence: None,
        back_after: None,
    })
}

/// When ECS says that it made something; nothing is guessed of what it does not say.
pub(super) fn instant(doing: &'static str, of: &str, at: Option<&DateTime>) -> Result<OffsetDateTime, Failed> {
    let at = at.and_then(|at| OffsetDateTime::from_unix_timestamp_nanos(at.as_nanos()).ok());
    at.ok_or_else(|| Failed { doing, why: format!("ECS does not say when it made {of}"), for_good: false })
}

fn is_primary(deployment: &EcsDeployment) -> bool {
    deployment.status() == Some("PRIMARY")
}

fn in_order(service: &EcsService) -> impl Iterator<Item = &EcsDeployment> {
    let others = service.deployments().iter().filter(|one| !is_primary(one));
    primary(service).into_iter().chain(others)
}

/// Services behind a Classic Load Balancer have no rollout state (ECS API Reference, "Deployment"): theirs are done when the
/// wanted one has its tasks; until the others are gone, those are on their way.
fn progress(deployment: &EcsDeployment) -> Progress {
    match deployment.rollout_state() {
        Some(DeploymentRolloutState::Completed) => Progress::Completed,
        Some(DeploymentRolloutState::Failed) => Progress::Failed,
        None if is_primary(deployment)
            && deployment.running_count() >= deployment.desired_count()
            && deployment.pending_count() == 0 =>
        {
            Progress::Completed
        }
        _ => Progress::InProgress,
    }
}

fn goes_badly(one: &EcsDeployment, deployment: &Deployment, now: OffsetDateTime) -> bool {
    match deployment.progress {
        Progress::Failed => true,
        Progress::InProgress => one.failed_tasks() > 0 || is_primary(one) && now - deployment.made_at > LONG,
        Progress::Completed => false,
    }
}

/// What ECS said of the failed deployment that this one, wanted again, stands in for, and the id of that.
///
/// After a rollback `DescribeServices` soon shows nothing of the deployment that failed; its failure is in the service's messages.
fn taken_back<'a>(service: &'a EcsService, one: &EcsDeployment, deployment: &Deployment) -> Option<(&'a str, &'a str)> {
    let is_back = one.rollout_state_reason().is_some_and(|reason| reason.contains("rolling back"));
    let since = |event: &ServiceEvent| {
        instant(LOOKING, "a message", event.created_at()).is_ok_and(|at| at >= deployment.made_at)
    };
    // The newest comes first.
    let failure = service.events().iter().filter(|event| is_back || since(event)).find_map(|event| {
        let message = event.message()?;
        let (_, rest) = message.split_once("(deployment ")?;
        let (id, said) = rest.split_once(')')?;
        said.contains("deployment failed").then_some((message, id))
    });
    failure.filter(|(_, failed)| is_primary(one) && *failed != deployment.id.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeploymentRolloutState::{Completed, Failed, InProgress};

    fn deployment(status: &str, counts: [i32; 3]) -> aws_sdk_ecs::types::builders::DeploymentBuilder {
        let [desired, running, pending] = counts;
        let built = EcsDeployment::builder().id("ecs-svc/1").status(status).created_at(DateTime::from_secs(1_000));
        built.desired_count(desired).running_count(running).pending_count(pending)
    }

    fn service(deployments: Vec<EcsDeployment>, messages: &[(i64, &str)]) -> EcsService {
        let event = |&(at, message): &(i64, &str)| {
            ServiceEvent::builder().created_at(DateTime::from_secs(at)).message(message).build()
        };
        let built = EcsService::builder().set_deployments(Some(deployments));
        built.set_events(Some(messages.iter().map(event).collect())).build()
    }

    #[test]
    fn the_rollout_state_decides_and_else_the_counts() {
        for (status, state, counts, expected) in [
            ("PRIMARY", Some(InProgress), [1, 1, 0], Progress::InProgress),
            ("PRIMARY", Some(Completed), [2, 1, 0], Progress::Completed),
            ("ACTIVE", Some(Failed), [0, 0, 0], Progress::Failed),
            ("PRIMARY", Some("STOPPED".into()), [1, 1, 0], Progress::InProgress),
            ("PRIMARY", None, [2, 2, 0], Progress::Completed),
            ("PRIMARY", None, [2, 1, 1], Progress::InProgress),
            ("PRIMARY", None, [2, 2, 1], Progress::InProgress),
            ("ACTIVE", None, [1, 1, 0], Progress::InProgress),
        ] {
            let one = deployment(status, counts).set_rollout_state(state.clone()).build();
            assert_eq!(read(&one).unwrap().progress, expected, "{status} {state:?} {counts:?}");
        }
    }

    #[test]
    fn the_wanted_one_comes_first() {
        let one = |id: &str, status| deployment(status, [1, 1, 0]).id(id).build();
        let service = service(vec![one("b", "ACTIVE"), one("a", "PRIMARY"), one("c", "INACTIVE")], &[]);
        let ids: Vec<_> = in_order(&service).filter_map(EcsDeployment::id).collect();
        assert_eq!(ids, ["a", "b", "c"]);
    }

    #[test]
    fn when_it_was_made_is_not_guessed() {
        let unknown = EcsDeployment::builder().id("ecs-svc/1").build();
        let failed = read(&unknown).unwrap_err();
        assert!(!failed.for_good && failed.why.contains("ecs-svc/1"), "{failed}");
    }

    #[test]
    fn it_is_asked_why_when_it_goes_badly() {
        let at = |seconds: i64| OffsetDateTime::from_unix_timestamp(1_000 + seconds).unwrap();
        for (status, state, failed_tasks, now, expected) in [
            ("ACTIVE", Failed, 0, 1, true),
            ("PRIMARY", InProgress, 0, 1, false),
            ("PRIMARY", InProgress, 1, 1, true),
            ("PRIMARY", InProgress, 0, 200, true),
            ("ACTIVE", InProgress, 0, 200, false),
            ("PRIMARY", Completed, 5, 200, false),
        ] {
            let one = deployment(status, [1, 1, 0]).rollout_state(state.clone()).failed_tasks(failed_tasks).build();
            assert_eq!(goes_badly(&one, &read(&one).unwrap(), at(now)), expected, "{status} {state:?} {now}");
        }
    }

    #[test]
    fn a_rollback_is_in_the_services_messages() {
        let failed = "(service agent) (deployment ecs-svc/2) deployment failed: tasks failed to start.";
        let own = "(service agent) (deployment ecs-svc/1) deployment failed: tasks failed to start.";
        let back = "(service agent) rolling back to deployment ecs-svc/1.";
        for (reason, messages, expected) in [
            ("completed", vec![(1_100, back), (1_099, failed)], Some((failed, "ecs-svc/2"))),
            ("completed", vec![(1_100, "(service agent) has reached a steady state.")], None),
            // Of the time before this one.
            ("completed", vec![(999, failed)], None),
            (
                "circuit breaker: rolling back to deploymentId ecs-svc/1",
                vec![(999, failed)],
                Some((failed, "ecs-svc/2")),
            ),
            ("completed", vec![(1_100, own)], None),
        ] {
            let one = deployment("PRIMARY", [1, 1, 0]).rollout_state_reason(reason).build();
            let service = service(vec![one.clone()], &messages);
            assert_eq!(taken_back(&service, &one, &read(&one).unwrap()), expected, "{reason} {messages:?}");
        }
    }
}
