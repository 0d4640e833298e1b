//! What of task definitions decides. A revision never changes, so each is asked for once in a function's life.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::operation::describe_task_definition::DescribeTaskDefinitionError;
use aws_sdk_ecs::types::{
    ContainerDefinition, LogConfiguration, Secret, Service as EcsService, TaskDefinition, TaskSet,
};
use watchkeeper_aws_errors::Failed;
use watchkeeper_events::TaskDefinitionArn;

use crate::document::Place;
use crate::service::Asks;
use crate::value_from;

/// What is being done, for people.
pub(crate) const READING: &str = "reading the task definition";

/// What of a task definition decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Revision {
    /// The documents that its tasks read.
    pub(crate) reads: BTreeMap<Place, Asks>,
    /// Images that are not named by their digest. Whether a registry lets a tag be moved is not known here.
    pub(crate) mutable_images: Vec<String>,
    /// Whether a container that the task cannot do without has a health check.
    pub(crate) checks_health: bool,
}

/// A warm cache of what cannot change.
#[derive(Debug, Default)]
pub(crate) struct Revisions(Mutex<HashMap<String, Arc<Revision>>>);

impl Revisions {
    /// The revision of this ARN, if it was asked for already.
    pub(crate) fn known(&self, arn: &str) -> Option<Arc<Revision>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(arn).cloned()
    }

    /// The revision of this ARN; one call if it is not known.
    pub(crate) async fn get(&self, client: &Client, arn: &str) -> Result<Arc<Revision>, Failed> {
        match self.known(arn) {
            Some(known) => Ok(known),
            None => self.ask(client, arn).await.map_err(|error| Failed::of(READING, &error)),
        }
    }

    /// Asks ECS for the revision of this ARN. One that was deleted reads nothing: ECS starts no task of it.
    pub(crate) async fn ask(
        &self,
        client: &Client,
        arn: &str,
    ) -> Result<Arc<Revision>, SdkError<DescribeTaskDefinitionError>> {
        let definition = match client.describe_task_definition().task_definition(arn).send().await {
            Ok(answer) => answer.task_definition,
            Err(error) if error.as_service_error().is_some_and(is_deleted) => None,
            Err(error) => return Err(error),
        };
        let revision = Arc::new(definition.map(|read| Revision::of(arn, &read)).unwrap_or_default());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(arn.to_owned(), Arc::clone(&revision));
        Ok(revision)
    }
}

impl Revision {
    fn of(arn: &str, definition: &TaskDefinition) -> Self {
        let containers = definition.container_definitions();
        let mut reads = BTreeMap::new();
        if let Ok(arn) = TaskDefinitionArn::parse(arn) {
            let values = containers.iter().flat_map(secrets).map(Secret::value_from);
            for (place, asks) in values.filter_map(|value| value_from::read(value, arn.arn())) {
                value_from::add(&mut reads, place, asks);
            }
        }
        let images = containers.iter().filter_map(ContainerDefinition::image).filter(|image| !image.contains('@'));
        Self {
            reads,
            mutable_images: images.map(str::to_owned).collect(),
            checks_health: containers
                .iter()
                .any(|container| container.essential().unwrap_or(true) && container.health_check().is_some()),
        }
    }
}

/// All that ECS says is "Unable to describe task definition."
fn is_deleted(error: &DescribeTaskDefinitionError) -> bool {
    error.is_client_exception() && error.message().is_some_and(|message| message.contains("describe task definition"))
}

/// The credentials of an image's registry are no configuration.
fn secrets(container: &ContainerDefinition) -> impl Iterator<Item = &Secret> {
    let of_log = container.log_configuration().map(LogConfiguration::secret_options).unwrap_or_default();
    container.secrets().iter().chain(of_log)
}

/// The task definitions of a service's new tasks: its own, or those of its task sets, where another than ECS deploys it.
pub(crate) fn revisions_of(service: &EcsService) -> Vec<String> {
    let of_sets = service.task_sets().iter().filter_map(TaskSet::task_definition);
    let mut arns: Vec<String> = of_sets.map(str::to_owned).collect();
    if arns.is_empty() {
        arns.extend(service.task_definition().map(str::to_owned));
    }
    arns.sort_unstable();
    arns.dedup();
    arns
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{HealthCheck, LogDriver, RepositoryCredentials};

    use super::*;
    use crate::document::Version;

    const SELF: &str = "arn:aws:ecs:eu-west-1:123456789012:task-definition/agent:7";

    fn secret(value_from: &str) -> Secret {
        Secret::builder().name("NAME").value_from(value_from).build().unwrap()
    }

    #[test]
    fn what_a_task_reads_and_runs_is_in_its_containers() {
        let arn = |name: &str| format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-AbCdEf");
        let log = LogConfiguration::builder().log_driver(LogDriver::Splunk).secret_options(secret("splunk-token"));
        let registry = RepositoryCredentials::builder().credentials_parameter(arn("registry")).build().unwrap();
        let agent = ContainerDefinition::builder()
            .image("agent:1")
            .secrets(secret(&format!("{}:password::", arn("db"))))
            .secrets(secret(&format!("{}:::0f1e", arn("old"))))
            .repository_credentials(registry);
        let side = ContainerDefinition::builder()
            .image("registry:5000/side@sha256:0f")
            .essential(false)
            .health_check(HealthCheck::builder().command("true").build().unwrap())
            .log_configuration(log.build().unwrap());
        let definition =
            TaskDefinition::builder().container_definitions(agent.build()).container_definitions(side.build());
        let token = "arn:aws:ssm:eu-west-1:123456789012:parameter/splunk-token";
        let revision = Revision {
            reads: BTreeMap::from([
                (Place::Secret(arn("db")), Asks::Current),
                (Place::Secret(arn("old")), Asks::Pinned(Version("0f1e".to_owned()))),
                (Place::Parameter(token.to_owned()), Asks::Current),
            ]),
            mutable_images: vec!["agent:1".to_owned()],
            checks_health: false,
        };
        assert_eq!(Revision::of(SELF, &definition.build()), revision);
    }

    #[test]
    fn task_sets_have_the_revisions_where_there_are_some() {
        let set = |revision: &str| TaskSet::builder().task_definition(revision).build();
        let service = EcsService::builder().task_definition("a:1");
        assert_eq!(revisions_of(&service.clone().build()), ["a:1"]);
        assert_eq!(revisions_of(&service.task_sets(set("a:3")).task_sets(set("a:2")).build()), ["a:2", "a:3"]);
        assert_eq!(revisions_of(&EcsService::builder().build()), [""; 0]);
    }
}
