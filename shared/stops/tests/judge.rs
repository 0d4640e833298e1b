//! The verdict on every kind of stop, by tables and properties.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use proptest::prelude::*;
use serde_json::{Value, json};
use watchkeeper_events::{Event, TaskStateChange};
use watchkeeper_stops::{Crash, Planned, Verdict, judge};

fn read(event: &Value) -> TaskStateChange {
    match Event::parse(event).unwrap() {
        Event::Task(task) => *task,
        other => panic!("not a task event: {other:?}"),
    }
}

fn sample(name: &str) -> Value {
    let path = format!("{}/../events/tests/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn crash(verdict: Verdict) -> Crash {
    match verdict {
        Verdict::Crashed(crash) => crash,
        other => panic!("not a crash: {other:?}"),
    }
}

fn task(stop_code: &str, reason: &str, containers: Value) -> TaskStateChange {
    let mut event = sample("task-stopped-exit-1");
    event["detail"]["stopCode"] = json!(stop_code);
    event["detail"]["stoppedReason"] = json!(reason);
    event["detail"]["containers"] = containers;
    read(&event)
}

fn cause_of(stop_code: &str, reason: &str, containers: Value) -> String {
    crash(judge(&task(stop_code, reason, containers))).cause.id().to_owned()
}

const EXITED: &str = "Essential container in task exited";

#[test]
fn the_samples() {
    for (name, summary) in [
        ("task-stopped-exit-0", "container \"agent\" ended by itself with exit code 0"),
        ("task-stopped-exit-1", "container \"agent\" exited with code 1"),
        ("task-stopped-out-of-memory", "container \"agent\" ran out of memory and was killed"),
        ("task-stopped-elb-health", "the task failed the load balancer's health check"),
        ("task-failed-to-start-image", "container \"gateway\" could not start: its image was not found"),
        ("task-failed-to-start-secret", "the task could not start: reading a secret or parameter was denied"),
    ] {
        assert_eq!(crash(judge(&read(&sample(name)))).summary(), summary, "{name}");
    }
    assert_eq!(judge(&read(&sample("task-stopped-scale-in"))), Verdict::Planned(Planned::Scheduler));
}

#[test]
fn planned_stops_are_planned_whatever_the_exit_code() {
    for code in [0, 1, 137, 143, 255] {
        let containers = json!([{"name": "agent", "exitCode": code}]);
        for (stop_code, reason, planned) in [
            ("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/154)", Planned::Scheduler),
            ("ServiceSchedulerInitiated", "", Planned::Scheduler),
            ("UserInitiated", "Task stopped by user", Planned::Operator),
            ("UserInitiated", "it failed me, out of memory", Planned::Operator),
        ] {
            assert_eq!(
                judge(&task(stop_code, reason, containers.clone())),
                Verdict::Planned(planned),
                "{reason} {code}"
            );
        }
    }
}

#[test]
fn a_standalone_task_that_exits_0_ended_well_and_a_service_task_did_not() {
    let mut event = sample("task-stopped-exit-0");
    event["detail"]["group"] = json!("family:nightly-import");
    event["detail"]["startedBy"] = json!("events-rule/nightly");
    assert_eq!(judge(&read(&event)), Verdict::EndedWell);
    event["detail"]["containers"][0]["exitCode"] = json!(3);
    assert_eq!(crash(judge(&read(&event))).cause.id(), "application-exit");
    // The group is missing, but a service's deployment started it.
    event["detail"]["containers"][0]["exitCode"] = json!(0);
    event["detail"]["group"] = Value::Null;
    event["detail"]["startedBy"] = json!("ecs-svc/123");
    assert_eq!(crash(judge(&read(&event))).cause.id(), "application-exit");
}

#[test]
#[allow(clippy::too_many_lines, reason = "it is one table")]
fn every_family_of_reasons() {
    let none = json!([]);
    for (stop_code, reason, cause) in [
        (
            "TaskFailedToStart",
            "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref docker.io/library/agent:nope: not found",
            "image-not-found",
        ),
        (
            "TaskFailedToStart",
            "CannotPullContainerError: Error response from daemon: manifest unknown",
            "image-not-found",
        ),
        (
            "TaskFailedToStart",
            "CannotPullContainerError: Error response from daemon: pull access denied for agent, repository does not exist or may require 'docker login'",
            "image-access-denied",
        ),
        ("TaskFailedToStart", "CannotPullContainerError: 403 Forbidden", "image-access-denied"),
        (
            "TaskFailedToStart",
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to get ecr registry auth: AccessDeniedException",
            "image-access-denied",
        ),
        (
            "TaskFailedToStart",
            "CannotPullContainerError: dial tcp 52.94.1.1:443: i/o timeout",
            "image-registry-unreachable",
        ),
        (
            "TaskFailedToStart",
            "CannotPullContainerError: net/http: request canceled while waiting for connection",
            "image-registry-unreachable",
        ),
        (
            "TaskFailedToStart",
            "CannotPullContainerError: toomanyrequests: You have reached your pull rate limit",
            "image-rate-limit",
        ),
        ("TaskFailedToStart", "CannotPullContainerError: write /var/lib: no space left on device", "image-pull-failed"),
        (
            "TaskFailedToStart",
            "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/arm64'",
            "wrong-architecture",
        ),
        (
            "TaskFailedToStart",
            "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: ResourceNotFoundException",
            "secret-unreadable",
        ),
        (
            "TaskFailedToStart",
            "ResourceInitializationError: unable to pull secrets or registry auth: retrieved secret from Secrets Manager did not contain json key password",
            "secret-unreadable",
        ),
        (
            "TaskFailedToStart",
            "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secrets from ssm: invalid parameters: /dbward/config",
            "secret-unreadable",
        ),
        (
            "TaskFailedToStart",
            "ResourceInitializationError: unable to pull secrets or registry auth: There is a connection issue between the task and AWS Secrets Manager",
            "secret-unreadable",
        ),
        (
            "TaskFailedToStart",
            "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: mount.nfs4: Connection timed out",
            "volume-mount",
        ),
        ("TaskFailedToStart", "CannotCreateVolumeError: plugin not found", "volume-mount"),
        ("TaskFailedToStart", "Timeout waiting for network interface provisioning to complete.", "network"),
        (
            "TaskFailedToStart",
            "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1': InsufficientFreeAddressesInSubnet",
            "network",
        ),
        (
            "TaskFailedToStart",
            "ResourceInitializationError: failed to validate logger args: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist.",
            "log-driver",
        ),
        (
            "TaskFailedToStart",
            "CannotStartContainerError: failed to create shim task: OCI runtime create failed: exec: \"/bin/secret-agent\": executable file not found in $PATH: unknown",
            "wrong-command",
        ),
        ("TaskFailedToStart", "CannotStartContainerError: exec /agent: exec format error", "wrong-architecture"),
        ("TaskFailedToStart", "RESOURCE:MEMORY", "no-capacity"),
        (
            "TaskFailedToStart",
            "Capacity is unavailable at this time. Please try again later or in a different availability zone",
            "no-capacity",
        ),
        ("SpotInterruption", "Your Spot Task was interrupted.", "spot-interruption"),
        ("TerminationNotice", "Your Spot Task was interrupted.", "spot-interruption"),
        ("TerminationNotice", "", "infrastructure"),
        ("InfrastructureHealth", "", "infrastructure"),
        (
            "ServiceSchedulerInitiated",
            "ECS is performing maintenance on the underlying infrastructure hosting the task.",
            "fargate-retirement",
        ),
        ("ServiceSchedulerInitiated", "Task failed container health checks", "container-health-check"),
        (
            "ServiceSchedulerInitiated",
            "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a/b)",
            "load-balancer-health-check",
        ),
        ("ServiceSchedulerInitiated", "Task failed something new in 2030", "unknown"),
        ("TaskFailedToStart", "InternalError: oops", "infrastructure"),
        ("SomethingOf2030", "the moon is in the seventh house", "unknown"),
    ] {
        assert_eq!(cause_of(stop_code, reason, none.clone()), cause, "{reason}");
    }
}

#[test]
fn what_users_named_decides_nothing() {
    for (stop_code, reason, cause) in [
        (
            "TaskFailedToStart",
            "ResourceInitializationError: unable to pull secrets or registry auth: failed to fetch secret arn:aws:secretsmanager:eu-west-1:123456789012:secret:retirement-volume-out of memory-AbCdEf from secrets manager: AccessDeniedException",
            "secret-unreadable",
        ),
        (
            "TaskFailedToStart",
            "ResourceInitializationError: Invalid ssm parameters: /volume/agent/dsn",
            "secret-unreadable",
        ),
        (
            "ServiceSchedulerInitiated",
            "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/retirement-secret-volume/6d0e)",
            "load-balancer-health-check",
        ),
        (
            "TaskFailedToStart",
            "ResourceInitializationError: failed to download env files: bucket retirement-env: AccessDenied",
            "secret-unreadable",
        ),
        (
            "TaskFailedToStart",
            "CannotStartContainerError: OCI runtime create failed: container init was OOM-killed (memory limit too low?)",
            "out-of-memory",
        ),
        (
            "TaskFailedToStart",
            "CannotStartContainerError: OCI runtime create failed: exec: \"/mnt/efs volume/run.sh\": stat /mnt/volume1/run.sh: no such file or directory",
            "wrong-command",
        ),
        (
            "TaskFailedToStart",
            "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/secret-agent' that was provided for this task.",
            "role-not-assumed",
        ),
        (
            "TaskFailedToStart",
            "CannotStartContainerError: Bind for 0.0.0.0:80 failed: port is already allocated",
            "container-start",
        ),
    ] {
        assert_eq!(cause_of(stop_code, reason, json!([])), cause, "{reason}");
    }
}

#[test]
fn a_standalone_task_ends_well_only_if_it_ran_and_nothing_failed() {
    let standalone = |stop_code: &str, containers: Value| {
        let mut event = sample("task-stopped-exit-0");
        event["detail"]["group"] = json!("family:import");
        event["detail"]["startedBy"] = json!("cron");
        event["detail"]["stopCode"] = json!(stop_code);
        event["detail"]["containers"] = containers;
        judge(&read(&event))
    };
    let init = json!({"name": "init", "exitCode": 0});
    assert_eq!(
        standalone("EssentialContainerExited", json!([init, {"name": "sidecar", "exitCode": 143}])),
        Verdict::EndedWell
    );
    let never = json!({"name": "app", "reason": "CannotCreateContainerError: API error (409): Conflict"});
    let verdict = crash(standalone("TaskFailedToStart", json!([init, never])));
    assert_eq!((verdict.container.unwrap().name.as_str(), verdict.cause.id()), ("app", "container-start"));
    let odd = json!({"name": "app", "reason": "SomethingOf2030: oh no"});
    let verdict = crash(standalone("TaskFailedToStart", json!([init, odd])));
    assert_eq!((verdict.container.unwrap().name.as_str(), verdict.cause.id()), ("app", "unknown"));
    let verdict = crash(standalone("EssentialContainerExited", json!([init, {"name": "app", "exitCode": 137}])));
    assert_eq!(verdict.container.unwrap().name, "app");
}

#[test]
fn digits_in_an_arn_are_not_a_status_code() {
    let reason = "CannotPullContainerError: failed to resolve ref 403401403401.dkr.ecr.eu-west-1.amazonaws.com/agent:1: not found";
    assert_eq!(cause_of("TaskFailedToStart", reason, json!([])), "image-not-found");
}

#[test]
fn an_unknown_reason_is_kept_verbatim() {
    let crash = crash(judge(&task("SomethingOf2030", "the moon is in the seventh house", json!([]))));
    assert_eq!(crash.reason.as_deref(), Some("the moon is in the seventh house"));
}

#[test]
fn of_several_containers_the_one_that_began_it_is_named() {
    let app = |code: i64| json!({"name": "app", "exitCode": code});
    let sidecar = |code: i64| json!({"name": "sidecar", "exitCode": code});
    for (containers, name, why) in [
        (json!([sidecar(143), app(1)]), "app", "the sidecar was told to stop"),
        (json!([sidecar(0), app(137)]), "app", "a SIGKILL before the stop time-out was not ECS's"),
        (json!([sidecar(143), app(0)]), "app", "exit 0 began, SIGTERM followed"),
        (json!([sidecar(137), app(2)]), "app", "the sidecar was killed after the time-out"),
        (
            json!([sidecar(1), {"name": "app", "exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}]),
            "app",
            "a reason of its own wins",
        ),
        (json!([{"name": "sidecar"}, app(0)]), "app", "the sidecar never ended"),
    ] {
        let crash = crash(judge(&task("EssentialContainerExited", EXITED, containers)));
        assert_eq!(crash.container.unwrap().name, name, "{why}");
    }
}

#[test]
fn a_container_that_waited_in_vain_for_another_is_not_blamed() {
    let reason = "failed to resolve container ordering dependency [migration] for target [agent]: dependency did not exit \
                  successfully";
    let containers = json!([{ "name": "agent", "reason": reason }, { "name": "migration", "exitCode": 3 }, { "name": "proxy", "exitCode": 143 }]);
    let crash = crash(judge(&task("TaskFailedToStart", reason, containers)));
    assert_eq!(crash.summary(), "container \"migration\" exited with code 3");
}

#[test]
fn a_kill_after_the_stop_time_out_is_a_victim() {
    let mut event = sample("task-stopped-exit-1");
    event["detail"]["stoppingAt"] = json!("2026-11-20T10:04:00Z");
    event["detail"]["executionStoppedAt"] = json!("2026-11-20T10:04:30Z");
    event["detail"]["containers"] = json!([{"name": "sidecar", "exitCode": 137}, {"name": "app", "exitCode": 0}]);
    let crash = crash(judge(&read(&event)));
    assert_eq!((crash.container.unwrap().name.as_str(), crash.cause.id()), ("app", "application-exit"));
}

proptest! {
    #[test]
    fn without_ecs_saying_so_nothing_is_out_of_memory(code in 0_i64..256, others in proptest::collection::vec(0_i64..256, 0..4)) {
        let mut containers = vec![json!({"name": "app", "exitCode": code})];
        containers.extend(others.iter().enumerate().map(|(n, code)| json!({"name": format!("c{n}"), "exitCode": code})));
        let verdict = judge(&task("EssentialContainerExited", EXITED, Value::Array(containers)));
        prop_assert_ne!(crash(verdict).cause.id(), "out-of-memory");
    }

    #[test]
    fn any_reason_gets_a_verdict_and_an_unknown_one_is_kept(reason in any::<String>(), code in proptest::option::of(any::<i64>())) {
        let verdict = judge(&task("EssentialContainerExited", &reason, json!([{"name": "app", "exitCode": code}])));
        let crash = crash(verdict);
        prop_assert!(!crash.summary().is_empty() && !crash.cause.next_step().is_empty());
        if crash.cause.id() == "unknown" && !reason.trim().is_empty() {
            prop_assert_eq!(crash.reason.as_deref(), Some(reason.trim()));
        }
    }
}
