//! Documents: what is kept in a secret or a parameter.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use watchkeeper_secrets::{Hidden, Thing, may_use};

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

/// The tag by which an owner lets stacks use a thing, as far as it was seen with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Allow {
    /// It was not asked for: whoever declares is checked, and IAM wants that there is one.
    #[default]
    Unseen,
    /// What it was.
    Seen(Option<String>),
}

impl Allow {
    /// Whether it lets a stack use the thing. It may have been taken away since the stack was made.
    pub fn allows(&self, stack: &str, thing: Thing<'_>) -> Result<(), String> {
        match self {
            Self::Unseen => Ok(()),
            Self::Seen(value) => may_use(stack, thing, value.as_deref()),
        }
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
    /// Who may have it written.
    pub allow: Allow,
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
    /// Who may have it read.
    pub allow: Allow,
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
