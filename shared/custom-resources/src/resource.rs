//! What a type of resource brings.

use crate::answer::Data;
use crate::error::Failure;
use crate::name::{Owner, PhysicalId};
use crate::properties::Properties;

/// What is to be done so that what is there is what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is there: make it.
    Create,
    /// What is there is ours and must change.
    Replace,
    /// What is there is right.
    Keep,
    /// It must not be done, and why.
    Refuse(String),
}

/// A type of custom resource.
///
/// Whatever it does is done again when Lambda repeats an invocation that was cut off, so each function leads to the same
/// end however often and from wherever it begins. What fails with [`Failure::later`] is not undone but done again by the
/// sweep, until it succeeds, fails for good, or CloudFormation's time is nearly over.
pub trait ResourceType: Send + Sync + 'static {
    /// Its name in templates, `Custom::…`
    const NAME: &'static str;
    /// Whether CloudFormation hides what it returns. Such an outcome is not kept either: a repeat does the work again.
    const NO_ECHO: bool = false;
    /// Whether one that only observes is kept, too, and goes on to say what it would do.
    const KEEPS_WATCH: bool = false;
    /// What is wanted.
    type Wanted: Send + Sync;
    /// What is there.
    type Observed: Send + Sync;

    /// Reads what is wanted; faults are noted in `properties`.
    fn read(properties: &mut Properties<'_>) -> Option<Self::Wanted>;

    /// What the thing is called. Another name than before makes an update a replacement: CloudFormation then deletes the
    /// thing of the old name.
    fn physical_id(owner: &Owner, wanted: &Self::Wanted) -> PhysicalId;

    /// Whether a name is one that [`ResourceType::physical_id`] gives. CloudFormation makes up names for things whose
    /// creation was never answered.
    fn is_name(id: &PhysicalId) -> bool;

    /// Looks at what is there.
    fn observe(
        &self,
        owner: &Owner,
        wanted: &Self::Wanted,
    ) -> impl Future<Output = Result<Self::Observed, Failure>> + Send;

    /// What is to be done. No I/O, no clock.
    fn decide(owner: &Owner, wanted: &Self::Wanted, observed: &Self::Observed) -> Decision;

    /// What templates may ask for of a thing that is right as it is.
    fn data(owner: &Owner, wanted: &Self::Wanted, observed: &Self::Observed) -> Data;

    /// Makes it.
    fn create(
        &self,
        owner: &Owner,
        wanted: &Self::Wanted,
        observed: &Self::Observed,
    ) -> impl Future<Output = Result<Data, Failure>> + Send;

    /// Changes it.
    fn replace(
        &self,
        owner: &Owner,
        wanted: &Self::Wanted,
        observed: &Self::Observed,
    ) -> impl Future<Output = Result<Data, Failure>> + Send;

    /// Keeps it as one that only observes; for types with [`ResourceType::KEEPS_WATCH`].
    fn watch(
        &self,
        _: &Owner,
        _: &Self::Wanted,
        _: &Self::Observed,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        std::future::ready(Ok(()))
    }

    /// Deletes it if it is there and this owner's; all else is no failure.
    fn delete(&self, owner: &Owner, id: &PhysicalId) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Lets go of a thing without changing it: its declaration only observes from now on, or is deleted while it observes.
    /// For types that go on by themselves between requests; for others there is nothing to let go of.
    fn release(&self, _: &Owner, _: &PhysicalId) -> impl Future<Output = Result<(), Failure>> + Send {
        std::future::ready(Ok(()))
    }
}
