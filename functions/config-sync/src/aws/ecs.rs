//! ECS: a service as it is, deployed anew, its tasks stopped.
//!
//! Needs `ecs:DescribeServices`, `DescribeTaskDefinition`, `ListTasks` and `DescribeTasks`, and for what is to be restarted
//! `ecs:UpdateService` and `ecs:StopTask`.

mod deployments;
mod evidence;
mod revisions;
mod tasks;

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::config::timeout::TimeoutConfig;
use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::operation::describe_services::DescribeServicesError;
use aws_sdk_ecs::operation::stop_task::StopTaskError;
use aws_sdk_ecs::operation::update_service::UpdateServiceError;
use aws_sdk_ecs::types::{DeploymentControllerType, Service as EcsService, ServiceField};
use time::OffsetDateTime;
use watchkeeper_aws_errors::Failed;
use watchkeeper_events::ServiceArn;
use watchkeeper_secrets::{ALLOW, ANY};

use crate::service::{Controller, Deployment, Service, TaskId};
use crate::trouble::Trouble;
use crate::value_from;

pub(crate) use revisions::{READING, Revisions, revisions_of};

/// How long ECS may take to begin a deployment.
const ONCE: Duration = Duration::from_secs(8);
/// Who stopped a task, for whoever finds it stopped.
const WHY_STOPPED: &str = "Watchkeeper: its configuration has changed";

/// ECS, through this client.
#[derive(Debug)]
pub struct Cluster {
    client: Client,
    /// Asks once and waits longer: each time that ECS is asked for a deployment it begins one, also when its answer is lost.
    once: Client,
    revisions: Revisions,
}

impl Cluster {
    /// Through this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(1)).operation_timeout(ONCE);
        let once = client.config().to_builder().retry_config(RetryConfig::disabled());
        let once = Client::from_conf(once.timeout_config(timeouts.build()).build());
        Self { client, once, revisions: Revisions::default() }
    }

    /// A service, if there is one that has tasks or wants some. Four calls where all is well and its revision is known.
    pub async fn service(&self, service: &ServiceArn) -> Result<Option<Service>, Trouble> {
        let Some(found) = self.look(service).await? else { return Ok(None) };
        if !is_active(&found) || !has_tasks(&found) {
            return Ok(None);
        }
        let mut reads = BTreeMap::new();
        let mut mutable_images = Vec::new();
        for arn in revisions_of(&found) {
            let revision = self.revisions.get(&self.client, &arn).await?;
            for (place, asks) in &revision.reads {
                value_from::add(&mut reads, place.clone(), asks.clone());
            }
            mutable_images.extend(revision.mutable_images.iter().cloned());
        }
        mutable_images.sort_unstable();
        mutable_images.dedup();
        Ok(Some(Service {
            reads,
            controller: controller(&found),
            desired: usize::try_from(found.desired_count()).unwrap_or_default(),
            deployments: self.deployments(service, &found, OffsetDateTime::now_utc()).await?,
            tasks: self.tasks(service).await?,
            mutable_images,
            allow: found.tags().iter().find(|tag| tag.key() == Some(ALLOW)).and_then(|tag| tag.value.clone()),
        }))
    }

    /// Has it deployed anew in the revision that it has; returns the new deployment, and nothing if the service is gone.
    pub async fn deploy(&self, service: &ServiceArn) -> Result<Option<Deployment>, Trouble> {
        let update = self.once.update_service().cluster(cluster(service)).service(service.name());
        match update.force_new_deployment(true).send().await {
            Ok(answer) => match answer.service().and_then(deployments::primary) {
                Some(primary) => Ok(Some(deployments::read(primary)?)),
                // The next look finds it.
                None => Ok(None),
            },
            Err(error) if error.as_service_error().is_some_and(is_not_to_be_updated) => Ok(None),
            Err(error) => Err(not_allowed(Failed::of("deploying the service anew", &error)).into()),
        }
    }

    /// Stops a task; one that is gone is well.
    pub async fn stop(&self, service: &ServiceArn, task: &TaskId) -> Result<(), Trouble> {
        let stop = self.client.stop_task().cluster(cluster(service)).task(&task.0).reason(WHY_STOPPED);
        match stop.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(is_gone) => Ok(()),
            Err(error) => Err(not_propagated(Failed::of("stopping a task of the service", &error)).into()),
        }
    }

    async fn look(&self, service: &ServiceArn) -> Result<Option<EcsService>, Trouble> {
        let describe = self.client.describe_services().cluster(cluster(service)).services(service.name());
        match describe.include(ServiceField::Tags).send().await {
            Ok(answer) => Ok(answer.services.unwrap_or_default().into_iter().next()),
            Err(error)
                if error.as_service_error().is_some_and(DescribeServicesError::is_cluster_not_found_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(Failed::of("looking at the service", &error).into()),
        }
    }
}

