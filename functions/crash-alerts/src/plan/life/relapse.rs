//! What was over and happens again: a task that dies every quarter of an hour is one incident and not one for each time.
//!
//! It goes on under its id, its count goes on, and with each return it must be quiet for twice as long before ops hear that it is over
//! ([`Rules::quiet`](crate::plan::rules::Rules)). So a night's loop is a handful of messages, whatever its pace.

use time::OffsetDateTime;
use time::macros::format_description;

use super::Scene;
use crate::plan::incident::{Fault, Incident, Nature, Rest};

/// The incident that a fault begins; the one that is remembered, if it comes back.
pub(super) fn again_or_new(fault: &Fault, rest: Option<&Rest>, scene: Scene<'_>) -> Incident {
    let mut incident = Incident::of(fault, scene.now);
    let back =
        rest.filter(|rest| fault.nature == Nature::Event && fault.at - rest.over_at <= scene.rules.returns_within);
    if let Some(rest) = back
        && let Some(past) = &rest.past
    {
        incident.returned(past, rest.first_at);
    }
    incident
}

/// It is not gone yet, because its end is being told.
pub(super) fn comes_back(incident: &mut Incident, fault: &Fault) {
    if incident.nature == Nature::Event {
        incident.returns += 1;
        // What is known of the last time says little of this one.
        incident.first.clone_from(&fault.alert.key.subject);
        incident.documented_at = None;
        note(incident);
    }
}

/// Ops are told that it is no new thing.
pub(super) fn note(incident: &mut Incident) {
    if incident.returns > 0 {
        let (times, since) = (ordinal(incident.returns), since(incident.first_at, incident.last_at));
        incident.notes.push(format!("It is back for the {times} time since {since}."));
    }
}

/// The time, and the day where it is another one.
fn since(first_at: OffsetDateTime, now: OffsetDateTime) -> String {
    let (first_at, now) = (first_at.to_utc(), now.to_utc());
    let text = if first_at.date() == now.date() {
        first_at.format(format_description!("[hour]:[minute] UTC"))
    } else {
        first_at.format(format_description!("[year]-[month]-[day] [hour]:[minute] UTC"))
    };
    text.unwrap_or_else(|_| first_at.to_string())
}

fn ordinal(number: u32) -> String {
    let end = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn as_people_count_and_tell_the_time() {
        for (number, text) in [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (22, "22nd")]
        {
            assert_eq!(ordinal(number), text);
        }
        let night = datetime!(2026-11-21 23:50 UTC);
        assert_eq!(since(night, night + time::Duration::MINUTE), "23:50 UTC");
        assert_eq!(since(night, night + time::Duration::HOUR), "2026-11-21 23:50 UTC");
    }
}
