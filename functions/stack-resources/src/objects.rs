//! S3, as far as objects are looked at, put, copied and deleted.

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{MetadataDirective, ServerSideEncryption, TaggingDirective};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use watchkeeper_aws_errors::status;
use watchkeeper_custom_resources::{Failure, Owner};

use crate::error::failure;
use crate::place::Place;
use crate::plan::{Content, Encryption, Found, Wanted};

/// The metadata that says whose an object is.
const OWNER: &str = "watchkeeper-owner";
/// The metadata that says whose it was, until a rename is settled.
const OWNER_BEFORE: &str = "watchkeeper-owner-before";
/// A source is named in a header; a slash may stay.
const IN_HEADER: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// What a text is if the template does not say.
const PLAIN: &str = "text/plain; charset=utf-8";

/// The objects that the function may touch.
#[derive(Debug, Clone)]
pub struct Objects {
    s3: aws_sdk_s3::Client,
}

/// An object that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) etag: String,
    pub(crate) version: Option<String>,
}

impl Objects {
    /// Through this client.
    #[must_use]
    pub fn new(s3: aws_sdk_s3::Client) -> Self {
        Self { s3 }
    }

    /// What S3 says of an object. Nothing, too, where it refuses to say: without the right to list the bucket, S3 answers
    /// 403 for an object that is not there (`HeadObject`, "Permissions").
    async fn head(&self, place: &Place) -> Result<Option<HeadObjectOutput>, Failure> {
        match self.s3.head_object().bucket(&place.bucket).key(&place.key).send().await {
            Ok(head) => Ok(Some(head)),
            Err(error) if matches!(status(&error), Some(403 | 404)) => Ok(None),
            Err(error) => Err(failure("looking at", place, &error)),
        }
    }

    /// The object, compared with what is wanted.
    pub(crate) async fn look(&self, wanted: &Wanted) -> Result<Option<Found>, Failure> {
        let Some(head) = self.head(&wanted.place).await? else { return Ok(None) };
        let as_wanted = dressed_as_wanted(&head, wanted) && self.holds(&head, wanted).await?;
        Ok(Some(Found { as_wanted, ..found(&head) }))
    }

    /// The object, whatever is wanted.
    pub(crate) async fn find(&self, place: &Place) -> Result<Option<Found>, Failure> {
        Ok(self.head(place).await?.as_ref().map(found))
    }

    async fn holds(&self, head: &HeadObjectOutput, wanted: &Wanted) -> Result<bool, Failure> {
        match &wanted.content {
            Content::Text(text) => {
                if head.content_length().and_then(|bytes| usize::try_from(bytes).ok()) != Some(text.len()) {
                    return Ok(false);
                }
                let Place { bucket, key } = &wanted.place;
                let get = self.s3.get_object().bucket(bucket).key(key).send().await;
                let get = get.map_err(|error| failure("reading", &wanted.place, &error))?;
                let bytes = get.body.collect().await;
                let bytes = bytes.map_err(|_| Failure::new(format!("reading {}: cut off", wanted.place)))?;
                Ok(bytes.into_bytes() == text.as_bytes())
            }
            Content::Copy(source) => {
                let source = self.source(source).await?;
                // Encrypted with KMS, or written in parts, the same content may have another one: then it is copied again.
                Ok(head.e_tag().is_some() && head.e_tag() == source.e_tag())
            }
        }
    }

    async fn source(&self, place: &Place) -> Result<HeadObjectOutput, Failure> {
        let head = self.head(place).await?;
        head.ok_or_else(|| Failure::new(format!("the source {place} is not there, or may not be read")))
    }

