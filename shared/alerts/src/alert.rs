//! The alert itself.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use watchkeeper_stops::Severity;

/// What an alert is about, so that the same thing alerts once: a subject and what happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertKey {
    /// The task, service, alarm or other thing, for example `task#arn:…`.
    pub subject: String,
    /// What happened to it, for example `stopped`.
    pub occurrence: String,
}

/// Makes alert ids of keys; any fixed value does, it only must never change.
const NAMESPACE: Uuid = Uuid::from_u128(0x6b1f_0d2c_9a57_4d0e_8a35_5f7c_1e90_42d1);

impl AlertKey {
    /// The alert's id: the same for the same key, also after a repeat.
    #[must_use]
    pub fn alert_id(&self) -> String {
        // A length in front keeps ("a", "bc") and ("ab", "c") apart.
        let name = format!("{}:{}{}", self.subject.len(), self.subject, self.occurrence);
        Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string()
    }
}

/// What sort of news it is; the first word of the subject line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A task stopped that should not have.
    Crash,
    /// A deployment failed.
    DeploymentFailed,
    /// A deployment is being undone.
    Rollback,
    /// ECS warns about a service.
    Service,
    /// Fewer tasks of a service run than should.
    TasksMissing,
    /// A deployment neither gets done nor fails.
    DeploymentStuck,
    /// An alarm went off.
    Alarm,
    /// What another function observed.
    Trouble,
    /// It is over.
    Resolved,
    /// What was to be done is done.
    Done,
}

impl Kind {
    /// The word ops see first.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Crash => "CRASH",
            Self::DeploymentFailed => "DEPLOYMENT FAILED",
            Self::Rollback => "ROLLBACK",
            Self::Service => "SERVICE",
            Self::TasksMissing => "TASKS MISSING",
            Self::DeploymentStuck => "DEPLOYMENT STUCK",
            Self::Alarm => "ALARM",
            Self::Trouble => "TROUBLE",
            Self::Resolved => "RESOLVED",
            Self::Done => "DONE",
        }
    }
}

/// One labelled line of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// At most ten characters, so that the values stand in a column.
    pub label: Cow<'static, str>,
    /// As it came; it is cleaned when it is written out.
    pub value: String,
}

/// A link into the AWS console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What is behind it.
    pub label: Cow<'static, str>,
    /// Where.
    pub url: String,
}

/// One piece of news for ops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// What it is about.
    pub key: AlertKey,
    /// What sort of news.
    pub kind: Kind,
    /// How urgent.
    pub severity: Severity,
    /// The cause in one stable word.
    pub cause: String,
    /// The thing it is about, by its short name.
    pub about: String,
    /// The cluster, where there is one.
    pub cluster: Option<String>,
    /// The service, where it is about one, or about a task of one.
    pub service: Option<String>,
    /// What happened, in one line.
    pub summary: String,
    /// What is known.
    pub facts: Vec<Fact>,
    /// The next thing to do.
    pub next_step: Option<String>,
    /// Where to look.
    pub links: Vec<Link>,
}

/// Collects facts, leaving out those that are not known.
#[derive(Default)]
pub(crate) struct Facts(Vec<Fact>);

impl Facts {
    pub(crate) fn with(mut self, label: &'static str, value: Option<impl Into<String>>) -> Self {
        if let Some(value) = value {
            self.0.push(Fact { label: Cow::Borrowed(label), value: value.into() });
        }
        self
    }

    pub(crate) fn done(self) -> Vec<Fact> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_for_the_same_key_only() {
        let key = |subject: &str, occurrence: &str| AlertKey { subject: subject.into(), occurrence: occurrence.into() };
        assert_eq!(key("task#1", "stopped").alert_id(), key("task#1", "stopped").alert_id());
        assert_ne!(key("a", "bc").alert_id(), key("ab", "c").alert_id());
    }
}
