//! Somebody changes what we have written; and tasks that are older than what they should have read.

use serde_json::json;
use tokio::time::{Duration, Instant};

use crate::one::{AGENT, Kind, One};
use crate::scene::Scene;

/// A password that is never right.
const WRONG: &str = "hunter2-is-wrong";

#[tokio::test]
async fn a_value_that_somebody_changes_is_repaired_again_and_again() {
    let scene = Scene::set().await;
    let one = One::set(&scene, Kind::Secret, json!({})).await;
    let door = scene.stage.sandbox.door();
    for turn in 1..=2 {
        let (from, mails) = (door.call_count(), scene.stage.inbox.mails().len());
        one.edit("password", WRONG).await;
        one.told(mails, "DONE").await;
        scene.quiet().await;
        one.is_in_step().await;
        assert_eq!(one.count(from, "secretsmanager", "PutSecretValue"), 1, "turn {turn}: {:?}", one.calls(from));
    }
    // And where no event tells of it.
    let lost = one.lose_all_events();
    let (from, mails) = (door.call_count(), scene.stage.inbox.mails().len());
    one.edit("password", WRONG).await;
    one.sweeps_until_told(mails, "DONE", "changed json:password", 5).await;
    one.is_in_step().await;
    let counts = [("secretsmanager", "PutSecretValue"), ("ecs", "UpdateService")];
    assert_eq!(counts.map(|(service, action)| one.count(from, service, action)), [1, 1]);
    drop(lost);
    scene.was_never_refused();
    scene.keeps_secrets(&[WRONG]).await;
}

#[tokio::test]
async fn where_it_is_declared_so_a_change_is_left_and_ops_are_told_once_and_when_it_is_over() {
    let scene = Scene::set().await;
    let one = One::set(&scene, Kind::Secret, json!({"OnDrift": "report"})).await;
    let (from, mails) = (scene.stage.sandbox.door().call_count(), scene.stage.inbox.mails().len());
    let right = one.document().await;
    one.edit("password", WRONG).await;
    let (left, began) = (one.document().await, Instant::now());
    scene.quiet().await;
    scene.sweep().await;
    scene.stage.quiet().await.unwrap();
    assert!(
        began.elapsed() > Duration::from_secs(50) || one.mails(mails, "TROUBLE").is_empty(),
        "a minute of patience"
    );
    let told = one.sweeps_until_told(mails, "TROUBLE", "config-drift", 60).await;
    println!("told after {:.0} s:\n{}\n{}", began.elapsed().as_secs_f64(), told.subject, told.text);
    assert!(told.text.contains("json:password"), "{}", told.text);
    scene.sweep().await;
    scene.stage.quiet().await.unwrap();
    assert_eq!(one.mails(mails, "TROUBLE").len(), 1);
    assert!(one.document().await == left, "it is left");
    assert_eq!(one.count(from, "secretsmanager", "PutSecretValue"), 0);

    one.put(&right).await;
    let told = one.told(mails, "RESOLVED").await;
    println!("and then:\n{}\n{}", told.subject, told.text);
    scene.quiet().await;
    scene.sweep().await;
    one.is_in_step().await;

    // What is new in the source is written all the same.
    let from = scene.stage.sandbox.door().call_count();
    let done = scene.stage.inbox.mails().len();
    scene.database.rotate_master().await.unwrap();
    one.told(done, "DONE").await;
    assert_eq!(one.count(from, "secretsmanager", "PutSecretValue"), 1);
    one.is_in_step().await;
    scene.was_never_refused();
    scene.keeps_secrets(&[WRONG]).await;
}

#[tokio::test]
async fn who_reads_a_document_that_is_only_watched_is_restarted_when_somebody_changes_it() {
    let scene = Scene::set().await;
    let only_watched = json!({"Sources": null, "Values": null, "LogIn": null});
    let one = One::set(&scene, Kind::Secret, only_watched).await;
    let (from, mails) = (scene.stage.sandbox.door().call_count(), scene.stage.inbox.mails().len());
    let before = scene.tasks(AGENT);
    scene.sweep().await;
    assert_eq!(one.count(from, "ecs", "UpdateService"), 0, "its tasks are newer than the document");
    one.edit("password", WRONG).await;
    let told = one.told(mails, "DONE").await;
    println!("{}\n{}", told.subject, told.text);
    scene.quiet().await;
    scene.steady(AGENT, 1).await;
    assert!(one.runs_with() == WRONG && scene.tasks(AGENT)[0].id != before[0].id);
    let counts = [("secretsmanager", "PutSecretValue"), ("ecs", "UpdateService")];
    assert_eq!(counts.map(|(service, action)| one.count(from, service, action)), [0, 1], "{:?}", one.calls(from));
    scene.was_never_refused();
    scene.keeps_secrets(&[WRONG]).await;
}
