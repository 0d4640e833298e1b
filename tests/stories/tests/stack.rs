//! The deployed stack as a whole: its role, its sweep, its dead letters.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::collections::BTreeSet;
use std::time::Duration;

use sandbox::ecs::{Status, Task};
use sandbox::stage::{PATIENCE, Stage, by_function};
use sandbox::{Call, Options};
use serde_json::{Value, json};
use stories::messages::{alarm, crash, names, steady, sweep};
use stories::role::Role;
use watchkeeper_events::{Observation, ObservedState};

/// Actions that the local AWS does not check, or makes use of by itself: reading the template checks them,
/// and docs/fidelity.md says so.
const NOT_CHECKED_HERE: [&str; 7] = [
    "kms:Decrypt",
    "kms:GenerateDataKey*",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
];

async fn stage() -> Stage {
    Stage::set(Options::default(), |_| ()).await.unwrap()
}

/// A cluster with a service and a task that stopped, for the sweep to look at.
async fn something_to_see(stage: &Stage) {
    stage.ecs("CreateCluster", json!({"clusterName": "stories"})).await.unwrap();
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"
    }]});
    let role = [("RoleName", "agents"), ("AssumeRolePolicyDocument", &*trust.to_string())];
    stage.sandbox.aws().query("iam", "CreateRole", &role).await.unwrap();
    let revision = revision(stage, Value::Null).await;
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60718"]}});
    let service = json!({
        "cluster": "stories", "serviceName": "seen", "taskDefinition": revision, "desiredCount": 0,
        "launchType": "FARGATE", "networkConfiguration": network
    });
    stage.ecs("CreateService", service).await.unwrap();
    let run = json!({
        "cluster": "stories", "taskDefinition": revision, "launchType": "FARGATE", "networkConfiguration": network
    });
    let task = stage.ecs("RunTask", run).await.unwrap()["tasks"][0]["taskArn"].clone();
    stage.ecs("StopTask", json!({"cluster": "stories", "task": task})).await.unwrap();
    let stopped = |tasks: &[Task]| tasks.iter().any(|one| one.arn == task && one.status == Status::Stopped);
    stage.sandbox.ecs().wait_for_tasks(PATIENCE, stopped).await.unwrap();
}

/// A revision that nobody has read yet: the function keeps those that it has.
async fn revision(stage: &Stage, log_configuration: Value) -> Value {
    let mut container = json!({"name": "agent", "image": "watchkeeper/sample-agent:1.0"});
    let mut role = Value::Null;
    if !log_configuration.is_null() {
        container["logConfiguration"] = log_configuration;
        role = json!("arn:aws:iam::123456789012:role/agents");
    }
    let mut register = json!({
        "family": "agent", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
        "memory": "512", "containerDefinitions": [container]
    });
    if !role.is_null() {
        register["executionRoleArn"] = role;
    }
    stage.ecs("RegisterTaskDefinition", register).await.unwrap()["taskDefinition"]["taskDefinitionArn"].clone()
}

/// One message for every call that the function can make.
async fn drill(stage: &Stage, number: u32) {
    let mut crash = crash(number);
    let options = json!({"awslogs-group": "/stories", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "agent"});
    let logs = json!({"logDriver": "awslogs", "options": options});
    crash["detail"]["taskDefinitionArn"] = revision(stage, logs).await;
    let done = Observation {
        id: number.to_string(),
        from: "stories".to_owned(),
        subject: "a piece of work".to_owned(),
        cause: "done".to_owned(),
        state: ObservedState::Done,
        severity: "info".to_owned(),
        summary: "is done".to_owned(),
        detail: None,
        next: None,
        at: None,
    };
    let alarm = alarm(&format!("tagged-{number}"));
    for message in [crash, steady("agent"), alarm, done.message(), sweep()] {
        stage.send(&message.to_string()).await.unwrap();
    }
    stage.send(&format!("no event, number {number}")).await.unwrap();
}

/// The IAM actions that a call takes. A transaction takes those of which it is made.
fn actions(call: &Call) -> Vec<String> {
    if call.action == "TransactWriteItems" {
        return ["PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"]
            .map(|action| format!("dynamodb:{action}"))
            .to_vec();
    }
    let service = if call.service == "monitoring" { "cloudwatch" } else { call.service.as_str() };
    vec![format!("{service}:{}", call.action)]
}

fn denied(call: &Call) -> bool {
    let code = call.outcome.as_ref().and_then(|outcome| outcome.error.as_deref());
    code.is_some_and(|code| code.contains("AccessDenied") || code.contains("AuthorizationError"))
}

