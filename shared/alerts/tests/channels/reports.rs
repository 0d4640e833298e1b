//! Reports of every sort, as the function would make them.

use serde_json::{Value, json};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::{Alert, Evidence, LogTail, Moment, Notice, Report, Running};
use watchkeeper_events::{Event, QueueMessage};
use watchkeeper_stops::{Severity, Verdict, judge};

pub(crate) const FIRST: OffsetDateTime = datetime!(2026-11-20 10:04:30 UTC);

fn sample(name: &str) -> Value {
    let path = format!("{}/../events/tests/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub(crate) fn alert(name: &str) -> Alert {
    match Event::parse(&sample(name)).unwrap() {
        Event::Task(task) => {
            let Verdict::Crashed(crash) = judge(&task) else { panic!("{name} is no crash") };
            watchkeeper_alerts::crash(&task, &crash)
        }
        Event::Deployment(deployment) => watchkeeper_alerts::deployment_failed(&deployment),
        Event::Alarm(alarm) => watchkeeper_alerts::alarm(&alarm),
        _ => panic!("{name} is no news"),
    }
}

pub(crate) fn observation(state: &str, summary: &str) -> Alert {
    let message = json!({
        "watchkeeper": "observation", "id": "o-1", "from": "config-sync", "subject": "secret formae-config",
        "cause": "login-failed", "state": state, "severity": "critical", "summary": summary,
        "detail": "FATAL: password authentication failed for user \"formae\"", "next": "Check the database.",
        "at": "2026-11-20T10:04:30Z"
    });
    let QueueMessage::Observation(observation) = QueueMessage::parse(&message.to_string()).unwrap() else { panic!() };
    watchkeeper_alerts::observation(&observation)
}

/// The first and only message of an incident that happened once.
pub(crate) fn opened(alert: Alert) -> Report {
    Report {
        incident: "2f6f0d1c-5a0e-5b8e-9c47-6f2a54d1c9b3".to_owned(),
        number: 1,
        notice: Notice::Opened,
        severity: alert.severity,
        alert,
        count: 1,
        first_at: FIRST,
        last_at: FIRST,
        owner: None,
        runbook: None,
        evidence: None,
        notes: Vec::new(),
        speaks_for: Vec::new(),
    }
}

pub(crate) fn crash() -> Report {
    Report {
        owner: Some("team-payments".to_owned()),
        runbook: Some("https://wiki.example.com/runbooks/agent".to_owned()),
        evidence: Some(evidence()),
        ..opened(alert("task-stopped-exit-1"))
    }
}

pub(crate) fn later(notice: Notice, number: u32, count: u64, after: Duration) -> Report {
    Report { notice, number, count, last_at: FIRST + after, ..crash() }
}

pub(crate) fn evidence() -> Evidence {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let moment = |seconds, what: &str| Moment { at: FIRST - Duration::seconds(seconds), what: what.to_owned() };
    Evidence {
        logs: vec![LogTail {
            container: "agent".to_owned(),
            group: "/ecs/dbward-agent".to_owned(),
            stream: "agent/agent/8f1c2e7a9b3d4c5e8f1c2e7a9b3d4c5e".to_owned(),
            head: texts(&["dbward-agent 0.2.0 starting", "server https://dbward.internal:3000"]),
            tail: texts(&[
                "2026-11-20T10:04:21Z WARN poll failed, trying again in 5 s",
                "2026-11-20T10:04:29Z ERROR cannot reach the database: postgres://agent:[redacted]@db.internal:5432/app",
                "thread 'main' panicked at src/pool.rs:88:",
                "    called `Result::unwrap()` on an `Err` value: Timeout",
            ]),
            gap: true,
            url: Some("https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups/log-group/$252Fecs$252Fdbward-agent".to_owned()),
        }],
        timeline: vec![
            moment(420, "created"),
            moment(395, "image pulled"),
            moment(388, "started"),
            moment(2, "stopping"),
            moment(0, "stopped"),
        ],
        compared_with: Some("dbward-agent:6".to_owned()),
        compared_with_since: None,
        steady_since: None,
        changes: texts(&[
            "image   ghcr.io/dbward-dev/dbward-agent:v0.1.9 -> ghcr.io/dbward-dev/dbward-agent:v0.2.0",
            "memory  512 -> 256",
            "env     + DBWARD_POOL_SIZE",
        ]),
        aftermath: None,
        deployment: Some("ecs-svc/4982310487120031841 of dbward-agent:7, in progress since 10:01:12, 1 task failed".to_owned()),
        running: Some(Running { running: 1, desired: 2, pending: 1 }),
        gaps: texts(&["The log group /ecs/sidecar of container metrics does not exist."]),
    }
}

/// Thirty incidents of two clusters.
pub(crate) fn storm() -> Vec<Report> {
    let mut reports = Vec::new();
    for n in 0..30_u32 {
        let name = if n % 3 == 0 { "task-stopped-out-of-memory" } else { "task-stopped-exit-1" };
        let mut report = opened(alert(name));
        report.incident = format!("00000000-0000-5000-8000-{n:012}");
        report.alert.about = format!("agent-{n:02}");
        report.alert.service = Some(report.alert.about.clone());
        report.alert.cluster = Some(if n < 20 { "dbward" } else { "formae" }.to_owned());
        report.count = u64::from(n % 4 + 1);
        report.last_at = FIRST + Duration::seconds(i64::from(n) * 10);
        report.owner = Some("team-payments".to_owned());
        reports.push(report);
    }
    reports
}

pub(crate) fn escalated() -> Report {
    Report {
        severity: Severity::Critical,
        notes: vec!["It happened ten times within fifteen minutes.".to_owned()],
        ..later(Notice::Escalated, 2, 10, Duration::minutes(12))
    }
}
