//! What a message of the queue asks for: it only names what to look at.

use time::{Duration, OffsetDateTime};
use watchkeeper_events::{Event, QueueMessage, ServiceArn};

use crate::declared::Source;
use crate::document::Place;
use crate::world::Declaration;

/// A sweep that waited longer than this has been overtaken by the next ones.
const SWEEP_LIFE: Duration = Duration::minutes(2);

/// What may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// A secret or a parameter.
    Document(Place),
    /// An object.
    Object {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// A service's deployments.
    Service(ServiceArn),
}

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// Declarations that this concerns.
    Changed(Changed),
    /// Whether ops must know that a secret's rotation failed.
    RotationFailed {
        /// The secret.
        secret: Place,
        /// The error's code.
        code: String,
        /// When, where the event says so.
        at: Option<OffsetDateTime>,
    },
    /// All.
    Sweep,
    /// Nothing, and why.
    Nothing(&'static str),
}

/// What a message that was put into the queue at that time asks for.
#[must_use]
pub fn wake(message: &QueueMessage, sent_at: Option<OffsetDateTime>, now: OffsetDateTime) -> Wake {
    match message {
        QueueMessage::Event(event) => woken_by(event),
        QueueMessage::Recheck(service) => Wake::Changed(Changed::Service(service.clone())),
        QueueMessage::Sweep if sent_at.is_some_and(|sent_at| now - sent_at > SWEEP_LIFE) => {
            Wake::Nothing("a sweep that came too late")
        }
        QueueMessage::Sweep => Wake::Sweep,
        QueueMessage::Observation(_) | QueueMessage::Look(_) | QueueMessage::Rollout(_) => {
            Wake::Nothing("a message for another function")
        }
    }
}

fn woken_by(event: &Event) -> Wake {
    match event {
        // Nothing here follows any other label; and one says nothing of a rotation that failed.
        Event::SecretLabelUpdated(updated) if updated.label != "AWSCURRENT" => {
            Wake::Nothing("a label other than AWSCURRENT")
        }
        Event::SecretLabelUpdated(updated) => Wake::Changed(Changed::Document(Place::Secret(updated.secret.clone()))),
        Event::ParameterChanged(changed) => {
            Wake::Changed(Changed::Document(Place::Parameter(changed.parameter.clone())))
        }
        Event::ObjectCreated(created) => {
            Wake::Changed(Changed::Object { bucket: created.bucket.clone(), key: created.key.clone() })
        }
        Event::RotationEnded(ended) => {
            let secret = Place::Secret(ended.secret.clone());
            if ended.succeeded {
                return Wake::Changed(Changed::Document(secret));
            }
            let code = ended.error_code.clone().unwrap_or_else(|| "CloudTrail gives no error code".to_owned());
            Wake::RotationFailed { secret, code, at: ended.origin.time }
        }
        Event::Deployment(deployment) => Wake::Changed(Changed::Service(deployment.service.clone())),
        Event::Task(_) | Event::ServiceAction(_) | Event::Alarm(_) => Wake::Nothing("a message for another function"),
    }
}

impl Changed {
    /// Whether a declaration has to do with it, as far as is remembered: what is not, the sweep finds.
    #[must_use]
    pub fn concerns(&self, declaration: &Declaration) -> bool {
        let Declaration { declared, state, .. } = declaration;
        match self {
            // Also the secrets that databases' passwords were found in.
            Self::Document(place) => declared.watched().contains(place) || state.since.contains_key(place),
            Self::Object { bucket, key } => declared.sources.values().any(|source| match source {
                Source::Newest { bucket: theirs, prefix } => theirs == bucket && key.starts_with(prefix.as_str()),
                Source::Document(_) | Source::Cluster(_) | Source::Instance(_) => false,
            }),
            Self::Service(service) => state.rollouts.contains_key(service.as_str()),
        }
    }
}
