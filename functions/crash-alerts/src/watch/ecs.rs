//! What the watch asks of ECS.

use std::collections::HashSet;

use aws_sdk_ecs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecs::types::{self, DesiredStatus, ServiceField};
use watchkeeper_aws_errors::{status, words};
use watchkeeper_events::TaskStateChange;

use super::sight::{seen, service_arn};
use super::stop::stopped;
use crate::clients::Clients;
use crate::plan::watch::Seen;

/// How many one call lists at most (ECS API Reference; without it `ListServices` gives ten).
const A_PAGE: i32 = 100;

/// ECS, call by call.
pub trait Ecs {
    /// A page of the clusters' ARNs.
    fn list_clusters(&self, token: Option<String>) -> impl Future<Output = Result<Listed, Failure>> + Send;

    /// A page of the ARNs of a cluster's services.
    fn list_services(
        &self,
        cluster: &str,
        token: Option<String>,
    ) -> impl Future<Output = Result<Listed, Failure>> + Send;

    /// A page of the ARNs of a cluster's tasks that stopped or are to.
    fn list_stopped(
        &self,
        cluster: &str,
        token: Option<String>,
    ) -> impl Future<Output = Result<Listed, Failure>> + Send;

    /// At most ten services of a cluster. Only of what ECS itself says so is it seen that it is gone.
    fn describe_services(
        &self,
        cluster: &str,
        names: &[String],
    ) -> impl Future<Output = Result<Vec<Seen>, Failure>> + Send;

    /// At most a hundred tasks of a cluster; without those that ECS has forgotten.
    fn describe_tasks(
        &self,
        cluster: &str,
        ids: &[String],
    ) -> impl Future<Output = Result<Vec<TaskStateChange>, Failure>> + Send;
}

/// A page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// What is on it.
    pub arns: Vec<String>,
    /// ECS's token for the next one.
    pub token: Option<String>,
}

/// A call that failed, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// ECS has had too many calls, from whomever.
    #[error("{0}")]
    Throttled(String),
    /// There is no such cluster.
    #[error("the cluster is gone")]
    ClusterGone,
    /// ECS refused.
    #[error("{0}")]
    Refused(String),
    /// ECS was not reached, or did not answer in time.
    #[error("{0}")]
    Unanswered(String),
}

impl Failure {
    fn of<E>(doing: &str, error: &SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let text = format!("{doing}: {}", words(error));
        match error.code() {
            Some("ClusterNotFoundException") => Self::ClusterGone,
            Some(code) if is_throttling(code) => Self::Throttled(text),
            Some(_) => Self::Refused(text),
            None if status(error).is_some() => Self::Refused(text),
            None => Self::Unanswered(text),
        }
    }
}

/// The ways in which AWS says it ("Request throttling for the Amazon ECS API", and what the SDKs take for it).
fn is_throttling(code: &str) -> bool {
    code.starts_with("Throttl") || ["TooManyRequestsException", "RequestLimitExceeded"].contains(&code)
}

/// The names of the services that ECS says are not there; any other failure says nothing of them.
pub(crate) fn missing(failures: &[types::Failure]) -> impl Iterator<Item = &str> {
    let missing = failures.iter().filter(|failure| failure.reason() == Some("MISSING"));
    missing.filter_map(|failure| failure.arn()?.rsplit('/').next())
}

impl Ecs for Clients {
    async fn list_clusters(&self, token: Option<String>) -> Result<Listed, Failure> {
        let answer = self.ecs.list_clusters().max_results(A_PAGE).set_next_token(token).send().await;
        let answer = answer.map_err(|error| Failure::of("listing the clusters", &error))?;
        Ok(Listed { arns: answer.cluster_arns.unwrap_or_default(), token: answer.next_token })
    }

    async fn list_services(&self, cluster: &str, token: Option<String>) -> Result<Listed, Failure> {
        let list = self.ecs.list_services().cluster(cluster).max_results(A_PAGE).set_next_token(token);
        let answer = list.send().await;
        let answer = answer.map_err(|error| Failure::of(&format!("listing the services of {cluster}"), &error))?;
        Ok(Listed { arns: answer.service_arns.unwrap_or_default(), token: answer.next_token })
    }

    async fn list_stopped(&self, cluster: &str, token: Option<String>) -> Result<Listed, Failure> {
        let list = self.ecs.list_tasks().cluster(cluster).desired_status(DesiredStatus::Stopped);
        let answer = list.max_results(A_PAGE).set_next_token(token).send().await;
        let answer = answer.map_err(|error| Failure::of(&format!("listing the stopped tasks of {cluster}"), &error))?;
        Ok(Listed { arns: answer.task_arns.unwrap_or_default(), token: answer.next_token })
    }

    async fn describe_services(&self, cluster: &str, names: &[String]) -> Result<Vec<Seen>, Failure> {
        let describe = self.ecs.describe_services().cluster(cluster).set_services(Some(names.to_vec()));
        let answer = describe.include(ServiceField::Tags).send().await;
        let answer = answer.map_err(|error| Failure::of(&format!("looking at services of {cluster}"), &error))?;
        let missing: HashSet<_> = missing(answer.failures()).collect();
        let gone = names.iter().filter(|name| missing.contains(name.as_str()));
        let gone = gone.filter_map(|name| service_arn(cluster, name)).map(Seen::Gone);
        Ok(answer.services().iter().filter_map(|service| seen(cluster, service)).chain(gone).collect())
    }

    async fn describe_tasks(&self, cluster: &str, ids: &[String]) -> Result<Vec<TaskStateChange>, Failure> {
        let describe = self.ecs.describe_tasks().cluster(cluster).set_tasks(Some(ids.to_vec()));
        let answer = describe.send().await;
        let answer = answer.map_err(|error| Failure::of(&format!("looking at stopped tasks of {cluster}"), &error))?;
        Ok(answer.tasks().iter().filter_map(stopped).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_has_many_names() {
        for code in ["ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException"] {
            assert!(is_throttling(code), "{code}");
        }
        for code in ["AccessDeniedException", "ServerException", "ClusterNotFoundException"] {
            assert!(!is_throttling(code), "{code}");
        }
    }
}
