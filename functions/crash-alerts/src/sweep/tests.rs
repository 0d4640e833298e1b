//! Evidence of what nobody was told of, against a server that answers what each test wants.

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::{Alert, AlertKey, Evidence, Kind};
use watchkeeper_stops::Severity;

use super::*;
use crate::answering::{answering, function};
use crate::plan::incident::{Fault, Nature};

const TASK: &str = "arn:aws:ecs:eu-west-1:123456789012:task/prod/8f1c2e7a9b3d4c5e8f1c2e7a9b3d4c5e";

/// A crash that began in a silence.
fn silenced() -> Incident {
    let at = OffsetDateTime::now_utc();
    let alert = Alert {
        key: AlertKey { subject: format!("task#{TASK}"), occurrence: "stopped".to_owned() },
        kind: Kind::Crash,
        severity: Severity::Error,
        cause: "application-exit".to_owned(),
        about: "report".to_owned(),
        cluster: Some("prod".to_owned()),
        service: None,
        summary: "exited with code 1".to_owned(),
        facts: Vec::new(),
        next_step: None,
        links: Vec::new(),
    };
    let key = Key::new("family#arn:aws:ecs:eu-west-1:123456789012:cluster/prod report", "application-exit");
    let incident = Incident::of(&Fault { key, nature: Nature::Event, at, alert, deployment: None }, at);
    Incident { was_silenced: true, ..incident }
}

fn live(incident: &Incident) -> (u16, Value) {
    let state = serde_json::to_string(incident).unwrap();
    (200, json!({"Items": [{"state": {"S": state}, "version": {"N": "3"}}], "Count": 1}))
}

fn invocation() -> Invocation {
    Invocation { request_id: "one".to_owned(), deadline: OffsetDateTime::now_utc() + Duration::seconds(30) }
}

#[tokio::test]
async fn what_began_in_a_silence_has_its_evidence_before_ecs_forgets_the_task() {
    let incident = silenced();
    let stopped = json!({"tasks": [{
        "taskArn": TASK, "clusterArn": "arn:aws:ecs:eu-west-1:123456789012:cluster/prod", "lastStatus": "STOPPED",
        "group": "family:report", "createdAt": 1_763_600_000, "stoppedAt": 1_763_600_400,
    }]});
    let nothing = || (200, json!({}));
    let (config, asked) =
        answering(vec![live(&incident), nothing(), (200, stopped), nothing(), nothing(), nothing()]).await;
    Box::pin(function(&config).document(&invocation())).await.unwrap();
    let asked = asked.lock().unwrap();
    assert_eq!(asked[2].1["tasks"], json!([TASK]));
    let kept = &asked[4].1["Item"];
    assert_eq!(kept["pk"]["S"], format!("incident#{}", incident.id));
    let evidence: Evidence = serde_json::from_str(kept["state"]["S"].as_str().unwrap()).unwrap();
    assert_eq!(evidence.timeline.len(), 2, "{evidence:?}");
    let noted = asked[5].1["TransactItems"][0]["Update"]["ExpressionAttributeValues"][":state"]["S"].as_str().unwrap();
    assert!(serde_json::from_str::<Incident>(noted).unwrap().documented_at.is_some());
}

#[tokio::test]
async fn evidence_that_is_there_is_not_gathered_again() {
    let kept = json!({"Item": {"state": {"S": serde_json::to_string(&Evidence::default()).unwrap()}}});
    let (config, asked) = answering(vec![live(&silenced()), (200, kept), (200, json!({}))]).await;
    Box::pin(function(&config).document(&invocation())).await.unwrap();
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 3);
    assert!(asked[2].1["TransactItems"].is_array(), "{:?}", asked[2]);
}
