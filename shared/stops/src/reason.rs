//! Reading ECS's reasons: which family of error a text belongs to
//! (ECS Developer Guide, "Stopped tasks error messages").

use crate::cause::{Access, Cause, PullFailure};

/// The cause that a reason names; none where it names none ("Essential container in task exited").
pub(crate) fn cause_of(reason: &str) -> Option<Cause> {
    let text = reason.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));

    if has(&["outofmemory", "out of memory"]) {
        return Some(Cause::OutOfMemory);
    }
    if has(&["exec format error", "does not contain descriptor matching platform", "no matching manifest for linux"]) {
        return Some(Cause::Architecture);
    }
    if has(&["failed to validate logger args", "failed to initialize logging driver", "create cloudwatch log"]) {
        return Some(Cause::Logging);
    }
    if has(&["cannotpull", "pull image manifest", "registry auth from", "ecr registry auth"]) {
        return Some(Cause::ImagePull(pull_failure(&text)));
    }
    if has(&["spot task was interrupted", "spot interruption", "spotinterruption"]) {
        return Some(Cause::SpotInterruption);
    }
    if has(&["retire", "performing maintenance on the underlying infrastructure"]) {
        return Some(Cause::FargateRetirement);
    }
    if has(&[
        "efs utils",
        "efs volume",
        "efs mount",
        "cannotcreatevolume",
        "failed to mount",
        "mount.nfs",
        "mounting",
        "volume",
    ]) {
        return Some(Cause::Volume);
    }
    if has(&[
        "executable file not found",
        "oci runtime create failed",
        "unable to start container process",
        "not a directory: unknown",
    ]) {
        return Some(Cause::Command);
    }
    if has(&[
        "network interface",
        "configure eni",
        "attach eni",
        "insufficientfreeaddresses",
        "insufficient free addresses",
    ]) {
        return Some(Cause::Network);
    }
    if has(&["secret", "from ssm", "ssm parameter", "invalid parameters", "from asm", "environment file", "env file"]) {
        return Some(Cause::Secret(access(&text)));
    }
    if has(&["elb health check", "lattice", "target group", "target-group", "load balancer"])
        && has(&["fail", "unhealthy"])
    {
        return Some(Cause::LoadBalancerHealthCheck);
    }
    if has(&["container health check", "health check"]) && has(&["fail", "unhealthy"]) {
        return Some(Cause::ContainerHealthCheck);
    }
    if has(&["cannotstopcontainer", "could not transition to stopped"]) {
        return Some(Cause::StopTimeout);
    }
    if has(&[
        "resource:",
        "capacity is unavailable",
        "no container instance",
        "insufficient capacity",
        "out of capacity",
        "placement constraint",
    ]) {
        return Some(Cause::Capacity);
    }
    if has(&[
        "internalerror",
        "containerruntime",
        "cannotinspectcontainer",
        "host ec2",
        "agent disconnected",
        "instance terminat",
        "unexpected ec2 error",
    ]) {
        return Some(Cause::Infrastructure);
    }
    None
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