    /// Writes what is wanted, if since the look nobody else has.
    pub(crate) async fn write(
        &self,
        owner: &Owner,
        before: Option<String>,
        wanted: &Wanted,
        replacing: Option<&Found>,
    ) -> Result<Written, Failure> {
        let Place { bucket, key } = &wanted.place;
        let only_new = replacing.is_none().then(|| "*".to_owned());
        let only_this = replacing.map(|found| found.etag.clone());
        let kind = wanted.encryption.as_ref().map(|encryption| ServerSideEncryption::from(encryption.kind));
        let kms_key = wanted.encryption.as_ref().and_then(|encryption| encryption.key.clone());
        match &wanted.content {
            Content::Text(text) => {
                let put = self.s3.put_object().bucket(bucket).key(key).metadata(OWNER, owner.to_string());
                let put = put.body(ByteStream::from(text.clone().into_bytes()));
                let put = put.content_type(wanted.content_type.as_deref().unwrap_or(PLAIN));
                let put = put.set_server_side_encryption(kind).set_ssekms_key_id(kms_key);
                let put = put.set_if_none_match(only_new).set_if_match(only_this);
                let put = match before {
                    Some(before) => put.metadata(OWNER_BEFORE, before),
                    None => put,
                };
                let put = put.send().await.map_err(|error| failure("putting", &wanted.place, &error))?;
                Ok(Written { etag: put.e_tag.unwrap_or_default(), version: put.version_id })
            }
            Content::Copy(source) => {
                let head = self.source(source).await?;
                let copy = self.s3.copy_object().bucket(bucket).key(key).copy_source(in_header(source));
                let copy = copy.metadata_directive(MetadataDirective::Replace).metadata(OWNER, owner.to_string());
                // The tags of the source are not wanted, and copying them would take two more permissions.
                let copy = copy.tagging_directive(TaggingDirective::Replace);
                let copy = copy.set_content_type(wanted.content_type.clone().or_else(|| head.content_type.clone()));
                let copy = copy.set_server_side_encryption(kind).set_ssekms_key_id(kms_key);
                let copy = copy.set_if_none_match(only_new).set_if_match(only_this);
                let copy = copy.set_copy_source_if_match(head.e_tag);
                let copy = match before {
                    Some(before) => copy.metadata(OWNER_BEFORE, before),
                    None => copy,
                };
                let copy = copy.send().await.map_err(|error| failure("copying to", &wanted.place, &error))?;
                let etag = copy.copy_object_result.and_then(|result| result.e_tag).unwrap_or_default();
                Ok(Written { etag, version: copy.version_id })
            }
        }
    }

    /// Gives an object this one mark and keeps all else. S3 changes metadata by a copy onto itself.
    pub(crate) async fn mark(&self, place: &Place, mark: &str) -> Result<(), Failure> {
        let Some(head) = self.head(place).await? else { return Ok(()) };
        let copy = self.s3.copy_object().bucket(&place.bucket).key(&place.key).copy_source(in_header(place));
        let copy = copy.metadata_directive(MetadataDirective::Replace).metadata(OWNER, mark);
        let copy = copy.set_content_type(head.content_type).set_server_side_encryption(head.server_side_encryption);
        let copy = copy.set_ssekms_key_id(head.ssekms_key_id).set_copy_source_if_match(head.e_tag);
        copy.send().await.map(drop).map_err(|error| failure("marking", place, &error))
    }

    /// Deletes an object, if since the look nobody else wrote it.
    pub(crate) async fn delete(&self, place: &Place, found: &Found) -> Result<(), Failure> {
        let delete = self.s3.delete_object().bucket(&place.bucket).key(&place.key).if_match(&found.etag);
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(404) => Ok(()),
            Err(error) => Err(failure("deleting", place, &error)),
        }
    }
}

fn in_header(place: &Place) -> String {
    format!("{}/{}", place.bucket, utf8_percent_encode(&place.key, IN_HEADER))
}

fn found(head: &HeadObjectOutput) -> Found {
    let metadata = |name: &str| head.metadata().and_then(|all| all.get(name)).cloned();
    Found {
        etag: head.e_tag().unwrap_or_default().to_owned(),
        version: head.version_id().map(str::to_owned),
        mark: metadata(OWNER),
        mark_before: metadata(OWNER_BEFORE),
        as_wanted: false,
    }
}

/// Whether content type and encryption are as wanted. A key may be named in more than one way; then it is written again.
fn dressed_as_wanted(head: &HeadObjectOutput, wanted: &Wanted) -> bool {
    let type_is = match (&wanted.content_type, &wanted.content) {
        (Some(wanted), _) => head.content_type() == Some(wanted),
        (None, Content::Text(_)) => head.content_type() == Some(PLAIN),
        (None, Content::Copy(_)) => true,
    };
    let encryption_is = wanted.encryption.as_ref().is_none_or(|Encryption { kind, key }| {
        let key_is = key.is_none() || head.ssekms_key_id() == key.as_deref();
        head.server_side_encryption().is_some_and(|found| found.as_str() == *kind) && key_is
    });
    type_is && encryption_is
}
