//! What a plan has done so far.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

/// What a plan has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// One for each rule, events first, in the plan's order.
    pub rules: Vec<Tally>,
    /// What was done, in order.
    pub log: Vec<Deed>,
    /// What should have been done and could not be; must be empty at the end of a story.
    pub faults: Vec<String>,
}

/// How often a rule had its way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The rule's name or place.
    pub rule: String,
    /// How many events or calls it is about came by.
    pub matched: u64,
    /// On how many it acted.
    pub done: u64,
    /// On how many it would have acted, had not a rule before it.
    pub overruled: u64,
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// By which rule.
    pub rule: String,
    /// To what.
    pub subject: Subject,
    /// The same in words.
    pub what: String,
    /// What.
    pub effect: String,
}

/// What something was done to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// An event, by its id.
    Event(String),
    /// A call, by its index in the front door's record.
    Call(usize),
}

impl Report {
    /// How often the rule of this name has acted.
    #[must_use]
    pub fn done(&self, rule: &str) -> u64 {
        self.rules.iter().find(|tally| tally.rule == rule).map_or(0, |tally| tally.done)
    }

    /// What the rule of this name was done to.
    pub fn subjects(&self, rule: &str) -> impl Iterator<Item = &Subject> {
        self.log.iter().filter(move |deed| deed.rule == rule).map(|deed| &deed.subject)
    }
}

/// A line for each rule and each fault; with `{:#}` also one for each deed.
impl Display for Report {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        for Tally { rule, matched, done, overruled } in &self.rules {
            write!(to, "{rule}: matched {matched}, done {done}")?;
            if *overruled > 0 {
                write!(to, ", overruled by an earlier rule {overruled}")?;
            }
            writeln!(to)?;
        }
        let log = if to.alternate() { self.log.as_slice() } else { &[] };
        for Deed { rule, what, effect, .. } in log {
            writeln!(to, "    {what}: {effect} ({rule})")?;
        }
        for fault in &self.faults {
            writeln!(to, "    FAILED: {fault}")?;
        }
        Ok(())
    }
}
