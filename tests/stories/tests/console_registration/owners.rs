//! Whose entries are whose.

use sandbox::console::Event::Deleted;
use serde_json::json;
use stories::stacks::Stack;

use crate::declared::{registration, with};
use crate::scene::{AGENT, Scene};

/// Puts an entry into the Console as a person would.
async fn person(scene: &Scene, id: &str, owner: Option<&str>) {
    let mut body = json!({"host": "192.0.2.1", "port": 1});
    if let Some(owner) = owner {
        body["owner"] = json!(owner);
    }
    let token = scene.console.login().token.reveal().to_owned();
    let url = format!("{}/api/agents/{id}", scene.console.endpoint());
    let arguments = [
        "-s",
        "-f",
        "-X",
        "PUT",
        "-H",
        &format!("authorization: Bearer {token}"),
        "-H",
        "content-type: application/json",
        "-d",
        &body.to_string(),
        &url,
    ];
    let answer = tokio::process::Command::new("curl").args(arguments).output().await.unwrap();
    assert!(answer.status.success(), "{answer:?}");
}

#[tokio::test]
async fn entries_of_persons_and_of_other_stacks_are_left_alone() {
    let scene = Scene::set().await;
    scene.service(AGENT, 3).await;
    person(&scene, "CAP-2", None).await;
    person(&scene, "ESC", None).await;
    person(&scene, "FRM", Some("somebody")).await;
    let persons = scene.console.agents().await;
    let is_persons = |id: &str| persons.iter().any(|one| one.agent.id == id);
    let stack = scene.stack("agent", registration(&scene.rest())).await;
    stack.comes_to("CREATE_COMPLETE").await;
    scene.quiet().await;
    assert_eq!(scene.ids().await, ["CAP-1", "CAP-2", "CAP-3", "CAP-4", "ESC", "FRM"], "numbers go around CAP-2");

    // Another stack declares the same agent; one for a single task, whose name a person has.
    let second = scene.stack("second", registration(&scene.scripts())).await;
    scene.service("one", 1).await;
    let one = |id: &str, adopt: bool| {
        let more = json!({"Service": crate::declared::arn("one"), "AgentId": id, "Adopt": adopt});
        with(registration(&scene.scripts()), more)
    };
    second.comes_to("CREATE_COMPLETE").await;
    second.delete().await;
    second.is_deleted().await;
    let taken = scene.stack("taken", one("ESC", false)).await;
    taken.comes_to("ROLLBACK_COMPLETE").await;
    let owned = scene.stack("owned", one("FRM", true)).await;
    owned.comes_to("ROLLBACK_COMPLETE").await;
    for (case, stack, words) in [
        ("a person has the name", &taken, "that Watchkeeper did not make: remove it, or set Adopt to true"),
        ("somebody has it, with Adopt", &owned, "and it belongs to"),
    ] {
        let said = stack.reason("Registration", "CREATE_FAILED").await;
        println!("| {case} | {said} |");
        assert!(said.contains(words), "{said}");
    }
    let adopted = scene.stack("adopted", one("ESC", true)).await;
    adopted.comes_to("CREATE_COMPLETE").await;
    scene.quiet().await;
    let esc = scene.console.agents().await.into_iter().find(|one| one.agent.id == "ESC").unwrap().agent;
    let task = scene.tasks("one")[0].address().unwrap().to_string();
    assert_eq!((esc.host, esc.owner.is_some()), (task, true));

    scene.scale(AGENT, 2).await;
    scene.steady(AGENT, 2).await;
    scene.quiet().await;
    assert_eq!(scene.ids().await, ["CAP-1", "CAP-2", "CAP-3", "ESC", "FRM"]);
    for stack in [&stack, &adopted] {
        stack.delete().await;
        stack.is_deleted().await;
    }
    let left = scene.console.agents().await;
    let kept: Vec<_> = persons.iter().filter(|one| one.agent.id != "ESC").cloned().collect();
    assert_eq!(left, kept, "theirs are as they were");
    let mut deleted = scene.changes(0).into_iter().filter(|(event, _)| *event == Deleted);
    assert!(deleted.all(|(_, id)| id == "ESC" || !is_persons(&id)));
    scene.ends_well(&[&stack, &second, &taken, &owned, &adopted]).await;
}