async fn tag(stage: &Stage, name: &str) {
    let alarm = [
        ("AlarmName", name),
        ("MetricName", "m"),
        ("Namespace", "n"),
        ("Period", "60"),
        ("EvaluationPeriods", "1"),
        ("Threshold", "1"),
        ("Statistic", "Sum"),
        ("ComparisonOperator", "GreaterThanThreshold"),
        ("Tags.member.1.Key", crash_alerts::ALERT_TAG),
        ("Tags.member.1.Value", "true"),
    ];
    stage.sandbox.aws().query("monitoring", "PutMetricAlarm", &alarm).await.unwrap();
}

#[tokio::test]
async fn each_action_that_the_role_grants_is_needed_and_no_other() {
    let stage = stage().await;
    let door = stage.sandbox.door();
    let role = Role::of_crash_alerts(&stage).await.unwrap();
    let granted: BTreeSet<String> = role.actions().into_iter().collect();

    // Whole: everything works, and what is called is what is granted.
    something_to_see(&stage).await;
    tag(&stage, "tagged-100").await;
    drill(&stage, 100).await;
    stage.inbox.wait_for(0, PATIENCE, |mail| names(&mail.text, 100)).await.unwrap();
    stage.inbox.wait_for(0, PATIENCE, |mail| mail.subject.starts_with("ALARM tagged-100")).await.unwrap();
    stage.receive(stage.stack.output("CrashAlertsDeadLetterQueueUrl").unwrap()).await.unwrap();
    stage.quiet().await.unwrap();
    assert_eq!(door.calls_where(0, |call| by_function(call) && denied(call)).len(), 0);
    let called: BTreeSet<String> = door.calls_where(0, by_function).iter().flat_map(actions).collect();
    let checked: BTreeSet<String> =
        granted.iter().filter(|action| !NOT_CHECKED_HERE.contains(&action.as_str())).cloned().collect();
    assert_eq!(called, checked, "left: called by the function; right: granted by the template");

    // Each action taken away: some call is refused for want of just this one.
    for (number, taken) in (101..).zip(&checked) {
        role.grant_all_but(&stage, Some(taken)).await.unwrap();
        let from = door.call_count();
        tag(&stage, &format!("tagged-{number}")).await;
        drill(&stage, number).await;
        let refused = |call: &Call| by_function(call) && denied(call) && actions(call).contains(taken);
        let found = door.wait_for_call(from, PATIENCE, refused).await;
        found.unwrap_or_else(|error| panic!("{taken} is granted but not needed: {error}"));
        role.grant_all_but(&stage, None).await.unwrap();
    }

    let fidelity = std::fs::read_to_string(sandbox::stack::root().join("docs/fidelity.md")).unwrap();
    for action in NOT_CHECKED_HERE {
        assert!(granted.contains(action), "{action} is not granted any more");
        assert!(fidelity.contains(action), "docs/fidelity.md does not say that {action} is not checked");
    }
}

#[tokio::test]
async fn with_a_permission_taken_away_nothing_is_lost() {
    let stage = stage().await;
    let role = Role::of_crash_alerts(&stage).await.unwrap();
    let queue = stage.stack.output("CrashAlertsQueueUrl").unwrap();
    // So that a message that failed comes again in seconds, not minutes.
    let quick = json!({"QueueUrl": queue, "Attributes": {"VisibilityTimeout": "1"}});
    stage.sandbox.aws().json("sqs", "AmazonSQS.SetQueueAttributes", &quick).await.unwrap();

    // Taken away for a moment: the alert is late, not lost.
    role.grant_all_but(&stage, Some("dynamodb:PutItem")).await.unwrap();
    let from = stage.sandbox.door().call_count();
    stage.send(&crash(201).to_string()).await.unwrap();
    stage.sandbox.door().wait_for_call(from, PATIENCE, |call| by_function(call) && denied(call)).await.unwrap();
    role.grant_all_but(&stage, None).await.unwrap();
    stage.inbox.wait_for(0, PATIENCE, |mail| names(&mail.text, 201)).await.unwrap();

    // Taken away for good: after twenty tries the message lies in the dead-letter queue, whole.
    role.grant_all_but(&stage, Some("dynamodb:PutItem")).await.unwrap();
    stage.send(&crash(202).to_string()).await.unwrap();
    let dead_letters = stage.stack.output("CrashAlertsDeadLetterQueueUrl").unwrap();
    stage.wait_for_message(dead_letters).await.unwrap();
    let dead = stage.receive(dead_letters).await.unwrap();
    assert_eq!(dead["Body"].as_str().unwrap(), crash(202).to_string());
}

#[tokio::test]
async fn the_sweep_comes_by_itself() {
    let stage = stage().await;
    let swept = |call: &Call| by_function(call) && call.is("sns", "GetTopicAttributes");
    stage.sandbox.door().wait_for_call(0, Duration::from_secs(100), swept).await.unwrap();
}
