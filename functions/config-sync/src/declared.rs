//! What is declared.

use std::collections::{BTreeMap, BTreeSet};

use time::Duration;
use watchkeeper_documents::Address;
use watchkeeper_events::ServiceArn;

use crate::document::Place;
use crate::expression::Expression;

/// Where values come from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A secret or a parameter.
    Document(Place),
    /// A database cluster: its endpoint and its managed master secret.
    Cluster(String),
    /// A database instance.
    Instance(String),
    /// The newest object of a bucket under a prefix.
    Newest {
        /// The bucket.
        bucket: String,
        /// What the object's key begins with.
        prefix: String,
    },
}

/// A value in the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Where it stands.
    pub address: Address,
    /// What it is.
    pub expression: Expression,
}

/// How the database is logged in to before a credential is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The host.
    pub host: Expression,
    /// The port.
    pub port: Expression,
    /// The database.
    pub database: Expression,
    /// The user.
    pub user: Expression,
    /// The password.
    pub password: Expression,
    /// Who signed the server's certificate, as PEM, if it is not Amazon RDS.
    pub ca: Option<String>,
}

/// Which services are restarted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restart {
    /// All whose task definition reads the target or a source.
    Readers,
    /// These.
    These(BTreeSet<String>),
    /// None.
    None,
}

/// How a service is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By a new deployment of the same revision.
    Deployment,
    /// By stopping its tasks one by one, so that the new ones have the same image digest.
    ReplaceTasks,
}

/// Whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    Act,
    /// It is only said what would be.
    Observe,
}

/// What is done when somebody else has changed a value in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDrift {
    /// It is written again.
    Repair,
    /// Ops are told.
    Report,
}

/// What was declared, as far as it decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The name of the stack that declares it, which the tags of services must allow; known where the declaration is found.
    pub stack: String,
    /// Where the values come from, by name.
    pub sources: BTreeMap<String, Source>,
    /// The document that is kept in step.
    pub target: Place,
    /// What stands where in it. None: it is only watched, and its readers are restarted when it changes.
    pub values: Vec<Value>,
    /// The database that a new credential is tried at.
    pub route: Option<Route>,
    /// Which services are restarted.
    pub restart: Restart,
    /// How.
    pub way: Way,
    /// How many services at once.
    pub at_once: usize,
    /// How long a service may take, its bake time included.
    pub patience: Duration,
    /// Whether something is done.
    pub mode: Mode,
    /// What is done when somebody else has changed a value.
    pub on_drift: OnDrift,
}

impl Declared {
    /// The same, declared by the stack of this name.
    #[must_use]
    pub fn of_stack(self, stack: &str) -> Self {
        Self { stack: stack.to_owned(), ..self }
    }

    /// The documents that a task may have read at its start.
    pub fn watched(&self) -> BTreeSet<Place> {
        let sources = self.sources.values().filter_map(|source| match source {
            Source::Document(place) => Some(place.clone()),
            _ => None,
        });
        sources.chain([self.target.clone()]).collect()
    }

    /// Whether this service may be restarted, given that it reads a document that is watched.
    #[must_use]
    pub fn restarts(&self, service: &ServiceArn) -> bool {
        match &self.restart {
            Restart::Readers => true,
            Restart::These(these) => these.contains(service.as_str()),
            Restart::None => false,
        }
    }
}
