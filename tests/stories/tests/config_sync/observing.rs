//! Who only observes says what would be done, and changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use sandbox::stage::PATIENCE;
use serde_json::{Value, json};
use tokio::time::{interval, timeout};

use crate::plain::{Plain, output, outputs, with};

const OLD: &str = "planted-old-1";
const NEW: &str = "planted-new-2'\"%";

async fn documents(scene: &Plain, name: &str) -> (String, String, Value) {
    let source = scene.secret(&format!("{name}-source"), NEW).await;
    let target = scene.secret(&format!("{name}-target"), &json!({"password": OLD}).to_string()).await;
    let declared = json!({"Sources": {"word": {"Secret": source}}, "Target": {"Secret": target},
        "Values": [{"At": "json:password", "Is": "{word}"}]});
    (source, target, declared)
}

#[tokio::test]
async fn a_declaration_that_observes_tells_of_drift_and_acts_when_it_is_told_to() {
    let scene = Plain::set().await;
    let (_, target, declared) = documents(&scene, "one").await;
    let (old, new) = (json!({"password": OLD}).to_string(), json!({"password": NEW}).to_string());
    scene.reader("agent", &[&target]).await;
    let mails = scene.mail_count();
    let stack = scene.stack("agent", with(declared.clone(), json!({"Mode": "observe"}))).await;
    let described = stack.comes_to("CREATE_COMPLETE").await;
    let said = ["Plan", "Changed", "Services", "Decision"].map(|name| output(&described, name));
    let expected = ["would write json:password; restart agent", "json:password", "agent: to be restarted", "create"];
    assert_eq!(said, expected.map(str::to_owned));
    // Trouble is told when it has lasted for a minute; nothing but sweeps tells how late it is.
    let drifted = async {
        let mut poll = interval(Duration::from_secs(5));
        while !scene.stage.inbox.mails().iter().skip(mails).any(|mail| mail.text.contains("config-drift")) {
            poll.tick().await;
            scene.sweep().await;
        }
    };
    timeout(3 * PATIENCE, drifted).await.unwrap();
    scene
        .told(
            mails,
            &["secret one-target-", "differs from its sources and is left so", "other values at json:password"],
        )
        .await;
    assert_eq!((scene.text(&target).await, scene.changes()), (old, BTreeMap::default()));

    let mails = scene.mail_count();
    stack.update(&json!({"Sync": scene.sync(with(declared, json!({"Mode": "act"})))}), &outputs()).await;
    let described = stack.comes_to("UPDATE_COMPLETE").await;
    assert_eq!(output(&described, "Plan"), "write json:password; restart agent");
    assert_eq!(scene.text(&target).await, new);
    scene.runs_on("agent", &new).await;
    scene.told(mails, &["agrees with its sources again"]).await;
    scene.told(mails, &["changed json:password; running on it: agent"]).await;
    assert_eq!(scene.restarts("agent"), 1);
    scene.ends_well(&[OLD, NEW]).await;
}

#[tokio::test]
async fn a_stack_of_ours_that_only_observes_changes_nothing_and_does_what_was_left_when_it_acts_again() {
    let scene = Plain::set().await;
    let mode = async |mode: &str| scene.set_variable("MODE", |_| mode.to_owned()).await;
    let (source, target, declared) = documents(&scene, "one").await;
    let (_, second_target, second) = documents(&scene, "two").await;
    scene.reader("agent", &[&target]).await;
    let stack = scene.stack("agent", declared.clone()).await;
    stack.comes_to("CREATE_COMPLETE").await;
    let new = json!({"password": NEW}).to_string();
    scene.runs_on("agent", &new).await;
    scene.quiet().await;
    scene.sweep().await;
    let changes = scene.changes();

    mode("observe").await;
    scene.put(&source, OLD).await;
    scene.quiet().await;
    scene.sweep().await;
    let second = scene.stack("second", second).await;
    let described = second.comes_to("CREATE_COMPLETE").await;
    assert!(output(&described, "Plan").contains("write json:password"), "{described}");
    stack.update(&json!({"Sync": scene.sync(with(declared, json!({"RestartAtOnce": 1})))}), &outputs()).await;
    stack.comes_to("UPDATE_COMPLETE").await;
    scene.sweep().await;
    assert_eq!((scene.text(&target).await, scene.changes()), (new, changes));
    assert_eq!(scene.text(&second_target).await, json!({"password": OLD}).to_string());

    mode("act").await;
    scene.sweep().await;
    let old = json!({"password": OLD}).to_string();
    scene.says(&target, &old).await;
    scene.runs_on("agent", &old).await;
    scene.ends_well(&[OLD, NEW]).await;
}
