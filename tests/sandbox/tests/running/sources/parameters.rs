//! Parameters: their events, and the rules that ministack does not have (Systems Manager API reference, `PutParameter`).

use sandbox::disorder::{EventEffect, EventMatch, EventRule, Plan};
use serde_json::{Value, json};

use super::{queue_of, received, ssm};
use crate::local::{Local, SOON, with_sandbox};

fn arn(name: &str) -> String {
    format!("arn:aws:ssm:eu-west-1:123456789012:parameter{name}")
}

/// A queue of the events about parameters whose ARN begins so.
async fn events_about(local: &Local, queue: &str, path: &str) -> String {
    let pattern = json!({
        "source": ["aws.ssm"], "detail-type": ["Parameter Store Change"], "resources": [{ "prefix": arn(path) }],
    });
    queue_of(local, queue, pattern).await
}

async fn told(local: &Local, url: &str) -> Vec<Value> {
    local.sandbox.bus().delivered().await;
    received(local, url).await
}

#[test]
fn every_change_of_a_parameter_is_told_and_nothing_else() {
    with_sandbox(async |local| {
        let url = events_about(local, "parameter-events", "/told/").await;
        let call = async |action: &str, request: Value| ssm(local, action, request).await.unwrap();
        let config = json!({
            "Name": "/told/config", "Value": "s3cr3t-1", "Type": "SecureString", "Description": "for the server",
        });
        call("PutParameter", config).await;
        let overwrite = json!({ "Name": "/told/config", "Value": "s3cr3t-2", "Overwrite": true });
        call("PutParameter", overwrite.clone()).await;
        call("LabelParameterVersion", json!({ "Name": "/told/config", "Labels": ["live"] })).await;
        call("GetParameter", json!({ "Name": "/told/config", "WithDecryption": true })).await;
        let refused = ssm(local, "PutParameter", json!({ "Name": "/told/config", "Value": "s3cr3t-3" })).await;
        assert_eq!(refused.unwrap_err().code, "ParameterAlreadyExists");
        call("PutParameter", json!({ "Name": "/told/other", "Value": "x", "Type": "String" })).await;
        call("DeleteParameters", json!({ "Names": ["/told/other", "/told/nowhere"] })).await;
        call("DeleteParameter", json!({ "Name": "/told/config" })).await;

        let events = told(local, &url).await;
        let seen: Vec<_> = events
            .iter()
            .map(|event| (event["detail"]["operation"].as_str().unwrap(), event["resources"][0].as_str().unwrap()))
            .collect();
        let (config, other) = (arn("/told/config"), arn("/told/other"));
        let expected = [
            ("Create", &config),
            ("Update", &config),
            ("LabelParameterVersion", &config),
            ("Create", &other),
            ("Delete", &other),
            ("Delete", &config),
        ];
        assert_eq!(seen, expected.map(|(operation, arn)| (operation, arn.as_str())));
        let mut first = events[0].clone();
        assert!(first["id"].take().is_string() && first["time"].take().is_string());
        let documented = json!({
            "version": "0", "id": null, "detail-type": "Parameter Store Change", "source": "aws.ssm",
            "account": "123456789012", "time": null, "region": "eu-west-1", "resources": [config],
            "detail": {
                "operation": "Create", "name": "/told/config", "type": "SecureString", "description": "for the server",
            },
        });
        assert_eq!(first, documented);
        assert!(!json!(events).to_string().contains("s3cr3t"));
    });
}

#[test]
fn parameters_of_stacks_are_told_too() {
    with_sandbox(async |local| {
        let from = local.sandbox.bus().emitted().len();
        let properties = json!({ "Name": "/stacked/config", "Type": "String", "Value": "x" });
        let template =
            json!({ "Resources": { "Config": { "Type": "AWS::SSM::Parameter", "Properties": properties } } });
        let parameters = [("StackName", "of-a-parameter"), ("TemplateBody", &template.to_string())];
        local.sandbox.aws().query("cloudformation", "CreateStack", &parameters).await.unwrap();
        let is_it = |event: &Value| event["resources"] == json!([arn("/stacked/config")]);
        let event = local.sandbox.bus().wait_for(from, SOON, is_it).await.unwrap();
        assert_eq!(event["detail"]["operation"], "Create");
    });
}

