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
mod steady;
mod timeline;
mod trace;
mod unseen;
mod witness;

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::Instant;
use watchkeeper_alerts::Evidence;
use watchkeeper_events::{TaskArn, TaskDefinitionArn, TaskStateChange};
use watchkeeper_redact::readable;

use logs::Writer;
pub use revision::{ContainerSpec, LogSpec, Revision};
pub use service::{DeploymentSeen, OWNER_TAG, RUNBOOK_TAG, Rollout, SILENCE_TAG, ServiceSeen};
use steady::Against;
pub use steady::{Steady, SteadyRevisions};
pub(crate) use witness::Revisions;
pub use witness::{End, Page, Stream, Unseen, Witness};

/// A name, or what AWS says, within a sentence.
const WORDS: usize = 200;

/// What evidence is gathered about.
#[derive(Debug, Clone)]
pub struct Suspect {
    /// When it happened.
    pub at: OffsetDateTime,
    /// The task that stopped; none where there was none, or it is not known.
    pub task: Option<TaskStateChange>,
    /// The task that stopped, where ECS has forgotten it.
    pub forgotten: Option<Forgotten>,
    /// The container that began it.
    pub container: Option<String>,
    /// The service, as ECS saw it just now; none for a standalone task.
    pub service: Option<ServiceSeen>,
    /// The deployment that failed, if that is what it is about: `ecs-svc/…`.
    pub failed_deployment: Option<String>,
    /// The revisions that the service (or family) was last seen steady on.
    pub steady: Option<SteadyRevisions>,
}

/// A task that ECS has forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// It.
    pub task: TaskArn,
    /// What it ran, where that is known.
    pub revision: Option<TaskDefinitionArn>,
}

impl Suspect {
    /// Nothing is known but when it happened.
    #[must_use]
    pub fn at(at: OffsetDateTime) -> Self {
        Self { at, task: None, forgotten: None, container: None, service: None, failed_deployment: None, steady: None }
    }

    /// The revision that is in trouble: the task's, else the one that is being deployed.
    fn revision(&self) -> Option<&TaskDefinitionArn> {
        let of_task = self.task.as_ref().and_then(|task| task.task_definition.as_ref());
        let of_task = of_task.or_else(|| self.forgotten.as_ref()?.revision.as_ref());
        of_task.or_else(|| self.service.as_ref()?.primary()?.task_definition.as_ref())
    }

    /// Whose lines are read.
    fn writer(&self) -> Option<Writer<'_>> {
        let forgotten = || self.forgotten.as_ref().map(|forgotten| Writer::Forgotten(&forgotten.task));
        self.task.as_ref().map(Writer::Seen).or_else(forgotten)
    }

    /// Whether it is about a task that no service started.
    fn is_standalone(&self) -> bool {
        self.task.as_ref().is_some_and(|task| !task.belongs_to_service())
    }
}

/// Gathers what is there within the time that is given.
pub async fn gather(aws: &impl Witness, suspect: &Suspect, within: Duration) -> Evidence {
    let deadline = Instant::now() + within;
    let mut evidence = Evidence {
        timeline: suspect.task.as_ref().map(|task| timeline::timeline(task, None)).unwrap_or_default(),
        ..Evidence::default()
    };
    see_service(suspect, &mut evidence);
    let Some(arn) = suspect.revision() else {
        if suspect.writer().is_some() {
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
    let against = suspect.steady.as_ref().map_or(Against::Nothing, |steady| steady.against(arn, suspect.at));
    let of_other = async {
        let other = &against.other()?.revision;
        let revision = unseen::in_time(deadline, aws.revision(other)).await;
        Some(revision.map_err(|unseen| unseen::revision_gap(other, &unseen)))
    };
    let (of_task, of_other) = tokio::join!(of_task, of_other);
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
    if let (Some(task), Some(revision)) = (&suspect.task, &revision) {
        evidence.timeline = timeline::timeline(task, Some(revision));
    }
    compare(&mut evidence, suspect, against, revision.as_ref(), of_other);
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
    match suspect.writer() {
        Some(task) => logs::logs(aws, task, suspect.container.as_deref(), revision, deadline).await,
        None => logs::Logs::default(),
    }
}

/// What the revision changed against another. That what ran all along is compared with nothing is no gap.
fn compare(
    evidence: &mut Evidence,
    suspect: &Suspect,
    against: Against<'_>,
    revision: Option<&Arc<Revision>>,
    other: Option<Result<Arc<Revision>, String>>,
) {
    match (revision, other, against) {
        (Some(revision), Some(Ok(other)), against) => {
            evidence.changes = difference::difference(&other, revision);
            evidence.compared_with = Some(words(&other.name));
            if let Against::Before { before, since } = against {
                evidence.compared_with_since = Some(before.since);
                evidence.steady_since = Some(since);
            }
        }
        (_, Some(Err(gap)), _) => evidence.gaps.push(gap),
        (_, None, Against::Itself { since }) => evidence.steady_since = Some(since),
        (Some(_), None, _) => evidence.gaps.push(
            if suspect.is_standalone() {
                "No task of another revision of its family was seen to end well, so there is nothing to compare this one with."
            } else {
                "No other revision was seen steady before, so there is nothing to compare this one with."
            }
            .into(),
        ),
        (None, ..) => {}
    }
}

/// Text from outside within a sentence.
fn words(text: &str) -> String {
    readable(text, WORDS)
}
