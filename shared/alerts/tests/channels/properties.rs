//! Whatever the texts are, every channel is what its receiver takes.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;
use time::Duration;
use watchkeeper_alerts::{Evidence, LogTail, Message, Moment, Notice, Rendered, Report, Wording, render};
use watchkeeper_stops::Severity;

use crate::reports::{self, FIRST, crash};
use crate::schema;

const SNS_LIMIT: usize = 256 * 1024;

fn check(message: &Message) {
    let rendered = render(message, &Wording { log_lines_in_email: true });
    assert!(rendered.bytes() <= SNS_LIMIT, "{} bytes", rendered.bytes());
    let Rendered { subject, sms, attributes, group, dedup, .. } = &rendered;
    let plain = |text: &str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    assert!(!subject.is_empty() && subject.len() < 100 && plain(subject), "{subject:?}");
    assert!(sms.len() <= 140 && plain(sms) && !sms.contains(['[', ']', '{', '}', '^', '~', '|', '\\', '`']), "{sms:?}");
    assert!(
        [group, dedup].iter().all(|id| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()))
    );
    assert!(attributes.len() <= 10 && attributes.iter().all(|(_, value)| !value.string_value().is_empty()));

    let parts: Value = serde_json::from_str(&rendered.message()).unwrap();
    let mut names: Vec<_> = parts.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["default", "email", "http", "https", "lambda", "sms", "sqs"]);
    for (name, part) in parts.as_object().unwrap() {
        let part = part.as_str().unwrap();
        let fit = |c: char| !c.is_control() && !matches!(c, '\u{202A}'..='\u{202E}' | '\u{FFFE}' | '\u{FFFF}');
        assert!(part.chars().all(|c| c == '\n' || fit(c)), "{name}: {part:?}");
    }
    let schema: Value = serde_json::from_str(include_str!("custom-notification.schema.json")).unwrap();
    let misfits = schema::misfits(&schema, &rendered.https, "");
    assert!(misfits.is_empty(), "{misfits:?} in {:#}", rendered.https);
    let description = rendered.https["content"]["description"].as_str().unwrap();
    assert!(description.matches("```").count().is_multiple_of(2) && !description.contains("<!"), "{description}");
    let dedup_key = rendered.json["dedup_key"].as_str().unwrap();
    assert!(dedup_key.len() <= 255, "{dedup_key}");
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z@<>!`*_&\\[\\]|\\\\\" \n]{0,60}",
        Just("```\n<!channel> @here".to_owned()),
        (1..3_000_usize).prop_map(|n| "\\\"".repeat(n)),
    ]
}

fn notice() -> impl Strategy<Value = Notice> {
    prop_oneof![
        Just(Notice::Opened),
        Just(Notice::More),
        Just(Notice::Escalated),
        Just(Notice::Repeated),
        Just(Notice::Resolved),
        Just(Notice::Done)
    ]
}

/// A report whose every text is one of `texts`.
fn report(texts: &[String], notice: Notice, count: u64, seconds: i64) -> Report {
    let text = |n: usize| texts[n % texts.len()].clone();
    let mut report = crash();
    report.notice = notice;
    report.count = count;
    report.last_at = FIRST + Duration::seconds(seconds);
    (report.owner, report.runbook) = (Some(text(0)), Some(text(1)));
    report.notes = texts.to_vec();
    let alert = &mut report.alert;
    (alert.about, alert.summary, alert.cause) = (text(2), text(3), text(4));
    (alert.cluster, alert.service, alert.next_step) = (Some(text(5)), Some(text(6)), Some(text(7)));
    alert.key.subject = text(8);
    for (n, fact) in alert.facts.iter_mut().enumerate() {
        fact.value = text(n);
    }
    for (n, link) in alert.links.iter_mut().enumerate() {
        link.url = if n == 0 { text(n) } else { format!("https://example.com/{}", text(n)) };
    }
    report.evidence = Some(Evidence {
        logs: vec![
            LogTail {
                container: text(1),
                group: text(2),
                stream: text(3),
                head: texts.to_vec(),
                tail: texts.to_vec(),
                gap: false,
                url: Some(text(4)),
            };
            3
        ],
        timeline: texts.iter().map(|what| Moment { at: FIRST, what: what.clone() }).collect(),
        compared_with: Some(text(5)),
        compared_with_since: Some(FIRST),
        steady_since: Some(FIRST),
        changes: texts.to_vec(),
        aftermath: Some(text(7)),
        deployment: Some(text(6)),
        running: None,
        gaps: texts.to_vec(),
    });
    report
}

