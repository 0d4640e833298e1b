//! What agents a Console knows, and the rules by which that changes.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// The definition of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Agent {
    /// Any text: the Console does not judge it.
    pub id: String,
    /// Where it is to be reached.
    pub host: String,
    /// Its port there.
    pub port: u16,
    /// Whose definition this is; nobody's may be taken by anybody.
    pub owner: Option<String>,
    /// A word for people.
    pub description: Option<String>,
    /// Changes with every change of the definition, and is never used again.
    pub etag: Etag,
}

/// A version of a definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Etag(String);

impl fmt::Display for Etag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a caller says an agent is; the registry adds the version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) id: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) owner: Option<String>,
    pub(crate) description: Option<String>,
}

/// What must be so for a change to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Always,
    /// There is no such agent yet.
    Absent,
    /// There is one, of whatever version.
    Present,
    /// It has this version.
    Version(String),
}

/// Why a change is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no such agent: {0}")]
    Unknown(String),
    #[error("the agent is not as expected: {0}")]
    Changed(String),
    #[error("the agent belongs to {0}; say which version you mean to take it over")]
    Owned(String),
    #[error("{0}")]
    Invalid(&'static str),
}

/// What `put` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Created,
    Changed,
    /// It was so already; the version stays.
    Same,
}

/// All definitions.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    agents: BTreeMap<String, Agent>,
    versions: u64,
}

impl Registry {
    /// All agents, by id.
    pub(crate) fn all(&self) -> Vec<Agent> {
        self.agents.values().cloned().collect()
    }

    pub(crate) fn get(&self, id: &str) -> Result<Agent, Refusal> {
        self.agents.get(id).cloned().ok_or_else(|| Refusal::Unknown(id.to_owned()))
    }

    /// Makes or replaces a definition. Another owner's is only replaced by who names its version.
    pub(crate) fn put(&mut self, wanted: Definition, condition: &Condition) -> Result<(Put, Agent), Refusal> {
        if wanted.id.is_empty() || wanted.host.is_empty() {
            return Err(Refusal::Invalid("an agent needs an id and a host"));
        }
        if wanted.port == 0 {
            return Err(Refusal::Invalid("a port is a number from 1 to 65535"));
        }
        let stored = self.agents.get(&wanted.id);
        check(stored, condition)?;
        let named = matches!(condition, Condition::Version(_));
        if let (Some(owner), false) = (stored.and_then(|stored| stored.owner.as_ref()), named)
            && wanted.owner.as_ref() != Some(owner)
        {
            return Err(Refusal::Owned(owner.clone()));
        }
        let done = match stored {
            None => Put::Created,
            Some(stored) if is_as(stored, &wanted) => return Ok((Put::Same, stored.clone())),
            Some(_) => Put::Changed,
        };
        self.versions += 1;
        let Definition { id, host, port, owner, description } = wanted;
        let agent = Agent { id, host, port, owner, description, etag: Etag(format!("v{}", self.versions)) };
        self.agents.insert(agent.id.clone(), agent.clone());
        Ok((done, agent))
    }

    pub(crate) fn delete(&mut self, id: &str, condition: &Condition) -> Result<Agent, Refusal> {
        let stored = self.get(id)?;
        check(Some(&stored), condition)?;
        self.agents.remove(id);
        Ok(stored)
    }
}

fn check(stored: Option<&Agent>, condition: &Condition) -> Result<(), Refusal> {
    let refused = |why: String| Err(Refusal::Changed(why));
    match (condition, stored) {
        (Condition::Always, _) | (Condition::Absent, None) | (Condition::Present, Some(_)) => Ok(()),
        (Condition::Absent, Some(stored)) => refused(format!("it is there, as {}", stored.etag)),
        (Condition::Present | Condition::Version(_), None) => refused("it is not there".to_owned()),
        (Condition::Version(wanted), Some(stored)) if stored.etag.0 == *wanted => Ok(()),
        (Condition::Version(_), Some(stored)) => refused(format!("it is at {}", stored.etag)),
    }
}

