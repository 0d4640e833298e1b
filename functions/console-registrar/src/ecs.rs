//! ECS, as far as it is asked for a service and its tasks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::describe_services::DescribeServicesError;
use aws_sdk_ecs::operation::describe_tasks::DescribeTasksError;
use aws_sdk_ecs::operation::list_tasks::ListTasksError;
use aws_sdk_ecs::types::{
    Attachment, DesiredStatus, HealthStatus, NetworkMode, Service as EcsService, Task as EcsTask, TaskDefinition,
};
use time::OffsetDateTime;
use watchkeeper_events::{ServiceArn, TaskArn};

use crate::follow::Ecs;
use crate::slot::TaskId;
use crate::trouble::Trouble;
use crate::truth::{Life, Service, Task, Truth};

/// How many tasks one call takes (ECS API Reference, `DescribeTasks`).
const TASKS_A_CALL: usize = 100;

/// What of a task definition decides; a revision never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Revision {
    /// Whether a container that the task cannot do without has a health check.
    checks_health: bool,
    network_mode: Option<NetworkMode>,
}

/// A service, as a declaration is checked against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The network mode of its tasks, where its definition is known to ECS.
    pub network_mode: Option<String>,
    /// The Cloud Map services that ECS itself registers its tasks with.
    pub registries: Vec<String>,
}

/// ECS's own word of services.
pub trait Services: Send + Sync {
    /// A service that is active.
    fn check(&self, service: &ServiceArn) -> impl Future<Output = Result<Option<Checked>, Trouble>> + Send;
}

/// ECS, through this client.
#[derive(Debug)]
pub struct Cluster {
    client: Client,
    /// A warm cache of what cannot change.
    revisions: Mutex<HashMap<String, Revision>>,
}

impl Cluster {
    /// Through this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, revisions: Mutex::default() }
    }

    async fn service(&self, service: &ServiceArn) -> Result<Option<EcsService>, Trouble> {
        let call = self.client.describe_services().cluster(cluster(service)).services(service.as_str()).send().await;
        match call {
            Ok(answer) => Ok(answer.services.unwrap_or_default().into_iter().next()),
            Err(error)
                if error.as_service_error().is_some_and(DescribeServicesError::is_cluster_not_found_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(Trouble::call("looking at the service", &error)),
        }
    }

    async fn wanted_tasks(&self, service: &ServiceArn) -> Result<Vec<String>, Trouble> {
        let pages = self.client.list_tasks().cluster(cluster(service)).service_name(service.name());
        let mut arns = pages.desired_status(DesiredStatus::Running).into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(arn) = arns.next().await {
            match arn {
                Ok(arn) => found.push(arn),
                // It went since it was looked at; its tasks are described one by one all the same.
                Err(error) if error.as_service_error().is_some_and(is_gone) => return Ok(Vec::new()),
                Err(error) => return Err(Trouble::call("listing the service's tasks", &error)),
            }
        }
        Ok(found)
    }

    async fn tasks(&self, service: &ServiceArn, arns: BTreeSet<String>) -> Result<BTreeMap<TaskId, Task>, Trouble> {
        // The service may be another than the one that the entries were made for.
        let mut by_cluster: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for arn in arns {
            let own = TaskArn::parse(&arn).ok().and_then(|arn| arn.cluster_name().map(str::to_owned));
            by_cluster.entry(own.unwrap_or_else(|| cluster(service).to_owned())).or_default().push(arn);
        }
        let mut found = BTreeMap::new();
        for (cluster, arns) in &by_cluster {
            for arns in arns.chunks(TASKS_A_CALL) {
                found.extend(self.tasks_of(cluster, arns).await?);
            }
        }
        Ok(found)
    }

    async fn tasks_of(&self, cluster: &str, arns: &[String]) -> Result<BTreeMap<TaskId, Task>, Trouble> {
        let doing = "looking at the service's tasks";
        let not_told = |why: String| Trouble::Aws { doing, why, for_good: false };
        let call = self.client.describe_tasks().cluster(cluster).set_tasks(Some(arns.to_vec())).send().await;
        let answer = match call {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(DescribeTasksError::is_cluster_not_found_exception) => {
                return Ok(arns.iter().map(|arn| (TaskId(arn.clone()), ended())).collect());
            }
            Err(error) => return Err(Trouble::call(doing, &error)),
        };
        let mut found = BTreeMap::new();
        for failure in answer.failures() {
            let reason = failure.reason().unwrap_or("without a reason");
            match failure.arn() {
                // ECS forgets a task about an hour after it stopped.
                Some(arn) if reason == "MISSING" => found.insert(TaskId(arn.to_owned()), ended()),
                _ => return Err(not_told(format!("ECS says {reason} of {}", failure.arn().unwrap_or("a task")))),
            };
        }
        for task in answer.tasks() {
            if let Some(arn) = task.task_arn() {
                found.insert(TaskId(arn.to_owned()), self.task(task).await?);
            }
        }
        // Whom ECS says nothing of may live: nothing is taken for its end.
        match arns.iter().find(|arn| !found.contains_key(&TaskId((*arn).clone()))) {
            Some(arn) => Err(not_told(format!("ECS says nothing of {arn}"))),
            None => Ok(found),
        }
    }

    async fn task(&self, task: &EcsTask) -> Result<Task, Trouble> {
        let is_to_run = task.desired_status() != Some("STOPPED");
        let life = match task.last_status() {
            Some("STOPPED") => Life::Ended,
            _ if !is_to_run => Life::Leaving,
            Some("RUNNING") if self.is_healthy(task).await? => Life::Steady,
            _ => Life::Unready,
        };
        let started_at = task.started_at().and_then(|at| OffsetDateTime::from_unix_timestamp(at.secs()).ok());
        Ok(Task { life, host: address(task), deployment: task.started_by().map(str::to_owned), started_at })
    }

    /// `UNKNOWN` is said before the first check, and where there is none (ECS API Reference, "Task", `healthStatus`).
    async fn is_healthy(&self, task: &EcsTask) -> Result<bool, Trouble> {
        match task.health_status() {
            Some(HealthStatus::Healthy) => Ok(true),
            Some(HealthStatus::Unhealthy) => Ok(false),
            _ => match task.task_definition_arn() {
                Some(revision) => Ok(!self.revision(revision).await?.checks_health),
                None => Ok(false),
            },
        }
    }

    async fn revision(&self, arn: &str) -> Result<Revision, Trouble> {
        let known = self.revisions.lock().unwrap_or_else(PoisonError::into_inner).get(arn).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let answer = self.client.describe_task_definition().task_definition(arn).send().await;
        let answer = answer.map_err(|error| Trouble::call("reading the task definition", &error))?;
        let definition = answer.task_definition();
        let containers = definition.map(TaskDefinition::container_definitions).unwrap_or_default();
        let revision = Revision {
            checks_health: containers
                .iter()
                .any(|container| container.essential().unwrap_or(true) && container.health_check().is_some()),
            network_mode: definition.and_then(|definition| definition.network_mode()).cloned(),
        };
        self.revisions.lock().unwrap_or_else(PoisonError::into_inner).insert(arn.to_owned(), revision.clone());
        Ok(revision)
    }
}