/// The cluster of a service. Old, short ARNs lack it: then it is the one of this name.
pub(crate) fn cluster(service: &ServiceArn) -> &str {
    service.cluster_name().unwrap_or("default")
}

/// One that is being deleted wants no tasks, and one that was deleted can be described for a while.
pub(crate) fn is_active(service: &EcsService) -> bool {
    service.status() == Some("ACTIVE")
}

fn has_tasks(service: &EcsService) -> bool {
    service.desired_count() > 0 || service.running_count() > 0 || service.pending_count() > 0
}

fn controller(service: &EcsService) -> Controller {
    match service.deployment_controller().map(aws_sdk_ecs::types::DeploymentController::r#type) {
        None | Some(DeploymentControllerType::Ecs) => Controller::Ecs,
        Some(other) => Controller::Other(other.as_str().to_owned()),
    }
}

/// The tag is the condition under which the function may do it.
fn not_allowed(failed: Failed) -> Failed {
    let why = if failed.for_good {
        format!("{}; tag the service {ALLOW} with the name of the stack that declares this, or {ANY}", failed.why)
    } else {
        failed.why
    };
    Failed { why, ..failed }
}

/// A task has the tag only if its service had it and propagated it when the task was started.
fn not_propagated(failed: Failed) -> Failed {
    let why = if failed.for_good {
        format!(
            "{}; its tasks need the tag {ALLOW}, too: give the service PropagateTags: SERVICE, and have it deployed anew once",
            failed.why
        )
    } else {
        failed.why
    };
    Failed { why, ..failed }
}

fn is_not_to_be_updated(error: &UpdateServiceError) -> bool {
    error.is_service_not_found_exception()
        || error.is_service_not_active_exception()
        || error.is_cluster_not_found_exception()
}

fn is_gone(error: &StopTaskError) -> bool {
    let says_so = || error.message().is_some_and(|message| message.contains("not found"));
    error.is_cluster_not_found_exception() || error.is_invalid_parameter_exception() && says_so()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::DeploymentController;

    use super::*;

    #[test]
    fn ecs_brings_new_tasks_in_unless_another_is_named() {
        use DeploymentControllerType::{CodeDeploy, Ecs, External};
        let service = |kind| {
            let controller = DeploymentController::builder().r#type(kind).build().unwrap();
            EcsService::builder().deployment_controller(controller).build()
        };
        assert_eq!(controller(&EcsService::builder().build()), Controller::Ecs);
        assert_eq!(controller(&service(Ecs)), Controller::Ecs);
        for (kind, name) in [(CodeDeploy, "CODE_DEPLOY"), (External, "EXTERNAL")] {
            assert_eq!(controller(&service(kind)), Controller::Other(name.to_owned()));
        }
    }

    #[test]
    fn who_is_deleted_or_asleep_has_nothing_to_restart() {
        for (status, counts, expected) in [
            (Some("ACTIVE"), [1, 0, 0], true),
            (Some("ACTIVE"), [0, 1, 0], true),
            (Some("ACTIVE"), [0, 0, 1], true),
            (Some("ACTIVE"), [0, 0, 0], false),
            (Some("DRAINING"), [0, 1, 0], false),
            (Some("INACTIVE"), [1, 1, 0], false),
            (None, [1, 1, 0], false),
        ] {
            let [desired, running, pending] = counts;
            let service = EcsService::builder().set_status(status.map(str::to_owned)).desired_count(desired);
            let service = service.running_count(running).pending_count(pending).build();
            assert_eq!(is_active(&service) && has_tasks(&service), expected, "{status:?} {counts:?}");
        }
    }

    #[test]
    fn who_may_not_deploy_is_told_of_the_tag() {
        let failed = |for_good| Failed { doing: "deploying", why: "AccessDenied".to_owned(), for_good };
        assert!(not_allowed(failed(true)).why.contains("tag the service watchkeeper:allow"));
        assert!(not_propagated(failed(true)).why.contains("PropagateTags: SERVICE"));
        for told in [not_allowed, not_propagated] {
            assert_eq!(told(failed(false)), failed(false));
        }
    }
}
