//! Secrets: read, written by compare-and-swap, and refused.

use config_sync::declared::Source;
use config_sync::document::{Content, Document, Place};
use config_sync::trouble::Trouble;
use config_sync::world::{Documents, Written};
use serde_json::{Value, json};
use time::OffsetDateTime;
use watchkeeper_secrets::Hidden;

use crate::local::{Local, refused, token, with_sandbox};

const ROTATION: &str = "0c4f2a3e-5a5e-4d7e-9f0e-1f2b3c4d5e6f";

async fn document(local: &Local, arn: &str) -> Document {
    local.vault.document(&Place::Secret(arn.to_owned())).await.unwrap()
}

async fn write(local: &Local, arn: &str, base: &Document, text: &str) -> Result<Written, Trouble> {
    let token = token(&base.version, text);
    local.vault.write(&Place::Secret(arn.to_owned()), base, &token, &Hidden::from(text)).await
}

/// Which version has a label.
async fn labelled(local: &Local, arn: &str, label: &str) -> Option<String> {
    let described = local.secrets("DescribeSecret", json!({ "SecretId": arn })).await;
    let versions = described["VersionIdsToStages"].as_object().unwrap();
    let has = |labels: &Value| labels.as_array().unwrap().contains(&json!(label));
    versions.iter().find(|(_, labels)| has(labels)).map(|(version, _)| version.clone())
}

/// Somebody else makes a version current.
async fn overtake(local: &Local, arn: &str, text: &str) {
    local.secrets("PutSecretValue", json!({ "SecretId": arn, "SecretString": text })).await;
}

#[test]
fn a_secret_is_read_with_the_moments_that_matter() {
    with_sandbox(async |local| {
        let before = OffsetDateTime::now_utc();
        let arn = local.secret("read", "one").await;
        let first = document(local, &arn).await;
        assert_eq!(first.text.reveal(), "one");
        // The stand-in cuts moments off after the second, as AWS may.
        assert!(first.changed_at >= before && first.changed_at >= first.made_at, "{first:?}");
        let source = Source::Document(Place::Secret(arn.clone()));
        let reading = local.vault.reading(&source).await.unwrap();
        assert_eq!(reading.content, Content::Text(Hidden::from("one")));
        assert_eq!((&reading.version, reading.kept_in, reading.trouble), (&first.version, None, None));
        assert_eq!(local.vault.version(&source).await.unwrap(), first.version);

        let before = OffsetDateTime::now_utc();
        overtake(local, &arn, "two").await;
        let second = document(local, &arn).await;
        assert!(second.version != first.version && second.changed_at >= before, "{second:?}");
        assert!(!format!("{second:?}").contains("two"));
    });
}

#[test]
fn a_write_makes_its_token_the_current_version() {
    with_sandbox(async |local| {
        let arn = local.secret("write", "one").await;
        let large = "ü".repeat(32_768);
        for text in ["two", "{\"a\": \"'\\\"\\\\(${}%\\u0000\"}\r\n", large.as_str()] {
            let base = document(local, &arn).await;
            assert_eq!(write(local, &arn, &base, text).await, Ok(Written::Done));
            let written = document(local, &arn).await;
            assert_eq!(
                (written.text.reveal(), written.version.0.as_str()),
                (text, token(&base.version, text).as_str())
            );
            assert_eq!(labelled(local, &arn, "AWSPREVIOUS").await, Some(base.version.0.clone()));
            assert_eq!(labelled(local, &arn, "AWSPENDING").await, None);
            // Again, from the same look.
            assert_eq!(write(local, &arn, &base, text).await, Ok(Written::Done));
            assert_eq!(document(local, &arn).await, written);
        }
        let base = document(local, &arn).await;
        for length in [0, 65_537] {
            let said = refused(write(local, &arn, &base, &"x".repeat(length)).await);
            assert!(said.contains(&format!("would have {length} bytes, and a secret takes 1 to 65536")), "{said}");
        }
    });
}

#[test]
fn a_write_that_was_cut_off_is_done_by_its_repeat() {
    with_sandbox(async |local| {
        let arn = local.secret("cut-off", "one").await;
        let base = document(local, &arn).await;
        {
            let held = local.hold("secretsmanager", "PutSecretValue", &[&arn]).await;
            tokio::select! {
                outcome = write(local, &arn, &base, "two") => panic!("not held: {outcome:?}"),
                () = held.reached(&arn) => {}
            }
        }
        assert_eq!(document(local, &arn).await.text.reveal(), "one");
        assert_eq!(labelled(local, &arn, "AWSPENDING").await.as_deref(), Some(token(&base.version, "two").as_str()));
        assert_eq!(write(local, &arn, &base, "two").await, Ok(Written::Done));
        assert_eq!(document(local, &arn).await.text.reveal(), "two");
    });
}

