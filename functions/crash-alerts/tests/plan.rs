//! What each message calls for, by tables.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use crash_alerts::AlarmChoice;
use crash_alerts::plan::incident::News;
use crash_alerts::plan::{Observed, Plan, alarm_to_look_up, plan};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use watchkeeper_events::QueueMessage;

fn sample(name: &str) -> Value {
    let path = format!("{}/../../shared/events/tests/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn choice() -> AlarmChoice {
    AlarmChoice { prefix: Some("dbward-".to_owned()), own_prefix: "watchkeeper-".to_owned() }
}

fn observed() -> Observed {
    Observed { now: OffsetDateTime::UNIX_EPOCH + Duration::days(20_000), sent_at: None, alarm_is_tagged: false }
}

/// The kind and cause of the alert, or what else is planned.
fn planned(message: &Value, choice: &AlarmChoice, observed: Observed) -> String {
    let message = QueueMessage::parse(&message.to_string()).unwrap();
    match plan(&message, choice, observed) {
        Plan::Observe(news, _) => match *news {
            News::Fault(fault) | News::Again(fault) => format!("{} {}", fault.alert.kind.word(), fault.key.cause),
            News::Over(over) => format!("over {}", over.key.cause),
            News::Done(fault) => format!("{} {}", fault.alert.kind.word(), fault.alert.cause),
        },
        Plan::RememberSteadyRevision(service) => format!("remember {}", service.name()),
        Plan::RememberRollout(rollout) => format!("rollout {}", rollout.service.name()),
        Plan::Look(incident) => format!("look {incident}"),
        Plan::Sweep { is_late } => if is_late { "late sweep" } else { "sweep" }.to_owned(),
        Plan::Nothing(_) => "nothing".to_owned(),
    }
}

#[test]
fn tasks() {
    for (name, expected) in [
        ("task-stopped-exit-0", "CRASH application-exit"),
        ("task-stopped-exit-1", "CRASH application-exit"),
        ("task-stopped-out-of-memory", "CRASH out-of-memory"),
        ("task-stopped-elb-health", "CRASH load-balancer-health-check"),
        ("task-failed-to-start-image", "CRASH image-not-found"),
        ("task-failed-to-start-secret", "CRASH secret-unreadable"),
        ("task-stopped-scale-in", "nothing"),
        ("task-running", "nothing"),
    ] {
        assert_eq!(planned(&sample(name), &choice(), observed()), expected, "{name}");
    }
    let mut scheduled = sample("task-stopped-exit-0");
    scheduled["detail"]["group"] = json!("family:import");
    scheduled["detail"]["startedBy"] = json!("cron");
    assert_eq!(planned(&scheduled, &choice(), observed()), "nothing");
}

#[test]
fn deployments() {
    for (name, reason, expected) in [
        (
            "SERVICE_DEPLOYMENT_FAILED",
            "ECS deployment circuit breaker: task failed to start.",
            "DEPLOYMENT FAILED deployment-failed",
        ),
        ("SERVICE_DEPLOYMENT_IN_PROGRESS", "ECS deployment ecs-svc/1 in progress.", "nothing"),
        (
            "SERVICE_DEPLOYMENT_IN_PROGRESS",
            "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.",
            "ROLLBACK deployment-rollback",
        ),
        ("SERVICE_DEPLOYMENT_COMPLETED", "ECS deployment ecs-svc/1 completed.", "remember server"),
        ("SERVICE_DEPLOYMENT_PAUSED", "", "nothing"),
    ] {
        let mut event = sample("deployment-failed");
        event["detail"]["eventName"] = json!(name);
        event["detail"]["reason"] = json!(reason);
        assert_eq!(planned(&event, &choice(), observed()), expected, "{name} {reason}");
    }
}

#[test]
fn service_actions() {
    for (level, name, expected) in [
        ("WARN", "SERVICE_TASK_START_IMPAIRED", "SERVICE service-task-start-impaired"),
        ("ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", "SERVICE service-task-placement-failure"),
        ("ERROR", "SERVICE_DEPLOYMENT_FAILED", "DEPLOYMENT FAILED deployment-failed"),
        ("ERROR", "SOMETHING_OF_2030", "SERVICE something-of-2030"),
        ("INFO", "SERVICE_STEADY_STATE", "remember escher-gateway"),
        ("INFO", "TASKS_STOPPED", "nothing"),
    ] {
        let mut event = sample("service-action-start-impaired");
        event["detail"]["eventType"] = json!(level);
        event["detail"]["eventName"] = json!(name);
        assert_eq!(planned(&event, &choice(), observed()), expected, "{name}");
    }
}

#[test]
fn alarms() {
    let tagged = Observed { alarm_is_tagged: true, ..observed() };
    for (name, state, previous, observed, looked_up, expected) in [
        ("dbward-unhealthy", "ALARM", "OK", observed(), false, "ALARM alarm"),
        ("dbward-unhealthy", "OK", "ALARM", observed(), false, "over alarm"),
        ("dbward-unhealthy", "OK", "INSUFFICIENT_DATA", observed(), false, "over alarm"),
        ("dbward-unhealthy", "INSUFFICIENT_DATA", "ALARM", observed(), false, "nothing"),
        ("other", "ALARM", "OK", observed(), true, "nothing"),
        ("other", "ALARM", "OK", tagged, true, "ALARM alarm"),
        ("TargetTracking-service/dbward/server-AlarmHigh", "ALARM", "OK", tagged, false, "nothing"),
        ("watchkeeper-crash-alerts-errors", "ALARM", "OK", tagged, false, "nothing"),
    ] {
        let mut event = sample("alarm-unhealthy-hosts");
        event["resources"] = json!([format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}")]);
        event["detail"]["alarmName"] = json!(name);
        event["detail"]["state"]["value"] = json!(state);
        event["detail"]["previousState"]["value"] = json!(previous);
        let message = QueueMessage::parse(&event.to_string()).unwrap();
        assert_eq!(alarm_to_look_up(&message, &choice()).is_some(), looked_up, "{name} {state}");
        assert_eq!(planned(&event, &choice(), observed), expected, "{name} {previous} -> {state}");
    }
    // Without a prefix no alarm is chosen by its name, not all of them.
    let none = AlarmChoice { prefix: None, ..choice() };
    assert_eq!(planned(&sample("alarm-unhealthy-hosts"), &none, observed()), "nothing");
}

#[test]
fn what_tells_of_configuration_is_for_another_function() {
    for name in ["secret-label-updated", "rotation-succeeded", "parameter-store-change"] {
        assert_eq!(planned(&sample(name), &choice(), observed()), "nothing", "{name}");
    }
}

#[test]
fn sweeps_and_observations() {
    let sweep = json!({"watchkeeper": "sweep"});
    let aged = |seconds: i64| Observed { sent_at: Some(observed().now - Duration::seconds(seconds)), ..observed() };
    assert_eq!(planned(&sweep, &choice(), observed()), "sweep");
    assert_eq!(planned(&sweep, &choice(), aged(119)), "sweep");
    assert_eq!(planned(&sweep, &choice(), aged(121)), "late sweep");
    let mut observation = json!({
        "watchkeeper": "observation", "id": "1", "from": "config-sync", "subject": "secret s", "cause": "login-failed",
        "state": "opened", "severity": "error", "summary": "no login"
    });
    assert_eq!(planned(&observation, &choice(), observed()), "TROUBLE login-failed");
    observation["state"] = json!("resolved");
    assert_eq!(planned(&observation, &choice(), observed()), "over login-failed");
    observation["state"] = json!("done");
    assert_eq!(planned(&observation, &choice(), observed()), "DONE login-failed");
    let look = json!({"watchkeeper": "look", "incident": "service#a b"});
    assert_eq!(planned(&look, &choice(), observed()), "look service#a b");
    let rollout = json!({
        "watchkeeper": "rollout", "service": "arn:aws:ecs:eu-west-1:123456789012:service/dbward/agent",
        "began": "2026-11-20T10:00:00Z", "until": "2026-11-20T10:30:00Z"
    });
    assert_eq!(planned(&rollout, &choice(), observed()), "rollout agent");
}

#[test]
fn crashes_of_a_service_are_one_incident_and_so_are_those_of_a_family() {
    let subject = |event: &Value| match plan(&QueueMessage::parse(&event.to_string()).unwrap(), &choice(), observed()) {
        Plan::Observe(news, Some(_)) => news.key().subject.clone(),
        other => panic!("{other:?}"),
    };
    let mut event = sample("task-stopped-exit-1");
    assert_eq!(subject(&event), "service#arn:aws:ecs:eu-west-1:123456789012:service/dbward/agent");
    event["detail"]["group"] = json!("family:import");
    event["detail"]["startedBy"] = json!("cron");
    assert_eq!(subject(&event), "family#arn:aws:ecs:eu-west-1:123456789012:cluster/dbward dbward-agent");
    event["detail"]["group"] = json!("a group of its own");
    assert_eq!(subject(&event), "family#arn:aws:ecs:eu-west-1:123456789012:cluster/dbward dbward-agent");
}
