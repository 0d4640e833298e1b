//! A rule, whatever it is about.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What a rule is about, what it does, how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "M: Default + Deserialize<'de>, E: Deserialize<'de>"))]
pub struct Rule<M, E> {
    /// What the report calls it; without a name it goes by its place, `events 1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is about; all that is named must hold. Nothing named: everything.
    #[serde(rename = "match", default)]
    pub matching: M,
    /// What it does.
    #[serde(rename = "do")]
    pub effect: E,
    /// It acts on this share of its matches, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// It acts on just these of its matches, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<BTreeSet<u64>>,
    /// It acts at most so many times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

impl<M, E> Rule<M, E> {
    /// A rule that acts each time.
    pub fn new(matching: M, effect: E) -> Self {
        Self { name: None, matching, effect, share: None, nth: None, times: None }
    }

    /// The same under a name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// The same on a share of its matches.
    #[must_use]
    pub fn share(self, share: f64) -> Self {
        Self { share: Some(share), ..self }
    }

    /// The same on just these of its matches, counted from 1.
    #[must_use]
    pub fn nth(self, matches: impl IntoIterator<Item = u64>) -> Self {
        Self { nth: Some(matches.into_iter().collect()), ..self }
    }

    /// The same at most so many times.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Its name, or its place in the list.
    pub(crate) fn label(&self, list: &str, index: usize) -> String {
        self.name.clone().unwrap_or_else(|| format!("{list} {}", index + 1))
    }

    /// What is wrong with how often it acts.
    pub(super) fn frequency_fault(&self) -> Option<String> {
        match (self.share, &self.nth) {
            (Some(_), Some(_)) => Some("it has both `share` and `nth`; give one of them".to_owned()),
            (Some(share), None) if !(0.0..=1.0).contains(&share) => {
                Some(format!("share = {share} is no share; give a number from 0 to 1"))
            }
            (None, Some(nth)) if nth.is_empty() || nth.contains(&0) => {
                Some("`nth` counts matches from 1, such as nth = [1, 3]".to_owned())
            }
            _ => None,
        }
    }
}
