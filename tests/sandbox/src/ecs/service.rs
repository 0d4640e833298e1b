//! A service: what ECS makes of what ministack stores about it.

use std::time::Instant;

use serde_json::Value;
use time::OffsetDateTime;

use super::store::Stored;

/// How many of a service's messages `DescribeServices` gives (its API reference: the last 100).
const MESSAGES: usize = 100;

/// A service.
#[derive(Clone, Debug)]
pub struct Service {
    /// As ministack stores it.
    pub stored: Stored,
    /// `ACTIVE`, `DRAINING` or `INACTIVE`.
    pub status: ServiceStatus,
    /// The PRIMARY one first, then those it replaces.
    pub deployments: Vec<Deployment>,
    /// The deployment that the circuit breaker goes back to: the one that was completed last.
    pub(crate) last_completed: Option<Deployment>,
    /// ministack's id of the deployment that it has as PRIMARY, as last seen: another one is a new deployment.
    pub(crate) stored_primary: String,
    /// The store does not know yet that the circuit breaker went back to an older deployment.
    pub(crate) unwritten_rollback: bool,
    /// The newest first.
    pub messages: Vec<Message>,
    /// Tasks whose last status is RUNNING.
    pub running: u32,
    /// Tasks on their way to RUNNING.
    pub pending: u32,
    /// Starts in a row that never reached RUNNING.
    pub failed_starts: u32,
    pub(crate) next_start: Option<Instant>,
    pub(crate) steady: bool,
    /// When it last said so.
    pub(crate) said_steady: Option<Instant>,
}

/// Where a service is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceStatus {
    /// It keeps its tasks.
    Active,
    /// It was deleted and its tasks are ending.
    Draining,
    /// It was deleted.
    Inactive,
}

impl ServiceStatus {
    /// As the API writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// A deployment of a service.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// `ecs-svc/` and a number.
    pub id: String,
    /// The revision it brings.
    pub definition_arn: String,
    /// What else a service revision holds: its network and so on, as stored.
    pub(crate) revision: Value,
    /// The subnets of its tasks.
    pub(crate) subnets: Vec<String>,
    /// How far it is.
    pub rollout: Rollout,
    /// ECS's words for that (`rolloutStateReason`).
    pub reason: String,
    /// Its tasks in a row that never came to run or failed their health checks.
    pub failed_tasks: u32,
    /// When it began.
    pub created: OffsetDateTime,
    /// When it last changed.
    pub updated: OffsetDateTime,
}

/// How far a deployment is (`rolloutState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// It replaces tasks.
    InProgress,
    /// Its tasks run and the others' are gone.
    Completed,
    /// The circuit breaker ended it: it starts no more tasks.
    Failed,
}

impl Rollout {
    /// As the API writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}

/// A line of a service's event log.
#[derive(Clone, Debug)]
pub struct Message {
    /// A UUID.
    pub id: String,
    /// When.
    pub at: OffsetDateTime,
    /// ECS's words.
    pub text: String,
}

impl Deployment {
    /// `named` when ministack has made and named it too.
    pub(crate) fn new(stored: &Stored, named: bool) -> Self {
        let id = if named { deployment_id(&stored.primary) } else { deployment_id(&crate::ids::hex32()) };
        let now = crate::clock::now();
        Self {
            reason: format!("ECS deployment {id} in progress."),
            id,
            definition_arn: stored.definition_arn.clone(),
            revision: stored.revision.clone(),
            subnets: stored.subnets.clone(),
            rollout: Rollout::InProgress,
            failed_tasks: 0,
            created: now,
            updated: now,
        }
    }

    /// Moves on to another state, with ECS's words for it.
    pub(crate) fn turn(&mut self, rollout: Rollout, reason: String) {
        self.rollout = rollout;
        self.reason = reason;
        self.updated = crate::clock::now();
    }
}

/// ministack's ids are `ecs-svc/` and hexadecimal digits; on ECS they are up to 19 decimal ones.
fn deployment_id(stored: &str) -> String {
    let digits = stored.rsplit('/').next().unwrap_or(stored);
    let number = u128::from_str_radix(digits, 16).unwrap_or_default() % 10_u128.pow(19);
    format!("ecs-svc/{number:019}")
}

impl Service {
    pub(crate) fn new(stored: Stored) -> Self {
        Self {
            stored,
            status: ServiceStatus::Active,
            deployments: Vec::new(),
            last_completed: None,
            stored_primary: String::new(),
            unwritten_rollback: false,
            messages: Vec::new(),
            running: 0,
            pending: 0,
            failed_starts: 0,
            next_start: None,
            steady: false,
            said_steady: None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.stored.name
    }

    /// The name of its cluster.
    #[must_use]
    pub fn cluster(&self) -> &str {
        self.stored.cluster_arn.rsplit('/').next().unwrap_or(&self.stored.cluster_arn)
    }

    /// Whether it has what it wants: one deployment, completed, and all tasks running.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        self.steady
    }

    /// The deployment that brings what is wanted.
    #[must_use]
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.first()
    }

    pub(crate) fn say(&mut self, text: String) {
        self.messages.insert(0, Message { id: crate::ids::uuid(), at: crate::clock::now(), text });
        self.messages.truncate(MESSAGES);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn deployment_ids_are_decimal_and_follow_the_store() {
        let (one, two) = (
            super::deployment_id("ecs-svc/0a1b2c3d4e5f60718293"),
            super::deployment_id("ecs-svc/0a1b2c3d4e5f60718294"),
        );
        assert_ne!(one, two);
        let digits = one.strip_prefix("ecs-svc/").unwrap();
        assert!(digits.len() == 19 && digits.bytes().all(|digit| digit.is_ascii_digit()), "{one}");
    }
}
