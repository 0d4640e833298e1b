//! Reading ECS's reasons: which family of error a text belongs to
//! (ECS Developer Guide, "Stopped tasks error messages").

use crate::cause::{Access, Cause, PullFailure};

/// The cause that a reason names; none where it names none ("Essential container in task exited").
pub(crate) fn cause_of(reason: &str) -> Option<Cause> {
    let text = without_names(reason);
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let fails = has(&["fail", "unhealthy"]);

    if fails && has(&["elb health check", "lattice", "target group", "target-group", "load balancer"]) {
        return Some(Cause::LoadBalancerHealthCheck);
    }
    if fails && has(&["health check"]) {
        return Some(Cause::ContainerHealthCheck);
    }
    families().into_iter().find(|(words, _)| has(words)).map(|(_, cause)| cause(&text))
}

/// Words, and the cause of a reason that has one of them.
type Family = (&'static [&'static str], fn(&str) -> Cause);

/// The first one that fits counts.
fn families() -> [Family; 16] {
    [
        (&["outofmemory", "out of memory", "oom-killed"], |_| Cause::OutOfMemory),
        (
            &["exec format error", "does not contain descriptor matching platform", "no matching manifest for linux"],
            |_| Cause::Architecture,
        ),
        (&["failed to validate logger args", "failed to initialize logging driver", "create cloudwatch log"], |_| {
            Cause::Logging
        }),
        (&["unable to assume the role", "unable to assume role"], |_| Cause::Role),
        (&["cannotpull", "pull image manifest", "registry auth from", "ecr registry auth"], |text| {
            Cause::ImagePull(pull_failure(text))
        }),
        (&["spot task was interrupted", "spot interruption", "spotinterruption"], |_| Cause::SpotInterruption),
        (&["performing maintenance on the underlying infrastructure", "task retirement", "being retired"], |_| {
            Cause::FargateRetirement
        }),
        (
            &[
                "efs utils",
                "efs volume",
                "ebs volume",
                "cannotcreatevolume",
                "failed to mount",
                "mount.nfs",
                "mounting",
            ],
            |_| Cause::Volume,
        ),
        (
            &[
                "executable file not found",
                "oci runtime create failed",
                "unable to start container process",
                "not a directory: unknown",
            ],
            |_| Cause::Command,
        ),
        (
            &[
                "network interface",
                "configure eni",
                "attach eni",
                "insufficientfreeaddresses",
                "insufficient free addresses",
            ],
            |_| Cause::Network,
        ),
        (
            &["secret", "from ssm", "ssm parameter", "invalid parameters", "from asm", "environment file", "env file"],
            |text| Cause::Secret(access(text)),
        ),
        (&["cannotstopcontainer", "could not transition to stopped"], |_| Cause::StopTimeout),
        (&["cannotstartcontainer", "cannotcreatecontainer", "could not transition to started"], |_| {
            Cause::ContainerStart
        }),
        (
            &[
                "resource:",
                "capacity is unavailable",
                "no container instance",
                "insufficient capacity",
                "out of capacity",
                "placement constraint",
            ],
            |_| Cause::Capacity,
        ),
        (&["unexpected ec2 error", "instance terminat", "host ec2", "agent disconnected"], |_| Cause::Infrastructure),
        (&["internalerror", "containerruntime", "cannotinspectcontainer", "dockertimeout"], |_| Cause::Infrastructure),
    ]
}

/// The reason in lower case without what users named: ARNs, paths, images and quoted text may hold any word.
fn without_names(reason: &str) -> String {
    let mut quoted = false;
    let unquoted: String = reason
        .chars()
        .filter(|c| {
            quoted ^= *c == '"';
            !quoted
        })
        .collect();
    let named = |word: &&str| *word != "i/o" && (word.contains('/') || word.contains("arn:"));
    let lower = unquoted.to_lowercase();
    lower.split_whitespace().filter(|word| !named(word)).collect::<Vec<_>>().join(" ")
}

const UNREACHABLE: &[&str] = &[
    "i/o timeout",
    "dial tcp",
    "connection refused",
    "connection reset",
    "connection issue",
    "deadline exceeded",
    "no such host",
    "tls handshake",
    "request canceled",
    "timed out",
];
const DENIED: &[&str] = &[
    "access denied",
    "accessdenied",
    "not authorized",
    "unauthorized",
    "no basic auth",
    "forbidden",
    "token has expired",
    "docker login",
];
const NOT_FOUND: &[&str] = &[
    "not found",
    "notfound",
    "manifest unknown",
    "does not exist",
    "can't find",
    "cannot find",
    "invalid parameters",
    "name unknown",
];

/// Docker Hub answers a private image with "pull access denied … does not exist or may require docker
/// login": so denied is asked before not found.
fn pull_failure(text: &str) -> PullFailure {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["toomanyrequests", "too many requests", "rate limit", "rate exceeded"]) {
        PullFailure::RateLimit
    } else if has(DENIED) {
        PullFailure::Denied
    } else if has(UNREACHABLE) {
        PullFailure::Network
    } else if has(NOT_FOUND) {
        PullFailure::NotFound
    } else {
        PullFailure::Other
    }
}

fn access(text: &str) -> Access {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(DENIED) || text.contains("kms") {
        Access::Denied
    } else if has(UNREACHABLE) {
        Access::Network
    } else if has(NOT_FOUND)
        || has(&["did not contain json key", "retrieved secret", "marked for deletion", "marked deleted"])
    {
        Access::NotFound
    } else {
        Access::Other
    }
}
