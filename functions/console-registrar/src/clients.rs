//! The AWS clients, made once, and what is made of them.

use aws_config::SdkConfig;
use serde_json::json;
use watchkeeper_declarations::DeclarationId;
use watchkeeper_events::ServiceArn;
use watchkeeper_lease::{Fence, LeaseTable};
use watchkeeper_ops::{Desk, Place};
use watchkeeper_queue::DeadLetterQueue;

use crate::declaration::Declaration;
use crate::ecs::Cluster;
use crate::follow::{Declarations, Ecs, Leases, Registries};
use crate::ops::TROUBLES;
use crate::registry::Pace;
use crate::registry::cloud_map::CloudMap;
use crate::registry::rest::Rest;
use crate::registry::route53::{PacedClient, Route53};
use crate::registry::script_runner::ScriptRunner;
use crate::registry::{self, Opened, Target};
use crate::secrets::SecretsManager;
use crate::settings::Settings;
use crate::slot::{State, TaskId};
use crate::table::Table;
use crate::trouble::Trouble;
use crate::truth::Truth;

/// After how many seconds a task that runs is looked at again, because no event tells that it is healthy.
const RECHECK: i32 = 15;

/// All that the function speaks with.
#[derive(Debug)]
pub struct Clients {
    pub(crate) table: Table,
    pub(crate) ecs: Cluster,
    pub(crate) desk: Desk,
    pub(crate) secrets: SecretsManager,
    pub(crate) dead_letters: DeadLetterQueue,
    leases: LeaseTable,
    cloud_map: aws_sdk_servicediscovery::Client,
    route53: PacedClient,
    sqs: aws_sdk_sqs::Client,
    queue: String,
}

impl Clients {
    /// All from one configuration: one connection pool, one TLS set-up, one set of credentials.
    #[must_use]
    pub fn new(config: &SdkConfig, settings: &Settings) -> Self {
        let dynamodb = aws_sdk_dynamodb::Client::new(config);
        let sqs = aws_sdk_sqs::Client::new(config);
        let ops = Place {
            table: &settings.table,
            partition: TROUBLES,
            queue: &settings.ops_queue,
            from: "console-registrar",
        };
        Self {
            table: Table::new(dynamodb.clone(), &settings.table),
            ecs: Cluster::new(aws_sdk_ecs::Client::new(config)),
            desk: Desk::new(dynamodb.clone(), sqs.clone(), ops),
            secrets: SecretsManager::new(aws_sdk_secretsmanager::Client::new(config)),
            leases: LeaseTable::new(dynamodb, &settings.table),
            cloud_map: aws_sdk_servicediscovery::Client::new(config),
            route53: PacedClient::new(aws_sdk_route53::Client::new(config)),
            dead_letters: DeadLetterQueue::new(sqs.clone(), &settings.dead_letter_queue),
            sqs,
            queue: settings.queue.clone(),
        }
    }

    /// The registry of a declaration.
    pub(crate) fn registry(&self, target: &Target, port: u16, mark: &str) -> Result<Opened, registry::Trouble> {
        Ok(match target {
            Target::ScriptRunner(settings) => Opened::ScriptRunner(Box::new(ScriptRunner::new(
                (**settings).clone(),
                self.secrets.clone(),
                Pace::default(),
            )?)),
            Target::Rest(settings) => {
                Opened::Rest(Box::new(Rest::new((**settings).clone(), self.secrets.clone(), Pace::default())?))
            }
            Target::CloudMap(settings) => Opened::CloudMap(CloudMap::new(self.cloud_map.clone(), settings)),
            Target::Route53(settings) => {
                Opened::Route53(Route53::new(self.route53.clone(), settings.clone(), port, mark))
            }
        })
    }

    /// Has the service looked at again, once; the message does not send itself again.
    pub(crate) async fn recheck(&self, service: &ServiceArn) -> Result<(), Trouble> {
        let message = json!({"watchkeeper": "recheck", "service": service.as_str()}).to_string();
        let send = self.sqs.send_message().queue_url(&self.queue).delay_seconds(RECHECK).message_body(message);
        send.send().await.map(drop).map_err(|error| Trouble::call("asking for another look", &error))
    }
}

impl Ecs for Clients {
    async fn observe(&self, service: &ServiceArn, holders: &[TaskId]) -> Result<Truth, Trouble> {
        self.ecs.observe(service, holders).await
    }
}

impl Declarations for Clients {
    async fn get(&self, id: &DeclarationId) -> Result<Option<Declaration>, Trouble> {
        self.table.get(id).await
    }

    async fn remember(&self, id: &DeclarationId, state: &State, fence: Fence) -> Result<(), Trouble> {
        self.table.remember(id, state, fence).await
    }

    async fn gone(&self, id: &DeclarationId, fence: Fence) -> Result<(), Trouble> {
        self.table.gone(id, fence).await
    }
}

impl Registries for Clients {
    type One = Opened;

    fn open(&self, declaration: &Declaration) -> Result<Opened, Trouble> {
        let Declaration { target, declared, .. } = declaration;
        Ok(self.registry(target, declared.port, &declared.mark)?)
    }
}

impl Leases for Clients {
    type Store = LeaseTable;

    fn leases(&self) -> &LeaseTable {
        &self.leases
    }
}
