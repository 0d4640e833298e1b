//! `Custom::BucketObject`: a text, or a copy of another object, lies in a bucket as long as the stack wants it.

use watchkeeper_custom_resources::{Data, Decision, Failure, Owner, PhysicalId, Properties, ResourceType};

use crate::objects::{Objects, Written};
use crate::place::Place;
use crate::plan::{self, Deletion, Found, Wanted};

/// The type.
#[derive(Debug, Clone)]
pub struct BucketObject {
    objects: Objects,
}

impl BucketObject {
    /// Among these objects.
    #[must_use]
    pub fn new(objects: Objects) -> Self {
        Self { objects }
    }

    async fn write(&self, owner: &Owner, wanted: &Wanted, replacing: Option<&Found>) -> Result<Data, Failure> {
        let before = plan::mark_before(owner, replacing);
        match self.objects.write(owner, before, wanted, replacing).await {
            Ok(Written { etag, version }) => Ok(data(owner, wanted, &etag, version.as_deref())),
            // A write whose answer was lost is tried again by the SDK, and that try meets what the first one wrote.
            Err(failure) => match self.objects.look(wanted).await {
                Ok(Some(found)) if found.as_wanted && found.mark.as_deref() == Some(owner.to_string().as_str()) => {
                    Ok(data(owner, wanted, &found.etag, found.version.as_deref()))
                }
                _ => Err(failure),
            },
        }
    }
}

impl ResourceType for BucketObject {
    const NAME: &'static str = "Custom::BucketObject";
    type Wanted = Wanted;
    type Observed = Option<Found>;

    fn read(properties: &mut Properties<'_>) -> Option<Wanted> {
        Wanted::read(properties)
    }

    fn physical_id(_: &Owner, wanted: &Wanted) -> PhysicalId {
        wanted.place.physical_id()
    }

    fn is_name(id: &PhysicalId) -> bool {
        Place::of(id).is_some()
    }

    async fn observe(&self, _: &Owner, wanted: &Wanted) -> Result<Option<Found>, Failure> {
        self.objects.look(wanted).await
    }

    fn decide(owner: &Owner, wanted: &Wanted, found: &Option<Found>) -> Decision {
        plan::decide(owner, wanted, found.as_ref())
    }

    fn data(owner: &Owner, wanted: &Wanted, found: &Option<Found>) -> Data {
        let etag = found.as_ref().map_or("", |found| &found.etag);
        data(owner, wanted, etag, found.as_ref().and_then(|found| found.version.as_deref()))
    }

    async fn create(&self, owner: &Owner, wanted: &Wanted, _: &Option<Found>) -> Result<Data, Failure> {
        self.write(owner, wanted, None).await
    }

    async fn replace(&self, owner: &Owner, wanted: &Wanted, found: &Option<Found>) -> Result<Data, Failure> {
        self.write(owner, wanted, found.as_ref()).await
    }

    async fn delete(&self, owner: &Owner, id: &PhysicalId) -> Result<(), Failure> {
        let Some(place) = Place::of(id) else { return Ok(()) };
        let Some(found) = self.objects.find(&place).await? else { return Ok(()) };
        match plan::deletion(owner, &found) {
            Deletion::Delete => self.objects.delete(&place, &found).await,
            Deletion::GiveBack(before) => self.objects.mark(&place, &before).await,
            Deletion::Settle => self.objects.mark(&place, &found.mark.unwrap_or_default()).await,
            Deletion::Leave => Ok(()),
        }
    }
}

/// What templates may ask for; always the same names, so that `Fn::GetAtt` finds them in every mode.
fn data(owner: &Owner, wanted: &Wanted, etag: &str, version: Option<&str>) -> Data {
    let Place { bucket, key } = &wanted.place;
    [
        ("Arn", format!("arn:{}:s3:::{bucket}/{key}", owner.partition())),
        ("Url", wanted.place.to_string()),
        ("ETag", etag.trim_matches('"').to_owned()),
        // S3's own word for the version of an object in a bucket without versions.
        ("VersionId", version.unwrap_or("null").to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
