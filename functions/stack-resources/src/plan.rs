//! What is wanted of an object, and what to do about what is there: pure decisions.

use watchkeeper_custom_resources::{Decision, Owner, PhysicalId, Properties, Relation};

use crate::place::Place;

/// What a `Custom::BucketObject` wants.
#[derive(Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Where.
    pub place: Place,
    /// What is in it.
    pub content: Content,
    /// Its content type; without one, that of the source, or plain text.
    pub content_type: Option<String>,
    /// How it is encrypted; without it, as the bucket has it.
    pub encryption: Option<Encryption>,
}

/// What is in an object.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// This text.
    Text(String),
    /// What is in another object.
    Copy(Place),
}

/// How an object is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// S3's word for it.
    pub kind: &'static str,
    /// The key of KMS, if it is not S3's own.
    pub key: Option<String>,
}

/// What S3 knows of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its `ETag`.
    pub etag: String,
    /// Its version, in a bucket that has versions.
    pub version: Option<String>,
    /// Whose it is, if it bears a mark of ours.
    pub mark: Option<String>,
    /// Whose it was before its resource got another logical id, until that is settled.
    pub mark_before: Option<String>,
    /// Whether it is what is wanted.
    pub as_wanted: bool,
}

const ENCRYPTIONS: [(&str, &str); 3] = [("AES256", "AES256"), ("aws:kms", "aws:kms"), ("aws:kms:dsse", "aws:kms:dsse")];

impl Wanted {
    /// Reads the properties.
    pub fn read(properties: &mut Properties<'_>) -> Option<Self> {
        let place = place(properties);
        if place.as_ref().is_some_and(|place| place.to_string().len() > PhysicalId::LONGEST) {
            properties.fault("Key", "is too long: s3://, bucket and key together may have 1024 bytes");
        }
        let content_type = properties.optional_text("ContentType").map(str::to_owned);
        let kind = properties.one_of("ServerSideEncryption", &ENCRYPTIONS.map(|(word, kind)| (word, Some(kind))), None);
        let key = properties.optional_text("KmsKeyId").map(str::to_owned);
        if key.is_some() && !kind.is_some_and(|kind| kind.starts_with("aws:kms")) {
            properties.fault("KmsKeyId", "needs ServerSideEncryption aws:kms or aws:kms:dsse beside it");
        }
        let content = properties.object("Content", "an object with Text, or with Bucket and Key", content);
        let encryption = kind.map(|kind| Encryption { kind, key });
        Some(Self { place: place?, content: content?, content_type, encryption })
    }
}

fn content(properties: &mut Properties<'_>) -> Option<Content> {
    if properties.has("Text") {
        for name in ["Bucket", "Key"] {
            if properties.has(name) {
                properties.fault(name, "cannot be beside Text: the content is a text or a copy");
            }
        }
        let _ = (properties.optional_text("Bucket"), properties.optional_text("Key"));
        return properties.optional_text("Text").map(|text| Content::Text(text.to_owned()));
    }
    let _ = properties.optional_text("Text");
    place(properties).map(Content::Copy)
}

fn place(properties: &mut Properties<'_>) -> Option<Place> {
    let bucket = properties.text("Bucket", "the name of a bucket");
    let key = properties.text("Key", "the key of an object");
    let is_name = |name: &str| {
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        (3..=63).contains(&name.len()) && name.bytes().all(letters)
    };
    if bucket.is_some_and(|name| !is_name(name)) {
        properties.fault("Bucket", "must be a bucket's name: 3 to 63 lower-case letters, digits, hyphens and dots");
    }
    Some(Place { bucket: bucket?.to_owned(), key: key?.to_owned() })
}

/// What to do so that the object is as wanted.
#[must_use]
pub fn decide(owner: &Owner, wanted: &Wanted, found: Option<&Found>) -> Decision {
    let Some(found) = found else { return Decision::Create };
    let relation = found.mark.as_deref().map(|mark| owner.relation(mark));
    match (relation, found.as_wanted) {
        // Also where it is another one's: what it holds is right, so it may stay. It stays theirs, too.
        (None | Some(Relation::Ours | Relation::Theirs), true) => Decision::Keep,
        (Some(Relation::Ours | Relation::Renamed), _) => Decision::Replace,
        (None, false) => Decision::Refuse(format!(
            "{} is there already with another content, and was not put there by Watchkeeper; delete it, or choose \
             another Key",
            wanted.place
        )),
        (Some(Relation::Theirs), false) => Decision::Refuse(format!(
            "{} is there already with another content, and belongs to another stack; choose another Key",
            wanted.place
        )),
    }
}

/// What a deletion comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deletion {
    /// The object goes.
    Delete,
    /// A rename is rolled back: the resource of the old name has it again.
    GiveBack(String),
    /// A rename is complete: the old name is forgotten.
    Settle,
    /// It is not this owner's.
    Leave,
}

/// What to do about an object when `owner` goes.
#[must_use]
pub fn deletion(owner: &Owner, found: &Found) -> Deletion {
    let relation = found.mark.as_deref().map(|mark| owner.relation(mark));
    match (relation, &found.mark_before) {
        (Some(Relation::Ours), Some(before)) => Deletion::GiveBack(before.clone()),
        (Some(Relation::Ours), None) => Deletion::Delete,
        (Some(Relation::Renamed), Some(before)) if owner.relation(before) == Relation::Ours => Deletion::Settle,
        _ => Deletion::Leave,
    }
}

/// The mark of the owner before, to be kept when an object is taken over.
#[must_use]
pub fn mark_before(owner: &Owner, found: Option<&Found>) -> Option<String> {
    let mark = found?.mark.clone()?;
    match owner.relation(&mark) {
        Relation::Renamed => Some(mark),
        // Cut off between taking over and answering: the try that comes now still knows.
        Relation::Ours => found?.mark_before.clone(),
        Relation::Theirs => None,
    }
}
