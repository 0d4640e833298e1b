//! A CloudWatch alarm that went off, or is over.

use watchkeeper_events::AlarmStateChange;
use watchkeeper_stops::Severity;

use crate::alert::{Alert, AlertKey, Facts, Kind};
use crate::{console, moment};

/// The alert for an alarm that went off.
#[must_use]
pub fn alarm(change: &AlarmStateChange) -> Alert {
    let next = "Open the alarm's graph and compare it with the last deployment and crashes.";
    alert(change, Kind::Alarm, Severity::Error, "the alarm went off", Some(next))
}

/// The alert for an alarm that is over.
#[must_use]
pub fn alarm_ok(change: &AlarmStateChange) -> Alert {
    alert(change, Kind::Resolved, Severity::Info, "the alarm is back in OK", None)
}

fn alert(change: &AlarmStateChange, kind: Kind, severity: Severity, summary: &str, next: Option<&str>) -> Alert {
    let place = change.alarm.arn();
    let since = change.since.or(change.origin.time);
    let at = since.map_or_else(|| change.origin.event_id.clone(), |at| at.unix_timestamp_nanos().to_string());
    let facts = Facts::default()
        .with("Alarm", Some(change.name.as_str()))
        .with("For", change.description.as_deref())
        .with("Reason", change.reason.as_deref())
        .with("Since", since.map(moment::utc))
        .with("Account", Some(format!("{} in {}", place.account(), place.region())));
    let subject = format!("alarm#{}", change.alarm);
    Alert {
        key: AlertKey { subject, occurrence: format!("{}#{at}", kind.word().to_lowercase()) },
        kind,
        severity,
        cause: "alarm".to_owned(),
        about: change.name.clone(),
        cluster: None,
        service: None,
        summary: summary.to_owned(),
        facts: facts.done(),
        next_step: next.map(str::to_owned),
        links: console::alarm(&change.alarm).into_iter().collect(),
    }
}