impl Ecs for Cluster {
    async fn observe(&self, service: &ServiceArn, holders: &[TaskId]) -> Result<Truth, Trouble> {
        let found = self.service(service).await?;
        let state = match &found {
            None => Service::Missing,
            Some(found) if found.status() == Some("INACTIVE") => Service::Deleted,
            // A service that is being deleted wants no tasks.
            Some(found) => Service::Active {
                desired: u32::try_from(found.desired_count()).unwrap_or_default(),
                primary: found
                    .deployments()
                    .iter()
                    .find(|deployment| deployment.status() == Some("PRIMARY"))
                    .and_then(|deployment| deployment.id().map(str::to_owned)),
            },
        };
        let mut arns: BTreeSet<String> = holders.iter().map(|holder| holder.0.clone()).collect();
        if matches!(state, Service::Active { .. }) {
            arns.extend(self.wanted_tasks(service).await?);
        }
        let tasks = self.tasks(service, arns).await?;
        Ok(Truth { service: state, tasks })
    }
}

impl Services for Cluster {
    async fn check(&self, service: &ServiceArn) -> Result<Option<Checked>, Trouble> {
        let found = self.service(service).await?.filter(|found| found.status() != Some("INACTIVE"));
        let Some(found) = found else { return Ok(None) };
        // Task sets of an external or a CodeDeploy deployment have definitions of their own.
        let network_mode = match found.task_definition() {
            Some(revision) => self.revision(revision).await?.network_mode,
            None => None,
        };
        let registries = found.service_registries().iter().filter_map(|registry| registry.registry_arn());
        Ok(Some(Checked {
            network_mode: network_mode.map(|mode| mode.as_str().to_owned()),
            registries: registries.map(str::to_owned).collect(),
        }))
    }
}

fn ended() -> Task {
    Task { life: Life::Ended, host: None, deployment: None, started_at: None }
}

fn is_gone(error: &ListTasksError) -> bool {
    error.is_cluster_not_found_exception() || error.is_service_not_found_exception()
}

/// The cluster of a service; [`crate::declaration::Wanted`] takes only ARNs that have one.
fn cluster(service: &ServiceArn) -> &str {
    service.cluster_name().unwrap_or("default")
}

/// The task's own address: that of its network interface, which only the network mode awsvpc gives it.
fn address(task: &EcsTask) -> Option<String> {
    let interfaces =
        task.attachments().iter().filter(|attachment| attachment.r#type() == Some("ElasticNetworkInterface"));
    let mut details = interfaces.flat_map(Attachment::details);
    details
        .find(|detail| detail.name() == Some("privateIPv4Address"))
        .and_then(|detail| detail.value().map(str::to_owned))
}
