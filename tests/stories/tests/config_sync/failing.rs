//! What goes wrong outside, what ops read of it, and that it is over when it is mended.

use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use crate::one::{AGENT, Kind, One, in_one_line};
use crate::scene::Scene;

/// A password that is never right.
const WRONG: &str = "hunter2-is-wrong";

#[tokio::test]
async fn a_credential_that_the_database_refuses_is_not_written_and_told_in_its_own_words_until_it_lets_it_in() {
    let scene = Scene::set().await;
    let one = One::set(&scene, Kind::Secret, json!({})).await;
    let (door, bus) = (scene.stage.sandbox.door(), scene.stage.sandbox.bus());
    let (lost, document) = (one.lose_all_events(), one.document().await);
    let (from, mails, events) = (door.call_count(), scene.stage.inbox.mails().len(), bus.emitted().len());
    scene.database.rotate_master().await.unwrap();
    let login = scene.database.master_login("AWSCURRENT").await.unwrap();
    // Somebody changes it in the database, where RDS does not see it.
    scene.database.server().set_password(login.user(), WRONG).await.unwrap();
    let (event, began) = (one.label_event(events).await, Instant::now());
    bus.deliver(&event).await.unwrap();
    scene.quiet().await;
    scene.stage.quiet().await.unwrap();
    assert!(began.elapsed() > Duration::from_secs(50) || one.mails(mails, "").is_empty(), "a minute of patience");
    let told = one.sweeps_until_told(mails, "TROUBLE", "login-failed", 60).await;
    println!("told after {:.0} s:\n{}\n{}", began.elapsed().as_secs_f64(), told.subject, told.text);
    assert!(in_one_line(&told.text).contains("FATAL 28P01: password authentication failed for user [redacted]"));
    assert!(one.document().await == document, "the target keeps what it has");
    for (service, action) in [("secretsmanager", "PutSecretValue"), ("ecs", "UpdateService")] {
        assert_eq!(one.count(from, service, action), 0, "{action}");
    }
    scene.sweep().await;
    scene.stage.quiet().await.unwrap();
    assert_eq!(one.mails(mails, "").len(), 1, "it is told once");

    scene.database.server().set_password(login.user(), login.password()).await.unwrap();
    scene.sweep().await;
    one.sweeps_until_told(mails, "RESOLVED", "login-failed", 5).await;
    one.sweeps_until_told(mails, "DONE", "config-followed", 5).await;
    one.is_in_step().await;
    assert_eq!(one.count(from, "ecs", "UpdateService"), 1);
    drop(lost);
    scene.was_never_refused();
    scene.keeps_secrets(&[WRONG]).await;
}

#[tokio::test]
async fn an_agent_that_cannot_start_on_what_somebody_wrote_is_told_with_the_evidence_and_not_tried_again() {
    let scene = Scene::set().await;
    let one = One::set(&scene, Kind::Secret, json!({})).await;
    let (from, mails) = (scene.stage.sandbox.door().call_count(), scene.stage.inbox.mails().len());
    let (before, right) = (scene.tasks(AGENT), one.document().await);
    // Somebody renames a member that the task definition asks for: no new task can start.
    one.put(&right.replace("\"run_ms\"", "\"run_for\"")).await;
    let told = one.told(mails, "TROUBLE").await;
    println!("{}\n{}", told.subject, told.text);
    let text = in_one_line(&told.text);
    assert!(text.contains(&format!("not {AGENT}: its deployment failed: ")) && text.contains("run_ms"), "{text}");
    for _ in 0..3 {
        scene.sweep().await;
    }
    scene.stage.quiet().await.unwrap();
    assert_eq!(one.count(from, "ecs", "UpdateService"), 1, "{:?}", one.calls(from));
    let ours = |word| one.mails(mails, word).into_iter().filter(|mail| mail.text.contains("config-sync")).count();
    assert_eq!((ours("TROUBLE"), ours("")), (1, 1), "it is told once");
    assert!(scene.tasks(AGENT).iter().any(|task| task.id == before[0].id), "who ran goes on");

    one.put(&right).await;
    let told = one.told(mails, "RESOLVED").await;
    println!("and then:\n{}\n{}", told.subject, told.text);
    one.told(mails, "DONE").await;
    scene.quiet().await;
    one.is_in_step().await;
    assert_eq!(one.count(from, "ecs", "UpdateService"), 2, "once for each version");
    scene.was_never_refused();
    scene.keeps_secrets(&[]).await;
}

