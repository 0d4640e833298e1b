//! How many calls of AWS a change takes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::one::{AGENT, Kind, One};
use crate::scene::Scene;

/// Calls in one line.
fn told(calls: &BTreeMap<String, usize>) -> String {
    calls.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

#[tokio::test]
async fn calls_for_a_rotation_and_for_the_same_event_again() {
    let scene = Scene::set().await;
    let one = One::set(&scene, Kind::Secret, json!({})).await;
    let (door, bus) = (scene.stage.sandbox.door(), scene.stage.sandbox.bus());
    // From here on each event is delivered by hand.
    let lost = one.lose_all_events();
    let calls_for = async |event: &Value| {
        let from = door.call_count();
        bus.deliver(event).await.unwrap();
        scene.quiet().await;
        one.calls(from)
    };
    let mails = scene.stage.inbox.mails().len();
    let mut found = Vec::new();
    // The instance that takes messages looks at what is new to it once: the first rotation does not count.
    for turn in ["the first rotation", "a rotation"] {
        let from = bus.emitted().len();
        scene.database.rotate_master().await.unwrap();
        let event = one.label_event(from).await;
        found.push((turn, calls_for(&event).await));
        scene.steady(AGENT, 1).await;
        let deployed = |event: &Value| {
            event["detail-type"] == "ECS Deployment State Change"
                && event["detail"]["eventName"] == "SERVICE_DEPLOYMENT_COMPLETED"
        };
        let completed = bus.wait_for(from, sandbox::stage::PATIENCE, deployed).await.unwrap();
        found.push(("its deployment is completed", calls_for(&completed).await));
        one.is_in_step().await;
        found.push(("the rotation's event again", calls_for(&event).await));
        found.push(("the deployment's event again", calls_for(&completed).await));
    }
    let mut elsewhere = one.label_event(0).await;
    elsewhere["resources"] = json!(["arn:aws:secretsmanager:eu-west-1:123456789012:secret:nobodys-AbCdEf"]);
    found.push(("a secret that no declaration is about", calls_for(&elsewhere).await));
    for (what, calls) in &found {
        println!("| {what} | {} | {} |", calls.values().sum::<usize>(), told(calls));
    }
    scene.stage.quiet().await.unwrap();
    assert_eq!(one.mails(mails, "DONE").len(), 2, "each rotation is told once");
    let found: Vec<_> = found.iter().map(|(_, calls)| told(calls)).collect();
    let change = "dynamodb:GetItem 1, dynamodb:Query 3, dynamodb:UpdateItem 6, ecs:DescribeServices 1, ecs:DescribeTasks 1, \
                  ecs:ListTasks 1, ecs:UpdateService 1, rds:DescribeDBClusters 2, secretsmanager:DescribeSecret 4, \
                  secretsmanager:GetSecretValue 5, secretsmanager:PutSecretValue 1, secretsmanager:UpdateSecretVersionStage 2, \
                  sqs:SendMessage 1";
    let end = "dynamodb:GetItem 2, dynamodb:Query 3, dynamodb:UpdateItem 6, ecs:DescribeServices 2, ecs:DescribeTasks 1, \
               ecs:ListTasks 1, rds:DescribeDBClusters 1, secretsmanager:DescribeSecret 2, secretsmanager:GetSecretValue 3, \
               sqs:SendMessage 1";
    let look = "dynamodb:GetItem 1, dynamodb:Query 3, dynamodb:UpdateItem 2, ecs:DescribeServices 1, ecs:DescribeTasks 1, \
                ecs:ListTasks 1, rds:DescribeDBClusters 1, secretsmanager:DescribeSecret 2, secretsmanager:GetSecretValue 3";
    let look_at_service =
        look.replace("UpdateItem 2", "UpdateItem 3").replace("DescribeServices 1", "DescribeServices 2");
    assert_eq!(found[4..], [change, end, look, &look_at_service, "dynamodb:Query 2"]);
    drop(lost);
    scene.was_never_refused();
    scene.keeps_secrets(&[]).await;
}

#[tokio::test]
async fn ten_copies_of_an_event_are_one_write_and_one_deployment() {
    let scene = Scene::set().await;
    let one = One::set(&scene, Kind::Secret, json!({})).await;
    let lost = one.lose_all_events();
    let (door, bus) = (scene.stage.sandbox.door(), scene.stage.sandbox.bus());
    let (events, mails) = (bus.emitted().len(), scene.stage.inbox.mails().len());
    scene.database.rotate_master().await.unwrap();
    let event = one.label_event(events).await;
    let from = door.call_count();
    let mut copies = JoinSet::new();
    for _ in 0..10 {
        let (bus, event) = (bus.clone(), event.clone());
        copies.spawn(async move { bus.deliver(&event).await.unwrap() });
    }
    assert_eq!(copies.join_all().await.len(), 10);
    scene.quiet().await;
    one.sweeps_until_told(mails, "DONE", "config-followed", 10).await;
    let calls = one.calls(from);
    println!("ten copies at once: {} calls: {}", calls.values().sum::<usize>(), told(&calls));
    let counts = ["secretsmanager:PutSecretValue", "ecs:UpdateService"].map(|name| calls.get(name).copied());
    assert_eq!(counts, [Some(1), Some(1)], "{calls:?}");
    one.is_in_step().await;
    assert_eq!(one.mails(mails, "").len(), 1, "{:?}", one.mails(mails, ""));
    drop(lost);
    scene.was_never_refused();
    scene.keeps_secrets(&[]).await;
}
