//! All that a run speaks with, as narrow as it needs it.

use std::collections::BTreeSet;

use watchkeeper_events::ServiceArn;
use watchkeeper_lease::{Fence, Store};
use watchkeeper_secrets::Hidden;

use crate::declared::{Declared, Source};
use crate::document::{Document, Place, Reading, Version};
use crate::service::{Deployment, Service, TaskId};
use crate::state::{Report, State};
use crate::token::Token;
use crate::trouble::Trouble;

/// A declaration, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// Its name.
    pub id: String,
    /// What it says.
    pub declared: Declared,
    /// What is remembered.
    pub state: State,
}

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is what the target says now.
    Done,
    /// Somebody has changed the target since it was read; what they wrote is still there.
    Overtaken,
}

/// Secrets, parameters, clusters, buckets.
pub trait Documents: Send + Sync {
    /// What a source says now.
    fn reading(&self, source: &Source) -> impl Future<Output = Result<Reading, Trouble>> + Send;

    /// The version that a source has now.
    fn version(&self, source: &Source) -> impl Future<Output = Result<Version, Trouble>> + Send;

    /// A document.
    fn document(&self, place: &Place) -> impl Future<Output = Result<Document, Trouble>> + Send;

    /// Makes `text` what the document says, if it is still as it was read. The same token makes the same write.
    fn write(
        &self,
        place: &Place,
        base: &Document,
        token: &Token,
        text: &Hidden,
    ) -> impl Future<Output = Result<Written, Trouble>> + Send;
}

/// A database, to be logged in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogIn {
    /// The host.
    pub host: String,
    /// The port.
    pub port: String,
    /// The database.
    pub database: String,
    /// The user.
    pub user: Hidden,
    /// The password.
    pub password: Hidden,
    /// Who signed the server's certificate, as PEM, if it is not Amazon RDS.
    pub ca: Option<String>,
}

/// Databases.
pub trait Databases: Send + Sync {
    /// Tries to log in; what stands in the way is told in the database's own words.
    fn log_in(&self, to: &LogIn) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// ECS.
pub trait Ecs: Send + Sync {
    /// The services that may read one of these documents.
    fn readers(&self, places: &BTreeSet<Place>) -> impl Future<Output = Result<Vec<ServiceArn>, Trouble>> + Send;

    /// A service, if there is one that has tasks or wants some.
    fn service(&self, service: &ServiceArn) -> impl Future<Output = Result<Option<Service>, Trouble>> + Send;

    /// Has it deployed anew in the revision that it has; returns the new deployment.
    fn deploy(&self, service: &ServiceArn) -> impl Future<Output = Result<Option<Deployment>, Trouble>> + Send;

    /// Stops a task.
    fn stop(&self, service: &ServiceArn, task: &TaskId) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// The declarations in the state table.
pub trait Declarations: Send + Sync {
    /// One, as it is now, if it is still wanted.
    fn get(&self, id: &str) -> impl Future<Output = Result<Option<Declaration>, Trouble>> + Send;

    /// Remembers how far it is, unless somebody with a newer fence did, or it is gone: that is [`Trouble::FencedOff`].
    fn remember(&self, id: &str, state: &State, fence: Fence) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// The way to ops.
pub trait Ops: Send + Sync {
    /// Tells how a piece of work on this target ended. The same piece is told once, however often this is called.
    fn tell(&self, target: &Place, report: &Report) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// The leases.
pub trait Leases: Send + Sync {
    /// Where they are kept.
    type Store: Store + Send + Sync;

    /// Them.
    fn leases(&self) -> &Self::Store;
}

/// All that a run speaks with.
pub trait World: Documents + Databases + Ecs + Declarations + Ops + Leases {}
impl<W: Documents + Databases + Ecs + Declarations + Ops + Leases> World for W {}
