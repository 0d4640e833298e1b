//! ECS Task State Change (ECS Developer Guide, "Amazon ECS task state change events").

use time::OffsetDateTime;

use crate::arn::{ClusterArn, ServiceArn, TaskArn, TaskDefinitionArn};
use crate::event::{EventError, Origin};
use crate::fields::Fields;

/// Where a task is in its life (ECS Developer Guide, "Amazon ECS task lifecycle").
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskStatus {
    /// Runs.
    Running,
    /// Has stopped for good.
    Stopped,
    /// Any other, by its name.
    Other(String),
}

/// Why ECS says a task stopped (ECS API Reference, "Task", `stopCode`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopCode {
    /// It never ran.
    TaskFailedToStart,
    /// A container that the task cannot do without ended.
    EssentialContainerExited,
    /// Somebody called `StopTask`.
    UserInitiated,
    /// The service's scheduler stopped it: deployment, scale-in, failed health checks.
    ServiceSchedulerInitiated,
    /// Spot capacity was taken back.
    SpotInterruption,
    /// The host announced its end.
    TerminationNotice,
    /// The host was unwell.
    InfrastructureHealth,
    /// One that came later, by its name.
    Other(String),
}

/// One container of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name in the task definition.
    pub name: String,
    /// Its image as the task definition has it.
    pub image: Option<String>,
    /// Its exit code; none if it never ran or its end was not seen.
    pub exit_code: Option<i64>,
    /// What ECS says of its end.
    pub reason: Option<String>,
    /// The runtime's id of it; an agent on an instance names log streams by it where no prefix is set.
    pub runtime_id: Option<String>,
    /// `HEALTHY`, `UNHEALTHY` or `UNKNOWN`, where it has a health check.
    pub health_status: Option<String>,
}

/// A task changed state.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskStateChange {
    /// Where and when.
    pub origin: Origin,
    /// The task.
    pub task: TaskArn,
    /// Its cluster.
    pub cluster: ClusterArn,
    /// The revision it runs.
    pub task_definition: Option<TaskDefinitionArn>,
    /// `service:name` or `family:name`, where ECS says it.
    pub group: Option<String>,
    /// Who started it: `ecs-svc/…` for a service's deployment.
    pub started_by: Option<String>,
    /// Its state.
    pub status: TaskStatus,
    /// Rises with each change; the same version again is the same event again.
    pub version: i64,
    /// Why it stopped.
    pub stop_code: Option<StopCode>,
    /// Why it stopped, in ECS's words.
    pub stopped_reason: Option<String>,
    /// Its containers.
    pub containers: Vec<Container>,
    /// `FARGATE`, `EC2`, …
    pub launch_type: Option<String>,
    /// The availability zone it ran in.
    pub availability_zone: Option<String>,
    /// When it was asked for.
    pub created_at: Option<OffsetDateTime>,
    /// When its network was there.
    pub connectivity_at: Option<OffsetDateTime>,
    /// When the pull of its images began.
    pub pull_started_at: Option<OffsetDateTime>,
    /// When its images were there.
    pub pull_stopped_at: Option<OffsetDateTime>,
    /// When it began to run.
    pub started_at: Option<OffsetDateTime>,
    /// When its stop began.
    pub stopping_at: Option<OffsetDateTime>,
    /// When its containers had ended.
    pub execution_stopped_at: Option<OffsetDateTime>,
    /// When it had stopped.
    pub stopped_at: Option<OffsetDateTime>,
}

impl TaskStateChange {
    pub(crate) fn read(origin: Origin, detail: &Fields<'_>) -> Result<Self, EventError> {
        let status = match detail.required_text("lastStatus")?.as_str() {
            "RUNNING" => TaskStatus::Running,
            "STOPPED" => TaskStatus::Stopped,
            other => TaskStatus::Other(other.to_owned()),
        };
        let containers = detail
            .objects("containers")?
            .iter()
            .map(|container| {
                Ok(Container {
                    name: container.required_text("name")?,
                    image: container.text("image")?,
                    exit_code: container.integer("exitCode")?,
                    reason: container.text("reason")?,
                    runtime_id: container.text("runtimeId")?,
                    health_status: container.text("healthStatus")?,
                })
            })
            .collect::<Result<_, EventError>>()?;
        let task_definition = detail
            .text("taskDefinitionArn")?
            .map(|text| TaskDefinitionArn::parse(&text))
            .transpose()
            .map_err(|error| detail.fault("taskDefinitionArn", error.to_string()))?;
        Ok(Self {
            task: TaskArn::parse(&detail.required_text("taskArn")?)
                .map_err(|error| detail.fault("taskArn", error.to_string()))?,
            cluster: ClusterArn::parse(&detail.required_text("clusterArn")?)
                .map_err(|error| detail.fault("clusterArn", error.to_string()))?,
            task_definition,
            group: detail.text("group")?,
            started_by: detail.text("startedBy")?,
            status,
            version: detail.integer("version")?.unwrap_or_default(),
            stop_code: detail.text("stopCode")?.map(|code| StopCode::from_text(&code)),
            stopped_reason: detail.text("stoppedReason")?,
            containers,
            launch_type: detail.text("launchType")?,
            availability_zone: detail.text("availabilityZone")?,
            created_at: detail.instant("createdAt")?,
            connectivity_at: detail.instant("connectivityAt")?,
            pull_started_at: detail.instant("pullStartedAt")?,
            pull_stopped_at: detail.instant("pullStoppedAt")?,
            started_at: detail.instant("startedAt")?,
            stopping_at: detail.instant("stoppingAt")?,
            execution_stopped_at: detail.instant("executionStoppedAt")?,
            stopped_at: detail.instant("stoppedAt")?,
            origin,
        })
    }

    /// The service it belongs to; none for a standalone task (`RunTask`, a scheduled job).
    #[must_use]
    pub fn service_name(&self) -> Option<&str> {
        self.group.as_deref().and_then(|group| group.strip_prefix("service:"))
    }

    /// Whether a service keeps it running. Where the group is missing, `startedBy` tells.
    #[must_use]
    pub fn belongs_to_service(&self) -> bool {
        self.service_name().is_some() || self.started_by.as_deref().is_some_and(|by| by.starts_with("ecs-svc/"))
    }

    /// The service's ARN, made of the cluster's and the group.
    #[must_use]
    pub fn service_arn(&self) -> Option<ServiceArn> {
        let cluster = self.cluster.arn();
        let text = format!(
            "arn:{}:ecs:{}:{}:service/{}/{}",
            cluster.partition(),
            cluster.region(),
            cluster.account(),
            self.cluster.name(),
            self.service_name()?
        );
        ServiceArn::parse(&text).ok()
    }
}

impl StopCode {
    /// By ECS's name for it.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        match text {
            "TaskFailedToStart" => Self::TaskFailedToStart,
            "EssentialContainerExited" => Self::EssentialContainerExited,
            "UserInitiated" => Self::UserInitiated,
            "ServiceSchedulerInitiated" => Self::ServiceSchedulerInitiated,
            "SpotInterruption" => Self::SpotInterruption,
            "TerminationNotice" => Self::TerminationNotice,
            "InfrastructureHealth" => Self::InfrastructureHealth,
            other => Self::Other(other.to_owned()),
        }
    }
}
