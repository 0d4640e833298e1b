//! What needs a sandbox of its own: hours that are short, wake-ups that no tick makes good, addresses that no other test takes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use sandbox::{Options, Pace, Sandbox};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

async fn ecs(sandbox: &Sandbox, action: &str, request: Value) -> Value {
    sandbox.aws().json("ecs", &format!("AmazonEC2ContainerServiceV20141113.{action}"), &request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_steady_service_says_so_again_and_a_stopped_task_is_forgotten() {
    let pace = Pace {
        healthy_after: Duration::from_millis(100),
        repeat_steady_state: Duration::from_millis(300),
        remember_stopped: Duration::from_millis(300),
        ..Pace::default()
    };
    let sandbox = Sandbox::start(Options { pace, ..Options::default() }, |_| {}).await.unwrap();
    ecs(&sandbox, "CreateCluster", json!({ "clusterName": "hours" })).await;
    let definition = json!({
        "family": "hours", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": [{ "name": "agent", "image": "sample-agent:1", "essential": true }],
    });
    ecs(&sandbox, "RegisterTaskDefinition", definition).await;
    let service = json!({
        "cluster": "hours", "serviceName": "agent", "taskDefinition": "hours", "desiredCount": 1, "launchType": "FARGATE",
        "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } },
    });
    ecs(&sandbox, "CreateService", service).await;

    let steady = |event: &Value| event["detail"]["eventName"] == "SERVICE_STEADY_STATE";
    let (first, _) = tokio::time::timeout(SOON, sandbox.bus().next(0, steady)).await.unwrap();
    let (second, again) = tokio::time::timeout(SOON, sandbox.bus().next(first + 1, steady)).await.unwrap();
    assert_eq!(again["detail"]["eventType"], "INFO");
    let completed = |event: &&Value| event["detail"]["eventName"] == "SERVICE_DEPLOYMENT_COMPLETED";
    assert_eq!(sandbox.bus().emitted()[..second].iter().filter(completed).count(), 1, "once is enough for that");

    let task = sandbox.ecs().running("hours", "agent").remove(0);
    ecs(&sandbox, "StopTask", json!({ "cluster": "hours", "task": task.id })).await;
    let told = |event: &Value| event["detail"]["taskArn"] == task.arn && event["detail"]["lastStatus"] == "STOPPED";
    sandbox.bus().wait_for(0, SOON, told).await.unwrap();
    sandbox.ecs().wait_for_tasks(SOON, |tasks| tasks.iter().all(|known| known.id != task.id)).await.unwrap();
    let described = ecs(&sandbox, "DescribeTasks", json!({ "cluster": "hours", "tasks": [task.id] })).await;
    assert_eq!((&described["tasks"], &described["failures"][0]["reason"]), (&json!([]), &json!("MISSING")));
    assert_eq!(sandbox.model_faults(), Vec::<String>::new());
    sandbox.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_wakes_when_the_one_it_waits_for_turns_healthy() {
    // Nothing else wakes it: the store is not polled, and the task's own health stays UNKNOWN.
    let pace = Pace { poll: Duration::from_hours(1), ..Pace::default() };
    let sandbox = Sandbox::start(Options { pace, ..Options::default() }, |_| {}).await.unwrap();
    ecs(&sandbox, "CreateCluster", json!({ "clusterName": "woken" })).await;
    let check = json!({ "command": ["CMD-SHELL", "exit 0"], "interval": 5 });
    let container = |name: &str| {
        let script = ["sh", "-c", "sleep 600"];
        json!({ "name": name, "image": "busybox:1", "command": script, "stopTimeout": 2, "healthCheck": check })
    };
    let mut agent = container("agent");
    agent["dependsOn"] = json!([{ "containerName": "database", "condition": "HEALTHY" }]);
    let definition = json!({
        "family": "woken", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": [agent, container("database")],
    });
    ecs(&sandbox, "RegisterTaskDefinition", definition).await;
    let run = json!({
        "cluster": "woken", "taskDefinition": "woken", "launchType": "FARGATE",
        "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } },
    });
    ecs(&sandbox, "RunTask", run).await;
    let runs = |tasks: &[sandbox::ecs::Task]| tasks.iter().any(sandbox::ecs::Task::is_running);
    sandbox.ecs().wait_for_tasks(SOON, runs).await.unwrap();
    sandbox.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_tasks_address_is_given_out_again() {
    let sandbox = Sandbox::start(Options::default(), |_| {}).await.unwrap();
    ecs(&sandbox, "CreateCluster", json!({ "clusterName": "addresses" })).await;
    let definition = json!({
        "family": "addresses", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": [{ "name": "job", "image": "busybox:1", "command": ["sh", "-c", "exit 0"] }],
    });
    ecs(&sandbox, "RegisterTaskDefinition", definition).await;
    let address = async || {
        let run = json!({
            "cluster": "addresses", "taskDefinition": "addresses", "launchType": "FARGATE",
            "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } },
        });
        let answer = ecs(&sandbox, "RunTask", run).await;
        let id = answer["tasks"][0]["taskArn"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let stopped = |task: &sandbox::ecs::Task| task.status == sandbox::ecs::Status::Stopped;
        sandbox.ecs().wait_for_task(&id, SOON, stopped).await.unwrap().address().unwrap()
    };
    assert_eq!(address().await, address().await);
    sandbox.stop().await.unwrap();
}