fn digest(id: &str, over: bool, reports: Vec<Report>) -> Message {
    Message::Digest {
        id: id.to_owned(),
        number: 1,
        why: id.to_owned(),
        over,
        storm: true,
        severity: Severity::Error,
        since: FIRST,
        reports,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_texts(texts in vec(hostile(), 1..12), notice in notice(), count in 0_u64..1_000, seconds in 0_i64..1_000_000) {
        let report = report(&texts, notice, count, seconds);
        check(&digest("0c7bd0a6-1bc3-5f60-8f2c-2b6f7a3a9d11", count % 2 == 0, vec![report.clone(); 3]));
        check(&Message::One(Box::new(report)));
    }
}

/// The words that a subject can begin with.
fn word(report: &Report) -> &'static str {
    match report.notice {
        Notice::Resolved => "RESOLVED ",
        Notice::Done => "DONE ",
        Notice::Repeated => "STILL CRASH ",
        _ => "CRASH ",
    }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Za-z0-9-]{1,255}", "[ -~]{1,80}", any::<String>(), "[a-zñ🔥]{30,300}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the names are, what happened is there.
    #[test]
    fn names_never_push_out_what_happened(
        about in name(), cluster in proptest::option::of(name()), container in "[A-Za-z0-9_-]{1,255}", cause in "[a-z]{1,8}( [a-z0-9]{1,8}){0,3}",
        notice in notice(), count in 0_u64..1_000_000,
    ) {
        let mut report = crash();
        (report.notice, report.count) = (notice, count);
        (report.alert.about, report.alert.cluster) = (about, cluster);
        report.alert.summary = format!("container \"{container}\" {cause}");
        let begins = word(&report);
        let Rendered { subject, sms, https, .. } = render(&Message::One(Box::new(report)), &Wording { log_lines_in_email: true });
        prop_assert!(subject.len() < 100 && subject.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{subject:?}");
        prop_assert!(subject.starts_with(begins) && subject.contains(&cause), "{subject:?}");
        prop_assert!(sms.len() <= 140 && sms.contains(&cause), "{sms:?}");
        prop_assert!(sms.starts_with(begins.trim_start_matches("STILL ")), "{sms:?}");
        let summary = https["metadata"]["summary"].as_str().unwrap();
        prop_assert!(https["content"]["title"].as_str().unwrap().contains(&cause) && summary.contains(&cause), "{summary:?}");
    }

    #[test]
    fn any_summary_makes_a_subject(about in name(), summary in name(), notice in notice(), count in any::<u64>()) {
        let mut report = crash();
        (report.notice, report.count) = (notice, count);
        (report.alert.about, report.alert.summary) = (about, summary);
        let begins = word(&report);
        let Rendered { subject, sms, .. } = render(&Message::One(Box::new(report)), &Wording { log_lines_in_email: true });
        prop_assert!(subject.len() < 100 && sms.len() <= 140 && subject.starts_with(begins), "{subject:?} {sms:?}");
    }
}

#[test]
fn the_longest_of_everything() {
    for character in ["\\", "\"", "&", "<", "🔥", "a", "\u{1}", "`"] {
        let texts: Vec<_> = (0..100).map(|_| character.repeat(5_000)).collect();
        let report = report(&texts, Notice::Escalated, u64::MAX, 1_000_000_000);
        check(&Message::One(Box::new(report)));
        let few = self::report(&texts[..8], Notice::Escalated, u64::MAX, 1_000_000_000);
        let many: Vec<_> = (0..100_u32)
            .map(|n| {
                let mut report = few.clone();
                let alert = &mut report.alert;
                let names = [&mut alert.cause, &mut alert.about].into_iter().chain(&mut alert.cluster);
                for name in names.chain(&mut alert.service).chain(&mut report.owner) {
                    *name = format!("{n}{name}");
                }
                report
            })
            .collect();
        check(&digest(&character.repeat(5_000), false, many));
    }
}

#[test]
fn a_hundred_ordinary_incidents_are_all_named() {
    let reports: Vec<_> = (0..4).flat_map(|_| reports::storm()).take(100).collect();
    let message = digest("0c7bd0a6-1bc3-5f60-8f2c-2b6f7a3a9d11", false, reports);
    check(&message);
    let rendered = render(&message, &Wording { log_lines_in_email: true });
    assert_eq!(rendered.json["incidents"].as_array().unwrap().len(), 100);
}
