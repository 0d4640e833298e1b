//! What ECS says of a service and its tasks.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::slot::TaskId;

/// How a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Life {
    /// It runs, and is healthy where a health check exists.
    Steady,
    /// It is wanted, and not steady yet, or not any more.
    Unready,
    /// It is to stop and has not stopped yet.
    Leaving,
    /// It has stopped; ECS may have forgotten it already.
    Ended,
}

/// A task of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// How it is.
    pub life: Life,
    /// Its own private IP address, once it has one.
    pub host: Option<String>,
    /// The deployment that started it (`startedBy`).
    pub deployment: Option<String>,
    /// When it began to run.
    pub started_at: Option<OffsetDateTime>,
}

/// How the service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Service {
    /// It is there.
    Active {
        /// How many tasks it is to have.
        desired: u32,
        /// Its newest deployment, by which the tasks are known that are to stay.
        primary: Option<String>,
    },
    /// ECS knows it as deleted.
    Deleted,
    /// ECS knows no such service.
    Missing,
}

/// The service and its tasks, as observed at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// The service.
    pub service: Service,
    /// The tasks that it is to have, and those that have our entries, whatever became of them.
    pub tasks: BTreeMap<TaskId, Task>,
}

impl Truth {
    /// No service, no tasks.
    #[must_use]
    pub fn nothing() -> Self {
        Self { service: Service::Missing, tasks: BTreeMap::new() }
    }
}
