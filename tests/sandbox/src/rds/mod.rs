//! RDS: ministack stores the clusters and their managed secrets, a PostgreSQL of ours stands behind a cluster.
//!
//! Nothing runs until somebody connects a cluster: from then on its endpoint, as RDS tells it through the front door, is that
//! of a real server, and its master user can log in with what is in the managed secret.

mod answers;
mod cluster;
mod managed_secret;
mod xml;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, ensure};

pub use cluster::{Cluster, Rotation};

use crate::aws::Aws;
use crate::door::call::Incoming;
use crate::door::forward::Answer;
use crate::options::Options;
use crate::postgres::Postgres;
use cluster::Described;

/// The clusters of one sandbox. Clones speak of the same ones.
#[derive(Clone)]
pub struct Rds {
    shared: Arc<Shared>,
}

struct Shared {
    /// ministack itself: RDS writes where others may not.
    direct: Aws,
    scratch: PathBuf,
    connected: Mutex<Vec<Arc<Cluster>>>,
    /// One at a time, so that a cluster never gets two servers.
    connecting: tokio::sync::Mutex<()>,
}

impl Rds {
    pub(crate) fn new(direct: Aws, options: &Options) -> Self {
        let scratch = options.scratch.join("rds");
        let shared = Shared { direct, scratch, connected: Mutex::default(), connecting: tokio::sync::Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Puts a PostgreSQL behind a cluster that was made with `ManageMasterUserPassword`, or finds the one that is there.
    /// `progress` is told what takes long.
    pub async fn connect(&self, identifier: &str, progress: impl Fn(&str)) -> anyhow::Result<Arc<Cluster>> {
        let _turn = self.shared.connecting.lock().await;
        if let Some(there) = self.connected().iter().find(|cluster| cluster.identifier() == identifier) {
            return Ok(Arc::clone(there));
        }
        let direct = &self.shared.direct;
        let described = Described::read(direct, identifier).await?;
        ensure!(
            described.engine.contains("postgresql") || described.engine == "postgres",
            "the cluster {identifier} is of the engine {}, and the sandbox has PostgreSQL only",
            described.engine
        );
        // A cluster of this name may have been here before.
        let folder = self.shared.scratch.join(format!("{identifier}-{}", crate::ids::hex32()));
        let server = Postgres::start(&folder, progress).await.with_context(|| format!("the cluster {identifier}"))?;
        let cluster = Arc::new(Cluster::make(direct.clone(), identifier, described, server).await?);
        self.connected().push(Arc::clone(&cluster));
        Ok(cluster)
    }

    /// Why a call must not reach ministack, if so.
    pub(crate) fn refuses(incoming: &Incoming) -> Option<String> {
        managed_secret::refusal(&incoming.service, &incoming.action, incoming.resource.as_deref()?)
    }

    /// ministack's answer with what only we know in it.
    pub(crate) fn answer(&self, incoming: &Incoming, mut answer: Answer) -> Answer {
        if answer.status >= 400 {
            return answer;
        }
        match incoming.service.as_str() {
            "rds" => {
                let connected = self.connected();
                let endpoint = |identifier: &str| {
                    let cluster = connected.iter().find(|cluster| cluster.identifier() == identifier)?;
                    Some((cluster.server().host(), cluster.server().port()))
                };
                let text = std::str::from_utf8(&answer.body).ok();
                if let Some(body) = text.and_then(|body| answers::with_endpoints(body, endpoint)) {
                    answer.body = body.into();
                }
                let is_impaired =
                    |name: &str| connected.iter().any(|cluster| cluster.identifier() == name && cluster.is_impaired());
                let text = std::str::from_utf8(&answer.body).ok();
                if let Some(body) = text.and_then(|body| answers::with_impaired(body, is_impaired)) {
                    answer.body = body.into();
                }
            }
            "secretsmanager" => {
                if let Some(body) = managed_secret::with_owner(&incoming.action, &answer.json()) {
                    answer.body = body.to_string().into();
                }
            }
            _ => {}
        }
        answer
    }

    pub(crate) fn end(&self) {
        for cluster in self.connected().iter() {
            cluster.server().end();
        }
    }

    pub(crate) async fn ended(&self) {
        let connected = self.connected().clone();
        for cluster in connected {
            cluster.server().ended().await;
        }
    }

    fn connected(&self) -> MutexGuard<'_, Vec<Arc<Cluster>>> {
        self.shared.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
