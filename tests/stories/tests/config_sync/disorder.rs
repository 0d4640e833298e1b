//! Events that are old, many or lost, hands in the same document, and a function that is cut off.

use std::sync::atomic::{AtomicUsize, Ordering};

use sandbox::disorder::{CallEffect, CallMatch, CallRule, Moment, Plan};
use sandbox::stage::PATIENCE;
use sandbox::{Call, Intervention};
use serde_json::json;

use crate::one::{AGENT, Kind, One};
use crate::scene::Scene;

/// Holds the answer to the call of the function that is the `nth` of those that are it; it takes effect.
fn hold(scene: &Scene, nth: usize, is_it: impl Fn(&Call) -> bool + Send + Sync + 'static) {
    let met = AtomicUsize::new(0);
    scene.stage.sandbox.door().on_call(Box::new(move |call| {
        let is_it = call.caller == "config-sync" && is_it(call) && met.fetch_add(1, Ordering::Relaxed) + 1 == nth;
        if is_it { Intervention::Hold } else { Intervention::Pass }
    }));
}

/// Waits until it is held.
async fn held(scene: &Scene, from: usize) {
    let is_held = |call: &Call| call.outcome.as_ref().is_some_and(|outcome| outcome.held);
    scene.stage.sandbox.door().wait_for_call(from, PATIENCE, is_held).await.unwrap();
}

/// The function goes on.
fn release(scene: &Scene) {
    scene.stage.sandbox.door().clear_hook();
    scene.stage.sandbox.door().release_held();
}

#[tokio::test]
async fn an_event_that_names_an_older_version_writes_nothing() {
    let scene = Scene::set().await;
    let one = One::set(&scene, Kind::Secret, json!({})).await;
    let (door, bus) = (scene.stage.sandbox.door(), scene.stage.sandbox.bus());
    let (events, mails) = (bus.emitted().len(), scene.stage.inbox.mails().len());
    let rotated = scene.database.rotate_master().await.unwrap();
    one.told(mails, "DONE").await;
    scene.quiet().await;
    let (document, from) = (one.document().await, door.call_count());
    let mut event = one.label_event(events).await;
    event["detail"]["versionId"] = json!(rotated.previous_version);
    bus.deliver(&event).await.unwrap();
    scene.quiet().await;
    assert!(one.count(from, "secretsmanager", "GetSecretValue") > 0, "it looks: {:?}", one.calls(from));
    for (service, action) in [("secretsmanager", "PutSecretValue"), ("ecs", "UpdateService")] {
        assert_eq!(one.count(from, service, action), 0, "{action}");
    }
    assert!(one.document().await == document);
    one.is_in_step().await;
    scene.was_never_refused();
    scene.keeps_secrets(&[]).await;
}

#[tokio::test]
async fn a_rotation_in_the_middle_of_another_ends_in_step_with_the_second_one() {
    let scene = Scene::set().await;
    let one = One::set(&scene, Kind::Secret, json!({})).await;
    let door = scene.stage.sandbox.door();

    // While it writes the first: the second is written before anybody is restarted.
    let (from, mails) = (door.call_count(), scene.stage.inbox.mails().len());
    hold(&scene, 1, |call| call.is("secretsmanager", "PutSecretValue"));
    scene.database.rotate_master().await.unwrap();
    held(&scene, from).await;
    scene.database.rotate_master().await.unwrap();
    release(&scene);
    one.told(mails, "DONE").await;
    scene.quiet().await;
    one.is_in_step().await;
    let writes = one.count(from, "secretsmanager", "PutSecretValue");
    assert_eq!((writes, one.count(from, "ecs", "UpdateService")), (2, 1), "{:?}", one.calls(from));

    // While it restarts for the first: once for each of the two.
    let (from, mails) = (door.call_count(), scene.stage.inbox.mails().len());
    hold(&scene, 1, |call| call.is("ecs", "UpdateService"));
    scene.database.rotate_master().await.unwrap();
    held(&scene, from).await;
    scene.database.rotate_master().await.unwrap();
    release(&scene);
    one.told(mails, "DONE").await;
    scene.quiet().await;
    scene.sweep().await;
    one.is_in_step().await;
    let writes = one.count(from, "secretsmanager", "PutSecretValue");
    let restarts = one.count(from, "ecs", "UpdateService");
    println!("a rotation while the agent is restarted for another: {writes} writes, {restarts} deployments");
    assert_eq!((writes, restarts), (2, 2), "{:?}", one.calls(from));
    scene.was_never_refused();
    scene.keeps_secrets(&[]).await;
}

