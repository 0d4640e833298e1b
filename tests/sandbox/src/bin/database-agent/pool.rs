//! Connections that outlive a rotation for a while: a pool renews each when its time is over.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime};
use sandbox::database_agents::Tally;
use sandbox::postgres::Tls;
use time::OffsetDateTime;
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

/// For a connection to be made or to be free.
const PATIENCE: Duration = Duration::from_secs(10);

/// A database by its pool.
pub(crate) struct Database {
    pool: Pool,
    logins: std::sync::Arc<Mutex<Tally>>,
}

/// Why a query was not answered. The server's texts are left out, since a URL that is encoded wrongly takes parts of the
/// password for other things, which they name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueryError {
    /// No connection could be made.
    Login(&'static str),
    /// A connection broke.
    Broken,
}

impl fmt::Display for QueryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login(why) => write!(formatter, "login failed: {why}"),
            Self::Broken => formatter.write_str("the connection broke"),
        }
    }
}

impl std::error::Error for QueryError {}

impl Database {
    pub(crate) fn new(mut login: Config, tls: &Tls, size: usize, lifetime: Duration) -> anyhow::Result<Self> {
        if login.get_user().is_none() || login.get_password().is_none() || login.get_hosts().is_empty() {
            bail!("the login lacks a host, a user or a password");
        }
        login.ssl_mode(SslMode::Require).application_name("database-agent").connect_timeout(PATIENCE);
        let logins = std::sync::Arc::new(Mutex::new(Tally::default()));
        let count = std::sync::Arc::clone(&logins);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(login, tls.connector(), recycling))
            .max_size(size)
            .wait_timeout(Some(PATIENCE))
            .create_timeout(Some(PATIENCE))
            .runtime(Runtime::Tokio1)
            .post_create(Hook::sync_fn(move |_, _| {
                locked(&count).worked(OffsetDateTime::now_utc());
                Ok(())
            }))
            .pre_recycle(Hook::sync_fn(move |_, metrics| {
                if metrics.age() < lifetime { Ok(()) } else { Err(HookError::message("its time is over")) }
            }))
            .build()
            .context("making the pool")?;
        Ok(Self { pool, logins })
    }

    /// A small query on one of the pool's connections.
    pub(crate) async fn query(&self) -> Result<(), QueryError> {
        let client = self.pool.get().await.map_err(|error| {
            locked(&self.logins).failed(OffsetDateTime::now_utc());
            QueryError::Login(reason(&error))
        })?;
        client.simple_query("SELECT 1").await.map(drop).map_err(|_| QueryError::Broken)
    }

    /// The logins so far.
    pub(crate) fn logins(&self) -> Tally {
        *locked(&self.logins)
    }
}

fn reason(error: &PoolError) -> &'static str {
    match error {
        PoolError::Timeout(_) => "it took too long",
        PoolError::Backend(error) => match error.code().map(tokio_postgres::error::SqlState::code) {
            Some("28P01") => "the password is wrong (28P01)",
            Some(_) => "the server refuses it",
            None => "there is no connection to the server",
        },
        _ => "the pool is unwell",
    }
}

fn locked(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
