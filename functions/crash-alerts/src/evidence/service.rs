//! What ECS says of services.

use aws_sdk_ecs::types::{Deployment, Service};
use time::OffsetDateTime;
use watchkeeper_alerts::Running;
use watchkeeper_events::{ServiceArn, TaskDefinitionArn};

use crate::evidence::instant::instant;
use crate::watch::{self, IGNORE_TAG};

/// Who owns the service.
pub const OWNER_TAG: &str = "watchkeeper:owner";
/// Where its owners say what to do.
pub const RUNBOOK_TAG: &str = "watchkeeper:runbook";
/// Until when, or that, nothing of it is told.
pub const SILENCE_TAG: &str = "watchkeeper:silence";

/// A service as ECS saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSeen {
    /// The service.
    pub service: ServiceArn,
    /// `ACTIVE`, `DRAINING`, `INACTIVE`.
    pub status: String,
    /// How many tasks run.
    pub running: i32,
    /// How many should.
    pub desired: i32,
    /// How many are about to run.
    pub pending: i32,
    /// When it was made.
    pub created_at: Option<OffsetDateTime>,
    /// Its deployments.
    pub deployments: Vec<DeploymentSeen>,
    /// Whether a circuit breaker ends a deployment that fails.
    pub circuit_breaker: bool,
    /// Whether such a deployment is rolled back.
    pub rolls_back: bool,
    /// The value of its tag `watchkeeper:owner`.
    pub owner: Option<String>,
    /// The value of its tag `watchkeeper:runbook`.
    pub runbook: Option<String>,
    /// The value of its tag `watchkeeper:silence`.
    pub silence: Option<String>,
    /// Whether its tag `watchkeeper:ignore` says that nobody wants to hear of it.
    pub ignored: bool,
}

/// One deployment of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentSeen {
    /// `ecs-svc/…`.
    pub id: String,
    /// `PRIMARY`, `ACTIVE` (being replaced), `INACTIVE`.
    pub status: String,
    /// How far it is; none where something else than ECS deploys.
    pub rollout: Option<Rollout>,
    /// Why, in ECS's words.
    pub rollout_reason: Option<String>,
    /// When it began.
    pub created_at: Option<OffsetDateTime>,
    /// When it changed last.
    pub updated_at: Option<OffsetDateTime>,
    /// What it deploys.
    pub task_definition: Option<TaskDefinitionArn>,
    /// How many of its tasks run.
    pub running: i32,
    /// How many should.
    pub desired: i32,
    /// How many are about to run.
    pub pending: i32,
    /// How many of its tasks failed to start, one after the other.
    pub failed_tasks: i32,
}

/// How far a deployment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rollout {
    /// Under way.
    InProgress,
    /// Steady.
    Completed,
    /// Given up by its circuit breaker.
    Failed,
    /// One that came later, by its name.
    Other(String),
}

impl ServiceSeen {
    /// The revision that it is steady on: one deployment, rolled out, with all the tasks it wants.
    pub fn steady_on(&self) -> Option<&TaskDefinitionArn> {
        match &self.deployments[..] {
            [only] if only.rollout == Some(Rollout::Completed) && only.running == only.desired => {
                only.task_definition.as_ref()
            }
            _ => None,
        }
    }

    /// The deployment that shall last.
    pub fn primary(&self) -> Option<&DeploymentSeen> {
        self.deployments.iter().find(|deployment| deployment.status == "PRIMARY")
    }

    /// The deployment under way, or the one that failed.
    pub fn unfinished(&self) -> Option<&DeploymentSeen> {
        let unfinished = |deployment: &&DeploymentSeen| !matches!(deployment.rollout, Some(Rollout::Completed));
        self.primary().filter(unfinished).filter(|primary| {
            // Without a state of its own, a deployment is over once all of its tasks run.
            primary.rollout.is_some() || primary.running != primary.desired
        })
    }

    /// Its tasks, counted.
    pub fn counts(&self) -> Running {
        Running { running: self.running, desired: self.desired, pending: self.pending }
    }

    /// Of what ECS says; none of one whose ARN is missing.
    pub(crate) fn of(service: &Service) -> Option<Self> {
        let Running { running, desired, pending } = watch::tasks(service);
        let breaker = service.deployment_configuration().and_then(|c| c.deployment_circuit_breaker());
        let tag = |key: &str| {
            let tag = service.tags().iter().find(|tag| tag.key() == Some(key));
            tag.and_then(|tag| tag.value()).filter(|value| !value.is_empty()).map(str::to_owned)
        };
        Some(Self {
            service: ServiceArn::parse(service.service_arn()?).ok()?,
            status: service.status().unwrap_or_default().to_owned(),
            running,
            desired,
            pending,
            created_at: instant(service.created_at()),
            deployments: service.deployments().iter().map(DeploymentSeen::of).collect(),
            circuit_breaker: breaker.is_some_and(|breaker| breaker.enable),
            rolls_back: breaker.is_some_and(|breaker| breaker.enable && breaker.rollback),
            owner: tag(OWNER_TAG),
            runbook: tag(RUNBOOK_TAG),
            silence: tag(SILENCE_TAG),
            ignored: tag(IGNORE_TAG).is_some_and(|value| value.eq_ignore_ascii_case("true")),
        })
    }
}

