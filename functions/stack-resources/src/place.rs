//! Where an object lies.

use std::fmt;

use watchkeeper_custom_resources::PhysicalId;

/// A bucket and a key; `s3://BUCKET/KEY` as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

impl Place {
    /// The place of this name; `None` if the name is none of a place.
    #[must_use]
    pub fn of(id: &PhysicalId) -> Option<Self> {
        let (bucket, key) = id.as_str().strip_prefix("s3://")?.split_once('/')?;
        let found = Self { bucket: bucket.to_owned(), key: key.to_owned() };
        (!bucket.is_empty() && !key.is_empty()).then_some(found)
    }

    /// Its name for CloudFormation.
    #[must_use]
    pub fn physical_id(&self) -> PhysicalId {
        PhysicalId::new(self.to_string())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s3://{}/{}", self.bucket, self.key)
    }
}
