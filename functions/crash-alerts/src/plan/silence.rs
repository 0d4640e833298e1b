//! Times in which ops want to hear nothing, of everything or of some of it.
//!
//! One grammar for the stack's parameter and for a service's tag `watchkeeper:silence`. A tag's value knows few signs (letters, digits,
//! space and `+ - = . _ : / @`; ECS API Reference, "Tag"), so these are all it takes; the parameter may have `*` in its matches, too.
//!
//! ```text
//! 2026-11-22T01:00Z/2026-11-22T05:00Z                      once
//! Sat-Sun 22:00-06:00 cluster=prod service=batch-*         each night that begins on a Saturday or Sunday, UTC
//! always cause=spot-interruption + 03:00-03:30             two of them
//! ```
//!
//! `service=` is about everything that can be told: what is of no service is known by what else it is about (a standalone task's family,
//! an alarm's name, what another function looks after).

use time::format_description::well_known::Iso8601;
use time::macros::format_description;
use time::{Date, OffsetDateTime, Time, UtcOffset, Weekday};

use super::incident::Incident;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    window: Window,
    cluster: Option<String>,
    service: Option<String>,
    cause: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    Always,
    Once { from: OffsetDateTime, until: OffsetDateTime },
    Daily { days: [bool; 7], from: Time, until: Time },
}

/// Why a text is no silence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A word that is nothing known.
    #[error(
        "\"{0}\" is neither a time (22:00-06:00), days (Sat-Sun), a span (2026-11-22T01:00Z/2026-11-22T05:00Z), \"always\" nor a match \
         (cluster=…, service=…, cause=…)"
    )]
    Word(String),
    /// There is no time in it.
    #[error("\"{0}\" says of what, but not when: begin with a time, a span or \"always\"")]
    NoWindow(String),
    /// Two times in one.
    #[error("\"{0}\" has two times; put \" + \" between two silences")]
    TwoWindows(String),
    /// Days without a time.
    #[error("\"{0}\" has days without a time, such as Sat-Sun 00:00-24:00")]
    DaysAlone(String),
    /// It ends before it begins.
    #[error("\"{0}\" ends before it begins")]
    Backwards(String),
}

/// What a silence is asked about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The cluster's name, where there is one.
    pub cluster: Option<&'a str>,
    /// The service's name; of what is of none, the name of what it is about.
    pub service: Option<&'a str>,
    /// The cause.
    pub cause: &'a str,
}

impl<'a> About<'a> {
    /// What an incident's silences are asked about.
    #[must_use]
    pub fn of(incident: &'a Incident) -> Self {
        let alert = &incident.alert;
        Self {
            cluster: alert.cluster.as_deref(),
            service: Some(alert.service.as_deref().unwrap_or(&alert.about)),
            cause: &incident.key.cause,
        }
    }
}

/// Reads all silences of a text; those that cannot be read silence nothing.
#[must_use]
pub fn read(text: &str) -> (Vec<Silence>, Vec<Fault>) {
    let (mut silences, mut faults) = (Vec::new(), Vec::new());
    for entry in text.split(" + ").map(str::trim).filter(|entry| !entry.is_empty()) {
        match Silence::read(entry) {
            Ok(silence) => silences.push(silence),
            Err(fault) => faults.push(fault),
        }
    }
    (silences, faults)
}

