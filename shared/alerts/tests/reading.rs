//! What ops read, for each cause; and what holds for any text.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use proptest::prelude::*;
use serde_json::{Value, json};
use time::macros::datetime;
use watchkeeper_alerts::{Alert, Kind, Message, Notice, Rendered, Report, Wording, render};
use watchkeeper_events::{Event, QueueMessage};
use watchkeeper_stops::{Verdict, judge};

fn sample(name: &str) -> Value {
    let path = format!("{}/../events/tests/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn crash(event: &Value) -> Alert {
    let Event::Task(task) = Event::parse(event).unwrap() else { panic!("not a task") };
    let Verdict::Crashed(crash) = judge(&task) else { panic!("not a crash") };
    watchkeeper_alerts::crash(&task, &crash)
}

fn rendered(alert: &Alert) -> Rendered {
    let notice = match alert.kind {
        Kind::Resolved => Notice::Resolved,
        Kind::Done => Notice::Done,
        _ => Notice::Opened,
    };
    let report = Report {
        incident: alert.key.alert_id(),
        number: 1,
        notice,
        alert: alert.clone(),
        severity: alert.severity,
        count: 1,
        first_at: datetime!(2026-11-20 10:04:30 UTC),
        last_at: datetime!(2026-11-20 10:04:30 UTC),
        owner: None,
        runbook: None,
        evidence: None,
        notes: Vec::new(),
        speaks_for: Vec::new(),
    };
    render(&Message::One(Box::new(report)), &Wording { log_lines_in_email: true })
}

fn mail(alert: &Alert) -> String {
    let rendered = rendered(alert);
    format!("Subject: {}\n\n{}", rendered.subject, rendered.email)
}

#[test]
fn crashes() {
    for name in [
        "task-stopped-exit-0",
        "task-stopped-exit-1",
        "task-stopped-out-of-memory",
        "task-stopped-elb-health",
        "task-failed-to-start-image",
        "task-failed-to-start-secret",
    ] {
        insta::assert_snapshot!(name, mail(&crash(&sample(name))));
    }
}

#[test]
fn services_and_alarms() {
    let Event::Deployment(mut deployment) = Event::parse(&sample("deployment-failed")).unwrap() else { panic!() };
    insta::assert_snapshot!("deployment-failed", mail(&watchkeeper_alerts::deployment_failed(&deployment)));
    deployment.reason =
        Some("ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/4982310487120031841.".to_owned());
    insta::assert_snapshot!("deployment-rollback", mail(&watchkeeper_alerts::rollback(&deployment)));
    let Event::ServiceAction(action) = Event::parse(&sample("service-action-start-impaired")).unwrap() else {
        panic!()
    };
    insta::assert_snapshot!("service-action", mail(&watchkeeper_alerts::service_action(&action)));
    let Event::Alarm(alarm) = Event::parse(&sample("alarm-unhealthy-hosts")).unwrap() else { panic!() };
    insta::assert_snapshot!("alarm", mail(&watchkeeper_alerts::alarm(&alarm)));
    insta::assert_snapshot!("alarm-ok", mail(&watchkeeper_alerts::alarm_ok(&alarm)));
}

#[test]
fn an_observation() {
    let message = json!({
        "watchkeeper": "observation", "id": "o-1", "from": "config-sync", "subject": "secret formae-config",
        "cause": "login-failed", "state": "opened", "severity": "critical", "summary": "the new credential does not log in",
        "detail": "FATAL: password authentication failed for user \"formae\"", "next": "Check the database.",
        "at": "2026-11-20T10:00:00Z"
    });
    let QueueMessage::Observation(observation) = QueueMessage::parse(&message.to_string()).unwrap() else { panic!() };
    insta::assert_snapshot!("observation", mail(&watchkeeper_alerts::observation(&observation)));
}

#[test]
fn an_observation_that_names_a_service_is_of_that_service_also_for_filters() {
    let arn = "arn:aws:ecs:eu-west-1:123456789012:service/dbward/server";
    for (subject, about, cluster, service) in [
        (arn.to_owned(), "server", Some("dbward"), Some("server")),
        (format!("service {arn}"), "server", Some("dbward"), Some("server")),
        (format!("health#{arn}"), "server", Some("dbward"), Some("server")),
        ("secret formae-config".to_owned(), "secret formae-config", None, None),
        ("arn:aws:ecs:eu-west-1:123456789012:cluster/dbward".to_owned(), "", None, None),
    ] {
        let message = json!({
            "watchkeeper": "observation", "id": "o-1", "from": "health-watch", "subject": subject, "cause": "unwell",
            "state": "opened", "severity": "error", "summary": "it does not answer"
        });
        let QueueMessage::Observation(observation) = QueueMessage::parse(&message.to_string()).unwrap() else {
            panic!()
        };
        let alert = watchkeeper_alerts::observation(&observation);
        assert_eq!((alert.cluster.as_deref(), alert.service.as_deref()), (cluster, service), "{subject}");
        let about = if about.is_empty() { subject.as_str() } else { about };
        let attributes = rendered(&alert).attributes;
        let attribute = |name: &str| {
            let found = attributes.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.string_value())
        };
        assert_eq!(attribute("about").as_deref(), Some(about), "{subject}");
        assert_eq!(attribute("service").as_deref(), service, "{subject}");
    }
}

