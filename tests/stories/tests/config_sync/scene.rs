//! What the stories have in common: a sandbox with our stack, a database, and three agents that log in to it.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use sandbox::Options;
use sandbox::database_agents::{DatabaseAgents, Settings, create_database};
use sandbox::rds::Cluster;
use sandbox::stage::{PATIENCE, Stage};
use stories::agents::{Agents, Names};
use time::OffsetDateTime;

/// The function.
const CONFIG_SYNC: Names = Names { function: "config-sync", resources: "ConfigSync" };
/// What each format has to encode in its own way.
pub(crate) const PLANTED: &str = r#"1'"\(${}%@/:#?&=+ \u{41}pässwörd-鍵-🔑"#;

/// A sandbox with our stack, and a cluster for services.
pub(crate) struct Scene {
    agents: Agents,
    pub(crate) database: Arc<Cluster>,
}

impl Deref for Scene {
    type Target = Agents;

    fn deref(&self) -> &Agents {
        &self.agents
    }
}

impl Scene {
    pub(crate) async fn set() -> Self {
        let stage = Stage::set(Options::default(), |_| ()).await.unwrap();
        let database = create_database(&stage.sandbox, "agents", |_| ()).await.unwrap();
        database.rotate_master_to(PLANTED).await.unwrap();
        Self { agents: Agents::set(stage, CONFIG_SYNC).await, database }
    }

    /// The `ServiceToken` of `Custom::ConfigSync`.
    pub(crate) fn token(&self) -> String {
        self.stage.stack.output("ConfigSyncServiceToken").unwrap().to_owned()
    }

    /// Three agents, with a declaration for the document of each.
    pub(crate) async fn three_agents(&self) -> DatabaseAgents<'_> {
        let begin = OffsetDateTime::now_utc();
        let settings = Settings {
            stack: "agents".to_owned(),
            pool_lifetime: Duration::from_secs(3),
            config_sync: Some(self.token()),
        };
        let agents = DatabaseAgents::create(&self.stage.sandbox, Arc::clone(&self.database), &settings).await.unwrap();
        agents.all_working_since(begin, PATIENCE).await.unwrap();
        agents
    }
}
