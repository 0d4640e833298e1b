//! Typed, tolerant views of the events that wake Watchkeeper.
//!
//! An event is read for what Watchkeeper needs and nothing else: fields it does not know are passed over,
//! optional ones may be missing, enumerations keep a value they do not know, numbers may arrive as
//! strings. What cannot be understood is an [`EventError`] that names the event and the field, so that
//! whoever finds the message in a dead-letter queue knows where to look.

mod alarm;
mod arn;
mod deployment;
mod event;
mod fields;
mod instant;
mod message;
mod object;
mod observation;
mod parameter;
mod rollout;
mod rotation;
mod secret;
mod service_action;
mod task;

pub use alarm::{AlarmState, AlarmStateChange};
pub use arn::{AlarmArn, Arn, ArnError, ClusterArn, ServiceArn, TaskArn, TaskDefinitionArn};
pub use deployment::{DeploymentOutcome, DeploymentStateChange};
pub use event::{Event, EventError, Origin};
pub use message::{MessageError, QueueMessage};
pub use object::ObjectCreated;
pub use observation::{Observation, ObservedState};
pub use parameter::{ParameterChanged, ParameterOperation};
pub use rollout::RolloutBegun;
pub use rotation::RotationEnded;
pub use secret::SecretLabelUpdated;
pub use service_action::{ActionLevel, ServiceAction};
pub use task::{Container, StopCode, TaskStateChange, TaskStatus};
