//! With answers that the local AWS does not give.

use std::time::Duration;

use aws_sdk_servicediscovery::Client;
use console_registrar::registry::cloud_map::{CloudMap, Settings};
use console_registrar::registry::{IfStill, Put, Registry, Trouble};
use serde_json::{Value, json};

use crate::scripted::{Asked, Scripted};
use crate::{config, entry, id, listed, put};

/// A Cloud Map that has no instances and takes each change; `special` may answer otherwise.
fn scripted(special: impl Fn(&Asked, usize) -> Option<(u16, Value)> + Send + Sync + 'static) -> (Scripted, CloudMap) {
    let scripted = Scripted::new(move |asked, before| {
        let answer = special(asked, before).unwrap_or_else(|| match asked.action.as_str() {
            "GetInstance" => (400, json!({ "__type": "InstanceNotFound", "Message": "no such instance" })),
            "GetOperation" => (200, json!({ "Operation": { "Status": "SUCCESS" } })),
            _ => (200, json!({ "OperationId": "op-1" })),
        });
        (answer.0, answer.1.to_string())
    });
    let client = Client::from_conf(config().http_client(scripted.http_client()).build());
    let registry = CloudMap::new(client, &Settings { service: "srv-1".to_owned() });
    (scripted, registry)
}

fn operation(status: &str) -> (u16, Value) {
    (200, json!({ "Operation": { "Id": "op-1", "Status": status } }))
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_followed_to_its_end() {
    let (scripted, registry) = scripted(|asked, before| match (asked.action.as_str(), before) {
        ("GetOperation", 2) => Some(operation("SUBMITTED")),
        ("GetOperation", 3..6) => Some(operation("PENDING")),
        _ => None,
    });
    registry.put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await.unwrap();
    assert_eq!(scripted.count("GetOperation"), 5);
    let register = scripted.asked().into_iter().find(|asked| asked.action == "RegisterInstance").unwrap();
    let register: Value = serde_json::from_str(&register.body).unwrap();
    assert_eq!(
        register["Attributes"],
        json!({ "AWS_INSTANCE_IPV4": "10.0.0.1", "AWS_INSTANCE_PORT": "20001", "WATCHKEEPER_OWNER": "stack/agent" })
    );
}

#[tokio::test(start_paused = true)]
async fn an_operation_without_an_end_is_left_in_time() {
    let (scripted, registry) = scripted(|asked, _| (asked.action == "GetOperation").then(|| operation("PENDING")));
    let began = tokio::time::Instant::now();
    let unavailable = registry.put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await;
    assert!(matches!(&unavailable, Err(Trouble::Unavailable(text)) if text.contains("20 s")), "{unavailable:?}");
    assert!(began.elapsed() <= Duration::from_secs(20), "{:?}", began.elapsed());
    assert!((8..=16).contains(&scripted.count("GetOperation")), "{}", scripted.count("GetOperation"));

    let hasty = registry.patient_for(Duration::from_millis(100));
    let began = tokio::time::Instant::now();
    assert!(hasty.put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await.is_err());
    assert!(began.elapsed() <= Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn failures_are_sorted_by_who_can_help() {
    let fail = |code: &str| json!({ "Operation": { "Status": "FAIL", "ErrorCode": code, "ErrorMessage": "because\nof this" } });
    let error = |code: &str| json!({ "__type": code, "Message": "said so" });
    let table = [
        ("GetOperation", 200, fail("THROTTLED_REQUEST"), true, "because of this"),
        ("GetOperation", 200, fail("INTERNAL_FAILURE"), true, "because of this"),
        ("GetOperation", 200, fail("INVALID_CHANGE_BATCH"), false, "INVALID_CHANGE_BATCH: because of this"),
        ("GetOperation", 200, fail("ACCESS_DENIED"), false, "RegistryArns of Watchkeeper's stack must also list"),
        (
            "RegisterInstance",
            400,
            error("RequestLimitExceeded"),
            true,
            "registering Agent-1 in the Cloud Map service srv-1",
        ),
        ("RegisterInstance", 400, error("ThrottlingException"), true, "said so"),
        ("RegisterInstance", 503, json!({}), true, "registering Agent-1"),
        (
            "RegisterInstance",
            400,
            error("AccessDeniedException"),
            false,
            "RegistryArns of its stack lists: the ARN of srv-1",
        ),
        ("RegisterInstance", 400, error("ServiceNotFound"), false, "ServiceNotFound: said so"),
        ("RegisterInstance", 400, error("ResourceLimitExceeded"), false, "ResourceLimitExceeded: said so"),
    ];
    for (action, status, answer, passes_by_itself, said) in table {
        let case = format!("{action} {status} {answer}");
        let (_, registry) = scripted(move |asked, _| (asked.action == action).then(|| (status, answer.clone())));
        let trouble = registry.put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await.unwrap_err();
        let text = trouble.to_string();
        assert!(text.contains(said) && !text.contains('\n'), "{case}: {text}");
        assert_eq!(matches!(trouble, Trouble::Unavailable(_)), passes_by_itself, "{case}: {trouble:?}");
        assert!(!matches!(trouble, Trouble::Overtaken(_)), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_under_way_is_waited_for() {
    let duplicate = || Some((400, json!({ "__type": "DuplicateRequest", "DuplicateOperationId": "op-9" })));
    let attributes = |host: &str| json!({ "AWS_INSTANCE_IPV4": host, "AWS_INSTANCE_PORT": "20001", "WATCHKEEPER_OWNER": "stack/agent" });
    for (host, is_ours) in [("10.0.0.1", true), ("10.0.0.7", false)] {
        let found = json!({ "Instance": { "Id": "Agent-1", "Attributes": attributes(host) } });
        let (scripted, registry) = scripted(move |asked, before| match (asked.action.as_str(), before) {
            ("RegisterInstance", _) => duplicate(),
            ("GetInstance", 1..) => Some((200, found.clone())),
            _ => None,
        });
        let outcome = registry.put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await;
        assert_eq!(outcome.is_ok(), is_ours, "{outcome:?}");
        assert!(is_ours || matches!(outcome, Err(Trouble::Overtaken(_))));
        assert!(scripted.asked().iter().any(|asked| asked.action == "GetOperation" && asked.body.contains("op-9")));
    }
}

#[tokio::test(start_paused = true)]
async fn operations_of_several_agents_run_at_the_same_time() {
    let began = tokio::time::Instant::now();
    let (scripted, registry) = scripted(move |asked, _| {
        let is_under_way = began.elapsed() < Duration::from_secs(10);
        (asked.action == "GetOperation" && is_under_way).then(|| operation("PENDING"))
    });
    let mut puts: Vec<Put> = (1..=10).map(|n| put(&format!("Agent-{n}"), "10.0.0.1", IfStill::Absent)).collect();
    puts[3].id = id("not an id");
    let outcomes = registry.put_all(&puts).await;
    let refused: Vec<usize> = (0..10).filter(|index| outcomes[*index].is_err()).collect();
    assert_eq!((refused, outcomes.len()), (vec![3], 10), "{outcomes:?}");
    assert!(began.elapsed() < Duration::from_secs(13), "not one after the other: {:?}", began.elapsed());
    assert_eq!(scripted.count("RegisterInstance"), 9);
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_meets_another_change_looks_at_what_came_of_it() {
    let found = |host: &str| {
        let attributes =
            json!({ "AWS_INSTANCE_IPV4": host, "AWS_INSTANCE_PORT": "20001", "WATCHKEEPER_OWNER": "stack/agent" });
        Some((200, json!({ "Instance": { "Id": "Agent-1", "Attributes": attributes } })))
    };
    for stays in [true, false] {
        let (_, registry) = scripted(move |asked, before| match (asked.action.as_str(), before) {
            ("DeregisterInstance", _) => {
                Some((400, json!({ "__type": "DuplicateRequest", "DuplicateOperationId": "op-9" })))
            }
            ("GetInstance", 0) => found("10.0.0.1"),
            ("GetInstance", _) if stays => found("10.0.0.2"),
            _ => None,
        });
        let outcome = registry.remove(&entry("Agent-1", "10.0.0.1")).await;
        assert_eq!(matches!(outcome, Err(Trouble::Overtaken(_))), stays, "{outcome:?}");
        assert_eq!(outcome.is_ok(), !stays);
    }
    for gone in ["InstanceNotFound", "ServiceNotFound"] {
        let (_, registry) = scripted(move |asked, _| match asked.action.as_str() {
            "DeregisterInstance" => Some((400, json!({ "__type": gone }))),
            "GetInstance" => found("10.0.0.1"),
            _ => None,
        });
        assert_eq!(registry.remove(&entry("Agent-1", "10.0.0.1")).await, Ok(()));
    }
}

#[tokio::test]
async fn all_pages_are_read() {
    let (_, registry) = scripted(|asked, before| {
        let page = json!({ "Instances": [{ "Id": format!("Agent-{before}"), "Attributes": {} }], "NextToken": format!("t{before}") });
        assert_eq!(asked.action, "ListInstances");
        if before > 0 {
            assert!(asked.body.contains(&format!("t{}", before - 1)), "{}", asked.body);
        }
        Some((200, if before == 2 { json!({ "Instances": [{ "Id": "Agent-2", "Attributes": {} }] }) } else { page }))
    });
    let ids: Vec<String> = listed(&registry).await.into_iter().map(|entry| entry.id.0).collect();
    assert_eq!(ids, ["Agent-0", "Agent-1", "Agent-2"]);
}

#[tokio::test]
async fn a_service_that_cannot_take_addresses_is_refused() {
    let record = |kind: &str| json!({ "DnsConfig": { "DnsRecords": [{ "Type": kind, "TTL": 60 }] } });
    let checked = json!({ "HealthCheckConfig": { "Type": "TCP" } });
    for (service, said) in [
        (record("A"), None),
        (record("SRV"), None),
        (record("CNAME"), Some("CNAME records")),
        (record("AAAA"), Some("AAAA records")),
        (checked, Some("cannot reach private addresses")),
    ] {
        let (_, registry) = scripted(move |_, _| Some((200, json!({ "Service": service.clone() }))));
        let outcome = registry.check().await.map_err(|trouble| trouble.to_string());
        match said {
            None => assert_eq!(outcome, Ok(())),
            Some(said) => assert!(outcome.as_ref().is_err_and(|text| text.contains(said)), "{outcome:?}"),
        }
    }
}