impl Silence {
    fn read(entry: &str) -> Result<Self, Fault> {
        let (mut window, mut days) = (None, None);
        let mut silence = Self { window: Window::Always, cluster: None, service: None, cause: None };
        for word in entry.split_whitespace() {
            let found = match word.split_once('=') {
                Some((name @ ("cluster" | "service" | "cause"), value)) if !value.is_empty() => {
                    let place = match name {
                        "cluster" => &mut silence.cluster,
                        "service" => &mut silence.service,
                        _ => &mut silence.cause,
                    };
                    *place = Some(value.to_owned());
                    continue;
                }
                Some(_) => return Err(Fault::Word(word.to_owned())),
                None if word == "always" => Window::Always,
                None => match (days_of(word), times_of(word), span_of(word)) {
                    (Some(found), _, _) => {
                        days = Some(found);
                        continue;
                    }
                    (_, Some((from, until)), _) => Window::Daily { days: [true; 7], from, until },
                    (_, _, Some((from, until))) if from < until => Window::Once { from, until },
                    (_, _, Some(_)) => return Err(Fault::Backwards(word.to_owned())),
                    _ => return Err(Fault::Word(word.to_owned())),
                },
            };
            if window.replace(found).is_some() {
                return Err(Fault::TwoWindows(entry.to_owned()));
            }
        }
        silence.window = match (window, days) {
            (Some(Window::Daily { from, until, .. }), Some(days)) => Window::Daily { days, from, until },
            (_, Some(_)) => return Err(Fault::DaysAlone(entry.to_owned())),
            (Some(window), None) => window,
            (None, None) => return Err(Fault::NoWindow(entry.to_owned())),
        };
        Ok(silence)
    }

    /// Whether it silences this now.
    #[must_use]
    pub fn covers(&self, about: About<'_>, now: OffsetDateTime) -> bool {
        let matches = |pattern: &Option<String>, value: Option<&str>| match pattern {
            None => true,
            Some(pattern) => value.is_some_and(|value| fits(pattern, value)),
        };
        self.is_on(now)
            && matches(&self.cluster, about.cluster)
            && matches(&self.service, about.service)
            && matches(&self.cause, Some(about.cause))
    }

    fn is_on(&self, now: OffsetDateTime) -> bool {
        match self.window {
            Window::Always => true,
            Window::Once { from, until } => from <= now && now < until,
            Window::Daily { days, from, until } => {
                let now = now.to_offset(UtcOffset::UTC);
                let on = |date: Date| days[usize::from(date.weekday().number_days_from_monday())];
                let today = on(now.date());
                if from < until {
                    return today && from <= now.time() && now.time() < until;
                }
                // Over midnight: the night belongs to the day on which it begins.
                let yesterday = now.date().previous_day().is_some_and(on);
                (today && now.time() >= from) || (yesterday && now.time() < until)
            }
        }
    }
}

/// `*` stands for any text.
fn fits(pattern: &str, value: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| value.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

fn days_of(word: &str) -> Option<[bool; 7]> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (mut day, last) = (day_of(first)?, day_of(last)?);
    let mut days = [false; 7];
    loop {
        days[usize::from(day.number_days_from_monday())] = true;
        if day == last {
            return Some(days);
        }
        day = day.next();
    }
}

fn day_of(word: &str) -> Option<Weekday> {
    Some(match word.to_ascii_lowercase().as_str() {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
        _ => return None,
    })
}

/// `22:00-06:00`. `24:00` is midnight, so `00:00-24:00` is the whole day.
fn times_of(word: &str) -> Option<(Time, Time)> {
    let (from, until) = word.split_once('-')?;
    let time = |text: &str| match text {
        "24:00" => Some(Time::MIDNIGHT),
        _ => Time::parse(text, format_description!("[hour]:[minute]")).ok(),
    };
    Some((time(from)?, time(until)?))
}

