//! The AWS clients, made once, and what is made of them.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use lambda_runtime::tracing::warn;
use time::{Duration, OffsetDateTime};
use watchkeeper_custom_resources::Mode as StackMode;
use watchkeeper_declarations::Phase;
use watchkeeper_events::{RolloutBegun, ServiceArn};
use watchkeeper_lease::{Fence, LeaseTable};
use watchkeeper_ops::{Desk, Place as OpsPlace};
use watchkeeper_queue::DeadLetterQueue;
use watchkeeper_secrets::Hidden;

use crate::aws::ecs::Cluster;
use crate::aws::{PostgreSql, Vault};
use crate::declared::{Mode, Source};
use crate::document::{Document, Place, Reading, Version};
use crate::ops::TROUBLES;
use crate::readers::Readers;
use crate::report;
use crate::service::{Deployment, Service, TaskId};
use crate::settings::Settings;
use crate::state::{Report, State};
use crate::table::Table;
use crate::token::Token;
use crate::trouble::Trouble;
use crate::world::{Databases, Declaration, Declarations, Documents, Ecs, Leases, LogIn, Ops, Written};

/// A deployment is done by then, or is told by us, or by ECS.
const ROLLOUT: Duration = Duration::minutes(30);
/// A task that was stopped is replaced by then.
const REPLACEMENT: Duration = Duration::minutes(5);

/// All that the function speaks with.
#[derive(Debug)]
pub struct Clients {
    pub(crate) table: Table,
    pub(crate) vault: Vault,
    pub(crate) readers: Readers,
    pub(crate) desk: Desk,
    pub(crate) dead_letters: DeadLetterQueue,
    cluster: Cluster,
    pub(crate) leases: LeaseTable,
    mode: StackMode,
}

impl Clients {
    /// All from one configuration: one connection pool, one TLS set-up, one set of credentials.
    #[must_use]
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(config);
        let ecs = aws_sdk_ecs::Client::new(config);
        let sqs = aws_sdk_sqs::Client::new(config);
        let ops =
            OpsPlace { table: &settings.table, partition: TROUBLES, queue: &settings.ops_queue, from: "config-sync" };
        Self {
            table: Table::new(dynamodb.clone(), &settings.table),
            vault: Vault::new(config),
            readers: Readers::new(dynamodb.clone(), &settings.table, ecs.clone()),
            desk: Desk::new(dynamodb.clone(), sqs.clone(), ops),
            dead_letters: DeadLetterQueue::new(sqs, &settings.dead_letter_queue),
            cluster: Cluster::new(ecs),
            leases: LeaseTable::new(dynamodb, &settings.table),
            mode: settings.mode,
        }
    }
}

impl Documents for Clients {
    async fn reading(&self, source: &Source) -> Result<Reading, Trouble> {
        self.vault.reading(source).await
    }

    async fn version(&self, source: &Source) -> Result<Version, Trouble> {
        self.vault.version(source).await
    }

    async fn document(&self, place: &Place) -> Result<Document, Trouble> {
        self.vault.document(place).await
    }

    async fn write(&self, place: &Place, base: &Document, token: &Token, text: &Hidden) -> Result<Written, Trouble> {
        self.vault.write(place, base, token, text).await
    }
}

impl Databases for Clients {
    async fn log_in(&self, to: &LogIn) -> Result<(), Trouble> {
        PostgreSql.log_in(to).await
    }
}

impl Ecs for Clients {
    async fn readers(&self, places: &BTreeSet<Place>) -> Result<Vec<ServiceArn>, Trouble> {
        self.readers.of(places).await
    }

    async fn service(&self, service: &ServiceArn) -> Result<Option<Service>, Trouble> {
        self.cluster.service(service).await
    }

    async fn deploy(&self, service: &ServiceArn) -> Result<Option<Deployment>, Trouble> {
        let deployment = self.cluster.deploy(service).await?;
        if let Some(begun) = &deployment {
            self.announce(service, Some(begun.id.0.clone()), ROLLOUT).await;
        }
        Ok(deployment)
    }

    async fn stop(&self, service: &ServiceArn, task: &TaskId) -> Result<(), Trouble> {
        self.cluster.stop(service, task).await?;
        self.announce(service, None, REPLACEMENT).await;
        Ok(())
    }
}

impl Clients {
    /// Says to crash-alerts that what comes of this is no incident: tasks that die of the old configuration, a service below its
    /// number. Where that fails ops get an alert too many.
    async fn announce(&self, service: &ServiceArn, deployment: Option<String>, lasts: Duration) {
        let began = OffsetDateTime::now_utc();
        let rollout = RolloutBegun { service: service.clone(), deployment, began, until: began + lasts };
        if let Err(trouble) = self.desk.announce(&rollout).await {
            warn!(%service, %trouble, "crash-alerts does not know of this rollout");
        }
    }
}

impl Declarations for Clients {
    async fn get(&self, id: &str) -> Result<Option<Declaration>, Trouble> {
        let known = self.table.get(id).await?.filter(|known| known.phase == Phase::Kept);
        Ok(known.map(|known| {
            let mut declaration = known.declaration;
            if self.mode == StackMode::Observe {
                declaration.declared.mode = Mode::Observe;
            }
            declaration
        }))
    }

    async fn remember(&self, id: &str, state: &State, fence: Fence) -> Result<(), Trouble> {
        self.table.remember(id, state, fence).await
    }
}

impl Ops for Clients {
    async fn tell(&self, target: &Place, report: &Report) -> Result<(), Trouble> {
        report::work(&self.desk, target, report).await
    }
}

impl Leases for Clients {
    type Store = LeaseTable;

    fn leases(&self) -> &LeaseTable {
        &self.leases
    }
}
