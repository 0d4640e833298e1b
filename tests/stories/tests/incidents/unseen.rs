//! Evidence that cannot be had costs a sentence, never the alert.

use sandbox::Options;
use serde_json::{Value, json};
use stories::role::Role;

use crate::scene::{LASTS, Scene, container, log_group, with};

#[tokio::test]
async fn what_cannot_be_read_is_said_and_the_crash_is_told_all_the_same() {
    let scene = Scene::set(Options::default()).await;
    let aws = scene.stage.sandbox.aws();
    log_group(&scene.stage, "/goes").await;
    let gone = json!({"awslogs-group": "/goes", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "team"});
    let changes = [
        ("unlogged", json!({"logConfiguration": null})),
        ("gone", json!({"logConfiguration": {"logDriver": "awslogs", "options": gone}})),
        ("denied", json!({})),
    ];
    for (service, change) in changes {
        let mut container = with(container(LASTS), &change);
        container.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let revision = scene.revision(service, container).await;
        scene.create(service, &revision, json!({})).await;
    }
    for service in ["unlogged", "gone", "denied"] {
        scene.steady(service, 1).await;
    }
    scene.exit("unlogged", 1).await;
    let unlogged = scene.hears("unlogged", 1).await;
    gap(&unlogged.json, &unlogged.text, r#"The container "agent" has no log configuration"#);

    aws.json("logs", "Logs_20140328.DeleteLogGroup", &json!({"logGroupName": "/goes"})).await.unwrap();
    scene.exit("gone", 1).await;
    let gone = scene.hears("gone", 1).await;
    gap(&gone.json, &gone.text, r#"The log group /goes of the container "agent" does not exist in eu-west-1."#);

    let role = Role::of_crash_alerts(&scene.stage).await.unwrap();
    role.grant_all_but(&scene.stage, Some("logs:GetLogEvents")).await.unwrap();
    scene.exit("denied", 1).await;
    let denied = scene.hears("denied", 1).await;
    let why = r#"The lines of "agent" could not be read: the function's role lacks logs:GetLogEvents on /agents in eu-west-1."#;
    gap(&denied.json, &denied.text, why);
    role.grant_all_but(&scene.stage, None).await.unwrap();
    assert_eq!(scene.stage.sandbox.model_faults(), Vec::<String>::new());
}

/// Checks that the sentence is in the JSON and, folded, in the e-mail.
fn gap(json: &Value, text: &str, sentence: &str) {
    let gaps = json["evidence"]["gaps"].as_array().unwrap();
    assert!(gaps.iter().any(|gap| gap.as_str().unwrap().starts_with(sentence)), "{gaps:?}");
    assert_eq!(json["evidence"]["logs"], json!([]));
    let unfolded = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(unfolded.contains(sentence), "{text}");
}
