//! What a function finds in its queue.

use serde_json::Value;

use crate::event::{Event, EventError};
use crate::fields::kind;
use crate::observation::Observation;

/// One message of a function's queue: its one entrance.
#[derive(Debug, Clone, PartialEq)]
pub enum QueueMessage {
    /// An EventBridge event, as it is.
    Event(Event),
    /// `{"watchkeeper":"sweep"}`, sent by the scheduler each minute.
    Sweep,
    /// What another function observed.
    Observation(Box<Observation>),
}

/// Why a message could not be understood. Of the message itself it says no more than an event's id, source and
/// detail-type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not JSON at all.
    #[error("the message is not JSON: {0}")]
    NotJson(String),
    /// JSON, but neither an event nor one of ours.
    #[error("the message is {0}, not an EventBridge event, a sweep or an observation")]
    NotOurs(&'static str),
    /// Says it is one of ours, but of a kind that does not exist.
    #[error("the message's field watchkeeper is neither \"sweep\" nor \"observation\"")]
    UnknownKind,
    /// An event that cannot be understood.
    #[error(transparent)]
    Event(#[from] EventError),
}

impl QueueMessage {
    /// Reads a message's body.
    pub fn parse(body: &str) -> Result<Self, MessageError> {
        let value: Value = serde_json::from_str(body).map_err(|error| {
            // serde_json's own text can quote the input; its place says enough.
            MessageError::NotJson(format!(
                "it breaks off or goes wrong at line {}, column {}",
                error.line(),
                error.column()
            ))
        })?;
        if !value.is_object() {
            return Err(MessageError::NotOurs(kind(&value)));
        }
        match value.get("watchkeeper") {
            None => Ok(Self::Event(Event::parse(&value)?)),
            Some(Value::String(sort)) if sort == "sweep" => Ok(Self::Sweep),
            Some(Value::String(sort)) if sort == "observation" => {
                Ok(Self::Observation(Box::new(Observation::read(&value)?)))
            }
            Some(_) => Err(MessageError::UnknownKind),
        }
    }
}
