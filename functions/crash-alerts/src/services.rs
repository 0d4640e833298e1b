//! What ECS says of a service.

use aws_sdk_ecs::operation::describe_services::DescribeServicesError;
use aws_sdk_ecs::types::{DeploymentRolloutState, Service};
use watchkeeper_events::{ServiceArn, TaskDefinitionArn};

use crate::clients::Clients;
use crate::error::Trouble;

/// ECS's services.
pub trait Services {
    /// The revision that a service is steady on just now; none if it is not steady, or gone.
    fn steady_revision(
        &self,
        service: &ServiceArn,
    ) -> impl Future<Output = Result<Option<TaskDefinitionArn>, Trouble>> + Send;
}

impl Services for Clients {
    async fn steady_revision(&self, service: &ServiceArn) -> Result<Option<TaskDefinitionArn>, Trouble> {
        let answer = self
            .ecs
            .describe_services()
            .set_cluster(service.cluster_name().map(str::to_owned))
            .services(service.as_str())
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(answer.services().first().and_then(steady_on)),
            Err(error) => {
                let gone = error.as_service_error().is_some_and(DescribeServicesError::is_cluster_not_found_exception);
                if gone { Ok(None) } else { Err(Trouble::call("looking at the service", &error)) }
            }
        }
    }
}

/// Steady is: one deployment, rolled out, with all the tasks it wants.
fn steady_on(service: &Service) -> Option<TaskDefinitionArn> {
    match service.deployments() {
        [only]
            if only.rollout_state() == Some(&DeploymentRolloutState::Completed)
                && only.running_count() == only.desired_count() =>
        {
            TaskDefinitionArn::parse(only.task_definition()?).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::Deployment;

    fn deployment(state: DeploymentRolloutState, running: i32) -> Deployment {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:task-definition/agent:7";
        Deployment::builder().rollout_state(state).running_count(running).desired_count(2).task_definition(arn).build()
    }

    #[test]
    fn only_one_complete_deployment_is_steady() {
        use DeploymentRolloutState::{Completed, InProgress};
        for (deployments, steady) in [
            (vec![deployment(Completed, 2)], true),
            (vec![deployment(Completed, 1)], false),
            (vec![deployment(InProgress, 2)], false),
            (vec![deployment(InProgress, 1), deployment(Completed, 2)], false),
            (vec![], false),
        ] {
            let service = Service::builder().set_deployments(Some(deployments)).build();
            assert_eq!(steady_on(&service).is_some(), steady, "{service:?}");
        }
    }
}
