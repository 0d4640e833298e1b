//! What could not be seen, in a sentence.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use watchkeeper_events::TaskDefinitionArn;

use crate::evidence::witness::{EMPTY_PAGES, Stream, Unseen};
use crate::evidence::words;

/// One question takes no longer: an alert is waiting.
const ONE_QUESTION: Duration = Duration::from_secs(2);

/// The answer, if it comes within the time of one question, and of all.
pub(crate) async fn in_time<T>(
    deadline: Instant,
    question: impl Future<Output = Result<T, Unseen>>,
) -> Result<T, Unseen> {
    let until = deadline.min(Instant::now() + ONE_QUESTION);
    timeout_at(until, question).await.unwrap_or(Err(Unseen::Slow))
}

/// Why the lines of a container are not there. Each sentence names the container in quotes. `never_ran` is known, `url` leads to the
/// stream.
pub(crate) fn log_gap(container: &str, stream: &Stream, never_ran: bool, url: Option<&str>, unseen: &Unseen) -> String {
    let (container, group, name) = (words(container), words(&stream.group), words(&stream.name));
    match unseen {
        Unseen::Gone(what) if what.contains("stream") && !never_ran => format!(
            "The log stream {name} in {group} does not exist: the container \"{container}\" wrote nothing, or its lines are not \
             there yet."
        ),
        Unseen::Gone(what) if what.contains("stream") => {
            format!("The container \"{container}\" wrote nothing to {group}: it did not start.")
        }
        Unseen::Gone(_) => {
            format!(
                "The log group {group} of the container \"{container}\" does not exist in {}.",
                words(&stream.region)
            )
        }
        Unseen::Denied => format!(
            "The lines of \"{container}\" could not be read: the function's role lacks logs:GetLogEvents on {group} in {}.",
            words(&stream.region)
        ),
        Unseen::Deeper => {
            let place = url.map(|url| format!(": {url}")).unwrap_or_default();
            format!(
                "No line of \"{container}\" was found within {EMPTY_PAGES} pages of the log stream {name} in {group}, and there are \
                 more; look there{place}"
            )
        }
        other => format!("The lines of \"{container}\" could not be read from {group}: {}.", because(other)),
    }
}

/// Why a revision is not known.
pub(crate) fn revision_gap(definition: &TaskDefinitionArn, unseen: &Unseen) -> String {
    let name = words(definition.revision());
    match unseen {
        Unseen::Gone(_) => format!("The revision {name} does not exist any more."),
        Unseen::Denied => {
            format!("The revision {name} could not be read: the function's role lacks ecs:DescribeTaskDefinition.")
        }
        other => format!("The revision {name} could not be read: {}.", because(other)),
    }
}

fn because(unseen: &Unseen) -> String {
    match unseen {
        Unseen::Denied => "access is denied".to_owned(),
        Unseen::Gone(what) => format!("it is gone ({what})"),
        Unseen::Throttled => "AWS throttled the call".to_owned(),
        Unseen::Slow => "there was no answer in time".to_owned(),
        Unseen::Deeper => "there was nothing on the first pages".to_owned(),
        Unseen::Other(what) => what.trim_end_matches('.').to_owned(),
    }
}