#[test]
fn what_another_write_left_half_done_is_no_obstacle() {
    with_sandbox(async |local| {
        let arn = local.secret("left-over", "one").await;
        let base = document(local, &arn).await;
        let left = json!({
            "SecretId": arn, "SecretString": "left", "VersionStages": ["AWSPENDING"],
            "ClientRequestToken": token(&base.version, "left").as_str(),
        });
        local.secrets("PutSecretValue", left).await;
        assert_eq!(write(local, &arn, &base, "two").await, Ok(Written::Done));
        assert_eq!(document(local, &arn).await.text.reveal(), "two");
    });
}

#[test]
fn who_was_faster_keeps_what_they_wrote_and_nothing_of_ours_stays_pending() {
    with_sandbox(async |local| {
        // Before the write began, and between its two steps.
        let arn = local.secret("overtaken-before", "one").await;
        let base = document(local, &arn).await;
        overtake(local, &arn, "theirs").await;
        assert_eq!(write(local, &arn, &base, "ours").await, Ok(Written::Overtaken));
        assert_eq!(document(local, &arn).await.text.reveal(), "theirs");

        let arn = local.secret("overtaken-between", "one").await;
        let base = document(local, &arn).await;
        let held = local.hold("secretsmanager", "PutSecretValue", &[&arn]).await;
        let theirs = async {
            held.reached(&arn).await;
            // Not held, as it is another action.
            let update = json!({ "SecretId": arn, "SecretString": "theirs" });
            local.secrets("UpdateSecret", update).await;
            drop(held);
        };
        let (written, ()) = tokio::join!(write(local, &arn, &base, "ours"), theirs);
        assert_eq!(written, Ok(Written::Overtaken));
        assert_eq!(document(local, &arn).await.text.reveal(), "theirs");
        assert_eq!(labelled(local, &arn, "AWSPENDING").await, None);
    });
}

#[test]
fn a_move_that_is_repeated_is_done() {
    with_sandbox(async |local| {
        let arn = local.secret("repeated", "one").await;
        let base = document(local, &arn).await;
        let held = local.hold("secretsmanager", "PutSecretValue", &[&arn]).await;
        let other = async {
            held.reached(&arn).await;
            assert_eq!(write(local, &arn, &base, "two").await, Ok(Written::Done));
            drop(held);
        };
        // The first finds AWSCURRENT moved already, and to where it would have.
        let (written, ()) = tokio::join!(write(local, &arn, &base, "two"), other);
        assert_eq!(written, Ok(Written::Done));
        assert_eq!(document(local, &arn).await.text.reveal(), "two");
    });
}

#[test]
fn a_move_that_fails_is_told_and_done_by_the_next_try() {
    with_sandbox(async |local| {
        let arn = local.secret("failing", "one").await;
        let base = document(local, &arn).await;
        {
            let said = (500, "InternalServiceError", "Try again");
            let _refused = local.refuse("secretsmanager", "UpdateSecretVersionStage", &arn, said).await;
            let trouble = write(local, &arn, &base, "two").await.unwrap_err();
            assert!(trouble.may_pass(), "{trouble}");
            assert!(
                trouble.to_string().contains("secret failing-") && trouble.to_string().contains("Try again"),
                "{trouble}"
            );
        }
        assert_eq!(document(local, &arn).await.text.reveal(), "one");
        assert_eq!(write(local, &arn, &base, "two").await, Ok(Written::Done));
        assert_eq!(document(local, &arn).await.text.reveal(), "two");
    });
}

#[test]
fn a_rotation_that_is_at_work_is_not_disturbed() {
    with_sandbox(async |local| {
        let arn = local.secret("pending", "one").await;
        let base = document(local, &arn).await;
        let pending = json!({
            "SecretId": arn, "SecretString": "next", "VersionStages": ["AWSPENDING"], "ClientRequestToken": ROTATION,
        });
        local.secrets("PutSecretValue", pending).await;
        let trouble = write(local, &arn, &base, "ours").await.unwrap_err();
        assert!(trouble.may_pass() && trouble.to_string().contains(ROTATION), "{trouble}");
        assert_eq!(labelled(local, &arn, "AWSPENDING").await.as_deref(), Some(ROTATION));
        // The rotation's own version is a change of the secret, too.
        let now = document(local, &arn).await;
        assert_eq!(Document { changed_at: base.changed_at, ..now }, base);
    });
}

#[test]
fn other_content_under_the_same_token_is_told_without_either() {
    with_sandbox(async |local| {
        let arn = local.secret("same-token", "one").await;
        let base = document(local, &arn).await;
        let said = (400, "ResourceExistsException", "You can't use hunter2 for an existing version");
        let _refused = local.refuse("secretsmanager", "PutSecretValue", &arn, said).await;
        let trouble = write(local, &arn, &base, "hunter2").await.unwrap_err();
        let text = trouble.to_string();
        assert!(!trouble.may_pass() && text.contains("ResourceExistsException") && !text.contains("hunter2"), "{text}");
    });
}

