//! The end of a secret's rotation, as `CloudTrail` tells it (Secrets Manager User Guide, "Log AWS Secrets Manager events with
//! AWS `CloudTrail`").

use crate::arn::secret_arn;
use crate::event::{EventError, Origin};
use crate::fields::Fields;

/// Where `CloudTrail` has been seen to name the secret. `resources` of the envelope is empty.
const PLACES: [(&str, &[&str]); 3] = [
    ("additionalEventData", &["SecretId", "secretId"]),
    ("serviceEventDetails", &["secretId", "SecretId"]),
    ("responseElements", &["arn", "aRN", "ARN"]),
];

/// A rotation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationEnded {
    /// Where and when.
    pub origin: Origin,
    /// The secret's ARN.
    pub secret: String,
    /// Whether it succeeded.
    pub succeeded: bool,
    /// The code of the error, where `CloudTrail` gives one. Its message is not read: it is free text and could hold a value.
    pub error_code: Option<String>,
}

impl RotationEnded {
    pub(crate) fn read(origin: Origin, detail: &Fields<'_>) -> Result<Self, EventError> {
        let succeeded = match detail.required_text("eventName")?.as_str() {
            "RotationSucceeded" => true,
            "RotationFailed" => false,
            _ => return Err(detail.fault("eventName", "is neither \"RotationSucceeded\" nor \"RotationFailed\"")),
        };
        Ok(Self {
            secret: secret_of(detail)?,
            succeeded,
            error_code: detail.text("errorCode")?.filter(|code| !succeeded && is_code(code)),
            origin,
        })
    }
}

/// The first ARN of a secret in the places where there may be one; a name alone would be a guess.
fn secret_of(detail: &Fields<'_>) -> Result<String, EventError> {
    for (place, names) in PLACES {
        let Some(object) = detail.object(place)? else { continue };
        for name in names {
            if let Some(arn) = object.text(name)?.and_then(|text| secret_arn(&text).ok()) {
                return Ok(arn);
            }
        }
    }
    Err(detail.fault(
        "additionalEventData.SecretId",
        "is not the ARN of a secret, and neither serviceEventDetails nor responseElements has one",
    ))
}

/// Whether this is a word such as `AccessDeniedException`, and not a text that says more.
fn is_code(text: &str) -> bool {
    let is_part_of_code = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=100).contains(&text.len()) && text.chars().all(is_part_of_code)
}
