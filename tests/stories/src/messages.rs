//! Messages for the function's queue.

use serde_json::{Value, json};

const ACCOUNT: &str = "arn:aws:ecs:eu-west-1:123456789012";

/// The STOPPED event of a task whose container exited with code 1. Each is of a service of its own, so each is its own incident.
pub fn crash(task: u32) -> Value {
    json!({
        "version": "0", "id": format!("00000000-0000-4000-8000-{task:012}"), "detail-type": "ECS Task State Change",
        "source": "aws.ecs", "account": "123456789012", "time": "2026-11-20T10:04:31Z", "region": "eu-west-1",
        "resources": [format!("{ACCOUNT}:task/stories/{task:032x}")],
        "detail": {
            "taskArn": format!("{ACCOUNT}:task/stories/{task:032x}"),
            "clusterArn": format!("{ACCOUNT}:cluster/stories"),
            "taskDefinitionArn": format!("{ACCOUNT}:task-definition/agent:1"),
            "group": format!("service:agent-{task}"), "startedBy": "ecs-svc/1", "lastStatus": "STOPPED", "desiredStatus": "STOPPED",
            "version": 5, "stopCode": "EssentialContainerExited",
            "stoppedReason": "Essential container in task exited",
            "containers": [{"name": "agent", "exitCode": 1, "image": "agent:1"}],
            "startedAt": "2026-11-20T09:58:02.511Z", "stoppedAt": "2026-11-20T10:04:30.811Z"
        }
    })
}

/// The key of the incident that [`crash`] is, in the state table's partition `incidents`.
pub fn incident(task: u32) -> String {
    format!("service#{ACCOUNT}:service/stories/agent-{task} application-exit")
}

/// The line of an alert that names the task of [`crash`].
pub fn names(text: &str, task: u32) -> bool {
    text.contains(&format!("{task:032x}"))
}

/// A service that says it is steady.
pub fn steady(service: &str) -> Value {
    json!({
        "version": "0", "id": "00000000-0000-4000-8000-00000000000a", "detail-type": "ECS Service Action",
        "source": "aws.ecs", "account": "123456789012", "time": "2026-11-20T10:04:31Z", "region": "eu-west-1",
        "resources": [format!("{ACCOUNT}:service/stories/{service}")],
        "detail": {
            "eventType": "INFO", "eventName": "SERVICE_STEADY_STATE",
            "clusterArn": format!("{ACCOUNT}:cluster/stories"), "createdAt": "2026-11-20T10:04:31Z"
        }
    })
}

/// An alarm that went off.
pub fn alarm(name: &str) -> Value {
    json!({
        "version": "0", "id": format!("alarm-{name}"), "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch", "account": "123456789012", "time": "2026-11-20T10:21:10Z", "region": "eu-west-1",
        "resources": [format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}")],
        "detail": {
            "alarmName": name, "previousState": {"value": "OK"},
            "state": {"value": "ALARM", "reason": "Threshold Crossed", "timestamp": "2026-11-20T10:21:10.125+0000"}
        }
    })
}

/// The scheduler's message.
pub fn sweep() -> Value {
    json!({"watchkeeper": "sweep"})
}

/// An SQS batch of these messages, as Lambda hands it to the function; their ids are `m0`, `m1`, …
pub fn batch(messages: &[Value]) -> Value {
    let record = |(n, message): (usize, &Value)| json!({"messageId": format!("m{n}"), "body": message.to_string(), "attributes": {}, "messageAttributes": {}});
    json!({"Records": messages.iter().enumerate().map(record).collect::<Vec<_>>()})
}
