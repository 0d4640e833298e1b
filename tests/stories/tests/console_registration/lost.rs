//! What no event tells: the sweep finds it.

use sandbox::console::Event::{Changed, Deleted, Registered};
use serde_json::{Value, json};
use stories::stacks::Stack;

use crate::declared::{registration, with};
use crate::scene::{AGENT, Scene};

#[tokio::test]
async fn with_all_events_lost_sweeps_alone_bring_it_in_step() {
    let scene = Scene::set().await;
    scene.stop_the_clock().await;
    scene.service("filler", 1).await;
    scene.service(AGENT, 2).await;
    let stack = scene.stack("agent", registration(&scene.rest())).await;
    stack.comes_to("CREATE_COMPLETE").await;
    scene.quiet().await;
    let before = scene.has(AGENT, &["CAP-1", "CAP-2"]).await;
    scene.lose_events();

    // More, another one, fewer: each is seen by one sweep, and none before.
    scene.scale(AGENT, 3).await;
    scene.steady(AGENT, 3).await;
    assert_eq!(scene.console.agents().await, before);
    scene.sweep().await;
    scene.has(AGENT, &["CAP-1", "CAP-2", "CAP-3"]).await;

    let from = scene.console.history().len();
    scene.free_an_address().await;
    scene.crash(&scene.tasks(AGENT)[0]).await;
    scene.steady(AGENT, 3).await;
    scene.sweep().await;
    scene.has(AGENT, &["CAP-1", "CAP-2", "CAP-3"]).await;
    assert_eq!(scene.changes(from).iter().map(|(event, _)| *event).collect::<Vec<_>>(), [Changed]);

    scene.scale(AGENT, 1).await;
    scene.steady(AGENT, 1).await;
    scene.sweep().await;
    // CAP is there by then; what it replaces goes with the same sweep.
    scene.has(AGENT, &["CAP"]).await;
    scene.find_events();
    scene.ends_well(&[&stack]).await;
}

#[tokio::test]
async fn what_a_console_forgets_is_found_by_a_sweep_that_looks_and_by_an_update() {
    let scene = Scene::set().await;
    scene.stop_the_clock().await;
    scene.service(AGENT, 1).await;
    // Each declaration has its minute of five; these have one each, whichever it is.
    let ids = ["CAP.a", "CAP.b", "CAP.c", "CAP.d", "CAP.e"];
    let resources = |probation: u32| -> Value {
        let one = |id: &&str| {
            let more = json!({"AgentId": id, "ProbationSeconds": probation});
            (format!("Of{}", &id[4..]), with(registration(&scene.scripts()), more))
        };
        Value::Object(ids.iter().map(one).collect())
    };
    let stack = Stack::create(&scene.stage, "agents", &resources(120), &json!({})).await;
    stack.comes_to("CREATE_COMPLETE").await;
    scene.quiet().await;
    assert_eq!(scene.ids().await, ids);

    let from = scene.console.history().len();
    assert!(ids.iter().all(|id| scene.console.forget(id)));
    scene.sweep().await;
    let found = scene.ids().await;
    assert_eq!(found.len(), 1, "one of them has its minute: {found:?}");
    stack.update(&resources(60), &json!({})).await;
    stack.comes_to("UPDATE_COMPLETE").await;
    assert_eq!(scene.ids().await, ids, "an update looks");
    let changes = scene.changes(from);
    assert_eq!(changes.iter().filter(|(event, _)| *event == Registered).count(), 5, "{changes:?}");
    assert!(changes.iter().all(|(event, _)| *event != Deleted), "{changes:?}");
    scene.ends_well(&[&stack]).await;
}
