//! Whose document is whose, and what stays when a declaration changes or goes.

use serde_json::{Value, json};
use stories::stacks::Stack;

use crate::plain::{Plain, output, outputs};

const OLD: &str = "planted-old-1";
const NEW: &str = "planted-new-2'\"%";
const NEWER: &str = "planted-newer-3";

fn declared(source: &str, target: &str, at: &str) -> Value {
    json!({"Sources": {"word": {"Secret": source}}, "Target": {"Secret": target}, "Values": [{"At": at, "Is": "{word}"}],
        "ServiceTimeout": "180"})
}

fn text(user: &str, password: &str) -> String {
    json!({"password": password, "user": user}).to_string()
}

#[tokio::test]
async fn a_document_has_one_declaration_which_may_be_renamed() {
    let scene = Plain::set().await;
    let source = scene.secret("source", OLD).await;
    let target = scene.secret("target", &text("u", "x")).await;
    let first = scene.stack("agent", declared(&source, &target, "json:password")).await;
    first.comes_to("CREATE_COMPLETE").await;
    assert_eq!(scene.text(&target).await, text("u", OLD));
    let second = scene.stack("second", declared(&source, &target, "json:user")).await;
    second.comes_to("ROLLBACK_COMPLETE").await;
    let said = second.reason("Sync", "CREATE_FAILED").await;
    println!("| another stack | {said} |");
    assert!(
        said.contains("is kept in step by Sync in the stack agent already: one document has one declaration"),
        "{said}"
    );
    second.delete().await;
    second.is_deleted().await;
    assert_eq!(scene.text(&target).await, text("u", OLD));

    // Another name in the same stack: it is the same declaration, and is followed under it.
    let renamed = json!({"Renamed": scene.sync(declared(&source, &target, "json:password"))});
    first.update(&renamed, &json!({})).await;
    first.comes_to("UPDATE_COMPLETE").await;
    scene.put(&source, NEW).await;
    scene.says(&target, &text("u", NEW)).await;

    first.delete().await;
    first.is_deleted().await;
    scene.put(&source, NEWER).await;
    scene.quiet().await;
    scene.sweep().await;
    assert_eq!(scene.text(&target).await, text("u", NEW), "what was written stays, and is followed no more");
    // Now another stack may.
    let third = scene.stack("third", declared(&source, &target, "json:user")).await;
    third.comes_to("CREATE_COMPLETE").await;
    assert_eq!(scene.text(&target).await, text(NEWER, NEW));
    scene.ends_well(&[OLD, NEW, NEWER]).await;
}

#[tokio::test]
async fn an_update_changes_what_is_written_and_another_target_leaves_the_old_one_as_it_is() {
    let scene = Plain::set().await;
    let source = scene.secret("source", OLD).await;
    let target = scene.secret("target", &text("u", "x")).await;
    let other = scene.secret("other", &text("u", "x")).await;
    let stack = scene.stack("agent", declared(&source, &target, "json:password")).await;
    stack.comes_to("CREATE_COMPLETE").await;
    let update = async |declared: Value, comes_to: &str| {
        stack.update(&json!({"Sync": scene.sync(declared)}), &outputs()).await;
        stack.comes_to(comes_to).await
    };
    // Another value: the first is left as it is.
    let described = update(declared(&source, &target, "json:user"), "UPDATE_COMPLETE").await;
    assert_eq!(output(&described, "Changed"), "json:user");
    assert_eq!(scene.text(&target).await, text(OLD, OLD));
    scene.put(&source, NEW).await;
    scene.says(&target, &text(NEW, OLD)).await;

    // An update that fails: the declaration before it holds.
    let described = update(declared(&source, &target, "json:nothing"), "UPDATE_ROLLBACK_COMPLETE").await;
    assert!(!described.contains("json:nothing"), "{described}");
    let said = stack.reason("Sync", "UPDATE_FAILED").await;
    assert!(said.contains("has nothing at nothing"), "{said}");
    scene.put(&source, NEWER).await;
    scene.says(&target, &text(NEWER, OLD)).await;

    // Another target, which is a replacement.
    update(declared(&source, &other, "json:password"), "UPDATE_COMPLETE").await;
    assert_eq!(scene.text(&other).await, text("u", NEWER));
    scene.put(&source, OLD).await;
    scene.says(&other, &text("u", OLD)).await;
    scene.sweep().await;
    assert_eq!(scene.text(&target).await, text(NEWER, OLD), "nothing is undone, and it is followed no more");
    // An update to a target that cannot be: the old one is followed on.
    let untagged = stories::agents::secret(&scene.stage, "untagged", &text("u", "x"), &[]).await;
    update(declared(&source, &untagged, "json:password"), "UPDATE_ROLLBACK_COMPLETE").await;
    scene.put(&source, NEW).await;
    scene.says(&other, &text("u", NEW)).await;
    crate::scene::keeps_secrets(&scene, &[OLD, NEW, NEWER]).await;
}

#[tokio::test]
async fn a_deletion_while_a_service_is_being_restarted_ends_the_work_and_undoes_nothing() {
    let scene = Plain::set().await;
    let source = scene.secret("source", NEW).await;
    let target = scene.secret("target", &text("u", OLD)).await;
    for name in ["a", "b", "c"] {
        scene.reader(name, &[&target]).await;
    }
    let mut one_by_one = declared(&source, &target, "json:password");
    one_by_one["RestartAtOnce"] = json!(1);
    let stack = scene.stack("agent", one_by_one).await;
    stack.comes_to("CREATE_COMPLETE").await;
    assert_eq!(scene.text(&target).await, text("u", NEW));
    stack.delete().await;
    stack.is_deleted().await;
    let asked = scene.changes().get("UpdateService").copied().unwrap_or_default();
    assert!((1..=3).contains(&asked), "{asked}");
    for name in ["a", "b", "c"] {
        scene.steady(name, 1).await;
    }
    scene.put(&source, OLD).await;
    scene.sweep().await;
    assert_eq!(scene.text(&target).await, text("u", NEW));
    assert_eq!(scene.changes()["UpdateService"], asked, "no service is restarted any more");
    scene.ends_well(&[OLD, NEW]).await;
}

#[tokio::test]
async fn two_declarations_of_one_document_in_one_stack_leave_one_that_holds() {
    let scene = Plain::set().await;
    let source = scene.secret("source", NEW).await;
    let target = scene.secret("target", &text("u", "p")).await;
    let of = |at: &str| scene.sync(declared(&source, &target, at));
    let mut after = of("json:user");
    after["DependsOn"] = json!("First");
    let resources = json!({"First": of("json:password"), "Second": after});
    let stack = Stack::create(&scene.stage, "agent", &resources, &json!({})).await;
    // It cannot be told from a renamed one: what is declared last holds.
    stack.comes_to("CREATE_COMPLETE").await;
    assert_eq!(scene.text(&target).await, text(NEW, NEW));
    scene.put(&source, OLD).await;
    scene.says(&target, &text(OLD, NEW)).await;
    scene.ends_well(&[OLD, NEW]).await;
}
