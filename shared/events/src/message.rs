//! What a function finds in its queue.

use serde_json::Value;

use crate::arn::{ArnError, ServiceArn};
use crate::event::{Event, EventError};
use crate::fields::kind;
use crate::observation::Observation;
use crate::rollout::RolloutBegun;

/// One message of a function's queue: its one entrance.
#[derive(Debug, Clone, PartialEq)]
pub enum QueueMessage {
    /// An EventBridge event, as it is.
    Event(Event),
    /// `{"watchkeeper":"sweep"}`, sent by the scheduler each minute.
    Sweep,
    /// `{"watchkeeper":"recheck","service":…}`: a function's message to itself-later, to look at a service again.
    Recheck(ServiceArn),
    /// What another function observed.
    Observation(Box<Observation>),
    /// `{"watchkeeper":"look","incident":…}`: crash-alerts' message to itself-later, to look at an incident again.
    Look(String),
    /// A function began to roll out a service.
    Rollout(Box<RolloutBegun>),
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
    #[error(
        "the message's field watchkeeper is none of \"sweep\", \"recheck\", \"observation\", \"look\" and \"rollout\""
    )]
    UnknownKind,
    /// A recheck of nothing that exists.
    #[error("the message's field service {0}")]
    Recheck(ArnError),
    /// A look at nothing.
    #[error("the message's field incident is missing, not text, or empty")]
    Look,
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
            Some(Value::String(sort)) if sort == "recheck" => {
                let service = value.get("service").and_then(Value::as_str).unwrap_or_default();
                ServiceArn::parse(service).map(Self::Recheck).map_err(MessageError::Recheck)
            }
            Some(Value::String(sort)) if sort == "observation" => {
                Ok(Self::Observation(Box::new(Observation::read(&value)?)))
            }
            Some(Value::String(sort)) if sort == "look" => {
                let incident = value.get("incident").and_then(Value::as_str).filter(|incident| !incident.is_empty());
                incident.map(|incident| Self::Look(incident.to_owned())).ok_or(MessageError::Look)
            }
            Some(Value::String(sort)) if sort == "rollout" => Ok(Self::Rollout(Box::new(RolloutBegun::read(&value)?))),
            Some(_) => Err(MessageError::UnknownKind),
        }
    }
}
