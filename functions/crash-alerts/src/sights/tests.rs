//! What is asked of AWS about an incident, against a server that answers what each test wants.

use serde_json::{Value, json};
use time::macros::datetime;
use watchkeeper_alerts::{Alert, AlertKey, Fact, Kind};
use watchkeeper_stops::Severity;

use super::*;
use crate::answering::{answering, clients};

const TASK: &str = "arn:aws:ecs:eu-west-1:123456789012:task/prod/8f1c2e7a9b3d4c5e8f1c2e7a9b3d4c5e";
const FAMILY: &str = "family#arn:aws:ecs:eu-west-1:123456789012:cluster/prod report";
const STOPPED: OffsetDateTime = datetime!(2026-11-21 01:00 UTC);

fn crash(facts: &[(&'static str, &str)]) -> Incident {
    let alert = Alert {
        key: AlertKey { subject: format!("task#{TASK}"), occurrence: "stopped".to_owned() },
        kind: Kind::Crash,
        severity: Severity::Error,
        cause: "application-exit".to_owned(),
        about: "report".to_owned(),
        cluster: Some("prod".to_owned()),
        service: None,
        summary: "exited with code 1".to_owned(),
        facts: facts.iter().map(|(label, value)| Fact { label: (*label).into(), value: (*value).to_owned() }).collect(),
        next_step: None,
        links: Vec::new(),
    };
    let key = Key::new(FAMILY, "application-exit");
    Incident::of(&Fault { key, nature: Nature::Event, at: STOPPED, alert, deployment: None }, STOPPED)
}

fn definition(revision: u32) -> Value {
    let options = json!({"awslogs-group": "/ecs/report", "awslogs-stream-prefix": "nightly"});
    json!({"taskDefinition": {
        "family": "report", "revision": revision,
        "containerDefinitions": [
            {"name": "proxy", "image": "proxy:v1"},
            {"name": "report", "image": "report:v1", "logConfiguration": {"logDriver": "awslogs", "options": options}},
        ],
    }})
}

#[tokio::test]
async fn what_a_task_wrote_that_ecs_has_forgotten_is_read_all_the_same() {
    let steady = json!({"Item": {
        "revision": {"S": "arn:aws:ecs:eu-west-1:123456789012:task-definition/report:8"},
        "seen_at": {"N": "1763600400000"},
    }});
    let event = json!({"timestamp": 1, "message": "no disk left", "ingestionTime": 1});
    let lines = json!({"events": [event], "nextBackwardToken": "b/1", "nextForwardToken": "f/1"});
    let forgotten = json!({"tasks": [], "failures": [{"arn": TASK, "reason": "MISSING"}]});
    let (config, asked) = answering(vec![(200, forgotten), (200, steady), (200, definition(8)), (200, lines)]).await;
    let incident = crash(&[("Revision", "report:8"), ("Container", "report")]);
    let evidence = Box::pin(clients(&config).gather(&incident, None, None)).await;
    let [log] = &evidence.logs[..] else { panic!("{evidence:?}") };
    assert_eq!((log.container.as_str(), &log.tail), ("report", &vec!["no disk left".to_owned()]));
    assert_eq!(log.stream, "nightly/report/8f1c2e7a9b3d4c5e8f1c2e7a9b3d4c5e");
    assert_eq!((evidence.gaps, evidence.timeline), (vec![FORGOTTEN.to_owned()], vec![]));
    assert!(evidence.steady_since.is_some());
    let asked = asked.lock().unwrap();
    assert_eq!(asked[1].1["Key"]["pk"]["S"], FAMILY);
    assert_eq!(asked[2].1["taskDefinition"], "arn:aws:ecs:eu-west-1:123456789012:task-definition/report:8");
    assert_eq!(asked[3].1["logGroupName"], "/ecs/report");
}

#[tokio::test]
async fn a_task_whose_revision_nobody_knows_any_more_costs_sentences() {
    let forgotten = json!({"tasks": [], "failures": []});
    let (config, _) = answering(vec![(200, forgotten), (200, json!({}))]).await;
    let evidence = Box::pin(clients(&config).gather(&crash(&[]), None, None)).await;
    assert_eq!(
        evidence.gaps,
        ["Which revision the task ran is not known, so neither are its logs nor what changed.", FORGOTTEN]
    );
}

#[tokio::test]
async fn a_task_that_ecs_still_lists_as_stopping_is_not_forgotten() {
    let stopping = json!({"tasks": [{"taskArn": TASK, "lastStatus": "DEPROVISIONING"}], "failures": []});
    let (config, _) = answering(vec![(200, stopping), (200, json!({}))]).await;
    let evidence = Box::pin(clients(&config).gather(&crash(&[]), None, None)).await;
    assert!(!evidence.gaps.iter().any(|gap| gap == FORGOTTEN), "{evidence:?}");
}

#[tokio::test]
async fn a_service_of_which_ecs_says_nothing_is_not_well() {
    let service =
        |name: &str| ServiceArn::parse(&format!("arn:aws:ecs:eu-west-1:123456789012:service/prod/{name}")).unwrap();
    let failure = |name: &str, reason: &str| json!({"arn": service(name).as_str(), "reason": reason});
    let there = json!({
        "serviceArn": service("there").as_str(), "status": "ACTIVE", "runningCount": 1, "desiredCount": 2,
    });
    let failures = json!([failure("gone", "MISSING"), failure("denied", "ACCESS_DENIED")]);
    let (config, _) = answering(vec![(200, json!({"services": [there], "failures": failures}))]).await;
    let asked = ["there", "gone", "denied", "lost"].map(service);
    let seen = clients(&config).services(&asked).await.unwrap();
    let is_well = |name: &str| seen.get(&service(name)).map(|seen| seen.health.is_well);
    assert_eq!(["there", "gone", "denied", "lost"].map(is_well), [Some(false), Some(true), None, None]);
}
