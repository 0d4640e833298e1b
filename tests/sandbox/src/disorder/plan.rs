//! A plan of disorder: data, read from TOML or JSON or made in Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rule::Rule;
use super::span;
use super::texts::Texts;

/// What goes wrong, and how often.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// Another seed, other decisions of the rules that act by `share`.
    pub seed: u64,
    /// What happens to events on their way to queues.
    pub events: Vec<EventRule>,
    /// What happens to calls at the front door.
    pub calls: Vec<CallRule>,
}

/// A rule for events.
pub type EventRule = Rule<EventMatch, EventEffect>;
/// A rule for calls.
pub type CallRule = Rule<CallMatch, CallEffect>;

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct EventMatch {
    /// Their `source` is one of these.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub source: Texts,
    /// Their `detail-type` is one of these.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub detail_type: Texts,
    /// These members of their `detail` (`lastStatus`, `eventName`, `stopCode`, …) are one of these texts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, Texts>,
    /// One of their `resources` contains one of these texts.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub resources: Texts,
}

/// Which calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallMatch {
    /// Made by one of these: a function's name as in the record, `cli`, `root`. The sandbox's own callers
    /// ([`super::OWN_CALLERS`]) are left alone unless they are named here.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub caller: Texts,
    /// To one of these services, by the names of the record: `sns`, `dynamodb`, `monitoring`, …
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub service: Texts,
    /// One of these actions.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub action: Texts,
    /// About something whose name contains one of these texts.
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub resource: Texts,
}

/// What becomes of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum EventEffect {
    /// It is never delivered.
    Drop,
    /// It is delivered so many times more, under the same id.
    Duplicate(u32),
    /// It is delivered so much later; others pass it.
    Delay(#[serde(with = "span")] Duration),
    /// It is held back until others have passed it.
    Reorder {
        /// How many events that were emitted later go first.
        after: u32,
        /// It goes after this time even if fewer came.
        #[serde(with = "span", default = "held_at_most")]
        within: Duration,
    },
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum CallEffect {
    /// The service says that there were too many calls, in its own words; the call does not take effect.
    Throttle,
    /// The call is refused and does not take effect.
    Fail {
        /// The HTTP status.
        status: u16,
        /// AWS's error code.
        code: String,
        /// The text beside it.
        message: String,
    },
    /// The process that made the call gets SIGKILL.
    Kill(Moment),
    /// The call takes effect; its answer comes so much later.
    Slow(#[serde(with = "span")] Duration),
}

/// When a caller is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Before the call takes effect: it never does.
    Before,
    /// After the call took effect; its answer is not heard.
    After,
}

/// How long a reordered event waits for others, unless its rule says so.
fn held_at_most() -> Duration {
    Duration::from_secs(2)
}

/// Why a plan cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {why}")]
    File {
        /// Its path.
        path: String,
        /// What the system says.
        why: String,
    },
    /// It is no plan. The text names the line and what would be right there.
    #[error("this is no plan of disorder: {0}")]
    Form(String),
    /// A rule says what cannot be.
    #[error("{rule}: {why}")]
    Rule {
        /// Which one.
        rule: String,
        /// What is wrong and what would be right.
        why: String,
    },
}

impl Plan {
    /// Reads a plan from a TOML file.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let file = |why: String| PlanError::File { path: path.display().to_string(), why };
        let text = std::fs::read_to_string(path).map_err(|error| file(error.to_string()))?;
        Self::from_toml(&text)
    }

    /// Reads a plan from TOML.
    pub fn from_toml(text: &str) -> Result<Self, PlanError> {
        let plan: Self = toml::from_str(text).map_err(|error| PlanError::Form(error.to_string()))?;
        plan.checked()
    }

    /// Reads a plan from JSON.
    pub(crate) fn from_json(body: &[u8]) -> Result<Self, PlanError> {
        let plan: Self = serde_json::from_slice(body).map_err(|error| PlanError::Form(error.to_string()))?;
        plan.checked()
    }

    /// The plan, if every rule makes sense.
    pub(crate) fn checked(self) -> Result<Self, PlanError> {
        let mut seen = BTreeSet::new();
        let events = self.events.iter().enumerate().map(|(n, rule)| (rule.label("events", n), rule.fault()));
        let calls = self.calls.iter().enumerate().map(|(n, rule)| (rule.label("calls", n), rule.fault()));
        for (rule, fault) in events.chain(calls) {
            if let Some(why) = fault {
                return Err(PlanError::Rule { rule, why });
            }
            if !seen.insert(rule.clone()) {
                return Err(PlanError::Rule { rule, why: "two rules have this name; give each its own".to_owned() });
            }
        }
        Ok(self)
    }
}

impl EventRule {
    fn fault(&self) -> Option<String> {
        let effect = match self.effect {
            EventEffect::Duplicate(0) => Some("`duplicate` is how many more copies there are; give at least 1"),
            EventEffect::Reorder { after: 0, .. } => {
                Some("`reorder` needs `after`, how many events go first; give at least 1")
            }
            _ => None,
        };
        effect.map(str::to_owned).or_else(|| self.frequency_fault())
    }
}

impl CallRule {
    fn fault(&self) -> Option<String> {
        match &self.effect {
            CallEffect::Fail { status, .. } if !(400..600).contains(status) => {
                Some(format!("status = {status} is no failure; give one from 400 to 599"))
            }
            _ => self.frequency_fault(),
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
