//! A task: what ECS knows about it.

use std::net::Ipv4Addr;

use serde::Serialize;
use time::OffsetDateTime;

use super::definition::ContainerDefinition;

/// A task's place in its life, in order ("Task lifecycle" in the ECS developer guide).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// The network interface is made.
    Provisioning,
    /// Waiting for its resources; images are pulled.
    Pending,
    /// Containers are being started.
    Activating,
    /// All containers were started.
    Running,
    /// Taken out of load balancers.
    Deactivating,
    /// Containers are asked to end.
    Stopping,
    /// The network interface goes away.
    Deprovisioning,
    /// Over.
    Stopped,
}

impl Status {
    /// As the API writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// Why a task was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// ECS's stop code.
    pub code: StopCode,
    /// The sentence beside it.
    pub reason: String,
}

/// The stop codes that the sandbox gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCode {
    /// It never came to run.
    TaskFailedToStart,
    /// An essential container ended by itself.
    EssentialContainerExited,
    /// Somebody called `StopTask`.
    UserInitiated,
    /// Its service had no more need for it.
    ServiceSchedulerInitiated,
}

impl StopCode {
    /// As the API writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TaskFailedToStart => "TaskFailedToStart",
            Self::EssentialContainerExited => "EssentialContainerExited",
            Self::UserInitiated => "UserInitiated",
            Self::ServiceSchedulerInitiated => "ServiceSchedulerInitiated",
        }
    }
}

/// A task.
#[derive(Clone, Debug)]
pub struct Task {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Its ARN.
    pub arn: String,
    /// The ARN of its cluster.
    pub cluster_arn: String,
    /// `service:NAME` or `family:NAME`.
    pub group: String,
    /// The deployment's id, or what the caller of `RunTask` said.
    pub started_by: Option<String>,
    /// The ARN of its task definition's revision.
    pub definition_arn: String,
    /// How it was asked to be placed.
    pub placement: Placement,
    /// CPU units and MiB, as the definition has them.
    pub size: (String, String),
    /// Where it is in its life.
    pub status: Status,
    /// Rises with every change.
    pub version: u64,
    /// Set when it was told to stop or ended.
    pub stop: Option<Stop>,
    /// Its network interface, once made.
    pub network: Option<Network>,
    /// Its containers, in the definition's order.
    pub containers: Vec<Container>,
    /// What the caller of `RunTask` overrode, as given.
    pub overrides: serde_json::Value,
    /// Its tags, as the API writes them.
    pub tags: Vec<serde_json::Value>,
    /// When what happened.
    pub times: Times,
}

impl Task {
    /// Whether ECS wants it to run.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.stop.is_none()
    }

    /// Whether it runs and is meant to.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.status == Status::Running && self.is_wanted()
    }

    /// Its loopback address, once it has one.
    #[must_use]
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.network.as_ref().map(|network| network.address)
    }

    /// The name of its service, if it belongs to one.
    #[must_use]
    pub fn service(&self) -> Option<&str> {
        self.group.strip_prefix("service:")
    }

    /// What the health checks of its essential containers say together; `None` when there are none. ("`HealthCheck`" in the
    /// API reference; an essential container without a check has no say, else no task with such a sidecar were ever healthy.)
    #[must_use]
    pub fn health(&self) -> Option<Health> {
        self.containers.iter().filter(|container| container.essential).filter_map(|container| container.health).max()
    }

    /// A container by its name.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.name == name)
    }

    pub(crate) fn container_mut(&mut self, name: &str) -> Option<&mut Container> {
        self.containers.iter_mut().find(|container| container.name == name)
    }

    /// The name of its cluster.
    #[must_use]
    pub fn cluster(&self) -> &str {
        self.cluster_arn.rsplit('/').next().unwrap_or(&self.cluster_arn)
    }
}

/// Where a task runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The subnet, as named in the network configuration.
    pub subnet: String,
    /// The availability zone that the sandbox puts that subnet in.
    pub zone: String,
    /// `FARGATE` or `FARGATE_SPOT` when a capacity provider was asked for.
    pub capacity_provider: Option<String>,
    /// Whether ECS Exec was switched on.
    pub execute_command: bool,
}

/// A task's elastic network interface.
#[derive(Clone, Debug)]
pub struct Network {
    /// The loopback address that stands for the private one.
    pub address: Ipv4Addr,
    /// `eni-…`.
    pub interface: String,
    /// Its hardware address.
    pub mac: String,
    /// The id of the attachment.
    pub attachment: String,
    /// Whether it is there; afterwards it is deleted.
    pub attached: bool,
}

/// What health checks say, from good to bad: the worst counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// The check passed.
    Healthy,
    /// The check has not passed yet.
    Unknown,
    /// The check failed too often.
    Unhealthy,
}

impl Health {
    /// As the API writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Unknown => "UNKNOWN",
            Self::Unhealthy => "UNHEALTHY",
        }
    }
}

/// A container of a task.
#[derive(Clone, Debug)]
pub struct Container {
    /// Its name in the definition.
    pub name: String,
    /// Its image in the definition.
    pub image: String,
    /// Its ARN.
    pub arn: String,
    /// Whether the task ends with it.
    pub essential: bool,
    /// CPU units, as the definition has them.
    pub cpu: String,
    /// `PENDING`, `RUNNING` or `STOPPED`.
    pub status: Status,
    /// What its health check says, if it has one.
    pub health: Option<Health>,
    /// Its runtime's id, once started.
    pub runtime_id: Option<String>,
    /// When it was started.
    pub started: Option<OffsetDateTime>,
    /// When it ended.
    pub ended: Option<OffsetDateTime>,
    /// Its process, while it runs.
    pub pid: Option<u32>,
    /// What it exited with; 128 + n when signal n ended it.
    pub exit_code: Option<i32>,
    /// What the agent says about its end.
    pub reason: Option<String>,
}

impl Container {
    pub(crate) fn new(definition: &ContainerDefinition, arn: String) -> Self {
        Self {
            name: definition.name.clone(),
            image: definition.image.clone(),
            arn,
            essential: definition.essential,
            cpu: definition.cpu.clone(),
            status: Status::Pending,
            health: definition.health_check.as_ref().map(|_| Health::Unknown),
            runtime_id: None,
            started: None,
            ended: None,
            pid: None,
            exit_code: None,
            reason: None,
        }
    }

    pub(crate) fn exit(&mut self, code: i32) {
        self.status = Status::Stopped;
        self.exit_code = Some(code);
        self.ended = Some(crate::clock::now());
        self.pid = None;
    }
}

/// When what happened to a task.
#[derive(Clone, Debug)]
pub struct Times {
    /// It was created.
    pub created: OffsetDateTime,
    /// It last changed.
    pub updated: OffsetDateTime,
    /// It became reachable.
    pub connectivity: Option<OffsetDateTime>,
    /// Its images began to be pulled.
    pub pull_started: Option<OffsetDateTime>,
    /// Its images were there.
    pub pull_stopped: Option<OffsetDateTime>,
    /// It reached RUNNING.
    pub started: Option<OffsetDateTime>,
    /// It was told to stop.
    pub stopping: Option<OffsetDateTime>,
    /// Its containers had ended.
    pub execution_stopped: Option<OffsetDateTime>,
    /// It reached STOPPED.
    pub stopped: Option<OffsetDateTime>,
}

impl Times {
    pub(crate) fn created(at: OffsetDateTime) -> Self {
        Self {
            created: at,
            updated: at,
            connectivity: None,
            pull_started: None,
            pull_stopped: None,
            started: None,
            stopping: None,
            execution_stopped: None,
            stopped: None,
        }
    }
}
