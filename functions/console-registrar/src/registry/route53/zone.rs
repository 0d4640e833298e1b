//! A hosted zone: its record sets read, and changed in batches, no faster than Route 53 likes.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_route53::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError;
use aws_sdk_route53::operation::list_resource_record_sets::ListResourceRecordSetsError;
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, HostedZone, ResourceRecord, ResourceRecordSet, RrType,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::registry::{Trouble, aws_error};

/// Route 53 throttles an account, whoever calls: at five calls a second where nothing else was agreed (developer guide,
/// "Maximums on API requests"). That leaves some to others.
const BETWEEN_CALLS: Duration = Duration::from_millis(250);

/// Route 53 for this account; its clones keep one pace.
#[derive(Debug, Clone)]
pub struct PacedClient {
    client: aws_sdk_route53::Client,
    next: Arc<Mutex<Option<Instant>>>,
}

impl PacedClient {
    /// Through this client.
    pub fn new(client: aws_sdk_route53::Client) -> Self {
        Self { client, next: Arc::default() }
    }

    /// The client, when it is its turn.
    async fn turn(&self) -> &aws_sdk_route53::Client {
        let mut next = self.next.lock().await;
        if let Some(at) = *next {
            sleep_until(at).await;
        }
        *next = Some(Instant::now() + BETWEEN_CALLS);
        &self.client
    }
}

/// Why a batch was not carried out; nothing of it was.
#[derive(Debug)]
pub(super) enum Unchanged {
    /// Route 53 finds something wrong in it: a set is not as it was read, or one cannot be. In its words.
    Invalid(String),
    /// All else.
    Trouble(Trouble),
}

/// A hosted zone.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    account: PacedClient,
    id: String,
}

impl Zone {
    pub(super) fn new(account: PacedClient, id: &str) -> Self {
        Self { account, id: id.to_owned() }
    }

    fn trouble<E: Error + ProvideErrorMetadata + 'static>(&self, doing: &str, error: &SdkError<E>) -> Trouble {
        aws_error::trouble(doing, &format!("the ARN of the hosted zone {}", self.id), error)
    }

    /// What the zone is.
    pub(super) async fn describe(&self) -> Result<HostedZone, Trouble> {
        let doing = format!("looking at the hosted zone {}", self.id);
        let answer = self.account.turn().await.get_hosted_zone().id(&self.id).send().await;
        let zone = answer.map_err(|error| self.trouble(&doing, &error))?.hosted_zone;
        zone.ok_or_else(|| Trouble::Unavailable(format!("{doing}: Route 53's answer is empty")))
    }

    /// All record sets of this name; none if the zone is gone, and all of them with it.
    pub(super) async fn sets(&self, name: &str) -> Result<Vec<ResourceRecordSet>, Trouble> {
        let mut found = Vec::new();
        let mut from = (name.to_owned(), None, None);
        loop {
            let list = self.account.turn().await.list_resource_record_sets().hosted_zone_id(&self.id);
            let (start, kind, identifier) = from;
            let list =
                list.start_record_name(start).set_start_record_type(kind).set_start_record_identifier(identifier);
            let page = match list.send().await {
                Ok(page) => page,
                Err(error)
                    if error.as_service_error().is_some_and(ListResourceRecordSetsError::is_no_such_hosted_zone) =>
                {
                    return Ok(Vec::new());
                }
                Err(error) => {
                    return Err(self.trouble(&format!("listing {name} in the hosted zone {}", self.id), &error));
                }
            };
            let here = |set: &ResourceRecordSet| is_name(set.name(), name);
            let is_last = !page.is_truncated || !page.resource_record_sets.last().is_some_and(here);
            found.extend(page.resource_record_sets.into_iter().filter(here));
            let (false, Some(start)) = (is_last, page.next_record_name) else { return Ok(found) };
            from = (start, page.next_record_type, page.next_record_identifier);
        }
    }

    /// Carries out all changes or none (`ChangeResourceRecordSets`: "change batches are considered transactional"). A set
    /// that is deleted must be given exactly as it is, so a deletion and a creation together are a compare-and-swap.
    pub(super) async fn change(&self, doing: &str, changes: Vec<Change>) -> Result<(), Unchanged> {
        let batch = ChangeBatch::builder().comment("Watchkeeper").set_changes(Some(changes)).build();
        let batch = built(batch).map_err(Unchanged::Trouble)?;
        let change =
            self.account.turn().await.change_resource_record_sets().hosted_zone_id(&self.id).change_batch(batch);
        match change.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(ChangeResourceRecordSetsError::is_invalid_change_batch) =>
            {
                Err(Unchanged::Invalid(aws_error::words(&error)))
            }
            Err(error) => Err(Unchanged::Trouble(self.trouble(doing, &error))),
        }
    }
}

/// Whether these are the same name. Route 53 answers with a dot at the end.
pub(super) fn is_name(found: &str, name: &str) -> bool {
    found.strip_suffix('.').unwrap_or(found).eq_ignore_ascii_case(name)
}

/// A record set of these values. Its name is spelled as Route 53 answers, so that an equal one compares as equal.
pub(super) fn set(
    name: &str,
    kind: RrType,
    ttl: u32,
    values: impl IntoIterator<Item = String>,
) -> Result<ResourceRecordSet, Trouble> {
    let values = values.into_iter().map(|value| built(ResourceRecord::builder().value(value).build()));
    let values = values.collect::<Result<Vec<_>, _>>()?;
    let set = ResourceRecordSet::builder().name(format!("{name}.")).r#type(kind).ttl(ttl.into());
    built(set.set_resource_records(Some(values)).build())
}

/// The changes that replace one set by another.
pub(super) fn swap(
    before: Option<ResourceRecordSet>,
    after: Option<ResourceRecordSet>,
) -> Result<Vec<Change>, Trouble> {
    let change = |action, set| built(Change::builder().action(action).resource_record_set(set).build());
    let delete = before.map(|set| change(ChangeAction::Delete, set));
    let create = after.map(|set| change(ChangeAction::Create, set));
    delete.into_iter().chain(create).collect()
}

/// The SDK's types are built with a check that nothing is missing.
fn built<T>(built: Result<T, BuildError>) -> Result<T, Trouble> {
    built.map_err(|error| Trouble::Refused(format!("a change of Route 53 cannot be put together: {error}")))
}
