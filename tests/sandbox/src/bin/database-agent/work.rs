//! What the agent does all day: small queries.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sandbox::database_agents::{Agent, Report, Tally};
use time::OffsetDateTime;
use tokio::task::JoinSet;

use crate::pool::{Database, QueryError};

/// Who works at a time; each holds a connection now and then, so the pool has more than one.
const WORKERS: usize = 3;
/// How often in a row a worker of the URL-shaped agent tries to reconnect.
const ATTEMPTS: u32 = 3;

/// The agent's work and its count.
pub(crate) struct Work {
    agent: Agent,
    began: OffsetDateTime,
    database: Arc<Database>,
    queries: Mutex<Tally>,
}

impl Work {
    pub(crate) fn new(agent: Agent, database: Arc<Database>) -> Self {
        Self { agent, began: OffsetDateTime::now_utc(), database, queries: Mutex::default() }
    }

    /// Works until a worker gives up, which only the URL-shaped agent does.
    pub(crate) async fn go_on(self: &Arc<Self>, every: Duration) {
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            let work = Arc::clone(self);
            workers.spawn(async move { work.worker(every).await });
        }
        workers.join_next().await;
    }

    /// Whether the database answers.
    pub(crate) async fn is_ready(&self) -> bool {
        self.database.query().await.is_ok()
    }

    pub(crate) fn report(&self) -> Report {
        Report {
            agent: self.agent.name().to_owned(),
            began: self.began,
            queries: *self.queries(),
            logins: self.database.logins(),
        }
    }

    async fn worker(&self, every: Duration) {
        let mut turns = tokio::time::interval(every);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut in_vain = 0;
        loop {
            turns.tick().await;
            let answer = self.database.query().await;
            let now = OffsetDateTime::now_utc();
            match answer {
                Ok(()) => {
                    self.queries().worked(now);
                    in_vain = 0;
                    continue;
                }
                Err(error) => {
                    self.queries().failed(now);
                    println!("query failed: {error}");
                    in_vain += u32::from(matches!(error, QueryError::Login(_)));
                }
            }
            if self.agent == Agent::Url && in_vain == ATTEMPTS {
                println!("reconnecting failed");
                return;
            }
        }
    }

    fn queries(&self) -> MutexGuard<'_, Tally> {
        self.queries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
