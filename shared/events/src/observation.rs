//! What another function has to tell ops: a sync that failed, a Console that is down, an agent unwell.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::event::EventError;
use crate::fields::Fields;

/// Whether trouble began or ended, or something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObservedState {
    /// It began.
    Opened,
    /// It ended.
    Resolved,
    /// There was none: a piece of work is done.
    Done,
}

/// One observation, as another function puts it into crash-alerts' queue:
/// `{"watchkeeper":"observation","id":…,"from":…,"subject":…,"cause":…,"state":"opened"|"resolved"|"done","severity":…,"summary":…,"detail":…,"next":…,"at":…}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Unique to this observation; a repeat has the same one.
    pub id: String,
    /// The function that observed it.
    pub from: String,
    /// What it is about: a service, a secret, a declaration.
    pub subject: String,
    /// What is the matter, in one stable word.
    pub cause: String,
    /// Began, ended, or done.
    pub state: ObservedState,
    /// `critical`, `error`, `warning` or `info`.
    pub severity: String,
    /// One line for ops.
    pub summary: String,
    /// More for ops.
    pub detail: Option<String>,
    /// What to do.
    pub next: Option<String>,
    /// When it was observed.
    pub at: Option<OffsetDateTime>,
}

impl ObservedState {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Resolved => "resolved",
            Self::Done => "done",
        }
    }
}

impl Observation {
    /// The message, for crash-alerts' queue.
    #[must_use]
    pub fn message(&self) -> Value {
        json!({
            "watchkeeper": "observation",
            "id": self.id,
            "from": self.from,
            "subject": self.subject,
            "cause": self.cause,
            "state": self.state.word(),
            "severity": self.severity,
            "summary": self.summary,
            "detail": self.detail,
            "next": self.next,
            "at": self.at.and_then(|at| at.format(&Rfc3339).ok()),
        })
    }

    pub(crate) fn read(message: &Value) -> Result<Self, EventError> {
        let id = message.get("id").and_then(Value::as_str).unwrap_or("without an id");
        let fields = Fields::new(id, "", message)?;
        let state = match fields.required_text("state")?.as_str() {
            "opened" => ObservedState::Opened,
            "resolved" => ObservedState::Resolved,
            "done" => ObservedState::Done,
            _ => return Err(fields.fault("state", "is none of \"opened\", \"resolved\" and \"done\"")),
        };
        Ok(Self {
            id: fields.required_text("id")?,
            from: fields.required_text("from")?,
            subject: fields.required_text("subject")?,
            cause: fields.required_text("cause")?,
            state,
            severity: fields.required_text("severity")?,
            summary: fields.required_text("summary")?,
            detail: fields.text("detail")?,
            next: fields.text("next")?,
            at: fields.instant("at")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::QueueMessage;

    #[test]
    fn what_is_written_is_read() {
        let opened = Observation {
            id: "config-sync login-failed secret s 1 opened".to_owned(),
            from: "config-sync".to_owned(),
            subject: "secret s".to_owned(),
            cause: "login-failed".to_owned(),
            state: ObservedState::Opened,
            severity: "error".to_owned(),
            summary: "the database takes its password no more".to_owned(),
            detail: Some("password authentication failed".to_owned()),
            next: Some("Look who changed it.".to_owned()),
            at: Some(time::macros::datetime!(2026-11-21 12:00:01.5 UTC)),
        };
        let resolved =
            Observation { state: ObservedState::Resolved, detail: None, next: None, at: None, ..opened.clone() };
        for observation in [opened, resolved] {
            let read = QueueMessage::parse(&observation.message().to_string()).unwrap();
            assert_eq!(read, QueueMessage::Observation(Box::new(observation)));
        }
    }
}
