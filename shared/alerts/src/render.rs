//! One message for every channel of the topic, within SNS's limits.

use serde_json::{Value, json};

use crate::attributes::{self, Attribute};
use crate::clean::{cut, identifier, one_line};
use crate::cleaned::cleaned;
use crate::digest::Digest;
use crate::machine::{self, state, state_of_digest};
use crate::report::{Message, Report};
use crate::room::{Room, fit};
use crate::{chat, email, sms, subject};

/// SNS takes 256 KB in bytes, attributes included (SNS API Reference, "Publish"); a margin is kept for what it adds to them.
const LARGEST: usize = 256 * 1024 - 4 * 1024;
/// How often the room is halved until everything fits; after the last time it does, whatever the message.
const HALVINGS: u32 = 8;
/// Incidents of a digest that are told one by one.
const LARGEST_DIGEST: usize = 200;
/// What is told of one incident among many.
const MEMBER: Room = Room { text: 300, list: 10, tail: 0, head: 0, line: 0 };

/// What the stack's parameters say about wording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wording {
    /// Whether log lines go into what people read: e-mail and chat. Programs always get them.
    pub log_lines_in_email: bool,
}

/// One message as all its channels get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The subject line, of e-mails alone.
    pub subject: String,
    /// For e-mail, and every protocol that is not named.
    pub email: String,
    /// For text messages.
    pub sms: String,
    /// For HTTP and HTTPS: Amazon Q Developer's custom notification.
    pub https: Value,
    /// For Lambda and SQS.
    pub json: Value,
    /// For filter policies.
    pub attributes: Vec<(&'static str, Attribute)>,
    /// A FIFO topic's `MessageGroupId`: the incident, so that its messages stay in order.
    pub group: String,
    /// A FIFO topic's `MessageDeduplicationId`: the incident, the message and its state, so that a repeat is dropped and what
    /// is new never is.
    pub dedup: String,
}

impl Rendered {
    /// The message of a Publish with `MessageStructure` = `json`.
    #[must_use]
    pub fn message(&self) -> String {
        let (https, json) = (self.https.to_string(), self.json.to_string());
        json!({
            "default": self.email, "email": self.email, "sms": self.sms,
            "http": https, "https": https, "lambda": json, "sqs": json,
        })
        .to_string()
    }

    /// Its size as SNS counts it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let attribute =
            |(name, value): &(&str, Attribute)| name.len() + value.data_type().len() + value.string_value().len();
        self.message().len() + self.attributes.iter().map(attribute).sum::<usize>()
    }
}

/// Renders a message; what does not fit is cut, and what was cut is said.
#[must_use]
pub fn render(message: &Message, wording: &Wording) -> Rendered {
    let message = clean_message(message);
    let mut rendered = at_size(&message, *wording, 0);
    for halvings in 1..=HALVINGS {
        if rendered.bytes() <= LARGEST {
            break;
        }
        rendered = at_size(&message, *wording, halvings);
    }
    rendered
}

fn clean_message(message: &Message) -> Message {
    match message {
        Message::One(report) => Message::One(Box::new(cleaned(report))),
        Message::Digest { id, number, why, over, storm, severity, since, reports } => Message::Digest {
            id: identifier(id),
            number: *number,
            why: one_line(why),
            over: *over,
            storm: *storm,
            severity: *severity,
            since: *since,
            // What was found out about each does not go into a digest.
            reports: reports.iter().map(|report| cleaned(&Report { evidence: None, ..report.clone() })).collect(),
        },
    }
}

fn at_size(message: &Message, wording: Wording, halvings: u32) -> Rendered {
    match message {
        Message::One(report) => of_report(report, wording, halvings),
        Message::Digest { id, number, why, over, storm, severity, since, reports } => {
            let why = cut(why, MEMBER.text);
            let most = (LARGEST_DIGEST >> halvings.saturating_sub(3)).max(5);
            let told: Vec<Report> =
                reports.iter().take(most).map(|report| fit(report, MEMBER.smaller(halvings)).report).collect();
            let untold = reports.len() - told.len();
            let cuts = if untold > 0 { vec![format!("{untold} more incidents")] } else { Vec::new() };
            let (number, over, storm, severity, since) = (*number, *over, *storm, *severity, *since);
            let digest = Digest { id, number, why: &why, over, storm, severity, since, reports: &told };
            of_digest(&digest, &cuts, halvings)
        }
    }
}

fn of_report(report: &Report, wording: Wording, halvings: u32) -> Rendered {
    let log_lines = wording.log_lines_in_email;
    let people = fit(report, email::ROOM.smaller(halvings));
    let (id, number, state) = (&report.incident, report.number, state(report.notice));
    Rendered {
        subject: subject::of_report(report),
        email: email::of_report(&people, log_lines),
        sms: sms::of_report(report),
        https: chat::of_report(&fit(report, chat::ROOM.smaller(halvings)), log_lines),
        json: machine::of_report(&fit(report, machine::ROOM.smaller(halvings))),
        attributes: attributes::of_report(report),
        group: id.clone(),
        dedup: format!("{id}-{number}-{state}"),
    }
}

fn of_digest(digest: &Digest<'_>, cuts: &[String], halvings: u32) -> Rendered {
    let (id, number, state) = (digest.id, digest.number, state_of_digest(digest));
    Rendered {
        subject: subject::of_digest(digest),
        email: email::of_digest(digest, cuts),
        sms: sms::of_digest(digest),
        https: chat::of_digest(digest),
        json: machine::of_digest(digest, cuts, halvings > 0),
        attributes: attributes::of_digest(digest),
        group: id.to_owned(),
        dedup: format!("{id}-{number}-{state}"),
    }
}
