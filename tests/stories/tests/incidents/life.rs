//! A whole life: a deployment that breaks, gets worse, and is mended.

use sandbox::Options;
use sandbox::inbox::Mail;
use serde_json::{Value, json};
use stories::agents::secret;

use crate::scene::{GROUP, LASTS, Scene, container, with};

const SERVICE: &str = "payments";

#[tokio::test]
async fn an_incident_is_told_at_once_with_its_evidence_then_when_it_gets_worse_and_when_it_is_over() {
    let scene = Scene::set(Options::default().with("CrashQuietMinutes", "0")).await;
    let tags = json!([
        {"key": "watchkeeper:owner", "value": "team-payments"},
        {"key": "watchkeeper:runbook", "value": "https://wiki.example.com/payments"}
    ]);
    scene.lasting(SERVICE, json!({"tags": tags})).await;

    // Once only: what comes after it lasts.
    let once = scene.path("crashed-once");
    let script = format!(
        "if [ ! -e {once} ]; then touch {once}; echo 'sample 2.0 starts'; \
         printf '\\033[1;31mERROR\\033[0m connecting to postgres://u:s3cr3t@h/db failed\\n'; exit 3; fi; {LASTS}"
    );
    let login = secret(&scene.stage, "payments-login", "hunter2-is-secret", &[]).await;
    let changed = json!({
        "image": "watchkeeper/sample-agent:2.0", "environment": [{"name": "POOL_SIZE", "value": "50"}],
        "secrets": [{"name": "LOGIN", "valueFrom": login}]
    });
    let second = scene.revision(SERVICE, with(container(&script), &changed)).await;
    scene.update(SERVICE, json!({"taskDefinition": second})).await;

    let opened = scene.hears(SERVICE, 1).await;
    assert_eq!(opened.subject, r#"CRASH payments: container "agent" exited with code 3 [demo]"#);
    let json = &opened.json;
    let id = json["incident"].as_str().unwrap().to_owned();
    assert_eq!(
        [&json["state"], &json["number"], &json["count"], &json["action"], &json["dedup_key"], &json["cause"]],
        [&json!("opened"), &json!(1), &json!(1), &json!("trigger"), &json!(id), &json!("application-exit")]
    );
    shows_its_evidence(&opened);
    let attributes: Vec<_> = opened.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("about", SERVICE),
        ("cause", "application-exit"),
        ("cluster", "demo"),
        ("incident", &id),
        ("owner", "team-payments"),
        ("runbook", "https://wiki.example.com/payments"),
        ("service", SERVICE),
        ("severity", "error"),
        ("state", "opened"),
    ];
    assert_eq!(attributes, expected);
    assert!(opened.text.contains("Owner      team-payments"), "{}", opened.text);

    // The third crash is one too many.
    scene.is_steady_on(SERVICE, &second).await;
    for _ in 0..2 {
        scene.exit(SERVICE, 3).await;
        scene.steady(SERVICE, 1).await;
    }
    let worse = scene.hears(SERVICE, 2).await;
    assert_eq!(worse.subject, r#"CRASH payments x3, error: container "agent" exited with code 3 [demo]"#);
    assert_eq!(
        [&worse.json["state"], &worse.json["count"], &worse.json["dedup_key"], &worse.json["action"]],
        [&json!("escalated"), &json!(3), &json!(id), &json!("trigger")]
    );
    assert_eq!(worse.json["evidence"]["compared_with"], "payments:1", "it is gathered once");

    let kept = scene.stage.item(&format!("incident#{id}"), "evidence").await.unwrap().unwrap();
    let stored: Value = serde_json::from_str(kept["state"]["S"].as_str().unwrap()).unwrap();
    assert_eq!(stored["changes"], worse.json["evidence"]["changes"]);

    scene.minute().await;
    let over = scene.hears(SERVICE, 3).await;
    assert_eq!(over.subject, r#"RESOLVED payments: container "agent" exited with code 3 [demo]"#);
    assert_eq!(
        [&over.json["state"], &over.json["count"], &over.json["dedup_key"], &over.json["action"]],
        [&json!("resolved"), &json!(3), &json!(id), &json!("resolve")]
    );
    assert!(over.text.contains("1 of 1 tasks run on payments:2"), "{}", over.text);
    scene.minute().await;
    assert_eq!(scene.subjects(SERVICE).await.len(), 3, "it is told once that it is over");

    scene.exit(SERVICE, 3).await;
    let again = scene.hears(SERVICE, 4).await;
    assert_eq!(
        [&again.json["state"], &again.json["number"], &again.json["count"], &again.json["incident"]],
        [&json!("opened"), &json!(4), &json!(4), &json!(id)]
    );
    assert!(again.text.contains("It is back for the 1st time since "), "{}", again.text);
    let stream = |mail: &Mail| mail.json["evidence"]["logs"][0]["stream"].as_str().unwrap().to_owned();
    assert_ne!(stream(&again), stream(&opened), "its evidence is of now");
    for secret in ["s3cr3t", "hunter2-is-secret"] {
        scene.keeps(secret).await;
    }
    scene.ends_well();
}

/// The lines of the container with nothing secret in them, what the revision changed, how the task lived and how the service is.
fn shows_its_evidence(opened: &Mail) {
    let evidence = &opened.json["evidence"];
    let lines = json!(["sample 2.0 starts", "ERROR connecting to postgres://u:[redacted]@h/db failed"]);
    assert_eq!([&evidence["logs"][0]["tail"], &evidence["logs"][0]["group"]], [&lines, &json!(GROUP)]);
    assert!(opened.text.contains("  ERROR connecting to postgres://"), "{}", opened.text);
    assert_eq!(evidence["compared_with"], "payments:1");
    let changes = evidence["changes"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    let [image, command, variable, from]: [&str; 4] = changes.collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(
        [image, variable],
        ["image watchkeeper/sample-agent:1.0 -> watchkeeper/sample-agent:2.0", "variables added POOL_SIZE"]
    );
    assert!(command.starts_with("command exec sample-agent -> if ["), "{command}");
    assert!(from.starts_with("secret LOGIN added, from payments-login-"), "{from}");
    let moments = evidence["timeline"].as_array().unwrap().iter().map(|moment| moment["what"].as_str().unwrap());
    let expected = [
        "created",
        "network attached",
        "image pulled in # s",
        "started",
        "stopping, after it ran for # s",
        "containers ended (agent exit #)",
        "stopped",
    ];
    let moments: Vec<_> = moments.map(|what| what.replace(|c: char| c.is_ascii_digit(), "#")).collect();
    assert_eq!(moments, expected);
    assert_eq!(evidence["running"]["desired"], 1);
    assert!(evidence["running"]["running"].as_u64() >= Some(1), "the first revision still runs: {evidence}");
    assert!(evidence["deployment"].as_str().unwrap().contains("payments:2"), "{evidence}");
    assert_eq!(evidence["gaps"], json!([]));
}
