//! What no event told: tasks that never run, a deployment without an end, a stop whose event was lost.

use sandbox::Options;
use serde_json::{Value, json};

use crate::scene::{Scene, about, waiting_for};

#[tokio::test]
async fn without_any_event_the_sweep_finds_what_is_missing_and_what_stopped() {
    let limits = Options::default().with("BelowDesiredMinutes", "1").with("DeploymentStuckMinutes", "1");
    let scene = Scene::set(limits).await;
    scene.lasting("lost", json!({})).await;
    scene.stage.quiet().await.unwrap();

    scene.lose_events();
    let go = scene.path("go");
    let revision = scene.revision("starved", waiting_for(&go)).await;
    scene.create("starved", &revision, json!({})).await;
    let task = scene.exit("lost", 7).await;
    scene.steady("lost", 1).await;
    scene.minute().await;
    assert_eq!(scene.stage.inbox.mails(), [], "a restart may take a while, and an event");

    scene.minutes_until(|| scene.told("lost").len() + scene.told("starved").len() > 2).await;
    let crash = scene.hears("lost", 1).await;
    assert_eq!(crash.subject, r#"CRASH lost: container "agent" exited with code 7 [demo]"#);
    assert_eq!((crash.json["number"].as_u64(), crash.json["count"].as_u64()), (Some(1), Some(1)));
    assert!(crash.text.contains("sample-agent listens on"), "its evidence is there: {}", crash.text);
    let mut subjects = scene.subjects("starved").await;
    subjects.sort();
    let missing = "TASKS MISSING starved: its task does not run [demo]";
    assert_eq!(subjects[1], missing, "{subjects:#?}");
    assert!(subjects[0].starts_with("DEPLOYMENT STUCK starved: "), "{subjects:#?}");

    // The event was only late.
    let of_task = |event: &&Value| event["detail"]["taskArn"] == task.arn && event["detail"]["lastStatus"] == "STOPPED";
    let events = scene.stage.sandbox.bus().emitted();
    scene.stage.sandbox.bus().deliver(events.iter().find(of_task).unwrap()).await.unwrap();
    scene.stage.quiet().await.unwrap();
    let incident =
        scene.stage.item("incidents", &format!("{} application-exit", about("lost"))).await.unwrap().unwrap();
    let incident: Value = serde_json::from_str(incident["state"]["S"].as_str().unwrap()).unwrap();
    assert_eq!((incident["count"].as_u64(), scene.told("lost").len()), (Some(1), 1));

    scene.minute().await;
    assert_eq!(scene.subjects("starved").await.len(), 2, "what lasts is told once");
    std::fs::write(&go, "").unwrap();
    scene.steady("starved", 1).await;
    scene.minute().await;
    let over = scene.subjects("starved").await.split_off(2);
    assert!(over.len() == 2 && over.iter().all(|subject| subject.starts_with("RESOLVED starved: ")), "{over:#?}");
    for mail in scene.told("starved") {
        let same = |other: &&sandbox::inbox::Mail| other.json["incident"] == mail.json["incident"];
        assert_eq!(scene.told("starved").iter().filter(same).count(), 2, "each has its end");
    }
    scene.ends_well();
}