/// What `CloudTrail` tells of a rotation.
fn rotation(secret: &str, name: &str) -> Value {
    json!({
        "version": "0", "id": "0a1b2c3d-aaaa-4bbb-8ccc-000000000004", "detail-type": "AWS Service Event via CloudTrail",
        "source": "aws.secretsmanager", "account": "123456789012", "time": "2026-11-20T11:00:05Z", "region": "eu-west-1",
        "resources": [],
        "detail": {
            "eventVersion": "1.08", "eventTime": "2026-11-20T11:00:05Z", "eventSource": "secretsmanager.amazonaws.com",
            "userIdentity": {"accountId": "123456789012", "invokedBy": "secretsmanager.amazonaws.com"},
            "eventName": name, "awsRegion": "eu-west-1", "requestParameters": null, "responseElements": null,
            "errorCode": "AccessDeniedException", "errorMessage": format!("the password {WRONG} was not taken"),
            "additionalEventData": {"SecretId": secret}, "eventType": "AwsServiceEvent", "recipientAccountId": "123456789012",
            "eventCategory": "Management",
        }
    })
}

#[tokio::test]
async fn a_rotation_that_failed_is_told_where_a_declaration_is_concerned_and_nowhere_else() {
    let scene = Scene::set().await;
    let one = One::set(&scene, Kind::Secret, json!({})).await;
    let (bus, mails) = (scene.stage.sandbox.bus(), scene.stage.inbox.mails().len());
    let nobodys = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:nobodys-AbCdEf";
    bus.deliver(&rotation(nobodys, "RotationFailed")).await.unwrap();
    scene.quiet().await;
    scene.stage.stays_silent(mails).await.unwrap();

    let secret = scene.database.secret_arn();
    for _ in 0..3 {
        bus.deliver(&rotation(secret, "RotationFailed")).await.unwrap();
        scene.quiet().await;
    }
    scene.stage.quiet().await.unwrap();
    let told: Vec<_> = scene.stage.inbox.mails().into_iter().skip(mails).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    println!("{}\n{}", told[0].subject, told[0].text);
    let name = secret.rsplit(':').next().unwrap();
    assert!(told[0].subject.starts_with("TROUBLE") && in_one_line(&told[0].text).contains(name));
    assert!(told[0].text.contains("rotation-failed") && told[0].text.contains("AccessDeniedException"));

    // It is rotated at last.
    scene.database.rotate_master().await.unwrap();
    one.told(mails, "DONE").await;
    scene.quiet().await;
    scene.stage.quiet().await.unwrap();
    let told: Vec<_> = scene.stage.inbox.mails().into_iter().skip(mails + 1).collect();
    let resolved: Vec<_> = told.iter().filter(|mail| mail.text.contains("rotation-failed")).collect();
    assert!(resolved.len() == 1 && resolved[0].subject.starts_with("RESOLVED"), "{told:#?}");
    scene.was_never_refused();
    scene.keeps_secrets(&[WRONG]).await;
}

#[tokio::test]
async fn a_master_secret_that_rds_cannot_rotate_is_told_and_when_it_can_again() {
    let scene = Scene::set().await;
    let one = One::set(&scene, Kind::Secret, json!({})).await;
    let (from, mails) = (scene.stage.sandbox.door().call_count(), scene.stage.inbox.mails().len());
    scene.database.set_impaired(true);
    let began = Instant::now();
    let told = one.sweeps_until_told(mails, "TROUBLE", "source-impaired", 60).await;
    println!("told after {:.0} s:\n{}\n{}", began.elapsed().as_secs_f64(), told.subject, told.text);
    assert!(in_one_line(&told.text).contains("the master secret of the cluster agents is impaired"), "{}", told.text);
    scene.database.set_impaired(false);
    one.sweeps_until_told(mails, "RESOLVED", "source-impaired", 5).await;
    scene.stage.quiet().await.unwrap();
    assert_eq!(one.mails(mails, "").len(), 2);
    assert_eq!(one.count(from, "secretsmanager", "PutSecretValue"), 0);
    one.is_in_step().await;
    scene.was_never_refused();
    scene.keeps_secrets(&[]).await;
}
