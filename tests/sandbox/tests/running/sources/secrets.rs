//! Versions of secrets and their labels (Secrets Manager API reference, `PutSecretValue` and `UpdateSecretVersionStage`).

use sandbox::disorder::{EventEffect, EventMatch, EventRule, Plan};
use serde_json::{Value, json};

use super::{LabelEvents, manager};

use crate::local::{Local, with_sandbox};

/// A token that is long enough.
fn token(name: &str) -> String {
    format!("{name:0>32}")
}

/// A secret with its first version: its ARN.
async fn secret(local: &Local, name: &str) -> String {
    let request =
        json!({ "Name": format!("sources-{name}"), "SecretString": "first", "ClientRequestToken": token("first") });
    let made = manager(local, "CreateSecret", request).await.unwrap();
    assert_eq!(made["VersionId"], json!(token("first")));
    made["ARN"].as_str().unwrap().to_owned()
}

async fn labels(local: &Local, arn: &str) -> Value {
    manager(local, "DescribeSecret", json!({ "SecretId": arn })).await.unwrap()["VersionIdsToStages"].clone()
}

fn put(arn: &str, name: &str, value: &str, labels: &[&str]) -> Value {
    json!({ "SecretId": arn, "ClientRequestToken": token(name), "SecretString": value, "VersionStages": labels })
}

fn promotion(arn: &str, to: &str, from: Option<&str>) -> Value {
    let mut request = json!({ "SecretId": arn, "VersionStage": "AWSCURRENT", "MoveToVersionId": token(to) });
    if let Some(from) = from {
        request["RemoveFromVersionId"] = json!(token(from));
    }
    request
}

#[test]
fn a_repeated_put_does_nothing_and_one_with_other_content_is_refused() {
    with_sandbox(async |local| {
        let arn = secret(local, "repeated").await;
        let events = LabelEvents::begin(local, "labels-of-repeats", &arn).await;
        let request = put(&arn, "a", "s3cr3t-a", &["AWSPENDING"]);
        manager(local, "PutSecretValue", request.clone()).await.unwrap();
        manager(local, "UpdateSecretVersionStage", promotion(&arn, "a", Some("first"))).await.unwrap();
        let settled = labels(local, &arn).await;
        for _ in 0..2 {
            let again = manager(local, "PutSecretValue", request.clone()).await.unwrap();
            assert_eq!(again["VersionId"], json!(token("a")));
            assert_eq!(labels(local, &arn).await, settled, "AWSCURRENT stays where it is");
        }
        let other = put(&arn, "a", "s3cr3t-b", &["AWSPENDING"]);
        let refused = manager(local, "PutSecretValue", other).await.unwrap_err();
        assert_eq!((refused.code.as_str(), refused.status), ("ResourceExistsException", 400));
        assert!(!refused.message.contains("s3cr3t"), "{refused}");
        let value = manager(local, "GetSecretValue", json!({ "SecretId": arn })).await.unwrap();
        assert_eq!((&value["SecretString"], labels(local, &arn).await), (&json!("s3cr3t-a"), settled));
        assert_eq!(events.until_now(local).await.len(), 1, "only the promotion was told");
    });
}

#[test]
fn what_is_too_long_or_too_short_is_refused_and_nothing_is_written() {
    with_sandbox(async |local| {
        let arn = secret(local, "lengths").await;
        let before = labels(local, &arn).await;
        let put = |value: &str, token: &str| {
            manager(
                local,
                "PutSecretValue",
                json!({ "SecretId": arn, "SecretString": value, "ClientRequestToken": token }),
            )
        };
        for (value, token) in
            [("x".repeat(65_537), token("long")), ("x".into(), "t".repeat(31)), ("x".into(), "t".repeat(65))]
        {
            let refused = put(&value, &token).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException", "{refused}");
            assert!(refused.message.len() < 300, "the value is not repeated");
        }
        assert_eq!(labels(local, &arn).await, before);
        put(&"x".repeat(65_536), &"t".repeat(64)).await.unwrap();
    });
}

#[test]
fn a_label_is_on_one_version_and_every_label_is_told_but_two() {
    with_sandbox(async |local| {
        let arn = secret(local, "labels").await;
        let events = LabelEvents::begin(local, "labels-of-labels", &arn).await;
        manager(local, "PutSecretValue", put(&arn, "a", "a", &["AWSPENDING"])).await.unwrap();
        manager(local, "PutSecretValue", put(&arn, "b", "b", &["AWSPENDING", "BLUE"])).await.unwrap();
        let expected = json!({ token("first"): ["AWSCURRENT"], token("b"): ["AWSPENDING", "BLUE"] });
        assert_eq!(labels(local, &arn).await, expected);
        manager(local, "PutSecretValue", put(&arn, "c", "c", &["AWSCURRENT", "BLUE"])).await.unwrap();
        let expected = json!({
            token("first"): ["AWSPREVIOUS"], token("b"): ["AWSPENDING"], token("c"): ["AWSCURRENT", "BLUE"],
        });
        assert_eq!(labels(local, &arn).await, expected);
        let told = events.until_now(local).await;
        let told: Vec<_> =
            told.iter().map(|event| (&event["detail"]["labelUpdated"], &event["detail"]["versionId"])).collect();
        let [b, c] = [json!(token("b")), json!(token("c"))];
        let [blue, current] = [json!("BLUE"), json!("AWSCURRENT")];
        assert_eq!(told, [(&blue, &b), (&current, &c), (&blue, &c)]);
    });
}

