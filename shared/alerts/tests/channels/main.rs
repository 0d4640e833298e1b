//! What each channel gets, for every turn of an incident; and what holds for any text.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

mod properties;
mod reports;
mod schema;

use serde_json::Value;
use time::Duration;
use watchkeeper_alerts::{Attribute, Evidence, Message, Notice, Rendered, Report, Wording, render};
use watchkeeper_stops::Severity;

use reports::{FIRST, alert, crash, escalated, evidence, later, observation, opened, storm};

const WITH_LOGS: Wording = Wording { log_lines_in_email: true };
const WITHOUT_LOGS: Wording = Wording { log_lines_in_email: false };

fn one(report: Report) -> Message {
    Message::One(Box::new(report))
}

fn digest(number: u32, over: bool, reports: Vec<Report>) -> Message {
    Message::Digest {
        id: "7d0f6c1e-96ad-5c3f-8f4b-0a4f2f1e7c55".to_owned(),
        number,
        why: "30 new incidents in 5 minutes".to_owned(),
        over,
        storm: true,
        severity: Severity::Error,
        since: FIRST,
        reports,
    }
}

/// All of it, as a reader compares it.
fn shown(message: &Message, wording: Wording) -> String {
    let Rendered { subject, email, sms, https, json, attributes, group, dedup } = render(message, &wording);
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let attribute =
        |(name, value): &(&str, Attribute)| format!("{name} ({}) = {}", value.data_type(), value.string_value());
    let attributes = attributes.iter().map(attribute).collect::<Vec<_>>().join("\n");
    let (https, json) = (pretty(&https), pretty(&json));
    format!(
        "Subject: {subject}\n\n{email}\n==== sms\n{sms}\n==== https\n{https}\n==== lambda, sqs\n{json}\n==== attributes\n{attributes}\n==== fifo\n{group}\n{dedup}\n"
    )
}

#[test]
fn a_crash_with_evidence() {
    insta::assert_snapshot!("crash", shown(&one(crash()), WITH_LOGS));
}

#[test]
fn a_crash_whose_log_lines_stay_out_of_messages() {
    let shown = shown(&one(crash()), WITHOUT_LOGS);
    let (people, machine) = shown.split_once("==== lambda").unwrap();
    assert!(!people.contains("panicked") && people.contains("kept out") && machine.contains("panicked"), "{shown}");
    insta::assert_snapshot!("crash-without-log-lines", people);
}

#[test]
fn a_task_that_never_started() {
    insta::assert_snapshot!("never-started", shown(&one(opened(alert("task-failed-to-start-secret"))), WITH_LOGS));
}

#[test]
fn what_changed_is_said_of_each_revision_that_it_can_be_compared_with() {
    let since = FIRST - Duration::days(20);
    for (other_since, own_since, standalone, changed, expected) in [
        (None, None, false, true, "What changed against dbward-agent:6, which was last seen steady"),
        (None, None, true, true, "What changed against dbward-agent:6, which ended well before"),
        (None, None, true, true, "This revision is not the one that ended well before: if what changed"),
        (Some(since), Some(FIRST), false, true, "which ran before it since 2026-10-31 10:04:30 UTC"),
        (Some(since), Some(FIRST), false, true, "This revision has not run for long: if what changed explains it,"),
        (
            Some(since),
            Some(FIRST),
            false,
            false,
            "Nothing that is compared, against dbward-agent:6, which ran before it",
        ),
    ] {
        let mut report = crash();
        let evidence = report.evidence.as_mut().unwrap();
        (evidence.compared_with_since, evidence.steady_since) = (other_since, own_since);
        if !changed {
            evidence.changes.clear();
        }
        if standalone {
            report.alert.service = None;
        }
        let email = render(&one(report), &WITH_LOGS).email.replace('\n', " ");
        assert!(email.contains(expected), "{expected}\n{email}");
    }
    let mut report = crash();
    let evidence = report.evidence.as_mut().unwrap();
    (evidence.compared_with, evidence.steady_since) = (None, Some(since));
    evidence.changes.clear();
    let email = render(&one(report), &WITH_LOGS).email;
    assert!(
        email.contains("What changed\nNothing of late: dbward-agent:7 has run since 2026-10-31 10:04:30 UTC.\n"),
        "{email}"
    );
    assert!(!email.contains("go back to"), "{email}");
}

