//! Who is asked for evidence: ECS for revisions, CloudWatch Logs for lines.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_cloudwatchlogs::config::Region;
use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use watchkeeper_aws_errors::words;
use watchkeeper_events::TaskDefinitionArn;
use watchkeeper_redact::readable;

use crate::clients::Clients;
use crate::evidence::revision::Revision;

/// What AWS says of a failed call is cut here.
const WORDS: usize = 300;

/// Pages can be empty while there are lines (CloudWatch Logs API Reference, `GetLogEvents`); after so many it is given up.
pub(crate) const EMPTY_PAGES: usize = 3;

/// An answer is not longer than 1 MB: one that comes near may have been cut.
const FULL_PAGE: usize = 700_000;

/// One log stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// The region it is in.
    pub region: String,
    /// Its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// No line of it is older, in milliseconds since 1970.
    pub since: Option<i64>,
}

/// Which end of a log stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The first lines.
    First,
    /// The last ones.
    Last,
}

/// Some events of a log stream. As they came they are full of secrets, so they do not show in a log.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Their texts, in the order in which they were written.
    pub messages: Vec<String>,
    /// Whether these are all.
    pub whole: bool,
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("messages", &self.messages.len()).field("whole", &self.whole).finish()
    }
}

/// Why something could not be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unseen {
    /// The function's role may not.
    Denied,
    /// It does not exist; what AWS says of it.
    Gone(String),
    /// AWS asked to slow down.
    Throttled,
    /// There was no answer in time.
    Slow,
    /// Page after page was empty, and there were more.
    Deeper,
    /// Anything else, in AWS's words.
    Other(String),
}

/// Who is asked for evidence.
pub trait Witness: Sync {
    /// A revision of a task definition.
    fn revision(&self, arn: &TaskDefinitionArn) -> impl Future<Output = Result<Arc<Revision>, Unseen>> + Send;

    /// At most `limit` events from one end of a stream.
    fn log(&self, stream: &Stream, end: End, limit: i32) -> impl Future<Output = Result<Page, Unseen>> + Send;
}

/// Revisions that were read before: they never change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Revisions(Arc<Mutex<HashMap<String, Arc<Revision>>>>);

impl Revisions {
    /// More are not kept; a fleet has fewer.
    const KEPT: usize = 64;

    fn get(&self, arn: &TaskDefinitionArn) -> Option<Arc<Revision>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(arn.as_str()).cloned()
    }

    fn put(&self, arn: &TaskDefinitionArn, revision: &Arc<Revision>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= Self::KEPT {
            kept.clear();
        }
        kept.insert(arn.as_str().to_owned(), Arc::clone(revision));
    }
}

impl Witness for Clients {
    async fn revision(&self, arn: &TaskDefinitionArn) -> Result<Arc<Revision>, Unseen> {
        read_revision(&self.ecs, &self.revisions, arn).await
    }

    async fn log(&self, stream: &Stream, end: End, limit: i32) -> Result<Page, Unseen> {
        read_log(&self.logs, stream, end, limit).await
    }
}

async fn read_revision(
    ecs: &aws_sdk_ecs::Client,
    known: &Revisions,
    arn: &TaskDefinitionArn,
) -> Result<Arc<Revision>, Unseen> {
    if let Some(revision) = known.get(arn) {
        return Ok(revision);
    }
    let answer = ecs.describe_task_definition().task_definition(arn.as_str()).send().await;
    let answer = answer.map_err(|error| unseen(&error))?;
    let definition = answer.task_definition().ok_or_else(|| Unseen::Gone("ECS answered without it".to_owned()))?;
    let revision = Arc::new(Revision::of(definition));
    known.put(arn, &revision);
    Ok(revision)
}

async fn read_log(
    logs: &aws_sdk_cloudwatchlogs::Client,
    stream: &Stream,
    end: End,
    limit: i32,
) -> Result<Page, Unseen> {
    // A container may write to another region's group.
    let there = aws_sdk_cloudwatchlogs::Config::builder().region(Region::new(stream.region.clone()));
    let mut token: Option<String> = None;
    for _ in 0..EMPTY_PAGES {
        let call = logs.get_log_events().log_group_name(&stream.group).log_stream_name(&stream.name);
        let call = call.start_from_head(end == End::First).limit(limit).set_start_time(stream.since);
        let call = call.set_next_token(token.clone()).customize().config_override(there.clone());
        let answer = call.send().await.map_err(|error| unseen(&error))?;
        let events = answer.events().iter();
        let messages: Vec<String> = events.filter_map(|event| event.message().map(str::to_owned)).collect();
        let next = if end == End::First { answer.next_forward_token() } else { answer.next_backward_token() };
        let is_end = next.is_none() || next == token.as_deref();
        if !messages.is_empty() || is_end {
            let bytes: usize = messages.iter().map(String::len).sum();
            let whole = usize::try_from(limit).is_ok_and(|limit| messages.len() < limit) && bytes < FULL_PAGE;
            return Ok(Page { messages, whole });
        }
        token = next.map(str::to_owned);
    }
    Err(Unseen::Deeper)
}

fn unseen<E>(error: &SdkError<E>) -> Unseen
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    if matches!(error, SdkError::TimeoutError(_)) {
        return Unseen::Slow;
    }
    let said = readable(&words(error), WORDS);
    let message = error.message().unwrap_or_default();
    match error.code().unwrap_or_default() {
        code if code.starts_with("AccessDenied") => Unseen::Denied,
        code if code.contains("Throttl") || code.contains("TooManyRequests") || code == "LimitExceededException" => {
            Unseen::Throttled
        }
        "ResourceNotFoundException" => Unseen::Gone(readable(message, WORDS)),
        // ECS's only word for a revision that was deleted.
        "ClientException" if message.contains("Unable to describe task definition") => {
            Unseen::Gone(readable(message, WORDS))
        }
        _ => Unseen::Other(said),
    }
}

#[cfg(test)]
mod tests;
