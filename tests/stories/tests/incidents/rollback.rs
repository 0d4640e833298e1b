//! A deployment that its circuit breaker ends: one message speaks for all that comes of it.

use sandbox::Options;
use serde_json::json;

use crate::scene::{LASTS, Scene, container, with};

const SERVICE: &str = "checkout";

#[tokio::test]
async fn a_failed_deployment_speaks_for_its_crashes_and_is_over_when_it_is_rolled_back() {
    let scene = Scene::set(Options::default().with("CrashQuietMinutes", "0")).await;
    let breaker = json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}}});
    scene.lasting(SERVICE, breaker).await;
    let broken =
        scene.revision(SERVICE, with(container(LASTS), &json!({"image": "watchkeeper/no-such-agent:2.0"}))).await;
    scene.update(SERVICE, json!({"taskDefinition": broken})).await;

    let crash = scene.hears(SERVICE, 1).await;
    assert_eq!(crash.subject, r#"CRASH checkout: container "agent" could not start: its image was not found [demo]"#);
    let failed = scene.hears(SERVICE, 2).await;
    assert_eq!(failed.subject, "DEPLOYMENT FAILED checkout: a deployment failed [demo]");
    assert_eq!(failed.json["speaks_for"], json!([crash.json["incident"]]));
    assert_ne!(failed.json["incident"], crash.json["incident"]);
    assert_eq!(failed.json["evidence"]["timeline"], crash.json["evidence"]["timeline"], "what its crashes left");
    assert_eq!(failed.json["evidence"]["compared_with"], "checkout:1");

    scene.steady(SERVICE, 1).await;
    assert_eq!(scene.subjects(SERVICE).await.len(), 2, "nothing more comes of the crashes");
    for _ in 0..2 {
        scene.minute().await;
    }
    let subjects = scene.subjects(SERVICE).await;
    assert_eq!(subjects[2..], ["RESOLVED checkout: a deployment failed [demo]"]);
    let over = scene.hears(SERVICE, 3).await;
    assert_eq!(
        [&over.json["state"], &over.json["action"], &over.json["incident"]],
        [&json!("resolved"), &json!("resolve"), &failed.json["incident"]]
    );
    assert!(over.text.contains("1 of 1 tasks run on checkout:1"), "{}", over.text);
    scene.ends_well();
}
