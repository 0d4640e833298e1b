//! What is remembered of a declaration's work.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::document::{Place, Version};
use crate::service::DeploymentId;

/// A version of a document, and from when on it was current, or a little later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// Which.
    pub version: Version,
    /// A task that was made later has read it.
    #[serde(with = "time::serde::timestamp::nanoseconds")]
    pub at: OffsetDateTime,
}

/// How far a service is on its way to these versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// The versions that all its tasks should have read.
    #[serde(with = "as_list")]
    pub versions: BTreeMap<Place, Version>,
    /// From when on it is on its way.
    #[serde(with = "time::serde::timestamp::nanoseconds")]
    pub began: OffsetDateTime,
    /// How far it is.
    pub step: Step,
}

/// A step of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Until a deployment is over that is on its way, or others have had their turn.
    Waiting,
    /// A deployment is being asked for; before it, this one was wanted.
    Asked {
        /// ECS's PRIMARY before.
        over: Option<DeploymentId>,
        /// The one that had failed before, where ECS had gone back to that PRIMARY.
        back_after: Option<DeploymentId>,
    },
    /// This deployment brings the new tasks.
    Following {
        /// Which.
        deployment: DeploymentId,
        /// When it began.
        #[serde(with = "time::serde::timestamp::nanoseconds")]
        made_at: OffsetDateTime,
    },
    /// Its tasks are stopped one by one.
    Replacing,
    /// All tasks have read the versions.
    Done {
        /// The deployment that we asked for: its tasks have, even where the versions' moments are told too late.
        by: Option<DeploymentId>,
    },
    /// It did not work, and is not tried again for these versions.
    Failed {
        /// Why.
        why: String,
    },
    /// It is not Watchkeeper's to restart, though the declaration asks for it.
    LeftAlone {
        /// Why.
        why: String,
    },
    /// The declaration does not ask for it.
    Unasked,
}

impl Step {
    /// Whether nothing more is done about it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed { .. } | Self::LeftAlone { .. } | Self::Unasked)
    }

    /// Whether its tasks are being replaced.
    #[must_use]
    pub fn is_at_work(&self) -> bool {
        matches!(self, Self::Asked { .. } | Self::Following { .. } | Self::Replacing)
    }
}

/// What the target agreed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InStep {
    /// The versions of the sources.
    pub versions: BTreeMap<String, Version>,
    /// A digest of the values that were declared: others are written, whoever changed what.
    pub values: String,
}

/// One piece of work, from the change to the last task; ops are told of it once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// When it began.
    #[serde(with = "time::serde::timestamp::nanoseconds")]
    pub began: OffsetDateTime,
    /// The addresses in the target that were written.
    pub changed: Vec<String>,
}

/// How a piece of work ended, for ops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When the work began; with the declaration this names the piece of work.
    #[serde(with = "time::serde::timestamp::nanoseconds")]
    pub began: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::timestamp::nanoseconds")]
    pub ended: OffsetDateTime,
    /// The addresses in the target that were written.
    pub changed: Vec<String>,
    /// What became of the services, by ARN.
    pub services: BTreeMap<String, Step>,
    /// What a person should know of them.
    pub warnings: Vec<String>,
}

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Since when each document has had its version.
    #[serde(with = "as_list", default)]
    pub since: BTreeMap<Place, Since>,
    /// What the target was last in step with.
    #[serde(default)]
    pub in_step_with: Option<InStep>,
    /// The services that read the documents, by ARN.
    #[serde(default)]
    pub rollouts: BTreeMap<String, Rollout>,
    /// The work that is going on.
    #[serde(default)]
    pub work: Option<Work>,
    /// What ops are to be told of the work before.
    #[serde(default)]
    pub report: Option<Report>,
}

impl State {
    /// Whether nothing is left to be done, waited for or told, as far as is known.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let Self { since, rollouts, work, report, .. } = self;
        !since.is_empty() && work.is_none() && report.is_none() && rollouts.values().all(|one| one.step.is_over())
    }
}

/// JSON's objects have texts for keys, and a place is none.
mod as_list {
    use std::collections::BTreeMap;

    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::document::Place;

    pub(super) fn serialize<S: Serializer, T: Serialize>(map: &BTreeMap<Place, T>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, T: DeserializeOwned>(
        from: D,
    ) -> Result<BTreeMap<Place, T>, D::Error> {
        Ok(Vec::<(Place, T)>::deserialize(from)?.into_iter().collect())
    }
}