#[tokio::test]
async fn who_edits_another_part_of_the_secret_at_the_same_moment_keeps_their_edit() {
    let scene = Scene::set().await;
    let one = One::set(&scene, Kind::Secret, json!({})).await;
    let door = scene.stage.sandbox.door();
    // They have looked before the rotation. Ours is put aside when theirs becomes current; or theirs comes when ours just has.
    for (level, action) in [("debug", "PutSecretValue"), ("trace", "UpdateSecretVersionStage")] {
        let (from, mails, before) = (door.call_count(), scene.stage.inbox.mails().len(), one.document().await);
        hold(&scene, 1, move |call| call.is("secretsmanager", action));
        scene.database.rotate_master().await.unwrap();
        held(&scene, from).await;
        one.edit_of(&before, "level", level).await;
        release(&scene);
        one.told(mails, "DONE").await;
        scene.quiet().await;
        scene.sweep().await;
        one.is_in_step().await;
        assert_eq!(one.member("level").await, level, "{action}");
        assert_eq!(one.count(from, "secretsmanager", "PutSecretValue"), 2, "{action}: {:?}", one.calls(from));
    }
    scene.was_never_refused();
    scene.keeps_secrets(&[]).await;
}

#[tokio::test]
async fn who_edits_another_part_of_the_parameter_at_the_same_moment_keeps_their_edit() {
    let scene = Scene::set().await;
    let one = One::set(&scene, Kind::Parameter, json!({})).await;
    let door = scene.stage.sandbox.door();
    // Between its last look and its write, which hides theirs at first; and just after its write.
    for (level, nth, action, writes) in [("debug", 2, "GetParameter", 3), ("trace", 1, "PutParameter", 2)] {
        let (from, mails, before) = (door.call_count(), scene.stage.inbox.mails().len(), one.document().await);
        hold(&scene, nth, move |call| call.is("ssm", action));
        scene.database.rotate_master().await.unwrap();
        held(&scene, from).await;
        one.edit_of(&before, "level", level).await;
        release(&scene);
        one.told(mails, "DONE").await;
        scene.quiet().await;
        scene.sweep().await;
        one.is_in_step().await;
        assert_eq!(one.member("level").await, level, "{action}");
        assert_eq!(one.count(from, "ssm", "PutParameter"), writes, "{action}: {:?}", one.calls(from));
    }
    scene.was_never_refused();
    scene.keeps_secrets(&[]).await;
}

#[tokio::test]
async fn with_all_events_lost_sweeps_alone_bring_it_in_step() {
    let scene = Scene::set().await;
    let one = One::set(&scene, Kind::Secret, json!({})).await;
    let lost = one.lose_all_events();
    let (from, mails) = (scene.stage.sandbox.door().call_count(), scene.stage.inbox.mails().len());
    scene.database.rotate_master().await.unwrap();
    scene.quiet().await;
    assert_eq!(one.calls(from).len(), 0, "nothing tells it");
    scene.sweep().await;
    let login = scene.database.master_login("AWSCURRENT").await.unwrap();
    assert!(one.member("password").await == login.password(), "one sweep writes");
    one.sweeps_until_told(mails, "DONE", "config-followed", 5).await;
    one.is_in_step().await;
    assert_eq!(one.count(from, "ecs", "UpdateService"), 1);
    drop(lost);
    scene.was_never_refused();
    scene.keeps_secrets(&[]).await;
}

#[tokio::test]
async fn a_function_that_is_killed_half_way_is_made_good_by_sweeps_and_nothing_is_done_twice() {
    let scene = Scene::set().await;
    let one = One::set(&scene, Kind::Secret, json!({})).await;
    one.ends_invocations_soon().await;
    let (lost, door) = (one.lose_all_events(), scene.stage.sandbox.door());
    for (service, action, moment) in [
        ("secretsmanager", "PutSecretValue", Moment::After),
        ("secretsmanager", "UpdateSecretVersionStage", Moment::After),
        ("ecs", "UpdateService", Moment::Before),
        ("ecs", "UpdateService", Moment::After),
    ] {
        let (from, mails) = (door.call_count(), scene.stage.inbox.mails().len());
        let matching = CallMatch {
            caller: "config-sync".into(),
            service: service.into(),
            action: action.into(),
            ..CallMatch::default()
        };
        let calls = vec![CallRule::new(matching, CallEffect::Kill(moment)).named("kill").nth([1])];
        let kill = scene.stage.sandbox.disorder().add(Plan { calls, ..Plan::default() }).unwrap();
        scene.database.rotate_master().await.unwrap();
        let began = tokio::time::Instant::now();
        scene.sweep().await;
        // Its lease ends with the invocation that it would have had; the message comes again after that.
        one.sweeps_until_told(mails, "DONE", "config-followed", 60).await;
        let report = kill.report();
        assert_eq!((report.done("kill"), &report.faults), (1, &Vec::new()), "{report}");
        println!("{action}, killed {moment:?}: in step after {:.0} s", began.elapsed().as_secs_f64());
        one.is_in_step().await;
        let took_effect = |call: &Call| {
            let is_ok = call.outcome.as_ref().is_some_and(|outcome| outcome.status == 200);
            scene.is_by_it(call) && call.is("ecs", "UpdateService") && is_ok
        };
        assert_eq!(door.calls_where(from, took_effect).len(), 1, "{action} {moment:?}: {:?}", one.calls(from));
        assert_eq!(one.mails(mails, "").len(), 1, "{action} {moment:?}");
        assert_eq!(scene.tasks(AGENT).len(), 1);
    }
    drop(lost);
    scene.was_never_refused();
    scene.keeps_secrets(&[]).await;
}
