//! What is found out about a fault while ECS and CloudWatch Logs still know it.
//!
//! Nothing here is essential: what cannot be seen, or not in time, costs a sentence in the alert. All text from outside is
//! redacted before it is kept.

mod deployment;
mod difference;
mod instant;
mod logs;
mod revision;
mod service;
mod timeline;
mod unseen;
mod witness;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use watchkeeper_alerts::Evidence;
use watchkeeper_events::{TaskDefinitionArn, TaskStateChange};
use watchkeeper_redact::readable;

pub use revision::{ContainerSpec, LogSpec, Revision};
pub use service::{DeploymentSeen, OWNER_TAG, RUNBOOK_TAG, Rollout, SILENCE_TAG, ServiceSeen};
pub(crate) use witness::Revisions;
pub use witness::{End, Page, Stream, Unseen, Witness};

/// A name, or what AWS says, within a sentence.
const WORDS: usize = 200;

/// What evidence is gathered about.
#[derive(Debug, Clone, Default)]
pub struct Suspect {
    /// The task that stopped; none where there was none, or it is not known.
    pub task: Option<TaskStateChange>,
    /// The container that began it.
    pub container: Option<String>,
    /// The service, as ECS saw it just now; none for a standalone task.
    pub service: Option<ServiceSeen>,
    /// The deployment that failed, if that is what it is about: `ecs-svc/…`.
    pub failed_deployment: Option<String>,
    /// The revision that the service (or family) was last seen steady on.
    pub steady_revision: Option<TaskDefinitionArn>,
}

impl Suspect {
    /// The revision that is in trouble: the task's, else the one that is being deployed.
    fn revision(&self) -> Option<&TaskDefinitionArn> {
        let of_task = self.task.as_ref().and_then(|task| task.task_definition.as_ref());
        of_task.or_else(|| self.service.as_ref()?.primary()?.task_definition.as_ref())
    }
}

/// Gathers what is there within the time that is given.
pub async fn gather(aws: &impl Witness, suspect: &Suspect, within: Duration) -> Evidence {
    let deadline = Instant::now() + within;
    let mut evidence =
        Evidence { timeline: suspect.task.as_ref().map(timeline::timeline).unwrap_or_default(), ..Evidence::default() };
    see_service(suspect, &mut evidence);
    let Some(arn) = suspect.revision() else {
        if suspect.task.is_some() {
            evidence
                .gaps
                .push("Which revision the task ran is not known, so neither are its logs nor what changed.".into());
        }
        return evidence;
    };
    // An older revision is read beside the lines: they do not wait for it.
    let of_task = async {
        match unseen::in_time(deadline, aws.revision(arn)).await {
            Ok(revision) => {
                let logs = read_logs(aws, suspect, &revision, deadline).await;
                Ok((revision, logs))
            }
            Err(unseen) => Err(unseen::revision_gap(arn, &unseen)),
        }
    };
    let other = suspect.steady_revision.as_ref().filter(|steady| *steady != arn);
    let of_steady = async {
        let steady = other?;
        let revision = unseen::in_time(deadline, aws.revision(steady)).await;
        Some(revision.map_err(|unseen| unseen::revision_gap(steady, &unseen)))
    };
    let (of_task, of_steady) = tokio::join!(of_task, of_steady);
    let revision = match of_task {
        Ok((revision, logs)) => {
            evidence.logs = logs.tails;
            evidence.gaps.extend(logs.gaps);
            Some(revision)
        }
        Err(gap) => {
            evidence.gaps.push(gap);
            None
        }
    };
    compare(&mut evidence, suspect, revision.as_ref(), of_steady);
    evidence
}

/// How the service is and what is deployed, as ECS saw it just now.
pub fn see_service(suspect: &Suspect, evidence: &mut Evidence) {
    let Some(service) = &suspect.service else { return };
    evidence.running = Some(service.counts());
    evidence.aftermath = suspect.failed_deployment.as_ref().and_then(|failed| deployment::aftermath(service, failed));
    // One sentence about it is enough.
    evidence.deployment = deployment::under_way(service).filter(|_| evidence.aftermath.is_none());
}

/// Reads the lines once more, since some come late: a container's driver sends them in batches, after its end too. Answers
/// whether there is anything new.
pub async fn look_again(aws: &impl Witness, suspect: &Suspect, evidence: &mut Evidence, within: Duration) -> bool {
    let deadline = Instant::now() + within;
    let Some(arn) = suspect.revision() else { return false };
    let Ok(revision) = unseen::in_time(deadline, aws.revision(arn)).await else { return false };
    let again = read_logs(aws, suspect, &revision, deadline).await;
    // What failed only now is no news.
    if again.tails.len() < evidence.logs.len() || again.tails == evidence.logs {
        return false;
    }
    // What was said of a container whose lines are there now is no longer so.
    let arrived: Vec<String> = again.tails.iter().map(|tail| format!("\"{}\"", words(&tail.container))).collect();
    evidence.gaps.retain(|gap| !arrived.iter().any(|name| gap.contains(name)));
    evidence.logs = again.tails;
    true
}

async fn read_logs(aws: &impl Witness, suspect: &Suspect, revision: &Revision, deadline: Instant) -> logs::Logs {
    match &suspect.task {
        Some(task) => logs::logs(aws, task, suspect.container.as_deref(), revision, deadline).await,
        None => logs::Logs::default(),
    }
}

fn compare(
    evidence: &mut Evidence,
    suspect: &Suspect,
    revision: Option<&Arc<Revision>>,
    steady: Option<Result<Arc<Revision>, String>>,
) {
    match (revision, steady) {
        (Some(revision), Some(Ok(steady))) => {
            evidence.changes = difference::difference(&steady, revision);
            evidence.compared_with = Some(words(&steady.name));
        }
        (_, Some(Err(gap))) => evidence.gaps.push(gap),
        (Some(_), None) if suspect.steady_revision.is_none() => {
            evidence
                .gaps
                .push("No revision was seen steady before, so there is nothing to compare this one with.".into());
        }
        _ => {}
    }
}

/// Text from outside within a sentence.
fn words(text: &str) -> String {
    readable(text, WORDS)
}
