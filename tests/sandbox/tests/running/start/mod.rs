//! The start of a task: what its execution role fetches for it.

mod logs;
mod secrets;

use crate::local::{Local, SOON, network};
use sandbox::ecs::{Status, StopCode, Task};
use serde_json::{Value, json};

/// A role of that name which lets ECS tasks in and allows nothing yet.
async fn role(local: &Local, name: &str) -> String {
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": "ecs-tasks.amazonaws.com" }, "Action": "sts:AssumeRole",
    }] });
    let parameters = [("RoleName", name), ("Path", "/tasks/"), ("AssumeRolePolicyDocument", &trust.to_string())];
    local.sandbox.aws().query("iam", "CreateRole", &parameters).await.unwrap();
    format!("arn:aws:iam::{}:role/tasks/{name}", local.sandbox.options().account)
}

/// Allows the role `(action, resource)`s, and nothing else.
async fn allow(local: &Local, role: &str, allowed: &[(&str, &str)]) {
    let statement =
        |(action, resource): &(&str, &str)| json!({ "Effect": "Allow", "Action": action, "Resource": resource });
    let statements: Vec<_> = allowed.iter().map(statement).collect();
    let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let name = role.rsplit('/').next().unwrap();
    let parameters = [("RoleName", name), ("PolicyName", "allowed"), ("PolicyDocument", &policy)];
    local.sandbox.aws().query("iam", "PutRolePolicy", &parameters).await.unwrap();
}

/// A cluster and a revision of that name, whose tasks start with `role`.
async fn define(local: &Local, name: &str, role: Option<&str>, containers: Value) {
    local.ecs("CreateCluster", json!({ "clusterName": name })).await;
    let mut definition = json!({
        "family": name, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": containers,
    });
    if let Some(role) = role {
        definition["executionRoleArn"] = role.into();
    }
    local.ecs("RegisterTaskDefinition", definition).await;
}

/// Runs a task of the definition until it is STOPPED.
async fn run(local: &Local, name: &str) -> Task {
    let request = json!({
        "cluster": name, "taskDefinition": name, "launchType": "FARGATE", "networkConfiguration": network(),
    });
    let answer = local.ecs("RunTask", request).await;
    let id = answer["tasks"][0]["taskArn"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    local.sandbox.ecs().wait_for_task(&id, SOON, |task| task.status == Status::Stopped).await.unwrap()
}

/// Why a task of the definition does not start, without the request id that is in some reasons.
async fn reason(local: &Local, name: &str) -> String {
    let task = run(local, name).await;
    let stop = task.stop.unwrap();
    assert_eq!(stop.code, StopCode::TaskFailedToStart, "{}", stop.reason);
    assert!(task.times.started.is_none());
    match stop.reason.split_once(", request id: ") {
        Some((reason, id)) => {
            assert_eq!(id.len(), 36, "{id}");
            reason.to_owned()
        }
        None => stop.reason,
    }
}

/// A file that a container wrote, in the folder in which it was started.
fn file(local: &Local, task: &Task, name: &str) -> String {
    let file = local.sandbox.options().scratch.join("tasks").join(&task.id).join(name);
    std::fs::read_to_string(file).unwrap()
}
