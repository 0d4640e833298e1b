//! The causes a task can stop for, each with its words for ops.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How urgent a cause is; the words are PagerDuty's, which most tools understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing to do.
    Info,
    /// Look at it in daylight.
    Warning,
    /// Something is broken.
    Error,
    /// Everything is.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        })
    }
}

/// Why an image could not be pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullFailure {
    /// No such repository or tag.
    NotFound,
    /// The registry refused the credentials, or there were none.
    Denied,
    /// The registry could not be reached.
    Network,
    /// The registry limits how often it is asked.
    RateLimit,
    /// Something else; the reason has it.
    Other,
}

/// Why a secret, parameter or environment file could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It does not exist, or not in that version or under that key.
    NotFound,
    /// The task's execution role may not read it, or not decrypt it.
    Denied,
    /// Its service could not be reached.
    Network,
    /// Something else; the reason has it.
    Other,
}

/// Why a task stopped that should not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The application ended by itself.
    Exit(i64),
    /// The kernel killed it for its memory; ECS said so.
    OutOfMemory,
    /// A signal ended it; who sent it is not known.
    Signal(i64),
    /// It did not end in time after it was told to.
    StopTimeout,
    /// Its own health check failed.
    ContainerHealthCheck,
    /// The load balancer's health check failed.
    LoadBalancerHealthCheck,
    /// Its image could not be pulled.
    ImagePull(PullFailure),
    /// A secret, parameter or environment file could not be read.
    Secret(Access),
    /// No network interface, or none that works.
    Network,
    /// A volume or EFS file system could not be mounted.
    Volume,
    /// The log driver could not start.
    Logging,
    /// The image is for another processor.
    Architecture,
    /// The command cannot be run.
    Command,
    /// The container could not be made or started for another reason; the reason has it.
    ContainerStart,
    /// ECS could not take on the task's or its execution role.
    Role,
    /// Nowhere to place it.
    Capacity,
    /// Spot capacity was taken back.
    SpotInterruption,
    /// Fargate retired the host.
    FargateRetirement,
    /// The host, the agent or ECS itself failed.
    Infrastructure,
    /// None of these; the reason is given as ECS wrote it.
    Unknown,
}

