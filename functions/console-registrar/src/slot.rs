//! What is remembered of a declaration's entries: who holds which.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::registry::{Address, AgentId};

/// An ECS task, by its ARN.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(pub String);

impl fmt::Display for TaskId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.rsplit('/').next().unwrap_or(&self.0))
    }
}

/// Which of a declaration's agents: the only one, or the first, the second, …
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u32", from = "u32")]
pub enum Name {
    /// The agent's id itself.
    Alone,
    /// The id with a number from 1.
    Numbered(u32),
}

impl Name {
    /// What the agent is called.
    #[must_use]
    pub fn of(self, agent: &AgentId) -> AgentId {
        match self {
            Self::Alone => agent.clone(),
            Self::Numbered(number) => AgentId(format!("{agent}-{number}")),
        }
    }

    /// Which of the declaration's agents is called so, if any.
    #[must_use]
    pub fn find(agent: &AgentId, id: &AgentId) -> Option<Self> {
        let rest = id.0.strip_prefix(&agent.0)?;
        if rest.is_empty() {
            return Some(Self::Alone);
        }
        let number: u32 = rest.strip_prefix('-')?.parse().ok().filter(|number| *number > 0)?;
        // Not `-01`, nor `-+1`: that is somebody else's name.
        (rest == format!("-{number}")).then_some(Self::Numbered(number))
    }
}

impl From<Name> for u32 {
    fn from(name: Name) -> Self {
        match name {
            Name::Alone => 0,
            Name::Numbered(number) => number,
        }
    }
}

impl From<u32> for Name {
    fn from(number: u32) -> Self {
        if number == 0 { Self::Alone } else { Self::Numbered(number) }
    }
}

/// How far a registration has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// The registry took it.
    Registered,
    /// It was about to be written; whether it was is not known.
    Intended {
        /// What the entry said before, if it was ours already.
        before: Option<Address>,
    },
}

/// One entry of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The task that it is for; none if it was found in the registry and is of no task that is known.
    pub task: Option<TaskId>,
    /// What it says.
    pub address: Address,
    /// Whether the registry has it.
    pub known: Known,
    /// Since when its task is known to have ended, with nobody to take its place.
    #[serde(default, with = "time::serde::timestamp::milliseconds::option", skip_serializing_if = "Option::is_none")]
    pub vacant_since: Option<OffsetDateTime>,
}

/// All that is remembered of a declaration's entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The entries.
    pub slots: BTreeMap<Name, Slot>,
    /// Names that somebody else has.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub foreign: BTreeSet<Name>,
    /// When entries were last removed that nobody told us to remove.
    #[serde(default, with = "time::serde::timestamp::milliseconds::option", skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<OffsetDateTime>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_only_in_the_form_that_it_is_given() {
        let agent = AgentId("CAP".to_owned());
        for name in [Name::Alone, Name::Numbered(1), Name::Numbered(12)] {
            assert_eq!(Name::find(&agent, &name.of(&agent)), Some(name));
        }
        for other in ["CA", "CAP-", "CAP-0", "CAP-01", "CAP-+1", "CAP--1", "CAP-1a", "CAPE", "CAP-1-1", "cap"] {
            assert_eq!(Name::find(&agent, &AgentId(other.to_owned())), None, "{other}");
        }
    }

    #[test]
    fn what_is_remembered_survives_being_written_down() {
        let at = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
        let slot = |known| Slot {
            task: Some(TaskId("arn:task/1".to_owned())),
            address: Address { host: "10.0.0.1".to_owned(), port: 20001 },
            known,
            vacant_since: Some(at),
        };
        let state = State {
            slots: [
                (Name::Alone, slot(Known::Registered)),
                (Name::Numbered(2), slot(Known::Intended { before: None })),
            ]
            .into(),
            foreign: [Name::Numbered(7)].into(),
            removed_at: Some(at),
        };
        let written = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<State>(&written).unwrap(), state, "{written}");
        assert_eq!(serde_json::from_str::<State>("{\"slots\":{}}").unwrap(), State::default());
    }
}
