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
