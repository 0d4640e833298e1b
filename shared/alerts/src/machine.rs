//! The JSON for programs, by Lambda or SQS: the whole incident, in PagerDuty's words where it has some. docs/alerts.md
//! describes it; a member keeps its meaning for as long as `schema` is the same.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::digest::Digest;
use crate::evidence::Evidence;
use crate::headline::headline;
use crate::report::{Notice, Report};
use crate::room::{Fitted, Room};

/// What programs are given.
pub(crate) const ROOM: Room = Room { text: 2_000, list: 100, tail: 200, head: 50, line: 1_000 };

const SCHEMA: &str = "watchkeeper.incident/1";

pub(crate) fn of_report(fitted: &Fitted) -> Value {
    let report = &fitted.report;
    let mut incident = incident(report);
    incident.insert("schema".to_owned(), json!(SCHEMA));
    incident.insert("source".to_owned(), json!("watchkeeper"));
    incident.insert("kind".to_owned(), json!("incident"));
    incident.insert("facts".to_owned(), facts(report));
    incident.insert("next_step".to_owned(), json!(report.alert.next_step));
    incident.insert("links".to_owned(), json!(report.alert.links));
    incident.insert("notes".to_owned(), json!(report.notes));
    incident.insert("evidence".to_owned(), report.evidence.as_ref().map_or(Value::Null, evidence));
    incident.insert("cut".to_owned(), json!(fitted.cuts));
    Value::Object(incident)
}

/// `bare` leaves out what can be looked up: facts, links and what to do.
pub(crate) fn of_digest(digest: &Digest<'_>, cuts: &[String], bare: bool) -> Value {
    let member = |report: &Report| {
        let mut incident = incident(report);
        if !bare {
            incident.insert("facts".to_owned(), facts(report));
            incident.insert("next_step".to_owned(), json!(report.alert.next_step));
            incident.insert("links".to_owned(), json!(report.alert.links));
            incident.insert("notes".to_owned(), json!(report.notes));
        }
        Value::Object(incident)
    };
    let causes: Map<String, Value> =
        digest.causes().into_iter().map(|(cause, count)| (cause.to_owned(), json!(count))).collect();
    json!({
        "schema": SCHEMA,
        "source": "watchkeeper",
        "kind": "digest",
        "incident": digest.id,
        "number": digest.number,
        "state": state_of_digest(digest),
        "severity": digest.severity(),
        "dedup_key": digest.id,
        "action": if digest.over { "resolve" } else { "trigger" },
        "summary": format!("{}: {}", digest.word(), digest.headline()),
        "why": digest.why,
        "first_at": rfc3339(digest.since),
        "last_at": rfc3339(digest.reports.iter().map(|report| report.last_at).max().unwrap_or(digest.since)),
        "count": digest.reports.len(),
        "causes": causes,
        "next_step": digest.next_step(),
        "incidents": digest.reports.iter().map(member).collect::<Vec<_>>(),
        "cut": cuts,
    })
}

/// A digest lives as an incident does.
pub(crate) fn state_of_digest(digest: &Digest<'_>) -> &'static str {
    match digest {
        Digest { over: true, .. } => "resolved",
        Digest { number: 0 | 1, .. } => "opened",
        Digest { .. } => "more",
    }
}

/// The turn, as its JSON and its attribute name it.
pub(crate) fn state(notice: Notice) -> &'static str {
    match notice {
        Notice::Opened => "opened",
        Notice::More => "more",
        Notice::Escalated => "escalated",
        Notice::Repeated => "repeated",
        Notice::Resolved => "resolved",
        Notice::Done => "done",
    }
}

/// PagerDuty's event action. What is done needs nobody: a resolve of what was never triggered opens nothing there.
fn action(notice: Notice) -> &'static str {
    match notice {
        Notice::Opened | Notice::More | Notice::Escalated | Notice::Repeated => "trigger",
        Notice::Resolved | Notice::Done => "resolve",
    }
}

/// What every incident says of itself.
fn incident(report: &Report) -> Map<String, Value> {
    let alert = &report.alert;
    let members = [
        ("incident", json!(report.incident)),
        ("number", json!(report.number)),
        ("state", json!(state(report.notice))),
        ("severity", json!(report.severity)),
        ("dedup_key", json!(report.incident)),
        ("action", json!(action(report.notice))),
        ("news", json!(alert.kind)),
        ("summary", json!(headline(report))),
        ("about", json!(alert.about)),
        ("cluster", json!(alert.cluster)),
        ("service", json!(alert.service)),
        ("cause", json!(alert.cause)),
        ("first_at", json!(rfc3339(report.first_at))),
        ("last_at", json!(rfc3339(report.last_at))),
        ("count", json!(report.count)),
        ("owner", json!(report.owner)),
        ("runbook", json!(report.runbook)),
        ("speaks_for", json!(report.speaks_for)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn facts(report: &Report) -> Value {
    let facts = report.alert.facts.iter();
    Value::Object(facts.map(|fact| (fact.label.to_string(), Value::String(fact.value.clone()))).collect())
}

fn evidence(evidence: &Evidence) -> Value {
    // A struct of texts and numbers always serializes.
    serde_json::to_value(evidence).unwrap_or_default()
}

fn rfc3339(instant: OffsetDateTime) -> String {
    instant.format(&Rfc3339).unwrap_or_else(|_| instant.to_string())
}
