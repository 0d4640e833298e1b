//! Entries follow tasks.

use sandbox::console::Event::{Changed, Deleted};
use sandbox::stage::PATIENCE;
use serde_json::json;

use stories::agents::{CLUSTER, IMAGE};

use crate::declared::{arn, registration, with};
use crate::scene::{AGENT, Scene};

#[tokio::test]
async fn registrations_follow_tasks_through_deployments_crashes_and_scaling_until_the_stack_goes() {
    let scene = Scene::set().await;
    scene.service(AGENT, 1).await;
    scene.service("other", 2).await;
    // One stack by the Console's REST interface, another, with another agent, by scripts.
    let stack = scene.stack("agent", registration(&scene.rest())).await;
    let other = with(registration(&scene.scripts()), json!({"Service": arn("other"), "AgentId": "ESC"}));
    let other = scene.stack("other", other).await;
    let described = stack.comes_to("CREATE_COMPLETE").await;
    assert!(described.contains("<OutputValue>CAP</OutputValue>"), "{described}");
    let described = other.comes_to("CREATE_COMPLETE").await;
    assert!(described.contains("<OutputValue>ESC-1, ESC-2</OutputValue>"), "{described}");
    scene.has(AGENT, &["CAP"]).await;
    scene.has("other", &["ESC-1", "ESC-2"]).await;
    let others: Vec<_> = scene.console.agents().await.into_iter().filter(|one| one.agent.id != "CAP").collect();

    scene.scale(AGENT, 3).await;
    scene.has(AGENT, &["CAP-1", "CAP-2", "CAP-3"]).await;
    scene.steady(AGENT, 3).await;
    scene.update(AGENT, json!({"forceNewDeployment": true})).await;
    scene.steady(AGENT, 3).await;
    scene.has(AGENT, &["CAP-1", "CAP-2", "CAP-3"]).await;

    // A task that dies: its entry goes over to the one that replaces it, and is not taken away in between.
    scene.quiet().await;
    let from = scene.console.history().len();
    let host = scene.has(AGENT, &["CAP-1", "CAP-2", "CAP-3"]).await[1].agent.host.clone();
    let task = scene.tasks(AGENT).into_iter().find(|task| task.address().unwrap().to_string() == host).unwrap();
    scene.crash(&task).await;
    let crashed = |agents: &[sandbox::console::Registered]| {
        agents.iter().any(|one| one.agent.id == "CAP-2" && one.agent.host != host)
    };
    scene.console.wait_for_agents(PATIENCE, crashed).await.unwrap();
    scene.steady(AGENT, 3).await;
    scene.has(AGENT, &["CAP-1", "CAP-2", "CAP-3"]).await;
    assert_eq!(scene.changes(from), [(Changed, "CAP-2".to_owned())]);

    scene.scale(AGENT, 2).await;
    scene.has(AGENT, &["CAP-1", "CAP-2"]).await;
    scene.steady(AGENT, 2).await;
    scene.scale(AGENT, 1).await;
    scene.has(AGENT, &["CAP"]).await;
    stack.delete().await;
    stack.is_deleted().await;
    let left = scene.console.agents().await;
    assert_eq!(left, others, "nothing of the other stack's was ever touched");
    other.delete().await;
    other.is_deleted().await;
    assert!(scene.console.agents().await.is_empty());
    scene.ends_well(&[&stack, &other]).await;
}

#[tokio::test]
async fn a_task_is_registered_once_it_is_healthy_though_no_event_tells() {
    let scene = Scene::set().await;
    let definition = json!({
        "family": AGENT, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": [{
            "name": "agent", "image": IMAGE, "essential": true, "stopTimeout": 5,
            // So patient that it is never stopped for its health here.
            "environment": [{"name": "SICK", "value": "1"}],
            "healthCheck": {"command": ["CMD-SHELL", "sample-agent check"], "interval": 5, "retries": 10, "startPeriod": 300},
        }]
    });
    scene.stop_the_clock().await;
    scene.service_of(AGENT, 1, definition).await;
    let ecs = scene.stage.sandbox.ecs();
    let runs = |tasks: &[sandbox::ecs::Task]| tasks.iter().any(sandbox::ecs::Task::is_running);
    let task =
        ecs.wait_for_tasks(PATIENCE, runs).await.unwrap().into_iter().find(sandbox::ecs::Task::is_running).unwrap();
    let stack = scene.stack("agent", registration(&scene.scripts())).await;
    stack.comes_to("CREATE_COMPLETE").await;
    scene.quiet().await;
    assert_eq!(scene.ids().await, Vec::<String>::new(), "it runs, and is not healthy");

    // The event of its start is told again: the function looks again by itself, 15 s later.
    let running = |event: &serde_json::Value| {
        event["detail"]["taskArn"] == task.arn.as_str() && event["detail"]["lastStatus"] == "RUNNING"
    };
    let event = scene.stage.sandbox.bus().wait_for(0, PATIENCE, running).await.unwrap();
    scene.stage.sandbox.bus().deliver(&event).await.unwrap();
    scene.quiet().await;
    assert_eq!(scene.ids().await, Vec::<String>::new());
    let well = post(&task.address().unwrap().to_string(), "/well").await;
    assert!(well.starts_with("HTTP/1.1 200"), "{well}");
    let healthy = |task: &sandbox::ecs::Task| task.health() == Some(sandbox::ecs::Health::Healthy);
    ecs.wait_for_task(&task.id, PATIENCE, healthy).await.unwrap();
    scene.has(AGENT, &["CAP"]).await;
    assert_eq!(scene.changes(0).iter().filter(|(event, _)| *event == Deleted).count(), 0);
    assert_eq!(ecs.running(CLUSTER, AGENT).len(), 1);
    scene.ends_well(&[&stack]).await;
}

/// Tells the agent something over plain HTTP.
async fn post(host: &str, path: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect((host, 8080)).await.unwrap();
    let request = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