#[test]
fn a_failed_deployment_is_one_occurrence_under_either_detail_type() {
    let deployment = sample("deployment-failed");
    let mut action = deployment.clone();
    action["detail-type"] = json!("ECS Service Action");
    let Event::Deployment(deployment) = Event::parse(&deployment).unwrap() else { panic!() };
    let Event::ServiceAction(action) = Event::parse(&action).unwrap() else { panic!() };
    let keys =
        (watchkeeper_alerts::deployment_failed(&deployment).key, watchkeeper_alerts::service_action(&action).key);
    assert_eq!(keys.0, keys.1);
}

#[test]
fn a_warning_that_ecs_repeats_is_told_once_an_hour() {
    let key = |created_at: &str| {
        let mut event = sample("service-action-start-impaired");
        event["detail"]["createdAt"] = json!(created_at);
        let Event::ServiceAction(action) = Event::parse(&event).unwrap() else { panic!() };
        watchkeeper_alerts::service_action(&action).key
    };
    assert_eq!(key("2026-11-20T10:09:12.341Z"), key("2026-11-20T10:59:59Z"));
    assert_ne!(key("2026-11-20T10:59:59Z"), key("2026-11-20T11:00:00Z"));
}

#[test]
fn control_characters_line_breaks_and_emoji_in_a_reason() {
    let mut event = sample("task-stopped-exit-1");
    event["detail"]["containers"][0]["reason"] = json!("boom\r\nSubject: you won\u{0}\u{1b}[31m 🔥 \u{202E}dlrow");
    event["detail"]["containers"][0]["name"] = json!("agént\n🔥");
    let alert = crash(&event);
    let Rendered { subject, email: text, .. } = rendered(&alert);
    assert!(text.contains("boom Subject: you won [31m 🔥 dlrow"), "{text}");
    assert_eq!(subject, "CRASH agent: container \"ag?nt ?\" exited with code 1 [dbward]");
}

#[test]
fn what_is_too_long_is_cut_and_said() {
    let mut event = sample("task-stopped-exit-1");
    event["detail"]["stoppedReason"] = json!("🔥".repeat(60_000));
    let text = rendered(&crash(&event)).email;
    assert!(text.len() < 10_000 && text.contains("[cut: 238000 more bytes]"), "{} bytes", text.len());
}

proptest! {
    #[test]
    fn any_reason_and_name_make_a_subject_and_body_that_sns_takes(reason in any::<String>(), name in "\\PC{1,300}", group in any::<String>()) {
        let mut event = sample("task-stopped-exit-1");
        event["detail"]["stoppedReason"] = json!(reason);
        event["detail"]["containers"][0]["name"] = json!(name);
        event["detail"]["group"] = json!(format!("service:{group}"));
        let alert = crash(&event);
        let Rendered { subject, email: text, .. } = rendered(&alert);
        prop_assert!(subject.len() < 100 && subject.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{subject:?}");
        prop_assert!(text.len() < 100_000);
        prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
    }
}
