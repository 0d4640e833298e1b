//! What is parsed in spite of everything, and what is refused with which words.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use proptest::prelude::*;
use serde_json::{Value, json};
use watchkeeper_events::{ActionLevel, AlarmState, DeploymentOutcome, Event, QueueMessage, StopCode, TaskStatus};

fn sample(name: &str) -> Value {
    let path = format!("{}/tests/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn task(event: &Value) -> watchkeeper_events::TaskStateChange {
    match Event::parse(event).unwrap() {
        Event::Task(task) => *task,
        other => panic!("{other:?}"),
    }
}

fn refusal(event: &Value) -> String {
    Event::parse(event).unwrap_err().to_string()
}

#[test]
fn a_stopped_task() {
    let task = task(&sample("task-stopped-out-of-memory"));
    assert_eq!(task.status, TaskStatus::Stopped);
    assert_eq!(task.version, 6);
    assert_eq!(task.stop_code, Some(StopCode::EssentialContainerExited));
    assert_eq!(task.service_name(), Some("cap-production-svc"));
    assert_eq!(
        task.service_arn().unwrap().as_str(),
        "arn:aws:ecs:eu-west-1:123456789012:service/cap-production-cluster/cap-production-svc"
    );
    let definition = task.task_definition.unwrap();
    assert_eq!((definition.revision(), definition.family()), ("cap-production:12", "cap-production"));
    assert_eq!(task.containers[0].exit_code, Some(137));
    assert!(task.stopped_at.unwrap() > task.started_at.unwrap());
}

#[test]
fn an_event_of_2030_is_parsed() {
    let mut event = sample("task-stopped-exit-1");
    event["version"] = json!("7");
    event["trace"] = json!({"new": [1, 2, 3]});
    event["detail"]["stopCode"] = json!("QuantumDecoherence");
    event["detail"]["lastStatus"] = json!("HIBERNATED");
    event["detail"]["version"] = json!("12");
    event["detail"]["containers"][0]["exitCode"] = json!("3");
    event["detail"]["containers"][0]["gpuIds"] = json!([{"deep": {"er": null}}]);
    event["detail"]["startedAt"] = json!(1_795_170_070.5);
    event["detail"]["stoppedAt"] = Value::Null;
    let task = task(&event);
    assert_eq!(task.stop_code, Some(StopCode::Other("QuantumDecoherence".to_owned())));
    assert_eq!(task.status, TaskStatus::Other("HIBERNATED".to_owned()));
    assert_eq!((task.version, task.containers[0].exit_code), (12, Some(3)));
    assert!(task.started_at.is_some() && task.stopped_at.is_none());
}

#[test]
fn only_what_names_the_task_is_required() {
    let event = json!({
        "id": "e1", "source": "aws.ecs", "detail-type": "ECS Task State Change", "account": "1", "region": "r",
        "detail": {"taskArn": "arn:aws:ecs:r:1:task/c/t", "clusterArn": "arn:aws:ecs:r:1:cluster/c", "lastStatus": "STOPPED"}
    });
    let task = task(&event);
    assert_eq!((task.containers.len(), task.version, task.belongs_to_service()), (0, 0, false));
}

#[test]
fn deployments_and_rollbacks() {
    let outcome = |event: &Value| match Event::parse(event).unwrap() {
        Event::Deployment(deployment) => deployment.outcome,
        other => panic!("{other:?}"),
    };
    let mut event = sample("deployment-failed");
    assert_eq!(outcome(&event), DeploymentOutcome::Failed);
    event["detail"]["eventName"] = json!("SERVICE_DEPLOYMENT_IN_PROGRESS");
    event["detail"]["reason"] = json!("ECS deployment ecs-svc/1 in progress.");
    assert_eq!(outcome(&event), DeploymentOutcome::InProgress);
    event["detail"]["reason"] = json!("ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.");
    assert_eq!(outcome(&event), DeploymentOutcome::RollingBack);
}

#[test]
fn a_service_action_finds_its_service_wherever_it_is_named() {
    let action = |event: &Value| match Event::parse(event).unwrap() {
        Event::ServiceAction(action) => *action,
        other => panic!("{other:?}"),
    };
    let mut event = sample("service-action-start-impaired");
    let full = "arn:aws:ecs:eu-west-1:123456789012:service/escher-v2/escher-gateway";
    let read = action(&event);
    assert_eq!((read.service.as_str(), &read.level), (full, &ActionLevel::Warn));
    event["resources"] = json!(["arn:aws:ecs:eu-west-1:123456789012:service/escher-gateway"]);
    assert_eq!(action(&event).service.as_str(), full, "an old, short ARN is completed by the cluster");
    event["resources"] = json!([]);
    event["detail"]["serviceName"] = json!("escher-gateway");
    assert_eq!(action(&event).service.as_str(), full);
    event["detail"]["serviceName"] = Value::Null;
    event["detail"]["service"] = json!(full);
    assert_eq!(action(&event).service.as_str(), full);
    event["detail"]["service"] = Value::Null;
    assert_eq!(
        refusal(&event),
        "event 0a1b2c3d-aaaa-4bbb-8ccc-000000000001: field resources is empty, and the detail names no service and cluster either"
    );
}

#[test]
fn an_alarm() {
    let Event::Alarm(alarm) = Event::parse(&sample("alarm-unhealthy-hosts")).unwrap() else { panic!() };
    assert_eq!((&alarm.state, alarm.previous.as_ref()), (&AlarmState::Alarm, Some(&AlarmState::Ok)));
    assert_eq!(alarm.name, "dbward-unhealthy-hosts");
    assert!(alarm.since.is_some());
}

#[test]
fn refusals_name_the_event_and_the_field() {
    let base = sample("task-stopped-exit-1");
    let id = base["id"].as_str().unwrap().to_owned();
    let with = |pointer: &str, value: Value| {
        let mut event = base.clone();
        *event.pointer_mut(pointer).unwrap() = value;
        refusal(&event)
    };
    assert_eq!(with("/detail", Value::Null), format!("event {id}: field detail is missing"));
    assert_eq!(with("/detail", json!([])), format!("event {id}: field detail is a list, not an object"));
    assert_eq!(
        with("/detail/containers/0/exitCode", json!({"x": 1})),
        format!("event {id}: field detail.containers[0].exitCode is an object, not a whole number")
    );
    assert_eq!(
        with("/detail/containers/0", json!(7)),
        format!("event {id}: field detail.containers[0] is a number, not an object")
    );
    assert_eq!(with("/detail/lastStatus", json!("")), format!("event {id}: field detail.lastStatus is empty"));
    assert_eq!(
        with("/detail/taskArn", json!("task-7")),
        format!("event {id}: field detail.taskArn is not the ARN of an ECS task")
    );
    assert_eq!(
        with("/detail/stoppedAt", json!("soon")),
        format!("event {id}: field detail.stoppedAt is not an instant (ISO 8601, or seconds since 1970)")
    );
    assert_eq!(with("/id", Value::Null), "event without an id: field id is missing");
    assert_eq!(
        with("/source", json!("aws.s3")),
        format!(
            "event {id}: nothing handles detail-type \"ECS Task State Change\" of source \"aws.s3\"; correct the rule that sent it"
        )
    );
}

#[test]
fn messages_of_the_queue() {
    assert_eq!(QueueMessage::parse(r#"{"watchkeeper":"sweep"}"#).unwrap(), QueueMessage::Sweep);
    let refused = |body: &str| QueueMessage::parse(body).unwrap_err().to_string();
    assert_eq!(
        refused(r#"{"a": "secret", "#),
        "the message is not JSON: it breaks off or goes wrong at line 1, column 16"
    );
    assert_eq!(refused("[1]"), "the message is a list, not an EventBridge event, a sweep or an observation");
    assert_eq!(
        refused(r#"{"watchkeeper":"swoop"}"#),
        "the message's field watchkeeper is none of \"sweep\", \"recheck\", \"observation\", \"look\" and \"rollout\""
    );
    assert_eq!(refused(r#"{"watchkeeper":"observation","id":"o1"}"#), "event o1: field state is missing");
    assert!(matches!(QueueMessage::parse(&sample("deployment-failed").to_string()), Ok(QueueMessage::Event(_))));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_no_error_repeats_the_content(body in any::<String>()) {
        if let Err(error) = QueueMessage::parse(&body) {
            prop_assert!(error.to_string().len() < 500);
        }
    }

    #[test]
    fn a_refused_field_is_not_repeated_in_the_error(secret in "s3cr3t[a-z0-9\u{0}\u{FFFF}]{8}") {
        for field in ["taskArn", "clusterArn", "taskDefinitionArn", "stoppedAt", "version"] {
            let mut event = sample("task-stopped-exit-1");
            event["detail"][field] = json!(secret);
            let error = Event::parse(&event).unwrap_err().to_string();
            prop_assert!(!error.contains("s3cr3t") && error.contains(field), "{error}");
        }
    }

    #[test]
    fn any_field_may_be_missing_or_of_any_kind(drop in 0_usize..20, kind in 0_usize..6) {
        let mut event = sample("task-stopped-exit-1");
        let detail = event["detail"].as_object_mut().unwrap();
        let name = detail.keys().nth(drop % detail.len()).unwrap().clone();
        let value = [json!(null), json!(true), json!(7), json!("x"), json!([3]), json!({"a": 1})][kind].clone();
        detail.insert(name.clone(), value);
        if let Err(error) = Event::parse(&event) {
            prop_assert!(error.to_string().contains(&name), "{error}");
        }
    }
}