impl DeploymentSeen {
    fn of(deployment: &Deployment) -> Self {
        Self {
            id: deployment.id().unwrap_or_default().to_owned(),
            status: deployment.status().unwrap_or_default().to_owned(),
            rollout: deployment.rollout_state().map(|state| match state.as_str() {
                "IN_PROGRESS" => Rollout::InProgress,
                "COMPLETED" => Rollout::Completed,
                "FAILED" => Rollout::Failed,
                other => Rollout::Other(other.to_owned()),
            }),
            rollout_reason: deployment.rollout_state_reason().map(str::to_owned),
            created_at: instant(deployment.created_at()),
            updated_at: instant(deployment.updated_at()),
            task_definition: deployment.task_definition().and_then(|arn| TaskDefinitionArn::parse(arn).ok()),
            running: deployment.running_count(),
            desired: deployment.desired_count(),
            pending: deployment.pending_count(),
            failed_tasks: deployment.failed_tasks(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::{
        DeploymentCircuitBreaker, DeploymentConfiguration, DeploymentController, DeploymentControllerType,
        DeploymentRolloutState, Tag, TaskSet,
    };

    fn deployment(state: DeploymentRolloutState, running: i32) -> Deployment {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/agent:7";
        let deployment = Deployment::builder().id("ecs-svc/1").status("PRIMARY").rollout_state(state);
        deployment.running_count(running).desired_count(2).task_definition(arn).build()
    }

    fn service(deployments: Vec<Deployment>) -> ServiceSeen {
        let breaker = DeploymentCircuitBreaker::builder().enable(true).rollback(false).build();
        let service = Service::builder()
            .service_arn("arn:aws:ecs:eu-west-1:123456789012:service/dbward/agent")
            .deployment_configuration(DeploymentConfiguration::builder().deployment_circuit_breaker(breaker).build())
            .tags(Tag::builder().key(OWNER_TAG).value("team-a").build())
            .tags(Tag::builder().key(RUNBOOK_TAG).value("").build())
            .set_deployments(Some(deployments));
        ServiceSeen::of(&service.build()).unwrap()
    }

    #[test]
    fn only_one_complete_deployment_is_steady() {
        use DeploymentRolloutState::{Completed, Failed, InProgress};
        for (deployments, steady, unfinished) in [
            (vec![deployment(Completed, 2)], true, false),
            (vec![deployment(Completed, 1)], false, false),
            (vec![deployment(InProgress, 2)], false, true),
            (vec![deployment(Failed, 2)], false, true),
            (vec![deployment(InProgress, 1), deployment(Completed, 2)], false, true),
            (vec![], false, false),
        ] {
            let service = service(deployments);
            assert_eq!(service.steady_on().is_some(), steady, "{service:?}");
            assert_eq!(service.unfinished().is_some(), unfinished, "{service:?}");
        }
    }

    #[test]
    fn tasks_of_a_service_that_is_deployed_from_outside_are_those_of_its_primary_set() {
        let controller = DeploymentController::builder().r#type(DeploymentControllerType::External).build().unwrap();
        let set = |status: &str, running| {
            TaskSet::builder().status(status).computed_desired_count(2).running_count(running).pending_count(1).build()
        };
        let service = Service::builder()
            .service_arn("arn:aws:ecs:eu-west-1:123456789012:service/dbward/agent")
            .deployment_controller(controller)
            // ECS counts the tasks of all sets together.
            .running_count(4)
            .desired_count(3)
            .task_sets(set("ACTIVE", 3))
            .task_sets(set("PRIMARY", 1));
        let seen = ServiceSeen::of(&service.build()).unwrap();
        assert_eq!(seen.counts(), Running { running: 1, desired: 2, pending: 1 });
    }

    #[test]
    fn tags_and_the_circuit_breaker_are_read() {
        let service = service(vec![]);
        assert_eq!((service.owner.as_deref(), service.runbook, service.silence), (Some("team-a"), None, None));
        assert!(service.circuit_breaker && !service.rolls_back);
        assert_eq!(ServiceSeen::of(&Service::builder().build()), None);
    }
}