#[test]
fn what_cannot_be_read_is_told_with_what_to_do() {
    with_sandbox(async |local| {
        let created = local.secrets("CreateSecret", json!({ "Name": "binary", "SecretBinary": "aHVudGVyMg==" })).await;
        let place = Place::Secret(created["ARN"].as_str().unwrap().to_owned());
        let said = refused(local.vault.document(&place).await);
        assert!(said.contains("secret binary-") && said.contains("put it there as SecretString"), "{said}");

        let gone = Place::Secret("arn:aws:secretsmanager:eu-west-1:123456789012:secret:gone-AbCdEf".to_owned());
        let trouble = local.vault.document(&gone).await.unwrap_err();
        assert!(
            !trouble.may_pass() && trouble.to_string().contains("secret gone-AbCdEf: ResourceNotFound"),
            "{trouble}"
        );

        let arn = local.secret("key", "hunter2").await;
        let denied = (400, "AccessDeniedException", "Access to KMS is not allowed");
        let _denied = local.refuse("secretsmanager", "GetSecretValue", &arn, denied).await;
        let trouble = local.vault.document(&Place::Secret(arn)).await.unwrap_err();
        let text = trouble.to_string();
        assert!(!trouble.may_pass() && text.contains("Access to KMS is not allowed. Watchkeeper may use"), "{text}");
        assert!(text.contains("tag watchkeeper:allow") && text.contains("let its role decrypt"), "{text}");
    });
}

#[test]
fn a_secret_is_used_by_whom_its_owner_allows() {
    with_sandbox(async |local| {
        for (name, tag, is_allowed) in [
            ("tag-none", None, false),
            ("tag-other", Some("agent"), false),
            ("tag-ours", Some("agents"), true),
            ("tag-all", Some("*"), true),
        ] {
            let arn = local.secret(name, "one").await;
            if let Some(value) = tag {
                let tags = json!([{ "Key": "watchkeeper:allow", "Value": value }]);
                local.secrets("TagResource", json!({ "SecretId": arn, "Tags": tags })).await;
            }
            let place = Place::Secret(arn);
            let as_target = local.vault.may_be_target(&place, "agents").await;
            let as_source = local.vault.may_be_source(&Source::Document(place.clone()), "agents").await;
            for outcome in [as_target, as_source] {
                if is_allowed {
                    assert_eq!(outcome, Ok(()), "{name}");
                } else {
                    assert!(refused(outcome).contains("owner allows it with the tag watchkeeper:allow = agents"));
                }
            }
            let elsewhere = refused(local.elsewhere().may_be_target(&place, "agents").await);
            assert!(
                elsewhere.contains("is in the region eu-west-1, and Watchkeeper here is in us-east-1"),
                "{elsewhere}"
            );
        }
    });
}

#[test]
fn a_target_does_not_rotate_and_is_not_about_to_go() {
    with_sandbox(async |local| {
        let tags = json!([{ "Key": "watchkeeper:allow", "Value": "@any" }]);
        let arn = local.secret("rotating", "one").await;
        local.secrets("TagResource", json!({ "SecretId": arn, "Tags": tags })).await;
        let (place, base) = (Place::Secret(arn.clone()), document(local, &arn).await);
        let function = "arn:aws:lambda:eu-west-1:123456789012:function:rotate";
        let rotate = json!({
            "SecretId": arn, "RotationLambdaARN": function, "RotationRules": { "AutomaticallyAfterDays": 7 },
            "RotateImmediately": false,
        });
        local.secrets("RotateSecret", rotate).await;
        for outcome in
            [local.vault.may_be_target(&place, "agents").await, write(local, &arn, &base, "two").await.map(drop)]
        {
            let said = refused(outcome);
            assert!(said.contains("it rotates itself; turn its rotation off"), "{said}");
        }
        assert_eq!(local.vault.may_be_source(&Source::Document(place), "agents").await, Ok(()));

        let arn = local.secret("deleted", "one").await;
        local.secrets("TagResource", json!({ "SecretId": arn, "Tags": tags })).await;
        local.secrets("DeleteSecret", json!({ "SecretId": arn, "RecoveryWindowInDays": 7 })).await;
        let place = Place::Secret(arn);
        for outcome in [
            local.vault.may_be_target(&place, "agents").await,
            local.vault.may_be_source(&Source::Document(place.clone()), "agents").await,
        ] {
            assert!(refused(outcome).contains("is scheduled for deletion: restore it"));
        }
    });
}
