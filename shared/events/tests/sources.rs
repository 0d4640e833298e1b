//! What becomes of the events about sources of configuration: secrets, parameters, objects.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use proptest::prelude::*;
use serde_json::{Value, json};
use watchkeeper_events::{
    Event, ObjectCreated, ParameterChanged, ParameterOperation, QueueMessage, RotationEnded, SecretLabelUpdated,
};

const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:formae-db-creds-AbCdEf";

fn sample(name: &str) -> Value {
    let path = format!("{}/tests/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn object_created() -> Value {
    json!({
        "version": "0", "id": "o1", "detail-type": "Object Created", "source": "aws.s3", "account": "123456789012",
        "time": "2026-11-20T12:00:00Z", "region": "eu-west-1", "resources": ["arn:aws:s3:::cap-snapshots"],
        "detail": {
            "version": "0", "bucket": {"name": "cap-snapshots"}, "reason": "PutObject",
            "object": {"key": "gold/2026 11+20 ü.tar", "size": 5, "etag": "b1946ac9", "sequencer": "00617F08299329D189"}
        }
    })
}

/// The event with another value at `pointer`, whatever is there.
fn with(event: &Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let mut event = event.clone();
    event.pointer_mut(parent).unwrap()[name] = value;
    event
}

fn refusal(event: &Value) -> String {
    let id = event["id"].as_str().unwrap();
    let text = Event::parse(event).unwrap_err().to_string();
    text.strip_prefix(&format!("event {id}: field ")).unwrap().to_owned()
}

fn label(event: &Value) -> SecretLabelUpdated {
    match Event::parse(event).unwrap() {
        Event::SecretLabelUpdated(updated) => *updated,
        other => panic!("{other:?}"),
    }
}

fn rotation(event: &Value) -> RotationEnded {
    match Event::parse(event).unwrap() {
        Event::RotationEnded(ended) => *ended,
        other => panic!("{other:?}"),
    }
}

fn parameter(event: &Value) -> ParameterChanged {
    match Event::parse(event).unwrap() {
        Event::ParameterChanged(changed) => *changed,
        other => panic!("{other:?}"),
    }
}

fn object(event: &Value) -> ObjectCreated {
    match Event::parse(event).unwrap() {
        Event::ObjectCreated(created) => *created,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_label_moved() {
    let event = sample("secret-label-updated");
    let read = label(&event);
    assert_eq!(json!(read.secret), event["resources"][0]);
    assert_eq!((read.label.as_str(), read.version.as_str()), ("AWSCURRENT", "9e1f2a3b-4c5d-4e6f-8a9b-0c1d2e3f4a5b"));
    assert_eq!((read.origin.account.as_str(), read.origin.region.as_str()), ("123456789012", "eu-west-1"));

    for (pointer, value, why) in [
        ("/resources", json!([]), "resources is empty; the secret's ARN belongs there"),
        ("/resources", json!(["formae-db-creds"]), "resources[0] is not the ARN of a secret"),
        ("/resources", json!(["arn:aws:ssm:r:1:parameter/x"]), "resources[0] is not the ARN of a secret"),
        ("/resources", json!([["x"]]), "resources[0] is a list, not text"),
        ("/detail", Value::Null, "detail is missing"),
        ("/detail/labelUpdated", Value::Null, "detail.labelUpdated is missing"),
        ("/detail/labelUpdated", json!([]), "detail.labelUpdated is a list, not text"),
        ("/detail/versionId", json!(""), "detail.versionId is empty"),
    ] {
        assert_eq!(refusal(&with(&event, pointer, value)), why);
    }
    let later = with(&with(&event, "/detail/name", json!({"of": 2030})), "/detail/more", json!([1]));
    assert_eq!(label(&later), read, "what is not needed may be anything");
}

#[test]
fn a_rotation_finds_its_secret_wherever_cloudtrail_names_it() {
    let event = sample("rotation-succeeded");
    let read = rotation(&event);
    assert_eq!((read.secret.as_str(), read.succeeded, &read.error_code), (SECRET, true, &None));

    let bare = with(&event, "/detail/additionalEventData", Value::Null);
    for detail_type in ["AWS Service Event via CloudTrail", "AWS API Call via CloudTrail"] {
        let bare = with(&bare, "/detail-type", json!(detail_type));
        for (place, name) in [
            ("additionalEventData", "SecretId"),
            ("serviceEventDetails", "secretId"),
            ("responseElements", "arn"),
            ("responseElements", "aRN"),
        ] {
            let named = with(&bare, &format!("/detail/{place}"), json!({name: SECRET, "other": [1]}));
            assert_eq!(rotation(&named).secret, SECRET, "{place}.{name}");
        }
        let response = with(&bare, "/detail/responseElements", json!({"arn": "formae-db-creds", "aRN": SECRET}));
        let both = with(&response, "/detail/additionalEventData", json!({"SecretId": "formae-db-creds"}));
        assert_eq!(rotation(&both).secret, SECRET, "a name is passed over for an ARN");
    }
}

#[test]
fn a_rotation_without_an_arn_is_refused_and_never_guessed() {
    let event = sample("rotation-succeeded");
    let nowhere = "detail.additionalEventData.SecretId is not the ARN of a secret, and neither serviceEventDetails nor \
                   responseElements has one";
    for (pointer, value, why) in [
        ("/detail/additionalEventData", Value::Null, nowhere),
        ("/detail/additionalEventData", json!({}), nowhere),
        ("/detail/additionalEventData", json!({"SecretId": "formae-db-creds"}), nowhere),
        ("/detail/additionalEventData", json!({"SecretId": "arn:aws:kms:r:1:key/1"}), nowhere),
        ("/detail/additionalEventData", json!("x"), "detail.additionalEventData is text, not an object"),
        (
            "/detail/additionalEventData",
            json!({"SecretId": []}),
            "detail.additionalEventData.SecretId is a list, not text",
        ),
        ("/detail/eventName", Value::Null, "detail.eventName is missing"),
        (
            "/detail/eventName",
            json!("PutSecretValue"),
            "detail.eventName is neither \"RotationSucceeded\" nor \"RotationFailed\"",
        ),
    ] {
        assert_eq!(refusal(&with(&event, pointer, value)), why);
    }
    let elsewhere = with(
        &with(&event, "/detail/additionalEventData", Value::Null),
        "/detail/requestParameters",
        json!({"secretId": SECRET}),
    );
    assert_eq!(refusal(&elsewhere), nowhere, "who asked for what is not what happened");
}

#[test]
fn a_failed_rotation_tells_a_code_and_nothing_more() {
    let failed = with(&sample("rotation-succeeded"), "/detail/eventName", json!("RotationFailed"));
    assert_eq!((rotation(&failed).succeeded, rotation(&failed).error_code), (false, None));
    let failed = with(&failed, "/detail/errorMessage", json!("password hunter2 is too short"));
    for (code, told) in [
        ("AccessDeniedException", Some("AccessDeniedException")),
        ("Client.RequestLimitExceeded", Some("Client.RequestLimitExceeded")),
        ("the password hunter2 was refused", None),
        ("", None),
    ] {
        let read = rotation(&with(&failed, "/detail/errorCode", json!(code)));
        assert_eq!(read.error_code.as_deref(), told);
        assert!(!format!("{read:?}").contains("hunter2"));
    }
    let odd = with(&sample("rotation-succeeded"), "/detail/errorCode", json!("AccessDeniedException"));
    assert_eq!(rotation(&odd).error_code, None, "what succeeded has none");
}

#[test]
fn a_parameter_changed() {
    let event = sample("parameter-store-change");
    let read = parameter(&event);
    let arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/dbward/server-config";
    assert_eq!((read.parameter.as_str(), &read.operation), (arn, &ParameterOperation::Update));

    let unnamed = with(&event, "/resources", json!([]));
    assert_eq!(parameter(&unnamed).parameter, arn);
    for (region, name, made) in [
        ("eu-west-1", "plain", "arn:aws:ssm:eu-west-1:123456789012:parameter/plain"),
        ("cn-north-1", "/a/b", "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/a/b"),
        ("us-gov-west-1", "/a", "arn:aws-us-gov:ssm:us-gov-west-1:123456789012:parameter/a"),
        ("us-east-1", "/a", "arn:aws:ssm:us-east-1:123456789012:parameter/a"),
    ] {
        let event = with(&with(&unnamed, "/region", json!(region)), "/detail/name", json!(name));
        assert_eq!(parameter(&event).parameter, made);
    }
    for (name, operation) in [
        ("Create", ParameterOperation::Create),
        ("Delete", ParameterOperation::Delete),
        ("LabelParameterVersion", ParameterOperation::LabelParameterVersion),
        ("Teleport", ParameterOperation::Other("Teleport".to_owned())),
    ] {
        assert_eq!(parameter(&with(&event, "/detail/operation", json!(name))).operation, operation);
    }
    for (pointer, value, why) in [
        ("/resources", json!([SECRET]), "resources[0] is not the ARN of a parameter"),
        ("/resources", json!(["arn:aws:ssm:r:1:parameter/"]), "resources[0] is not the ARN of a parameter"),
        ("/detail/operation", Value::Null, "detail.operation is missing"),
        ("/detail/operation", json!({}), "detail.operation is an object, not text"),
    ] {
        assert_eq!(refusal(&with(&event, pointer, value)), why);
    }
    assert_eq!(refusal(&with(&unnamed, "/detail/name", json!(""))), "detail.name is empty");
}

#[test]
fn an_object_was_created() {
    let event = object_created();
    let read = object(&event);
    assert_eq!((read.bucket.as_str(), read.key.as_str()), ("cap-snapshots", "gold/2026 11+20 ü.tar"));
    for (pointer, value, why) in [
        ("/detail/bucket", Value::Null, "detail.bucket is missing"),
        ("/detail/bucket/name", json!(true), "detail.bucket.name is a boolean, not text"),
        ("/detail/object", json!("gold/s3cr3t.tar"), "detail.object is text, not an object"),
        ("/detail/object/key", Value::Null, "detail.object.key is missing"),
        ("/detail/object/key", json!(["gold/s3cr3t.tar"]), "detail.object.key is a list, not text"),
    ] {
        assert_eq!(refusal(&with(&event, pointer, value)), why);
    }
    let deleted = with(&event, "/detail-type", json!("Object Deleted"));
    assert!(Event::parse(&deleted).unwrap_err().to_string().contains("nothing handles"));
}

#[test]
fn all_of_them_are_messages_of_a_queue() {
    let names = ["secret-label-updated", "rotation-succeeded", "parameter-store-change"];
    for event in names.map(sample).into_iter().chain([object_created()]) {
        assert_eq!(
            QueueMessage::parse(&event.to_string()).unwrap(),
            QueueMessage::Event(Event::parse(&event).unwrap())
        );
    }
}

/// Every place of the events, and what is put there.
fn places() -> impl Strategy<Value = (Value, String)> {
    let names = ["secret-label-updated", "rotation-succeeded", "parameter-store-change"];
    let events: Vec<Value> = names.map(sample).into_iter().chain([object_created()]).collect();
    prop::sample::select(events).prop_flat_map(|event| {
        let mut pointers = vec!["/resources".to_owned(), "/detail".to_owned()];
        for (name, value) in event["detail"].as_object().unwrap() {
            pointers.push(format!("/detail/{name}"));
            pointers
                .extend(value.as_object().into_iter().flatten().map(|(inner, _)| format!("/detail/{name}/{inner}")));
        }
        (Just(event), prop::sample::select(pointers))
    })
}

proptest! {
    #[test]
    fn any_field_may_be_missing_or_of_any_kind_and_is_not_repeated(
        (event, pointer) in places(), kind in 0_usize..6, secret in "s3cr3t[a-z0-9/:\u{0}\u{FFFF}]{0,8}"
    ) {
        let value =
            [json!(null), json!(true), json!(7), json!(secret), json!([secret]), json!({"a": secret})][kind].clone();
        if let Err(error) = Event::parse(&with(&event, &pointer, value)) {
            let (error, place) = (error.to_string(), pointer.split('/').take(3).last().unwrap());
            prop_assert!(!error.contains("s3cr3t") && error.contains(place), "{error}");
        }
    }
}
