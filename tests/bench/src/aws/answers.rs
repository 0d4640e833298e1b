//! What ECS, CloudWatch Logs, SQS and SNS say to who asks about the crash of the sample.

use serde_json::{Value, json};

/// The sample's service.
pub(super) const SERVICE: &str = "arn:aws:ecs:eu-west-1:123456789012:service/dbward/agent";
/// The revision that it was steady on.
pub(super) const STEADY_REVISION: &str = "arn:aws:ecs:eu-west-1:123456789012:task-definition/dbward-agent:6";
const REVISION: &str = "arn:aws:ecs:eu-west-1:123456789012:task-definition/dbward-agent:7";
/// Seconds since 1970 of the sample's day.
const DEPLOYED_AT: f64 = 1_795_168_500.0;
/// Lines of the task: more than an alert shows.
const LINES: i64 = 30;

/// SNS's answer to a Publish.
pub(super) const PUBLISHED: &str = r#"<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>00000000-0000-4000-8000-000000000000</MessageId></PublishResult><ResponseMetadata><RequestId>00000000-0000-4000-8000-000000000001</RequestId></ResponseMetadata></PublishResponse>"#;

/// None to a call that is not known here.
pub(super) fn answer(service: &str, action: &str, request: &Value) -> Option<Value> {
    Some(match (service, action) {
        ("ecs", "DescribeServices") => json!({"services": [agent()], "failures": []}),
        ("ecs", "DescribeTaskDefinition") => {
            json!({"taskDefinition": revision(request["taskDefinition"].as_str()?), "tags": []})
        }
        ("logs", "GetLogEvents") => json!({
            "events": (0..LINES).map(line).collect::<Vec<_>>(),
            "nextForwardToken": "f/1", "nextBackwardToken": "b/1"
        }),
        ("sqs", "SendMessage") => {
            json!({"MessageId": "00000000-0000-4000-8000-000000000002", "MD5OfMessageBody": "0".repeat(32)})
        }
        _ => return None,
    })
}

/// One of its two tasks has just stopped, shortly after a deployment.
fn agent() -> Value {
    json!({
        "serviceArn": SERVICE, "serviceName": "agent", "status": "ACTIVE",
        "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/dbward",
        "desiredCount": 2, "runningCount": 1, "pendingCount": 1, "taskDefinition": REVISION,
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
        "deployments": [{
            "id": "ecs-svc/1547882311908730512", "status": "PRIMARY", "rolloutState": "IN_PROGRESS",
            "rolloutStateReason": "ECS deployment ecs-svc/1547882311908730512 in progress.", "taskDefinition": REVISION,
            "desiredCount": 2, "runningCount": 1, "pendingCount": 1, "failedTasks": 1,
            "createdAt": DEPLOYED_AT, "updatedAt": DEPLOYED_AT
        }],
        "tags": [{"key": "watchkeeper:owner", "value": "team-a"}, {"key": "watchkeeper:runbook", "value": "https://example.com/agent"}]
    })
}

fn revision(arn: &str) -> Value {
    let is_steady = arn == STEADY_REVISION;
    let (number, image, level) = if is_steady { (6, "v0.1.9", "info") } else { (7, "v0.2.0", "debug") };
    json!({
        "taskDefinitionArn": arn, "family": "dbward-agent", "revision": number, "status": "ACTIVE",
        "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "1024", "memory": "2048",
        "containerDefinitions": [{
            "name": "agent", "image": format!("ghcr.io/dbward-dev/dbward-agent:{image}"), "essential": true, "cpu": 0,
            "environment": [{"name": "LOG_LEVEL", "value": level}],
            "secrets": [{"name": "DATABASE_URL", "valueFrom": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:agent-a1b2c3"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": "/ecs/dbward", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "dbward"
            }}
        }]
    })
}

/// The last one tells a password, as such lines do.
fn line(number: i64) -> Value {
    let at = 1_795_169_000_000 + number * 1_000;
    let message = if number == LINES - 1 {
        "ERROR cannot connect to postgres://agent:not-a-real-one@db.example.com:5432/agent: connection refused"
            .to_owned()
    } else {
        format!("2026-11-20T10:03:{number:02}Z INFO request {number} answered in {} ms", 3 + number % 7)
    };
    json!({"timestamp": at, "ingestionTime": at + 500, "message": message})
}
