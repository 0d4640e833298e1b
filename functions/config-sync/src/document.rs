//! Documents: what is kept in a secret or a parameter.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use watchkeeper_secrets::Hidden;

/// Where a document is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A secret of Secrets Manager, by its ARN.
    Secret(String),
    /// A parameter of Systems Manager, by its ARN.
    Parameter(String),
}

impl Place {
    /// The place of this ARN.
    #[must_use]
    pub fn of(arn: &str) -> Self {
        let is_parameter = arn.split(':').nth(2) == Some("ssm");
        if is_parameter { Self::Parameter(arn.to_owned()) } else { Self::Secret(arn.to_owned()) }
    }

    /// Its kind and its name, for people: `secret formae/config-AbCdEf`, `parameter /cap/gold-master`.
    #[must_use]
    pub fn name(&self) -> String {
        let resource = |arn: &str| arn.splitn(6, ':').nth(5).unwrap_or(arn).to_owned();
        match self {
            Self::Secret(arn) => {
                let resource = resource(arn);
                format!("secret {}", resource.strip_prefix("secret:").unwrap_or(&resource))
            }
            Self::Parameter(arn) => {
                let resource = resource(arn);
                let name = resource.strip_prefix("parameter/").unwrap_or(&resource);
                // Only a name that is a path begins with a slash, which the ARN leaves out.
                let slash = if name.contains('/') { "/" } else { "" };
                format!("parameter {slash}{name}")
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Secret(arn) | Self::Parameter(arn)) = self;
        formatter.write_str(arn)
    }
}

/// The name of a version: Secrets Manager's `VersionId`, a parameter's number, an object's version and `ETag`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Version(pub String);

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A document as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its version.
    pub version: Version,
    /// What is in it.
    pub text: Hidden,
    /// When the version was made. A secret's becomes current only some time later.
    pub made_at: OffsetDateTime,
    /// When the document was last changed in any way, this version becoming current among others: never before that happened.
    pub changed_at: OffsetDateTime,
}

/// What a source says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Which version of it.
    pub version: Version,
    /// What it says.
    pub content: Content,
    /// The document that it is kept in, which tasks may have read themselves.
    pub kept_in: Option<Place>,
    /// What AWS itself says is wrong with it: a master secret that cannot be rotated.
    pub trouble: Option<String>,
}

/// What a source says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A document.
    Text(Hidden),
    /// Values by name, of what is no document: a cluster's host, port, username and password; an object's key.
    Values(BTreeMap<String, Hidden>),
}

/// What all sources of a declaration say, by their names in it.
pub type Readings = BTreeMap<String, Reading>;