fn is_as(stored: &Agent, wanted: &Definition) -> bool {
    (&stored.host, stored.port, &stored.owner, &stored.description)
        == (&wanted.host, wanted.port, &wanted.owner, &wanted.description)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(id: &str, host: &str, owner: Option<&str>) -> Definition {
        let owner = owner.map(str::to_owned);
        Definition { id: id.into(), host: host.into(), port: 20001, owner, description: None }
    }

    #[test]
    fn a_change_gives_a_version_that_was_never_there_and_no_change_gives_none() {
        let mut registry = Registry::default();
        let (done, first) = registry.put(agent("a", "10.0.0.1", None), &Condition::Always).unwrap();
        assert_eq!(done, Put::Created);
        assert_eq!(registry.put(agent("a", "10.0.0.1", None), &Condition::Always).unwrap(), (Put::Same, first.clone()));
        let (done, second) = registry.put(agent("a", "10.0.0.2", None), &Condition::Always).unwrap();
        assert_eq!(done, Put::Changed);
        registry.delete("a", &Condition::Always).unwrap();
        let (done, third) = registry.put(agent("a", "10.0.0.1", None), &Condition::Always).unwrap();
        assert_eq!(done, Put::Created);
        assert!(first.etag != second.etag && second.etag != third.etag && first.etag != third.etag);
    }

    #[test]
    fn a_condition_that_does_not_hold_changes_nothing() {
        let mut registry = Registry::default();
        let unmet = |refused| matches!(refused, Err(Refusal::Changed(_)));
        let version = |text: &str| Condition::Version(text.to_owned());
        assert!(unmet(registry.put(agent("a", "h", None), &Condition::Present)));
        assert!(unmet(registry.put(agent("a", "h", None), &version("v1"))));
        let (_, first) = registry.put(agent("a", "h", None), &Condition::Absent).unwrap();
        assert!(unmet(registry.put(agent("a", "other", None), &Condition::Absent)));
        assert!(unmet(registry.put(agent("a", "other", None), &version("v99"))));
        assert!(matches!(registry.delete("a", &version("v99")), Err(Refusal::Changed(_))));
        assert_eq!(registry.all(), std::slice::from_ref(&first));
        registry.put(agent("a", "other", None), &version(&first.etag.to_string())).unwrap();
        assert!(matches!(registry.delete("a", &version(&first.etag.to_string())), Err(Refusal::Changed(_))));
        registry.delete("a", &Condition::Present).unwrap();
        assert_eq!(registry.delete("a", &Condition::Always), Err(Refusal::Unknown("a".into())));
    }

    #[test]
    fn what_another_owns_is_taken_only_by_who_names_its_version() {
        let mut registry = Registry::default();
        registry.put(agent("a", "h", None), &Condition::Always).unwrap();
        let (_, ours) = registry.put(agent("a", "h", Some("us")), &Condition::Always).unwrap();
        for other in [None, Some("them")] {
            let refused = registry.put(agent("a", "other", other), &Condition::Always);
            assert_eq!(refused, Err(Refusal::Owned("us".into())));
        }
        registry.put(agent("a", "other", Some("them")), &Condition::Version(ours.etag.to_string())).unwrap();
        assert_eq!(registry.get("a").unwrap().owner.as_deref(), Some("them"));
    }

    #[test]
    fn any_text_is_an_id_and_nothing_of_it_is_lost() {
        let mut registry = Registry::default();
        let ids = ["[exec touch /tmp/x]", "$x", "\"", "a\nb", "..", "{", "}", "\\", "ü 漢", " "];
        for id in ids {
            registry.put(agent(id, "h", None), &Condition::Absent).unwrap();
        }
        assert_eq!(registry.all().len(), ids.len());
        assert!(ids.iter().all(|id| registry.get(id).is_ok_and(|agent| agent.id == *id)));
        for (id, host, port) in [("", "h", 1), ("a", "", 1), ("a", "h", 0)] {
            let wanted = Definition { port, ..agent(id, host, None) };
            assert!(matches!(registry.put(wanted, &Condition::Always), Err(Refusal::Invalid(_))));
        }
    }
}
