//! The EventBridge envelope, and which event is in it.

use serde_json::Value;
use time::OffsetDateTime;

use crate::alarm::AlarmStateChange;
use crate::deployment::DeploymentStateChange;
use crate::fields::Fields;
use crate::object::ObjectCreated;
use crate::parameter::ParameterChanged;
use crate::rotation::RotationEnded;
use crate::secret::SecretLabelUpdated;
use crate::service_action::ServiceAction;
use crate::task::TaskStateChange;

/// Where and when an event arose: the envelope without its detail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// EventBridge's id; a delivery that is repeated has the same one.
    pub event_id: String,
    /// The account the event is about.
    pub account: String,
    /// The region the event is about.
    pub region: String,
    /// When it arose, where the event says so.
    pub time: Option<OffsetDateTime>,
}

/// An event that Watchkeeper understands.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// ECS Task State Change.
    Task(Box<TaskStateChange>),
    /// ECS Deployment State Change.
    Deployment(Box<DeploymentStateChange>),
    /// ECS Service Action.
    ServiceAction(Box<ServiceAction>),
    /// CloudWatch Alarm State Change.
    Alarm(Box<AlarmStateChange>),
    /// Secret Label Updated.
    SecretLabelUpdated(Box<SecretLabelUpdated>),
    /// `RotationSucceeded` or `RotationFailed`, via `CloudTrail`.
    RotationEnded(Box<RotationEnded>),
    /// Parameter Store Change.
    ParameterChanged(Box<ParameterChanged>),
    /// S3's Object Created.
    ObjectCreated(Box<ObjectCreated>),
}

/// Why an event could not be understood. Of the event itself it says no more than id, source and detail-type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// A field is missing or not of its kind.
    #[error("event {event_id}: field {field} {problem}")]
    Field {
        /// The event's id, or "without an id".
        event_id: String,
        /// The path of the field, for example `detail.containers[0].exitCode`.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing here handles events of this source and type; the rule that sent it is wrong.
    #[error(
        "event {event_id}: nothing handles detail-type \"{detail_type}\" of source \"{source_name}\"; correct the rule that sent it"
    )]
    Unsupported {
        /// The event's id.
        event_id: String,
        /// The envelope's `source`.
        source_name: String,
        /// The envelope's `detail-type`.
        detail_type: String,
    },
}

impl EventError {
    pub(crate) fn field(event_id: &str, field: &str, problem: impl Into<String>) -> Self {
        let field = if field.is_empty() { "(the event itself)" } else { field };
        Self::Field { event_id: shorten(event_id), field: shorten(field), problem: problem.into() }
    }
}

/// Names that come from the event are cut, so that an error stays readable whatever was sent, and rid of what SQS does
/// not take in an attribute (SQS API Reference, `SendMessage`).
fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}')).take(100).collect()
}

impl Event {
    /// Reads an EventBridge event.
    pub fn parse(event: &Value) -> Result<Self, EventError> {
        let event_id = event.get("id").and_then(Value::as_str).unwrap_or("without an id");
        let envelope = Fields::new(event_id, "", event)?;
        let source = envelope.required_text("source")?;
        let detail_type = envelope.required_text("detail-type")?;
        let origin = Origin {
            event_id: envelope.required_text("id")?,
            account: envelope.required_text("account")?,
            region: envelope.required_text("region")?,
            time: envelope.instant("time")?,
        };
        let resources = envelope.texts("resources")?;
        let detail = || envelope.required_object("detail");
        match (source.as_str(), detail_type.as_str()) {
            ("aws.ecs", "ECS Task State Change") => {
                TaskStateChange::read(origin, &detail()?).map(|task| Self::Task(Box::new(task)))
            }
            ("aws.ecs", "ECS Deployment State Change") => {
                DeploymentStateChange::read(origin, &envelope, &resources, &detail()?)
                    .map(|deployment| Self::Deployment(Box::new(deployment)))
            }
            ("aws.ecs", "ECS Service Action") => ServiceAction::read(origin, &envelope, &resources, &detail()?)
                .map(|action| Self::ServiceAction(Box::new(action))),
            ("aws.cloudwatch", "CloudWatch Alarm State Change") => {
                AlarmStateChange::read(origin, &envelope, &resources, &detail()?)
                    .map(|alarm| Self::Alarm(Box::new(alarm)))
            }
            ("aws.secretsmanager", "Secret Label Updated") => {
                SecretLabelUpdated::read(origin, &envelope, &resources, &detail()?)
                    .map(|updated| Self::SecretLabelUpdated(Box::new(updated)))
            }
            ("aws.secretsmanager", "AWS Service Event via CloudTrail" | "AWS API Call via CloudTrail") => {
                RotationEnded::read(origin, &detail()?).map(|ended| Self::RotationEnded(Box::new(ended)))
            }
            ("aws.ssm", "Parameter Store Change") => ParameterChanged::read(origin, &envelope, &resources, &detail()?)
                .map(|changed| Self::ParameterChanged(Box::new(changed))),
            ("aws.s3", "Object Created") => {
                ObjectCreated::read(origin, &detail()?).map(|created| Self::ObjectCreated(Box::new(created)))
            }
            _ => Err(EventError::Unsupported {
                event_id: shorten(event_id),
                source_name: shorten(&source),
                detail_type: shorten(&detail_type),
            }),
        }
    }
}