#[test]
fn disorder_is_about_these_events_too() {
    with_sandbox(async |local| {
        let url = events_about(local, "disordered-parameters", "/disordered/").await;
        let about = |name: &str| EventMatch {
            source: "aws.ssm".into(),
            resources: arn(name).as_str().into(),
            ..EventMatch::default()
        };
        let rules = vec![
            EventRule::new(about("/disordered/lost"), EventEffect::Drop),
            EventRule::new(about("/disordered/twice"), EventEffect::Duplicate(1)),
        ];
        let added = local.sandbox.disorder().add(Plan { seed: 1, events: rules, calls: Vec::new() }).unwrap();
        for name in ["/disordered/lost", "/disordered/twice"] {
            ssm(local, "PutParameter", json!({ "Name": name, "Value": "x", "Type": "String" })).await.unwrap();
        }
        let events = told(local, &url).await;
        drop(added);
        assert_eq!(events.len(), 2, "{events:?}");
        assert!(events.iter().all(|event| event["detail"]["name"] == "/disordered/twice"));
        assert_eq!(events[0]["id"], events[1]["id"]);
    });
}

#[test]
fn versions_count_up_and_are_found_by_their_number() {
    with_sandbox(async |local| {
        let name = "/counted/config";
        let put = async |request: Value| {
            let mut request = request;
            request["Name"] = json!(name);
            ssm(local, "PutParameter", request).await.unwrap()["Version"].clone()
        };
        let first = json!({ "Value": "one", "Type": "SecureString", "KeyId": "alias/own", "Tags": [{ "Key": "k", "Value": "v" }] });
        assert_eq!(put(first).await, 1);
        assert_eq!(put(json!({ "Value": "two", "Overwrite": true })).await, 2);
        let get = async |selected: &str| {
            let request = json!({ "Name": selected, "WithDecryption": true });
            ssm(local, "GetParameter", request).await.map(|answer| answer["Parameter"].clone())
        };
        for (selected, version, value) in
            [(name, 2, "two"), ("/counted/config:1", 1, "one"), ("/counted/config:2", 2, "two")]
        {
            let parameter = get(selected).await.unwrap();
            assert_eq!((&parameter["Version"], &parameter["Value"]), (&json!(version), &json!(value)), "{selected}");
            assert_eq!(parameter["Type"], "SecureString", "kept, also where an overwrite does not say it");
        }
        assert_eq!(get("/counted/config:3").await.unwrap_err().code, "ParameterVersionNotFound");
        let filter = json!({ "ParameterFilters": [{ "Key": "Name", "Values": [name] }] });
        let described = ssm(local, "DescribeParameters", filter).await.unwrap();
        assert_eq!(
            described["Parameters"][0]["KeyId"], "alias/aws/ssm",
            "an overwrite without a key takes the default"
        );

        let tags = async |name: &str| {
            ssm(local, "ListTagsForResource", json!({ "ResourceType": "Parameter", "ResourceId": name })).await
        };
        assert_eq!(tags(name).await.unwrap()["TagList"], json!([{ "Key": "k", "Value": "v" }]));
        assert_eq!(tags("/counted/nowhere").await.unwrap_err().code, "InvalidResourceId");
    });
}

#[test]
fn a_value_that_is_too_large_for_its_tier_is_refused_and_told_to_nobody() {
    with_sandbox(async |local| {
        let url = events_about(local, "large-parameters", "/large/").await;
        let put = async |size: usize, tier: Option<&str>| {
            let mut request =
                json!({ "Name": "/large/config", "Value": "x".repeat(size), "Type": "String", "Overwrite": true });
            if let Some(tier) = tier {
                request["Tier"] = json!(tier);
            }
            ssm(local, "PutParameter", request).await
        };
        put(4096, None).await.unwrap();
        for (size, tier) in [(4097, None), (8193, Some("Advanced")), (0, None)] {
            let refused = put(size, tier).await.unwrap_err();
            assert_eq!(refused.code, "ValidationException", "{size} {tier:?}");
            assert!(refused.message.len() < 300, "the value is not repeated");
        }
        assert_eq!(put(8192, Some("Advanced")).await.unwrap()["Version"], 2, "what was refused does not count");
        assert_eq!(put(1, Some("Standard")).await.unwrap_err().code, "ValidationException");
        assert_eq!(told(local, &url).await.len(), 2);
    });
}
