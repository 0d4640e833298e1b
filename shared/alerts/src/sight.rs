//! A service as ECS describes it, for the alerts about what no event tells.

use time::{Duration, OffsetDateTime};
use watchkeeper_events::{ServiceArn, TaskDefinitionArn};

use crate::alert::Facts;
use crate::evidence::Running;
use crate::moment;

/// What ECS says from an hour before the trouble on may be its reason.
const BEFORE: Duration = Duration::hours(1);
/// What ECS's messages have in them that say what is wrong (ECS Developer Guide, "Amazon ECS service event messages").
const TROUBLE: [&str; 11] = [
    "unable",
    "fail",
    "unhealthy",
    "impaired",
    "insufficient",
    "error",
    "throttl",
    "rolling back",
    "does not",
    "violat",
    "unavailable",
];

/// A service as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSight {
    /// The service.
    pub service: ServiceArn,
    /// Its tasks.
    pub tasks: Running,
    /// The revision that it is to run.
    pub revision: Option<TaskDefinitionArn>,
    /// Its launch type or capacity providers, as text.
    pub runs_on: Option<String>,
    /// The deployment that brings what is wanted.
    pub deployment: Option<DeploymentSight>,
    /// ECS's messages about it, the newest first.
    pub said: Vec<Said>,
}

/// A deployment as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentSight {
    /// `ecs-svc/…`.
    pub id: String,
    /// When it began.
    pub created_at: Option<OffsetDateTime>,
    /// How far it is, by ECS's name for that; none where ECS does not say it.
    pub rollout: Option<String>,
    /// ECS's words for that.
    pub reason: Option<String>,
    /// Its tasks that failed in a row.
    pub failed_tasks: i32,
}

/// One of ECS's messages about a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// When.
    pub at: Option<OffsetDateTime>,
    /// Its words.
    pub text: String,
}

impl ServiceSight {
    /// The newest of ECS's messages that says what is wrong; where none does, the newest of all. None that is older than the
    /// trouble.
    fn telling(&self, since: OffsetDateTime) -> Option<&Said> {
        let recent = || self.said.iter().filter(|said| said.at.is_none_or(|at| at >= since - BEFORE));
        let wrong = |said: &&Said| {
            let text = said.text.to_lowercase();
            TROUBLE.iter().any(|word| text.contains(word))
        };
        recent().find(wrong).or_else(|| recent().next())
    }

    /// What is known of it, for trouble that lasts since then.
    pub(crate) fn facts(&self, since: OffsetDateTime, now: OffsetDateTime) -> Facts {
        let place = self.service.arn();
        let said = self.telling(since);
        Facts::default()
            .with("Service", Some(self.service.name()))
            .with("Cluster", self.service.cluster_name())
            .with("Tasks", Some(self.counts()))
            .with("Since", Some(format!("{} ({})", moment::utc(since), moment::duration(now - since))))
            .with("Reason", said.map(|said| without_name(&said.text).to_owned()))
            .with("Said at", said.and_then(|said| said.at).map(moment::utc))
            .with("Revision", self.revision.as_ref().map(TaskDefinitionArn::revision))
            .with("Deployment", self.deployment.as_ref().map(|deployment| deployment.words(now)))
            .with("On", self.runs_on.as_deref())
            .with("Account", Some(format!("{} in {}", place.account(), place.region())))
    }

    fn counts(&self) -> String {
        let Running { running, desired, pending } = self.tasks;
        let pending = if pending > 0 { format!(", {pending} on their way") } else { String::new() };
        format!("{running} of {desired} running{pending}")
    }
}

impl DeploymentSight {
    fn words(&self, now: OffsetDateTime) -> String {
        let rollout = self.rollout.as_deref().map(|state| format!(", {}", state.to_lowercase().replace('_', " ")));
        let age = self.created_at.map(|at| format!(", begun {} ago", moment::duration(now - at)));
        let failed = Some(self.failed_tasks).filter(|failed| *failed > 0);
        let failed = failed.map(|failed| format!(", {failed} tasks failed in a row"));
        [Some(self.id.clone()), rollout, age, failed].into_iter().flatten().collect()
    }
}

/// ECS begins each message with the name of the service, which the alert has already.
fn without_name(text: &str) -> &str {
    text.strip_prefix("(service ").and_then(|rest| rest.split_once(") ")).map_or(text, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(said: &[(i64, &str)]) -> ServiceSight {
        let said = said.iter().map(|(at, text)| Said { at: Some(at_second(*at)), text: (*text).to_owned() });
        ServiceSight {
            service: ServiceArn::parse("arn:aws:ecs:eu-west-1:123456789012:service/dbward/server").unwrap(),
            tasks: Running { running: 0, desired: 1, pending: 0 },
            revision: None,
            runs_on: None,
            deployment: None,
            said: said.collect(),
        }
    }

    fn at_second(second: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(second).unwrap()
    }

    #[test]
    fn what_is_wrong_goes_before_what_is_newer_and_what_is_old_is_left_out() {
        let started = (9_000, "(service server) has started 1 tasks: (task 8f1c).");
        let unable = (8_000, "(service server) was unable to place a task.");
        let old = (5_000, "(service server) was unable to start: that was last week.");
        let telling = |said: &[(i64, &str)]| sight(said).telling(at_second(9_000)).map(|said| said.text.clone());
        assert_eq!(telling(&[started, unable, old]).as_deref(), Some(unable.1));
        assert_eq!(telling(&[started, old]).as_deref(), Some(started.1));
        assert_eq!(telling(&[old]), None);
    }

    #[test]
    fn a_message_is_told_without_the_services_name() {
        assert_eq!(without_name("(service server) was unable (so) far"), "was unable (so) far");
        for text in ["deployment ecs-svc/1 completed.", "(service server)", ""] {
            assert_eq!(without_name(text), text);
        }
    }
}
