//! S3 Object Created (Amazon S3 User Guide, "`EventBridge` event message structure").

use crate::event::{EventError, Origin};
use crate::fields::Fields;

/// A bucket has a new object, or a new version of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectCreated {
    /// Where and when.
    pub origin: Origin,
    /// The bucket's name.
    pub bucket: String,
    /// The object's key as it is: these events do not encode it, unlike S3's own notifications.
    pub key: String,
}

impl ObjectCreated {
    pub(crate) fn read(origin: Origin, detail: &Fields<'_>) -> Result<Self, EventError> {
        Ok(Self {
            bucket: detail.required_object("bucket")?.required_text("name")?,
            key: detail.required_object("object")?.required_text("key")?,
            origin,
        })
    }
}
