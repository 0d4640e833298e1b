//! Parameter Store Change (Systems Manager User Guide, "Monitoring Systems Manager events with Amazon EventBridge").

use crate::arn::parameter_arn;
use crate::event::{EventError, Origin};
use crate::fields::Fields;

/// What was done to a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterOperation {
    /// It was made.
    Create,
    /// It has a new version.
    Update,
    /// It is gone.
    Delete,
    /// A version of it got a label.
    LabelParameterVersion,
    /// One that came later, by its name.
    Other(String),
}

/// A parameter changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterChanged {
    /// Where and when.
    pub origin: Origin,
    /// The parameter's ARN.
    pub parameter: String,
    /// What was done to it.
    pub operation: ParameterOperation,
}

impl ParameterChanged {
    pub(crate) fn read(
        origin: Origin,
        envelope: &Fields<'_>,
        resources: &[String],
        detail: &Fields<'_>,
    ) -> Result<Self, EventError> {
        let parameter = match resources.first() {
            Some(first) => parameter_arn(first).map_err(|error| envelope.fault("resources[0]", error.to_string()))?,
            None => made_of(&origin, &detail.required_text("name")?),
        };
        let operation = match detail.required_text("operation")?.as_str() {
            "Create" => ParameterOperation::Create,
            "Update" => ParameterOperation::Update,
            "Delete" => ParameterOperation::Delete,
            "LabelParameterVersion" => ParameterOperation::LabelParameterVersion,
            other => ParameterOperation::Other(other.to_owned()),
        };
        Ok(Self { origin, parameter, operation })
    }
}

/// The ARN of a parameter of the account and region of the event. A name that is a path begins with the slash that its ARN
/// has anyway.
fn made_of(origin: &Origin, name: &str) -> String {
    let partition = match origin.region.split('-').next() {
        Some("cn") => "aws-cn",
        Some("us") if origin.region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    let name = name.strip_prefix('/').unwrap_or(name);
    format!("arn:{partition}:ssm:{}:{}:parameter/{name}", origin.region, origin.account)
}
