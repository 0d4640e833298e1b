//! Many services break at once: a few messages, one digest, and one end of it.

use std::collections::BTreeMap;
use std::time::Duration;

use sandbox::Options;
use sandbox::disorder::{EventEffect, EventMatch, EventRule, Plan};
use sandbox::inbox::Mail;
use sandbox::stage::PATIENCE;
use serde_json::{Value, json};
use tokio::time::{interval, timeout};

use crate::scene::{LASTS, Scene, container};

const SERVICES: usize = 10;
/// So many new incidents are a storm: the last of them is not told on its own any more.
const STORM: usize = 4;

impl Scene {
    /// Time passes for the desk alone, until its spell is so.
    async fn desk_until(&self, so: impl Fn(&Value) -> bool) {
        let look = json!({"watchkeeper": "look", "incident": "none"}).to_string();
        let mut each = interval(Duration::from_secs(2));
        let so = async {
            loop {
                each.tick().await;
                self.send(&look).await;
                self.stage.quiet().await.unwrap();
                let item = self.stage.item("incidents-desk", "desk").await.unwrap().unwrap();
                let desk: Value = serde_json::from_str(item["state"]["S"].as_str().unwrap()).unwrap();
                if so(&desk["spell"]) {
                    return;
                }
            }
        };
        timeout(3 * PATIENCE, so).await.unwrap();
    }
}

fn is_digest(mail: &Mail) -> bool {
    mail.json["kind"] == "digest"
}

/// How often each service is named.
fn named(incidents: &Value) -> BTreeMap<String, usize> {
    let mut named = BTreeMap::new();
    for incident in incidents.as_array().unwrap() {
        *named.entry(incident["about"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    named
}

#[tokio::test]
async fn a_storm_is_a_few_messages_and_one_digest_and_is_over_once() {
    let options = Options::default().with("StormIncidents", STORM.to_string()).with("StormMinutes", "1");
    let scene = Scene::set(options.with("CrashQuietMinutes", "0")).await;
    let go = scene.path("go");
    let mut revisions = Vec::new();
    for number in 0..SERVICES {
        let (name, done) = (format!("shop-{number}"), scene.path(&format!("done-{number}")));
        let script = format!(
            "[ -e {done} ] && {LASTS}; while [ ! -e {go} ]; do sleep 0.05; done; touch {done}; \
             echo 'FATAL: the database does not answer'; exit 1"
        );
        let revision = scene.revision(&name, container(&script)).await;
        scene.create(&name, &revision, json!({})).await;
        revisions.push((name, revision));
    }
    for (name, revision) in &revisions {
        scene.is_steady_on(name, revision).await;
    }
    let stops = || EventMatch {
        source: "aws.ecs".into(),
        detail: [("lastStatus".to_owned(), "STOPPED".into())].into(),
        ..EventMatch::default()
    };
    let events = vec![
        EventRule::new(stops(), EventEffect::Duplicate(1)).named("duplicate").nth([2, 5, 9]),
        EventRule::new(stops(), EventEffect::Reorder { after: 3, within: Duration::from_secs(1) })
            .named("reorder")
            .nth([1, 6]),
    ];
    let disorder = scene.stage.sandbox.disorder().add(Plan { events, ..Plan::default() }).unwrap();
    std::fs::write(&go, "").unwrap();

    let digest = scene.stage.inbox.wait_for(0, PATIENCE, is_digest).await.unwrap();
    scene.stage.quiet().await.unwrap();
    assert_eq!((disorder.report().done("duplicate"), disorder.report().done("reorder")), (3, 2));
    let storm = scene.stage.inbox.mails();
    show(&storm);
    let subjects: Vec<_> = storm.iter().map(|mail| mail.subject.clone()).collect();
    let alone: Vec<_> = storm.iter().filter(|mail| !is_digest(mail)).collect();
    assert_eq!((alone.len(), storm.len()), (STORM - 1, STORM), "{subjects:#?}");
    assert!(digest.subject.starts_with("STORM: 7 incidents "), "{subjects:#?}");
    assert!(digest.subject.ends_with(": application-exit 7"), "{subjects:#?}");
    assert_eq!(
        [&digest.json["state"], &digest.json["number"], &digest.json["count"], &digest.json["causes"]],
        [&json!("opened"), &json!(1), &json!(7), &json!({"application-exit": 7})]
    );
    let mut told = named(&digest.json["incidents"]);
    for mail in &alone {
        *told.entry(mail.json["about"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let once = revisions.iter().map(|(name, _)| (name.clone(), 1)).collect::<BTreeMap<_, _>>();
    assert_eq!(told, once, "each is named once");
    for incident in digest.json["incidents"].as_array().unwrap() {
        assert_eq!((&incident["count"], &incident["state"]), (&json!(1), &json!("opened")), "{incident}");
    }

    // Nothing new for a whole window: the storm is over. Then all services are seen to be well.
    scene.desk_until(|spell| spell["storm"] == false).await;
    assert_eq!(scene.stage.inbox.mails().len(), STORM, "{:#?}", scene.stage.inbox.mails());
    for _ in 0..2 {
        scene.minute().await;
    }
    let after = scene.stage.inbox.mails().split_off(STORM);
    show(&after);
    let subjects: Vec<_> = after.iter().map(|mail| mail.subject.clone()).collect();
    let (digests, ends): (Vec<_>, Vec<_>) = after.iter().partition(|mail| is_digest(mail));
    assert_eq!((ends.len(), digests.len()), (STORM - 1, 1), "{subjects:#?}");
    for mail in &alone {
        let end = ends.iter().filter(|end| end.json["incident"] == mail.json["incident"]);
        assert_eq!(end.map(|end| end.json["action"].clone()).collect::<Vec<_>>(), ["resolve"]);
    }
    assert_eq!(
        [&digests[0].json["incident"], &digests[0].json["action"], &digests[0].json["number"]],
        [&digest.json["incident"], &json!("resolve"), &json!(2)]
    );
    assert_eq!(digests[0].subject, "RESOLVED: all is over that the digests told of");
    scene.ends_well();
}

/// With `--nocapture`: what each channel got.
fn show(mails: &[Mail]) {
    for mail in mails {
        println!("=== {}\n--- e-mail\n{}\n--- text message\n{}", mail.subject, mail.text, mail.sms);
        println!(
            "--- https\n{:#}\n--- lambda, sqs\n{:#}\n--- attributes\n{:#?}\n",
            mail.https, mail.json, mail.attributes
        );
    }
}
