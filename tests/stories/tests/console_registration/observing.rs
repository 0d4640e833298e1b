//! Who only observes says what would be done, and changes nothing.

use serde_json::json;

use crate::declared::{registration, with};
use crate::scene::{AGENT, Scene};

/// Puts our whole stack into a mode, as `infra/deploy --mode` does.
async fn mode(scene: &Scene, mode: &str) {
    scene.set_variable("MODE", |_| mode.to_owned()).await;
}

#[tokio::test]
async fn who_only_observes_changes_nothing() {
    let scene = Scene::set().await;
    scene.service(AGENT, 1).await;
    let observing = with(registration(&scene.scripts()), json!({"Mode": "observe"}));
    let stack = scene.stack("observing", observing).await;
    let described = stack.comes_to("CREATE_COMPLETE").await;
    let host = scene.tasks(AGENT)[0].address().unwrap().to_string();
    let plan = format!("<OutputValue>register CAP at {host}:8080</OutputValue>");
    assert!(described.contains(&plan) && described.contains("<OutputValue>create</OutputValue>"), "{described}");
    scene.scale(AGENT, 2).await;
    scene.steady(AGENT, 2).await;
    scene.sweep().await;
    stack.delete().await;
    stack.is_deleted().await;
    assert_eq!(scene.changes(0), []);

    // The whole stack: what was declared stays as it is.
    let acting = scene.stack("agent", registration(&scene.rest())).await;
    acting.comes_to("CREATE_COMPLETE").await;
    scene.quiet().await;
    let before = scene.has(AGENT, &["CAP-1", "CAP-2"]).await;
    mode(&scene, "observe").await;
    let changes = scene.changes(0);
    let second = with(registration(&scene.scripts()), json!({"AgentId": "ESC"}));
    let second = scene.stack("second", second).await;
    let described = second.comes_to("CREATE_COMPLETE").await;
    assert!(described.contains("<OutputValue>register ESC-1 at "), "{described}");
    scene.scale(AGENT, 3).await;
    scene.steady(AGENT, 3).await;
    scene.sweep().await;
    let moved = with(registration(&scene.rest()), json!({"Port": 9090}));
    acting.update(&json!({"Registration": moved}), &json!({})).await;
    acting.comes_to("UPDATE_COMPLETE").await;
    second.delete().await;
    second.is_deleted().await;
    assert_eq!((scene.changes(0), scene.console.agents().await), (changes, before));
    let said = scene.log().await;
    let not_done = said.lines().find(|line| line.contains("not done: the stack only observes")).unwrap();
    assert!(not_done.contains("register CAP-3 at"), "{not_done}");

    // Back again: the next sweep does what was left.
    mode(&scene, "act").await;
    scene.sweep().await;
    scene.has(AGENT, &["CAP-1", "CAP-2", "CAP-3"]).await;
    scene.ends_well(&[&stack, &second, &acting]).await;
}