#[test]
fn a_promotion_names_the_version_that_is_current() {
    with_sandbox(async |local| {
        let arn = secret(local, "promotions").await;
        for name in ["a", "b"] {
            manager(local, "PutSecretValue", put(&arn, name, name, &["AWSPENDING"])).await.unwrap();
        }
        let promote = async |to, from| manager(local, "UpdateSecretVersionStage", promotion(&arn, to, from)).await;
        let before = labels(local, &arn).await;
        for (to, from) in [("a", None), ("a", Some("b")), ("a", Some("a")), ("first", Some("b"))] {
            let refused = promote(to, from).await.unwrap_err();
            assert_eq!(refused.code, "InvalidParameterException", "to {to} from {from:?}: {refused}");
        }
        assert_eq!(promote("nowhere", Some("first")).await.unwrap_err().code, "ResourceNotFoundException");
        assert_eq!(labels(local, &arn).await, before);

        promote("a", Some("first")).await.unwrap();
        promote("b", Some("a")).await.unwrap();
        let expected = json!({ token("a"): ["AWSPREVIOUS"], token("b"): ["AWSPENDING", "AWSCURRENT"] });
        assert_eq!(labels(local, &arn).await, expected);
        // What lost its labels is not gone: whoever holds it for the base is told that it is not.
        assert_eq!(promote("a", Some("first")).await.unwrap_err().code, "InvalidParameterException");
    });
}

#[test]
fn of_promotions_from_one_base_one_wins() {
    with_sandbox(async |local| {
        let arn = secret(local, "race").await;
        let names: Vec<String> = (0..8).map(|n| format!("racer-{n}")).collect();
        let runs = names.iter().map(|name| {
            let (arn, name, aws) = (arn.clone(), name.clone(), local.sandbox.aws().clone());
            tokio::spawn(async move {
                let written = put(&arn, &name, &name, &["AWSPENDING"]);
                aws.json("secretsmanager", "secretsmanager.PutSecretValue", &written).await.unwrap();
                let promoted = promotion(&arn, &name, Some("first"));
                aws.json("secretsmanager", "secretsmanager.UpdateSecretVersionStage", &promoted).await.map(drop)
            })
        });
        let runs: Vec<_> = runs.collect();
        let mut won = Vec::new();
        for (name, run) in names.iter().zip(runs) {
            match run.await.unwrap() {
                Ok(()) => won.push(name.clone()),
                Err(refused) => assert_eq!(refused.code, "InvalidParameterException", "{refused}"),
            }
        }
        let [winner] = &won[..] else { panic!("{won:?} all won") };
        let value = manager(local, "GetSecretValue", json!({ "SecretId": arn })).await.unwrap();
        assert_eq!(value["SecretString"], json!(winner));
        let labels = labels(local, &arn).await;
        assert_eq!(labels[token("first")], json!(["AWSPREVIOUS"]), "{labels}");
        let pending =
            labels.as_object().unwrap().values().filter(|all| all.as_array().unwrap().contains(&json!("AWSPENDING")));
        assert_eq!(pending.count(), 1, "{labels}");
    });
}

#[test]
fn who_may_not_write_is_told_so_and_not_that_there_is_nothing_to_do() {
    with_sandbox(async |local| {
        let arn = secret(local, "guarded").await;
        let cli = async |arguments: &[&str], key: (&str, &str)| {
            let script = std::fs::read_to_string(local.sandbox.aws_cli()).unwrap();
            let script = script
                .replace("AWS_ACCESS_KEY_ID=test", &format!("AWS_ACCESS_KEY_ID={}", key.0))
                .replace("AWS_SECRET_ACCESS_KEY=test", &format!("AWS_SECRET_ACCESS_KEY={}", key.1));
            let output =
                tokio::process::Command::new("sh").args(["-c", &script, "aws"]).args(arguments).output().await.unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
        };
        let root = ("test", "test");
        cli(&["iam", "create-user", "--user-name", "no-writer"], root).await.unwrap();
        let key = cli(&["iam", "create-access-key", "--user-name", "no-writer"], root).await.unwrap();
        let key: Value = serde_json::from_str(&key).unwrap();
        let member = |name: &str| key["AccessKey"][name].as_str().unwrap();
        let first = token("first");
        let put = [
            ["secretsmanager", "put-secret-value", "--secret-id", &arn].as_slice(),
            &["--client-request-token", &first, "--secret-string", "first"],
        ]
        .concat();
        assert!(cli(&put, root).await.unwrap().contains(&first));
        let refused = cli(&put, (member("AccessKeyId"), member("SecretAccessKey"))).await.unwrap_err();
        assert!(refused.contains("AccessDenied"), "{refused}");
    });
}

#[test]
fn disorder_is_about_label_events_too() {
    with_sandbox(async |local| {
        let arn = secret(local, "disordered-labels").await;
        let events = LabelEvents::begin(local, "labels-in-disorder", &arn).await;
        let lost = EventMatch {
            source: "aws.secretsmanager".into(),
            detail: [("labelUpdated".to_owned(), "AWSCURRENT".into())].into(),
            resources: arn.as_str().into(),
            ..EventMatch::default()
        };
        let rules = vec![EventRule::new(lost, EventEffect::Drop).nth([1])];
        let added = local.sandbox.disorder().add(Plan { seed: 1, events: rules, calls: Vec::new() }).unwrap();
        for name in ["a", "b"] {
            manager(local, "PutSecretValue", put(&arn, name, name, &["AWSCURRENT"])).await.unwrap();
        }
        let told = events.until_now(local).await;
        drop(added);
        let [second] = &told[..] else { panic!("{told:?}") };
        assert_eq!(second["detail"]["versionId"], json!(token("b")));
        assert_eq!(second["detail"]["name"], "sources-disordered-labels");
    });
}
