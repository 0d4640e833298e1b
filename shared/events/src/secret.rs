//! Secret Label Updated: a version of a secret got a staging label (Secrets Manager User Guide, "Match AWS Secrets Manager
//! events").

use crate::arn::secret_arn;
use crate::event::{EventError, Origin};
use crate::fields::Fields;

/// A staging label moved to a version: any label but `AWSPENDING` and `AWSPREVIOUS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretLabelUpdated {
    /// Where and when.
    pub origin: Origin,
    /// The secret's ARN.
    pub secret: String,
    /// The label, such as `AWSCURRENT`.
    pub label: String,
    /// The id of the version that has it now.
    pub version: String,
}

impl SecretLabelUpdated {
    pub(crate) fn read(
        origin: Origin,
        envelope: &Fields<'_>,
        resources: &[String],
        detail: &Fields<'_>,
    ) -> Result<Self, EventError> {
        let first =
            resources.first().ok_or_else(|| envelope.fault("resources", "is empty; the secret's ARN belongs there"))?;
        Ok(Self {
            secret: secret_arn(first).map_err(|error| envelope.fault("resources[0]", error.to_string()))?,
            label: detail.required_text("labelUpdated")?,
            version: detail.required_text("versionId")?,
            origin,
        })
    }
}
