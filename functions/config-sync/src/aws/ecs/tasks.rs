//! The tasks of a service that are to run.

use aws_sdk_ecs::operation::describe_tasks::DescribeTasksError;
use aws_sdk_ecs::operation::list_tasks::ListTasksError;
use aws_sdk_ecs::types::{DesiredStatus, HealthStatus, Task as EcsTask};
use watchkeeper_aws_errors::Failed;
use watchkeeper_events::ServiceArn;

use super::deployments::instant;
use super::{Cluster, cluster};
use crate::service::{DeploymentId, Task, TaskId};
use crate::trouble::Trouble;

/// How many tasks one call takes (ECS API Reference, `DescribeTasks`).
const AT_ONCE: usize = 100;
const LOOKING: &str = "looking at the service's tasks";

impl Cluster {
    /// Its tasks that are to run.
    pub(super) async fn tasks(&self, service: &ServiceArn) -> Result<Vec<Task>, Trouble> {
        let list = self.client.list_tasks().cluster(cluster(service)).service_name(service.name());
        let mut pages = list.desired_status(DesiredStatus::Running).into_paginator().items().send();
        let mut arns = Vec::new();
        while let Some(arn) = pages.next().await {
            match arn {
                Ok(arn) => arns.push(arn),
                // It went since it was looked at.
                Err(error) if error.as_service_error().is_some_and(is_gone) => return Ok(Vec::new()),
                Err(error) => return Err(Failed::of("listing the service's tasks", &error).into()),
            }
        }
        let mut tasks = Vec::new();
        for arns in arns.chunks(AT_ONCE) {
            for task in self.describe(service, arns.to_vec()).await? {
                // It may have been told to stop since it was listed.
                if task.desired_status() != Some("STOPPED") && task.last_status() != Some("STOPPED") {
                    tasks.push(self.task(&task).await?);
                }
            }
        }
        Ok(tasks)
    }

    /// What ECS knows of these tasks; it forgets one about an hour after it stopped.
    pub(super) async fn describe(&self, service: &ServiceArn, arns: Vec<String>) -> Result<Vec<EcsTask>, Trouble> {
        match self.client.describe_tasks().cluster(cluster(service)).set_tasks(Some(arns)).send().await {
            Ok(answer) => Ok(answer.tasks.unwrap_or_default()),
            Err(error) if error.as_service_error().is_some_and(DescribeTasksError::is_cluster_not_found_exception) => {
                Ok(Vec::new())
            }
            Err(error) => Err(Failed::of(LOOKING, &error).into()),
        }
    }

    async fn task(&self, task: &EcsTask) -> Result<Task, Trouble> {
        let arn = task.task_arn().unwrap_or_default();
        Ok(Task {
            id: TaskId(arn.to_owned()),
            made_at: instant(LOOKING, arn, task.created_at())?,
            deployment: DeploymentId(task.started_by().unwrap_or_default().to_owned()),
            is_steady: task.last_status() == Some("RUNNING") && self.is_healthy(task).await?,
        })
    }

    /// `UNKNOWN` is said before the first check, and where there is none (ECS API Reference, "Task", `healthStatus`).
    async fn is_healthy(&self, task: &EcsTask) -> Result<bool, Trouble> {
        match task.health_status() {
            Some(HealthStatus::Healthy) => Ok(true),
            Some(HealthStatus::Unhealthy) => Ok(false),
            _ => match task.task_definition_arn() {
                Some(revision) => Ok(!self.revisions.get(&self.client, revision).await?.checks_health),
                None => Ok(false),
            },
        }
    }
}

pub(super) fn is_gone(error: &ListTasksError) -> bool {
    error.is_cluster_not_found_exception() || error.is_service_not_found_exception()
}
