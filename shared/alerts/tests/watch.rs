//! What ops read about a service of which no event ever came.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use time::OffsetDateTime;
use time::macros::datetime;
use watchkeeper_alerts::{
    Alert, DeploymentSight, Message, Notice, Rendered, Report, Running, Said, ServiceSight, Wording, below_desired,
    render, stuck_deployment,
};
use watchkeeper_events::{ServiceArn, TaskDefinitionArn};
use watchkeeper_stops::Severity;

const NOW: OffsetDateTime = datetime!(2026-11-20 10:30 UTC);

fn rendered(alert: &Alert) -> Rendered {
    let report = Report {
        incident: alert.key.alert_id(),
        number: 1,
        notice: Notice::Opened,
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

fn server(running: i32, desired: i32) -> ServiceSight {
    let said = |at, text: &str| Said { at: Some(at), text: text.to_owned() };
    ServiceSight {
        service: ServiceArn::parse("arn:aws:ecs:eu-west-1:123456789012:service/dbward/server").unwrap(),
        tasks: Running { running, desired, pending: 1 },
        revision: TaskDefinitionArn::parse("arn:aws:ecs:eu-west-1:123456789012:task-definition/dbward-server:41").ok(),
        runs_on: Some("FARGATE_SPOT".to_owned()),
        deployment: Some(DeploymentSight {
            id: "ecs-svc/4982310487120031842".to_owned(),
            created_at: Some(datetime!(2026-11-20 09:48:10 UTC)),
            rollout: Some("IN_PROGRESS".to_owned()),
            reason: Some("ECS deployment ecs-svc/4982310487120031842 in progress.".to_owned()),
            failed_tasks: 3,
        }),
        said: vec![
            said(datetime!(2026-11-20 10:29:41 UTC), "(service server) has started 1 tasks: (task 8f1c7c14a1d94f0b)."),
            said(
                datetime!(2026-11-20 10:22:05 UTC),
                "(service server) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different availability zone.",
            ),
        ],
    }
}

fn mail(alert: &Alert) -> String {
    format!("Subject: {}\n\n{}", rendered(alert).subject, rendered(alert).email)
}

#[test]
fn below_its_desired_count() {
    let since = datetime!(2026-11-20 10:18:20 UTC);
    let none = below_desired(&server(0, 1), since, NOW);
    insta::assert_snapshot!("below-desired", mail(&none));
    let some = below_desired(&server(1, 3), since, NOW);
    assert_eq!(rendered(&some).subject, "TASKS MISSING server: only 1 of its 3 tasks runs [dbward]");
    assert_eq!((none.severity, some.severity), (Severity::Critical, Severity::Error));
}

#[test]
fn the_same_time_below_is_one_occurrence_however_many_run() {
    let since = datetime!(2026-11-20 10:18:20 UTC);
    let key = |running, since, now| below_desired(&server(running, 3), since, now).key;
    let later = NOW + time::Duration::MINUTE;
    assert_eq!(key(0, since, NOW), key(2, since, later));
    assert_ne!(key(0, since, NOW), key(0, later, later));
}

#[test]
fn a_deployment_that_hangs() {
    let stuck = |running, breaker| {
        let sight = server(running, 2);
        let deployment = sight.deployment.clone().unwrap();
        stuck_deployment(&sight, &deployment, deployment.created_at.unwrap(), breaker, NOW)
    };
    insta::assert_snapshot!("deployment-stuck", mail(&stuck(1, false)));
    let breaker = stuck(2, true);
    let text = rendered(&breaker).email;
    assert!(text.contains("Breaker    on, and it has not ended this deployment"), "{text}");
    assert_eq!((breaker.severity, stuck(1, true).severity), (Severity::Warning, Severity::Error));
    assert_eq!(breaker.key, stuck(1, false).key);
}
