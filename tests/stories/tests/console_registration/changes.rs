//! A declaration is changed.

use sandbox::console::Event::{Changed, Deleted, Registered};
use serde_json::{Value, json};

use crate::declared::{arn, registration, with};
use crate::scene::{AGENT, Scene};

fn only(registration: &Value) -> Value {
    json!({"Registration": registration})
}

#[tokio::test]
async fn port_service_logical_id_and_agent_id_change_and_no_entry_is_lost() {
    let scene = Scene::set().await;
    scene.service(AGENT, 2).await;
    scene.service("other", 2).await;
    let first = registration(&scene.scripts());
    let stack = scene.stack("agent", first.clone()).await;
    stack.comes_to("CREATE_COMPLETE").await;
    scene.quiet().await;
    let both = |event| vec![(event, "CAP-1".to_owned()), (event, "CAP-2".to_owned())];
    let mut from = scene.console.history().len();

    let ported = with(first, json!({"Port": 9090}));
    stack.update(&only(&ported), &json!({})).await;
    stack.comes_to("UPDATE_COMPLETE").await;
    assert_eq!(scene.changes(from), both(Changed));
    assert!(scene.console.agents().await.iter().all(|one| one.agent.port == 9090));

    from = scene.console.history().len();
    let moved = with(ported, json!({"Service": arn("other"), "Port": 8080}));
    stack.update(&only(&moved), &json!({})).await;
    stack.comes_to("UPDATE_COMPLETE").await;
    scene.quiet().await;
    scene.has("other", &["CAP-1", "CAP-2"]).await;
    assert_eq!(scene.changes(from), both(Changed));

    from = scene.console.history().len();
    stack.update(&json!({"Renamed": moved.clone()}), &json!({})).await;
    stack.comes_to("UPDATE_COMPLETE").await;
    scene.quiet().await;
    let changes = scene.changes(from);
    assert!(changes.iter().all(|(event, _)| *event == Changed), "only their owner's mark: {changes:?}");
    scene.has("other", &["CAP-1", "CAP-2"]).await;

    // Another agent id replaces the registration: the new one first.
    from = scene.console.history().len();
    stack.update(&json!({"Renamed": with(moved, json!({"AgentId": "ESC"}))}), &json!({})).await;
    stack.comes_to("UPDATE_COMPLETE").await;
    scene.has("other", &["ESC-1", "ESC-2"]).await;
    let events: Vec<_> = scene.changes(from).into_iter().map(|(event, _)| event).collect();
    assert_eq!(events, [Registered, Registered, Deleted, Deleted]);
    scene.scale("other", 3).await;
    scene.has("other", &["ESC-1", "ESC-2", "ESC-3"]).await;
    stack.delete().await;
    stack.is_deleted().await;
    assert!(scene.console.agents().await.is_empty());
    scene.ends_well(&[&stack]).await;
}

#[tokio::test]
async fn an_update_that_fails_leaves_the_registrations_of_before() {
    let scene = Scene::set().await;
    scene.service(AGENT, 2).await;
    let first = registration(&scene.rest());
    let stack = scene.stack("agent", first.clone()).await;
    stack.comes_to("CREATE_COMPLETE").await;
    scene.quiet().await;
    let from = scene.console.history().len();
    let mut failing = with(first.clone(), json!({"Service": arn("nobody"), "AgentId": "NOBODY"}));
    failing["DependsOn"] = json!(["Registration"]);
    for (number, change) in
        (1..).zip([json!({"Port": 9090}), json!({"AgentId": "ESC"}), json!({"Service": arn("nobody")})])
    {
        let changed = with(first.clone(), change.clone());
        stack.update(&json!({"Registration": changed, "Failing": failing}), &json!({})).await;
        stack.comes_to("UPDATE_ROLLBACK_COMPLETE").await;
        scene.quiet().await;
        let agents = scene.has(AGENT, &["CAP-1", "CAP-2"]).await;
        assert_eq!(agents.len(), 2, "{number}: {change}");
        assert!(agents.iter().all(|one| one.agent.port == 8080), "{number}: {agents:?}");
    }
    let changes = scene.changes(from);
    let lost = changes.iter().any(|(event, id)| *event == Deleted && id.starts_with("CAP"));
    assert!(!lost, "{changes:?}");
    // It is still followed.
    scene.scale(AGENT, 1).await;
    scene.has(AGENT, &["CAP"]).await;
    scene.ends_well(&[&stack]).await;
}

#[tokio::test]
async fn another_way_to_the_same_console_loses_no_entry() {
    let scene = Scene::set().await;
    scene.stop_the_clock().await;
    scene.service(AGENT, 2).await;
    let by_rest = registration(&scene.rest());
    let stack = scene.stack("agent", by_rest.clone()).await;
    stack.comes_to("CREATE_COMPLETE").await;
    scene.quiet().await;
    // For CloudFormation another resource, which replaces the first; in the Console they are the same entries.
    let by_scripts = registration(&scene.scripts());
    stack.update(&only(&by_scripts), &json!({})).await;
    stack.comes_to("UPDATE_COMPLETE").await;
    scene.has(AGENT, &["CAP-1", "CAP-2"]).await;
    let mut failing = with(by_rest.clone(), json!({"Service": arn("nobody"), "AgentId": "NOBODY"}));
    failing["DependsOn"] = json!(["Registration"]);
    stack.update(&json!({"Registration": by_rest, "Failing": failing}), &json!({})).await;
    stack.comes_to("UPDATE_ROLLBACK_COMPLETE").await;
    scene.has(AGENT, &["CAP-1", "CAP-2"]).await;
    stack.delete().await;
    stack.is_deleted().await;
    assert!(scene.console.agents().await.is_empty());
    scene.ends_well(&[&stack]).await;
}