#[test]
fn what_was_kept_before_it_had_these_times_is_read() {
    let mut kept = serde_json::to_value(evidence()).unwrap();
    for time in ["compared_with_since", "steady_since"] {
        assert!(kept.as_object_mut().unwrap().remove(time).is_some());
    }
    assert_eq!(serde_json::from_value::<Evidence>(kept).unwrap(), evidence());
}

#[test]
fn a_failed_deployment_that_speaks_for_its_crashes() {
    let mut report = opened(alert("deployment-failed"));
    report.notes = vec!["Three of its tasks crashed: application-exit.".to_owned()];
    let aftermath = Some("ECS deploys dbward-agent:6 in its place; 1 of 2 tasks run. You hear when all do.".to_owned());
    report.evidence = Some(Evidence { aftermath, deployment: None, ..evidence() });
    report.speaks_for = (1..=3).map(|n| format!("00000000-0000-5000-8000-{n:012}")).collect();
    insta::assert_snapshot!("deployment-speaking-for-crashes", shown(&one(report), WITH_LOGS));
}

#[test]
fn more_of_the_same() {
    insta::assert_snapshot!("more", shown(&one(later(Notice::More, 2, 12, Duration::minutes(3))), WITH_LOGS));
}

#[test]
fn an_escalation() {
    insta::assert_snapshot!("escalated", shown(&one(escalated()), WITH_LOGS));
}

#[test]
fn a_repeat() {
    insta::assert_snapshot!("repeated", shown(&one(later(Notice::Repeated, 3, 80, Duration::hours(8))), WITH_LOGS));
}

#[test]
fn the_end() {
    insta::assert_snapshot!("resolved", shown(&one(later(Notice::Resolved, 4, 12, Duration::minutes(25))), WITH_LOGS));
}

#[test]
fn a_storm_and_its_end() {
    insta::assert_snapshot!("storm", shown(&digest(1, false, storm()), WITH_LOGS));
    let over = storm().into_iter().map(|report| Report { notice: Notice::Resolved, ..report }).collect();
    let over = render(&digest(2, true, over), &WITH_LOGS);
    assert_eq!(over.subject, "RESOLVED: 30 incidents in 4 min: application-exit 20, out-of-memory 10");
    assert_eq!((&over.json["action"], &over.json["state"]), (&"resolve".into(), &"resolved".into()));
}

#[test]
fn an_alarm() {
    insta::assert_snapshot!("alarm", shown(&one(opened(alert("alarm-unhealthy-hosts"))), WITH_LOGS));
}

#[test]
fn an_observation() {
    let opened = opened(observation("opened", "the new credential does not log in"));
    insta::assert_snapshot!("observation", shown(&one(opened), WITH_LOGS));
}

#[test]
fn a_piece_of_work_that_is_done() {
    let done = opened(observation("done", "all run on the new credential"));
    let done = Report { notice: Notice::Done, ..done };
    insta::assert_snapshot!("done", shown(&one(done), WITH_LOGS));
}

#[test]
fn a_timeline_of_more_than_a_day_says_the_days() {
    let mut report = crash();
    let timeline = &mut report.evidence.as_mut().unwrap().timeline;
    for moment in timeline.iter_mut().take(3) {
        moment.at -= Duration::days(40);
    }
    let text = render(&one(report), &WITH_LOGS).email;
    assert!(text.contains("Timeline, from 2026-10-11 09:57:30 UTC\n09:57:30   created\n"), "{text}");
    assert!(text.contains("10:04:28   stopping, on 2026-11-20\n10:04:30   stopped\n"), "{text}");
}

#[test]
fn what_comes_first_in_a_subject() {
    let subject = |report| render(&one(report), &WITH_LOGS).subject;
    let what = r#"container "agent" exited with code 1 [dbward]"#;
    assert_eq!(subject(crash()), format!("CRASH agent: {what}"));
    assert_eq!(subject(later(Notice::More, 2, 12, Duration::minutes(3))), format!("CRASH agent x12: {what}"));
    assert_eq!(subject(escalated()), format!("CRASH agent x10, critical: {what}"));
    assert_eq!(subject(later(Notice::Repeated, 3, 80, Duration::hours(8))), format!("STILL CRASH agent x80: {what}"));
    assert_eq!(subject(later(Notice::Resolved, 4, 80, Duration::hours(9))), format!("RESOLVED agent: {what}"));
}

