//! How long it takes, and how many calls.

use std::collections::BTreeMap;

use sandbox::console::Event::{Changed, Registered};
use sandbox::stage::PATIENCE;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::declared::registration;
use crate::scene::{AGENT, Scene};

/// Whether a task of the service has begun to run.
fn runs(event: &Value) -> bool {
    event["detail-type"] == "ECS Task State Change"
        && event["detail"]["lastStatus"] == "RUNNING"
        && event["detail"]["desiredStatus"] == "RUNNING"
        && event["detail"]["group"] == format!("service:{AGENT}")
}

#[tokio::test]
async fn seconds_from_the_running_event_to_the_entry() {
    let scene = Scene::set().await;
    for (dialect, registry) in [("ScriptRunner", scene.scripts()), ("REST", scene.rest())] {
        if scene.tasks(AGENT).is_empty() {
            scene.service(AGENT, 2).await;
        }
        let stack = scene.stack("agent", registration(&registry)).await;
        stack.comes_to("CREATE_COMPLETE").await;
        let mut took = Vec::new();
        for count in 3..=12 {
            scene.quiet().await;
            let (bus, from) = (scene.stage.sandbox.bus(), scene.stage.sandbox.bus().emitted().len());
            scene.scale(AGENT, count).await;
            let (_, event) = bus.next(from, runs).await;
            let ran = OffsetDateTime::now_utc();
            let details = event["detail"]["attachments"][0]["details"].as_array().unwrap();
            let host = details.iter().find(|detail| detail["name"] == "privateIPv4Address").unwrap()["value"].clone();
            let there =
                |agents: &[sandbox::console::Registered]| agents.iter().any(|one| host == one.agent.host.as_str());
            scene.console.wait_for_agents(PATIENCE, there).await.unwrap();
            let history = scene.console.history();
            let mut entries = history.iter().filter(|change| matches!(change.event, Registered | Changed));
            let entry =
                entries.find(|change| change.at >= ran - Duration::SECOND && host == change.agent.host.as_str());
            took.push((entry.unwrap().at - ran).max(Duration::ZERO));
        }
        took.sort();
        println!(
            "{dialect}: RUNNING event to entry, {} tasks: median {}, worst {}",
            took.len(),
            took[took.len() / 2],
            took[took.len() - 1]
        );
        stack.delete().await;
        stack.is_deleted().await;
        scene.scale(AGENT, 2).await;
        scene.steady(AGENT, 2).await;
        scene.ends_well(&[&stack]).await;
    }
}

/// What one event makes the function call: AWS, then the Console.
async fn calls_for(scene: &Scene, event: &Value) -> (BTreeMap<String, usize>, BTreeMap<&'static str, usize>) {
    let (from, before) = (scene.stage.sandbox.door().call_count(), scene.console.calls());
    scene.stage.sandbox.bus().deliver(event).await.unwrap();
    scene.quiet().await;
    let mut aws = BTreeMap::new();
    for call in scene.stage.sandbox.door().calls_where(from, |call| scene.is_by_it(call)) {
        *aws.entry(format!("{}:{}", call.service, call.action)).or_default() += 1;
    }
    let mut console = scene.console.calls();
    console.retain(|name, count| {
        *count -= before.get(name).copied().unwrap_or_default();
        *count > 0
    });
    (aws, console)
}

fn told<K: std::fmt::Display>(calls: &BTreeMap<K, usize>) -> String {
    calls.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn calls_for_a_new_task_a_replaced_one_and_nothing() {
    let scene = Scene::set().await;
    scene.stop_the_clock().await;
    scene.service("filler", 1).await;
    scene.service(AGENT, 2).await;
    let stack = scene.stack("agent", registration(&scene.rest())).await;
    stack.comes_to("CREATE_COMPLETE").await;
    scene.quiet().await;
    // From here on each event is delivered by hand.
    scene.lose_events();
    let bus = scene.stage.sandbox.bus();
    let running = async |from: usize| bus.wait_for(from, PATIENCE, runs).await.unwrap();
    // The instance that takes messages reads the secret once.
    calls_for(&scene, &running(0).await).await;
    scene.scale(AGENT, 3).await;
    scene.steady(AGENT, 3).await;
    scene.sweep().await;

    let mut found = Vec::new();
    let mut from = bus.emitted().len();
    scene.scale(AGENT, 4).await;
    let event = running(from).await;
    found.push(("a new task", calls_for(&scene, &event).await));
    scene.has(AGENT, &["CAP-1", "CAP-2", "CAP-3", "CAP-4"]).await;
    found.push(("the same event again", calls_for(&scene, &event).await));

    scene.free_an_address().await;
    from = bus.emitted().len();
    scene.crash(&scene.tasks(AGENT)[0]).await;
    let event = running(from).await;
    found.push(("a replaced task", calls_for(&scene, &event).await));
    scene.has(AGENT, &["CAP-1", "CAP-2", "CAP-3", "CAP-4"]).await;

    let mut undeclared = event.clone();
    undeclared["detail"]["group"] = json!("service:nobody");
    undeclared["id"] = json!("00000000-0000-4000-8000-000000000001");
    found.push(("a service that nobody declared", calls_for(&scene, &undeclared).await));
    for (what, (aws, console)) in &found {
        println!("| {what} | {} | {} | {} |", aws.values().sum::<usize>(), told(aws), told(console));
    }
    let look = "dynamodb:GetItem 1, dynamodb:Query 1, dynamodb:UpdateItem 2, ecs:DescribeServices 1, ecs:DescribeTasks 1, ecs:ListTasks 1";
    let change = "dynamodb:GetItem 3, dynamodb:Query 1, dynamodb:UpdateItem 4, ecs:DescribeServices 1, ecs:DescribeTasks 1, ecs:ListTasks 1";
    let wanted = [
        (change, "GET /api/agents 1, PUT /api/agents/{id} 1"),
        (look, ""),
        (change, "GET /api/agents 1, PUT /api/agents/{id} 1"),
        ("dynamodb:Query 1", ""),
    ];
    let found: Vec<_> = found.iter().map(|(_, (aws, console))| (told(aws), told(console))).collect();
    let found: Vec<_> = found.iter().map(|(aws, console)| (aws.as_str(), console.as_str())).collect();
    assert_eq!(found, wanted);
    scene.find_events();
    scene.ends_well(&[&stack]).await;
}
