//! A service that may have read a document, as ECS shows it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::document::{Place, Version};

/// A deployment's id (`ecs-svc/…`), which is also what a task says it was started by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeploymentId(pub String);

/// A task's ARN.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId(pub String);

/// Who brings new tasks in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Controller {
    /// ECS: rolling, or with a bake time (blue/green, linear, canary, Express).
    Ecs,
    /// Another, by the name that ECS gives it: nothing is restarted there, ops are told.
    Other(String),
}

/// How far a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Not done.
    InProgress,
    /// Done.
    Completed,
    /// Given up by ECS.
    Failed,
}

/// A deployment of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Which.
    pub id: DeploymentId,
    /// When it began.
    pub made_at: OffsetDateTime,
    /// How far it is.
    pub progress: Progress,
    /// What went wrong with its tasks last, in words.
    pub evidence: Option<String>,
    /// The one that failed, where ECS has gone back to this one.
    pub back_after: Option<DeploymentId>,
}

/// A task that is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Which.
    pub id: TaskId,
    /// When it was made: it reads its secrets after that.
    pub made_at: OffsetDateTime,
    /// What started it.
    pub deployment: DeploymentId,
    /// Whether it runs, and is healthy if that is checked.
    pub is_steady: bool,
}

/// Which version of a document a task definition asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asks {
    /// The one that is current when the task starts.
    Current,
    /// Always this one: a restart changes nothing.
    Pinned(Version),
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The documents that its tasks read.
    pub reads: BTreeMap<Place, Asks>,
    /// Who brings new tasks in.
    pub controller: Controller,
    /// How many tasks it is to have.
    pub desired: usize,
    /// Its deployments; the first is the one that is wanted, ECS's PRIMARY.
    pub deployments: Vec<Deployment>,
    /// Its tasks that are to run.
    pub tasks: Vec<Task>,
    /// Image tags that may stand for another image by now.
    pub mutable_images: Vec<String>,
    /// The value of its tag `watchkeeper:allow`: the stack that may have it restarted.
    pub allow: Option<String>,
}

impl Service {
    /// The deployment that is wanted.
    #[must_use]
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.first()
    }

    /// Whether a deployment is on its way.
    #[must_use]
    pub fn is_in_flight(&self) -> bool {
        self.deployments.iter().any(|deployment| deployment.progress == Progress::InProgress)
    }

    /// Whether as many tasks as it is to have run well.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        self.tasks.iter().filter(|task| task.is_steady).count() >= self.desired && !self.is_in_flight()
    }
}
