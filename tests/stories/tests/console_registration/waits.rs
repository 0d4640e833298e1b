//! A Console that is down while a stack wants something of it.

use sandbox::console::Fault;
use serde_json::json;

use crate::declared::{registration, with};
use crate::scene::{AGENT, Scene};

#[tokio::test]
async fn a_stack_waits_for_its_console_and_gives_up_in_time() {
    let scene = Scene::set().await;
    scene.service(AGENT, 1).await;
    scene.console.set_fault(Some(Fault::Down));
    let stack = scene.stack("agent", registration(&scene.rest())).await;
    scene.waiting(1).await;
    scene.sweep().await;
    stack.is("CREATE_IN_PROGRESS").await;

    // Who has no time to wait is told at once.
    let hasty = json!({"ServiceTimeout": "60", "AgentId": "ESC"});
    let hasty = scene.stack("hasty", with(registration(&scene.scripts()), hasty)).await;
    hasty.comes_to("ROLLBACK_COMPLETE").await;
    let said = hasty.reason("Registration", "CREATE_FAILED").await;
    println!("| the Console is down, ServiceTimeout 60 | {said} |");
    assert!(said.contains("gave up after") && said.contains("was not reached"), "{said}");

    scene.console.set_fault(None);
    scene.sweep().await;
    let described = stack.comes_to("CREATE_COMPLETE").await;
    assert!(described.contains("<OutputValue>CAP</OutputValue>"), "{described}");
    scene.has(AGENT, &["CAP"]).await;
    scene.waiting(0).await;

    // An update waits, too; so does a deletion.
    scene.console.set_fault(Some(Fault::Unavailable));
    stack.update(&json!({"Registration": with(registration(&scene.rest()), json!({"Port": 9090}))}), &json!({})).await;
    scene.waiting(1).await;
    stack.is("UPDATE_IN_PROGRESS").await;
    scene.console.set_fault(None);
    scene.sweep().await;
    stack.comes_to("UPDATE_COMPLETE").await;
    assert_eq!(scene.console.agents().await[0].agent.port, 9090);

    scene.console.set_fault(Some(Fault::Down));
    stack.delete().await;
    scene.waiting(1).await;
    scene.sweep().await;
    stack.is("DELETE_IN_PROGRESS").await;
    scene.console.set_fault(None);
    scene.sweep().await;
    stack.is_deleted().await;
    assert!(scene.console.agents().await.is_empty());
    scene.waiting(0).await;
    scene.ends_well(&[&stack, &hasty]).await;
}
