//! The timeline: what happened, in words, the newest first.

use std::sync::PoisonError;

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::World;
use super::state::{arrived, when};
use crate::Console;
use crate::console::{Change, Dialect, Event};
use crate::inbox::Mails;

/// More than anybody reads; a person looks further back in the logs.
const SHOWN: usize = 150;

/// A line of the timeline.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Entry {
    /// The same in every answer.
    key: String,
    at: i64,
    kind: Kind,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Ecs,
    Alert,
    Console,
    Person,
}

impl World {
    pub(super) fn entries(&self) -> Vec<Entry> {
        let entry = |place: usize, at: OffsetDateTime, kind: Kind, text: String| Entry {
            key: format!("{kind:?}-{place}"),
            at: when(at),
            kind,
            text,
        };
        let mut entries: Vec<Entry> = Vec::new();
        for (place, event) in self.bus.emitted().iter().enumerate() {
            entries.push(entry(place, moment(event), Kind::Ecs, in_words(event)));
        }
        for (place, mail) in self.mails.iter().flat_map(Mails::all).enumerate() {
            entries.push(entry(place, arrived(mail.at), Kind::Alert, mail.subject));
        }
        for (place, change) in self.console.iter().flat_map(Console::history).enumerate() {
            entries.push(entry(place, change.at, Kind::Console, changed(&change)));
        }
        let by_hand = self.by_hand.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, (at, done)) in by_hand.iter().enumerate() {
            entries.push(entry(place, *at, Kind::Person, done.clone()));
        }
        entries.sort_by_key(|entry| entry.at);
        entries.reverse();
        entries.truncate(SHOWN);
        entries
    }
}

/// An event's `time` has only seconds; what its detail says is finer.
fn moment(event: &Value) -> OffsetDateTime {
    let detail = &event["detail"];
    let texts = [&detail["updatedAt"], &detail["createdAt"], &event["time"]].into_iter().filter_map(Value::as_str);
    let mut parsed = texts.filter_map(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
    parsed.next().unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn in_words(event: &Value) -> String {
    let detail = &event["detail"];
    let text = |name: &str| detail[name].as_str().unwrap_or("?");
    let resource = event["resources"][0].as_str().map_or("?", |arn| arn.rsplit(':').next().unwrap_or(arn));
    match event["detail-type"].as_str().unwrap_or("?") {
        "ECS Task State Change" if text("lastStatus") == "STOPPED" => crate::play::stop_in_words(event),
        "ECS Task State Change" => {
            let id = resource.rsplit('/').next().unwrap_or(resource);
            let desired = if text("desiredStatus") == text("lastStatus") {
                String::new()
            } else {
                format!(", to be {}", text("desiredStatus"))
            };
            format!("ECS: task {} of {} {}{desired}", id.get(..8).unwrap_or(id), text("group"), text("lastStatus"))
        }
        "ECS Deployment State Change" => format!("ECS: {resource}: {}: {}", text("eventName"), text("reason")),
        "ECS Service Action" => format!("ECS: {resource}: {}", text("eventName")),
        other => format!("{other}: {resource}"),
    }
}

fn changed(change: &Change) -> String {
    let agent = &change.agent;
    let place = format!("{}:{}", agent.host, agent.port);
    let by = match change.dialect {
        None => String::new(),
        Some(dialect) => {
            let dialect = match dialect {
                Dialect::ScriptRunner => "ScriptRunner",
                Dialect::Rest => "REST",
            };
            format!(" by {} ({dialect})", agent.owner.as_deref().unwrap_or("nobody in particular"))
        }
    };
    let what = match change.event {
        Event::Registered => "is registered at",
        Event::Changed => "is now at",
        Event::Deleted => "is deleted; it was at",
        Event::Forgotten => "is lost; it was at",
        Event::Online => "is Online at",
        Event::Offline => "is Offline at",
    };
    format!("Console: {} {what} {place}{by}", agent.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_are_told_in_words_and_by_their_finest_time() {
        let task = json!({
            "detail-type": "ECS Task State Change", "time": "2026-11-20T10:04:31Z",
            "resources": ["arn:aws:ecs:eu-west-1:1:task/demo/0123456789abcdef"],
            "detail": {"lastStatus": "RUNNING", "desiredStatus": "STOPPED", "group": "service:agent",
                       "updatedAt": "2026-11-20T10:04:31.002Z"},
        });
        assert_eq!(in_words(&task), "ECS: task 01234567 of service:agent RUNNING, to be STOPPED");
        assert_eq!(when(moment(&task)) % 1000, 2);
        let action = json!({
            "detail-type": "ECS Service Action", "time": "2026-11-20T10:04:31Z",
            "resources": ["arn:aws:ecs:eu-west-1:1:service/demo/agent"], "detail": {"eventName": "SERVICE_STEADY_STATE"},
        });
        assert_eq!(in_words(&action), "ECS: service/demo/agent: SERVICE_STEADY_STATE");
    }
}