/// As the CDK makes names.
#[test]
fn long_names_leave_room_for_the_cause() {
    let long = |notice, number, count, after| {
        let mut report = later(notice, number, count, after);
        report.alert.about = "PaymentsStack-PaymentsApiServiceFargateService4E3A1B2C-9XyZ12AbC3dE".to_owned();
        report.alert.cluster = Some("PaymentsStack-PaymentsCluster9EE23891-Hq7LkWc0Vn2B".to_owned());
        report.alert.summary = "container \"PaymentsApiServiceContainer\" ran out of memory and was killed".to_owned();
        render(&one(report), &WITH_LOGS)
    };
    let opened = long(Notice::Opened, 1, 1, Duration::ZERO);
    assert_eq!(
        opened.subject,
        "CRASH PaymentsStack-Payme..3A1B2C-9XyZ12AbC3dE: ran out of memory and was killed [Payment..Wc0Vn2B]"
    );
    let told = |rendered: &Rendered| {
        let Rendered { subject, sms, https, .. } = rendered;
        let (title, summary) = (&https["content"]["title"], &https["metadata"]["summary"]);
        format!("{subject}\n{sms}\n{title}\n{summary}\n")
    };
    let turns = [
        opened,
        long(Notice::Escalated, 2, 10, Duration::minutes(12)),
        long(Notice::Repeated, 3, 80, Duration::hours(8)),
        long(Notice::Resolved, 4, 80, Duration::hours(9)),
    ];
    insta::assert_snapshot!("long-names", turns.iter().map(told).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_resolved_one_is_no_duplicate_of_what_came_before() {
    let fifo = |report| render(&one(report), &WITH_LOGS);
    let (opened, again, resolved) =
        (fifo(crash()), fifo(crash()), fifo(later(Notice::Resolved, 2, 1, Duration::minutes(5))));
    assert!(opened.dedup == again.dedup && opened.dedup != resolved.dedup && opened.group == resolved.group);
}

#[test]
fn lists_are_json_in_attributes() {
    let rendered = render(&digest(1, false, storm()), &WITH_LOGS);
    let cluster = rendered.attributes.iter().find(|(name, _)| *name == "cluster").unwrap();
    assert_eq!(cluster.1, Attribute::List(vec!["dbward".to_owned(), "formae".to_owned()]));
    assert_eq!((cluster.1.data_type(), cluster.1.string_value().as_str()), ("String.Array", r#"["dbward","formae"]"#));
    // What has no service is found by what it is about.
    let mut family = crash();
    family.alert.service = None;
    family.alert.about = "nightly-import".to_owned();
    let rendered = render(&digest(1, false, vec![crash(), family]), &WITH_LOGS);
    let values = |name: &str| rendered.attributes.iter().find(|(known, _)| *known == name).unwrap().1.string_value();
    assert_eq!(
        (values("about").as_str(), values("service").as_str()),
        (r#"["agent","nightly-import"]"#, r#"["agent"]"#)
    );
}

#[test]
fn a_digest_of_hundreds_says_how_many_it_leaves_out() {
    let many: Vec<_> = (0..20).flat_map(|_| storm()).collect();
    let rendered = render(&digest(1, false, many), &WITH_LOGS);
    let told = rendered.json["incidents"].as_array().unwrap().len();
    assert_eq!(rendered.json["cut"][0].as_str().unwrap(), format!("{} more incidents", 600 - told));
    assert!(rendered.email.lines().count() < 100 && rendered.email.contains("more incidents"), "{}", rendered.email);
}

#[test]
fn a_misfit_is_found() {
    let schema: Value = serde_json::from_str(include_str!("custom-notification.schema.json")).unwrap();
    let good = render(&one(crash()), &WITH_LOGS).https;
    assert_eq!(schema::misfits(&schema, &good, ""), Vec::<String>::new());
    let spoilt: [(&str, Value); 8] = [
        ("/version", "2.0".into()),
        ("/source", Value::Null),
        ("/content", Value::Null),
        ("/content/title", "x".repeat(151).into()),
        ("/content/description", "".into()),
        ("/content/nextSteps/0", 1.into()),
        ("/content/keywords", vec!["x"; 6].into()),
        ("/metadata/additionalContext/number", 1.into()),
    ];
    for (place, value) in spoilt {
        let mut bad = good.clone();
        *bad.pointer_mut(place).unwrap() = value;
        assert!(!schema::misfits(&schema, &bad, "").is_empty(), "{place}");
    }
    let mut bad = good;
    bad["metadata"]["incident"] = "x".into();
    assert_eq!(schema::misfits(&schema, &bad, ""), ["/metadata: has a member incident"]);
}