fn span_of(word: &str) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let (from, until) = word.split_once('/')?;
    let instant = |text: &str| OffsetDateTime::parse(text, &Iso8601::DEFAULT).ok();
    Some((instant(from)?, instant(until)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;
    use watchkeeper_alerts::{Alert, AlertKey, Kind};
    use watchkeeper_stops::Severity;

    use crate::plan::incident::{Fault, Key, Nature};

    const ABOUT: About<'_> = About { cluster: Some("prod"), service: Some("batch-7"), cause: "application-exit" };

    fn covers(text: &str, now: OffsetDateTime) -> bool {
        let (silences, faults) = read(text);
        assert!(faults.is_empty(), "{text}: {faults:?}");
        silences.iter().any(|silence| silence.covers(ABOUT, now))
    }

    #[test]
    fn windows() {
        // A Saturday.
        let night = datetime!(2026-11-21 23:30 UTC);
        let morning = datetime!(2026-11-22 05:59 UTC);
        for (text, now, silent) in [
            ("always", night, true),
            ("22:00-06:00", night, true),
            ("22:00-06:00", morning, true),
            ("22:00-06:00", datetime!(2026-11-22 06:00 UTC), false),
            ("Sat 22:00-06:00", morning, true),
            ("Sun 22:00-06:00", morning, false),
            ("Fri-Sun 22:00-06:00", night, true),
            ("Sun-Mon 22:00-06:00", night, false),
            ("Mon-Fri 08:00-18:00", datetime!(2026-11-20 12:00 +03:00), true),
            ("Mon-Fri 08:00-18:00", datetime!(2026-11-20 10:00 +03:00), false),
            ("Sat 00:00-24:00", night, true),
            ("2026-11-21T23:00Z/2026-11-21T23:31Z", night, true),
            ("2026-11-21T23:00Z/2026-11-21T23:30Z", night, false),
            ("2026-11-22T00:00+01:00/2026-11-22T01:00+01:00", night, true),
        ] {
            assert_eq!(covers(text, now), silent, "{text} at {now}");
        }
    }

    #[test]
    fn matches() {
        let now = datetime!(2026-11-21 23:30 UTC);
        for (text, silent) in [
            ("always service=batch-7", true),
            ("always service=batch-*", true),
            ("always service=*-7 cluster=prod", true),
            ("always service=b*c*7", true),
            ("always service=batch", false),
            ("always cluster=test", false),
            ("cause=application-exit always", true),
            ("always cause=out-of-memory + 23:00-23:45 cluster=p*", true),
        ] {
            assert_eq!(covers(text, now), silent, "{text}");
        }
        assert!(!read("always service=a").0[0].covers(About { service: None, ..ABOUT }, now));
    }

    #[test]
    fn what_has_no_service_is_known_by_what_it_is_about() {
        let now = datetime!(2026-11-21 23:30 UTC);
        let of = |about: &str, cluster: Option<&str>, service: Option<&str>| {
            let alert = Alert {
                key: AlertKey { subject: "s".to_owned(), occurrence: "o".to_owned() },
                kind: Kind::Trouble,
                severity: Severity::Error,
                cause: "login-failed".to_owned(),
                about: about.to_owned(),
                cluster: cluster.map(str::to_owned),
                service: service.map(str::to_owned),
                summary: String::new(),
                facts: Vec::new(),
                next_step: None,
                links: Vec::new(),
            };
            let key = Key::new("s", "login-failed");
            Incident::of(&Fault { key, nature: Nature::Event, at: now, alert, deployment: None }, now)
        };
        let family = of("nightly-import", Some("prod"), None);
        let observation = of("secret formae/config", None, None);
        let service = of("nightly-import", Some("prod"), Some("web"));
        for (text, silent) in [
            ("always service=nightly-*", [true, false, false]),
            ("always service=nightly-import cluster=prod", [true, false, false]),
            ("always service=nightly-import cluster=test", [false, false, false]),
            ("always service=secret*formae/*", [false, true, false]),
            ("always service=web", [false, false, true]),
            ("always cause=login-failed", [true, true, true]),
        ] {
            let silence = &read(text).0[0];
            let covered = [&family, &observation, &service].map(|one| silence.covers(About::of(one), now));
            assert_eq!(covered, silent, "{text}");
        }
    }

    #[test]
    fn what_is_no_silence_silences_nothing_and_is_said() {
        for (text, said) in [
            ("tonight", "\"tonight\" is neither a time"),
            ("25:00-26:00", "\"25:00-26:00\" is neither"),
            ("service=agent", "says of what, but not when"),
            ("always 22:00-06:00", "has two times"),
            ("Sat-Sun", "has days without a time"),
            ("2026-11-22T05:00Z/2026-11-22T01:00Z", "ends before it begins"),
            ("always colour=red", "\"colour=red\" is neither"),
        ] {
            let (silences, faults) = read(text);
            assert!(silences.is_empty() && faults.len() == 1, "{text}");
            assert!(faults[0].to_string().contains(said), "{}", faults[0]);
        }
        assert_eq!(read("  ").0, []);
        let (silences, faults) = read("nonsense + always");
        assert_eq!((silences.len(), faults.len()), (1, 1));
    }
}
