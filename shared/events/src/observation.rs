//! What another function has to tell ops: a sync that failed, a Console that is down, an agent unwell.

use serde_json::Value;
use time::OffsetDateTime;

use crate::event::EventError;
use crate::fields::Fields;

/// Whether the trouble began or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObservedState {
    /// It began.
    Opened,
    /// It ended.
    Resolved,
}

/// One observation, as another function puts it into crash-alerts' queue:
/// `{"watchkeeper":"observation","id":…,"from":…,"subject":…,"cause":…,"state":"opened"|"resolved","severity":…,"summary":…,"detail":…,"next":…,"at":…}`.
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
    /// Began or ended.
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

impl Observation {
    pub(crate) fn read(message: &Value) -> Result<Self, EventError> {
        let id = message.get("id").and_then(Value::as_str).unwrap_or("without an id");
        let fields = Fields::new(id, "", message)?;
        let state = match fields.required_text("state")?.as_str() {
            "opened" => ObservedState::Opened,
            "resolved" => ObservedState::Resolved,
            _ => return Err(fields.fault("state", "is neither \"opened\" nor \"resolved\"")),
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