#[tokio::test]
async fn two_stacks_cannot_declare_the_same_agent() {
    let scene = Scene::set().await;
    scene.service(AGENT, 2).await;
    let first = scene.stack("agent", registration(&scene.scripts())).await;
    first.comes_to("CREATE_COMPLETE").await;
    scene.quiet().await;
    let before = (scene.console.agents().await, scene.changes(0));
    let second = scene.stack("second", registration(&scene.scripts())).await;
    second.comes_to("ROLLBACK_COMPLETE").await;
    let said = second.reason("Registration", "CREATE_FAILED").await;
    println!("| two stacks declare the same agent | {said} |");
    assert!(said.contains("is declared by Registration in the stack agent already"), "{said}");
    second.delete().await;
    second.is_deleted().await;
    assert_eq!((scene.console.agents().await, scene.changes(0)), before, "the first is as it was");
    scene.scale(AGENT, 3).await;
    scene.has(AGENT, &["CAP-1", "CAP-2", "CAP-3"]).await;
    scene.ends_well(&[&first, &second]).await;
}

#[tokio::test]
async fn hostile_ids_are_entries_exactly_as_declared() {
    let scene = Scene::set().await;
    scene.service(AGENT, 1).await;
    let trap = scene.stage.sandbox.options().scratch.join("trap");
    let exec = format!("[exec touch {}]", trap.display());
    let mut ids =
        vec![exec.as_str(), "$x", "\"", "..", "{", "}", ";", "\\", " ", "a b", "漢 ü", "%41", "a/b?c#d", "{{id}}"];
    for registry in [scene.scripts(), scene.rest()] {
        let by_rest = registry["Rest"].is_object();
        if by_rest {
            // It cannot stand in a path.
            ids.retain(|id| *id != "..");
        }
        let one = |(place, id): (usize, &&str)| {
            (format!("Agent{place}"), with(registration(&registry), json!({"AgentId": id})))
        };
        let resources = ids.iter().enumerate().map(one).collect();
        let stack = Stack::create(&scene.stage, "agent", &serde_json::Value::Object(resources), &json!({})).await;
        stack.comes_to("CREATE_COMPLETE").await;
        scene.quiet().await;
        let mut wanted: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        wanted.sort();
        assert_eq!(scene.ids().await, wanted);
        assert!(!trap.exists());
        stack.delete().await;
        stack.is_deleted().await;
        assert!(scene.console.agents().await.is_empty());
    }
    let newline = scene.stack("newline", with(registration(&scene.scripts()), json!({"AgentId": "CAP\n"}))).await;
    newline.comes_to("ROLLBACK_COMPLETE").await;
    let dots = scene.stack("agent", with(registration(&scene.rest()), json!({"AgentId": ".."}))).await;
    dots.comes_to("ROLLBACK_COMPLETE").await;
    let fire = scene.stack("fire", with(registration(&scene.scripts()), json!({"AgentId": "🔥"}))).await;
    fire.comes_to("ROLLBACK_COMPLETE").await;
    for (case, stack, telling) in [
        ("beyond Tcl 8.4", &fire, "has a character beyond U+FFFF in it, which Tcl 8.4 does not know"),
        ("a line break in the id", &newline, "#/AgentId must not have line breaks"),
        ("`..` in a path", &dots, "cannot stand in the path of a URL"),
    ] {
        let said = stack.reason("Registration", "CREATE_FAILED").await;
        println!("| {case} | {said} |");
        assert!(said.contains(telling), "{said}");
    }
    scene.ends_well(&[&newline, &dots, &fire]).await;
}
