//! Where agents are registered: one narrow trait, and a module for each kind.

mod aws_error;
pub mod cloud_map;
mod endpoint;
pub mod fitting;
mod http;
mod opened;
pub mod rest;
mod rest_calls;
pub mod route53;
mod said;
pub mod script_runner;
mod scripts;
mod target;
pub mod tcl;
mod template;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use http::Pace;
pub use opened::Opened;
pub use target::Target;

/// What an agent is called in a registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(pub String);

impl fmt::Display for AgentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Where an agent is to be reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// Its private IP address.
    pub host: String,
    /// Its port there.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

/// A version of an entry, where the registry keeps such: for "change it only if it is still this one".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// An entry as the registry has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The agent's id.
    pub id: AgentId,
    /// Where it is to be reached, where the registry says so and it can be read. A registry without ports (DNS) says the
    /// port that was declared.
    pub address: Option<Address>,
    /// The owner's mark ([`Put::owner`]) that the entry carries, where the registry keeps such.
    pub owner: Option<String>,
    /// Its version, where the registry keeps such.
    pub version: Option<Version>,
}

impl Entry {
    /// Whether it says already what this one is to say.
    #[must_use]
    pub fn is_as(&self, put: &Put) -> bool {
        self.id == put.id && self.address.as_ref() == Some(&put.address) && self.owner.as_ref() == Some(&put.owner)
    }
}

/// An entry as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The agent's id.
    pub id: AgentId,
    /// Where it is to be reached.
    pub address: Address,
    /// The mark of who owns the entry, kept with it where the registry can.
    pub owner: String,
    /// What must still be so.
    pub if_still: IfStill,
}

/// What must still be so for an entry to be changed, where the registry can check that in the same step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfStill {
    /// There is no entry of this id.
    Absent,
    /// There is one of this version; none is given where the registry keeps no versions.
    Present(Option<Version>),
}

/// Why a call to a registry did not end well. The text is for ops: what was wrong, where, and what to do. It holds nothing
/// secret, and of what a registry said no more than a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It was not reached, did not answer in time, or said that it cannot now: it may well pass by itself.
    #[error("{0}")]
    Unavailable(String),
    /// It said no, and will again until a person changes something: a wrong password, an unknown command.
    #[error("{0}")]
    Refused(String),
    /// An entry is not as it was when it was looked at: look again.
    #[error("{0}")]
    Overtaken(String),
}

/// A registry. Every call may be repeated, also after one whose answer was lost.
pub trait Registry: Send + Sync {
    /// All entries that may concern agents of this id: itself and `ID-1`, `ID-2`, …; more does no harm.
    fn list(&self, agent: &AgentId) -> impl Future<Output = Result<Vec<Entry>, Trouble>> + Send;

    /// Makes an entry, or changes its address. What is as wanted already is no trouble.
    fn put(&self, put: &Put) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// The same for several, each with an outcome of its own.
    fn put_all(&self, puts: &[Put]) -> impl Future<Output = Vec<Result<(), Trouble>>> + Send {
        async move {
            let mut outcomes: Vec<Result<(), Trouble>> = Vec::with_capacity(puts.len());
            for put in puts {
                // Who is not there for one is not there for the next.
                let outcome = match outcomes.last() {
                    Some(Err(Trouble::Unavailable(why))) => Err(Trouble::Unavailable(why.clone())),
                    _ => self.put(put).await,
                };
                outcomes.push(outcome);
            }
            outcomes
        }
    }

    /// Removes an entry that is as it was listed. One that is not there is no trouble.
    fn remove(&self, entry: &Entry) -> impl Future<Output = Result<(), Trouble>> + Send;
}