impl Cause {
    /// One stable word, for filters and counting.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Exit(_) => "application-exit",
            Self::OutOfMemory => "out-of-memory",
            Self::Signal(_) => "killed-by-signal",
            Self::StopTimeout => "stop-timeout",
            Self::ContainerHealthCheck => "container-health-check",
            Self::LoadBalancerHealthCheck => "load-balancer-health-check",
            Self::ImagePull(PullFailure::NotFound) => "image-not-found",
            Self::ImagePull(PullFailure::Denied) => "image-access-denied",
            Self::ImagePull(PullFailure::Network) => "image-registry-unreachable",
            Self::ImagePull(PullFailure::RateLimit) => "image-rate-limit",
            Self::ImagePull(PullFailure::Other) => "image-pull-failed",
            Self::Secret(_) => "secret-unreadable",
            Self::Network => "network",
            Self::Volume => "volume-mount",
            Self::Logging => "log-driver",
            Self::Architecture => "wrong-architecture",
            Self::Command => "wrong-command",
            Self::ContainerStart => "container-start",
            Self::Role => "role-not-assumed",
            Self::Capacity => "no-capacity",
            Self::SpotInterruption => "spot-interruption",
            Self::FargateRetirement => "fargate-retirement",
            Self::Infrastructure => "infrastructure",
            Self::Unknown => "unknown",
        }
    }

    /// What happened, as the end of a sentence that begins with the container or the task.
    #[must_use]
    pub fn summary(self) -> String {
        match self {
            Self::Exit(0) => "ended by itself with exit code 0".to_owned(),
            Self::Exit(code) => format!("exited with code {code}"),
            Self::OutOfMemory => "ran out of memory and was killed".to_owned(),
            Self::Signal(number) => format!("was killed by signal {}", signal_name(number)),
            Self::StopTimeout => "did not stop in time".to_owned(),
            Self::ContainerHealthCheck => "failed its container health check".to_owned(),
            Self::LoadBalancerHealthCheck => "failed the load balancer's health check".to_owned(),
            Self::ImagePull(PullFailure::NotFound) => "could not start: its image was not found".to_owned(),
            Self::ImagePull(PullFailure::Denied) => "could not start: access to its image was denied".to_owned(),
            Self::ImagePull(PullFailure::Network) => "could not start: its image registry was not reached".to_owned(),
            Self::ImagePull(PullFailure::RateLimit) => "could not start: the image registry's rate limit".to_owned(),
            Self::ImagePull(PullFailure::Other) => "could not start: its image could not be pulled".to_owned(),
            Self::Secret(Access::NotFound) => "could not start: a secret or parameter was not found".to_owned(),
            Self::Secret(Access::Denied) => "could not start: reading a secret or parameter was denied".to_owned(),
            Self::Secret(Access::Network) => "could not start: secrets could not be reached".to_owned(),
            Self::Secret(Access::Other) => "could not start: a secret or parameter was unreadable".to_owned(),
            Self::Network => "could not start: no working network interface".to_owned(),
            Self::Volume => "could not start: a volume could not be mounted".to_owned(),
            Self::Logging => "could not start: its log driver failed".to_owned(),
            Self::Architecture => "could not start: its image is for another processor".to_owned(),
            Self::Command => "could not start: its command cannot be run".to_owned(),
            Self::ContainerStart => "could not be started".to_owned(),
            Self::Role => "could not start: ECS could not assume its role".to_owned(),
            Self::Capacity => "could not be placed: no capacity".to_owned(),
            Self::SpotInterruption => "was interrupted: Spot capacity was taken back".to_owned(),
            Self::FargateRetirement => "was stopped by AWS: its host is being retired".to_owned(),
            Self::Infrastructure => "stopped because of the infrastructure under it".to_owned(),
            Self::Unknown => "stopped for a reason not known here".to_owned(),
        }
    }

    /// How urgent it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::SpotInterruption | Self::FargateRetirement | Self::StopTimeout => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// The next thing to do.
    #[must_use]
    pub fn next_step(self) -> &'static str {
        match self {
            Self::Exit(0) => {
                "Read the container's last log lines: a service's main process must keep running. Exit 0 often means that it gave up on its configuration or database politely, or that its start command returns."
            }
            Self::Exit(126) => {
                "Exit 126 means found but not executable: check the file mode and the interpreter of the start command."
            }
            Self::Exit(127) => {
                "Exit 127 means command not found: check command, entryPoint and PATH against what is in the image."
            }
            Self::Exit(_) => {
                "Read the container's last log lines; then compare the revision with the last one that ran."
            }
            Self::OutOfMemory => {
                "Compare the memory graph with the task's limit: raise the limit if it grew with load, look for a leak if it grew with time."
            }
            Self::Signal(9) => {
                "Something sent SIGKILL. ECS did not report a lack of memory, but look at the memory graph first; then at health checks and at who may have killed it."
            }
            Self::Signal(6 | 7 | 11) => {
                "The process crashed inside (abort, bus error or bad memory access): read its last log lines and, if it keeps core dumps, the dump."
            }
            Self::Signal(_) => {
                "Find out who sent the signal: the container's own supervisor, an operator, or the host."
            }
            Self::StopTimeout => {
                "The container ignores SIGTERM or stops slowly: handle SIGTERM (an `sh -c` start command does not pass it on), or raise stopTimeout."
            }
            Self::ContainerHealthCheck => {
                "Run the health check's command inside the container (ECS Exec); check its timeout, its start period, and what it depends on."
            }
            Self::LoadBalancerHealthCheck => {
                "Look at the target group's health reasons, the health path's answer and time, and the service's health check grace period."
            }
            Self::ImagePull(PullFailure::NotFound) => {
                "Check image name, tag, account and region in the task definition; was the image pushed, or removed by a lifecycle policy?"
            }
            Self::ImagePull(PullFailure::Denied) => {
                "Check the task execution role's ECR permissions, the repository's policy, and repositoryCredentials for a private registry."
            }
            Self::ImagePull(PullFailure::Network) | Self::Secret(Access::Network) => {
                "Check the way out of the task's subnets: NAT or public IP, or VPC endpoints (ecr.api, ecr.dkr, s3, secretsmanager, ssm, logs) and their security groups."
            }
            Self::ImagePull(PullFailure::RateLimit) => {
                "Use an ECR pull-through cache or give registry credentials; it passes by itself when the limit's window ends."
            }
            Self::ImagePull(PullFailure::Other) => {
                "Read the reason above; pull the same image by hand with the task execution role."
            }
            Self::Secret(Access::NotFound) => {
                "Check valueFrom in the task definition: the secret's ARN, its json-key, version stage and version id; is the secret scheduled for deletion?"
            }
            Self::Secret(Access::Denied) => {
                "Allow the task execution role secretsmanager:GetSecretValue or ssm:GetParameters on it, and kms:Decrypt on its key."
            }
            Self::Secret(Access::Other) => "Read the reason above; check valueFrom and the task execution role.",
            Self::Network => {
                "Check free addresses in the subnets, the account's limit of network interfaces, and the security groups."
            }
            Self::Volume => {
                "Check the file system's mount targets and security group (port 2049), its policy and access point, and the task role."
            }
            Self::Logging => {
                "Check that the log group exists and that the task execution role may create streams and put events."
            }
            Self::Architecture => {
                "Build the image for the task's runtimePlatform (cpuArchitecture X86_64 or ARM64), or change the runtimePlatform."
            }
            Self::Command => "Check command and entryPoint in the task definition against what is in the image.",
            Self::ContainerStart => {
                "Read the reason above; check ports, links and container names in the task definition."
            }
            Self::Role => {
                "Check that taskRoleArn and executionRoleArn exist and that their trust policies let ecs-tasks.amazonaws.com in."
            }
            Self::Capacity => {
                "Check CPU and memory against what the cluster offers; on Fargate try more availability zones or wait, on EC2 add instances."
            }
            Self::SpotInterruption => {
                "Nothing, if the service replaced it; for agents that must not be interrupted use FARGATE instead of FARGATE_SPOT."
            }
            Self::FargateRetirement => {
                "Nothing, if the service replaced it; retirements are announced in the AWS Health Dashboard."
            }
            Self::Infrastructure => {
                "See whether the replacement runs; if it repeats, look at the AWS Health Dashboard and the container instance."
            }
            Self::Unknown => "Read the reason above and the container's last log lines.",
        }
    }
}

/// `9 (SIGKILL)`, by the numbers of Linux.
fn signal_name(number: i64) -> String {
    let name = match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return number.to_string(),
    };
    format!("{number} ({name})")
}
