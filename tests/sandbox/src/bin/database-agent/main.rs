//! An agent with pooled database connections, in the three shapes that the real ones have: `database-agent formae`, `url` or
//! `toml`. They differ in where the login comes from and in how they fail (docs/sandbox.md).
//!
//! Environment: `FORMAE_CONFIG` (a Pkl file), `DATABASE_URL` or `CONFIG` (a TOML file) has the login, `DATABASE_CA` the
//! certificate to trust, as PEM. `TASK_IP` and `PORT` say where it listens; `POOL_SIZE` (3) and `POOL_LIFETIME_MS` (3000) how
//! many connections it keeps and for how long, `QUERY_EVERY_MS` (150) how often each is used. `IGNORE_SIGTERM=1` makes it one
//! that must be killed, as behind `sh -c`.

mod configuration;
mod formae;
mod pool;
mod routes;
mod toml;
mod url;
mod work;

use std::process::exit;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use sandbox::database_agents::Agent;
use sandbox::postgres::Tls;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use pool::Database;
use work::Work;

/// 128 + SIGTERM.
const TERMINATED: i32 = 143;
/// What the URL-shaped one exits with once it cannot reconnect, and it and the TOML-shaped one when they cannot begin.
const FAILED: i32 = 1;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some(agent) = Agent::ALL.into_iter().find(|agent| agent.name() == name) else {
        bail!("say which: database-agent formae, url or toml");
    };
    // Before anything else, so that no SIGTERM finds the default handler.
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let database = match begin(agent).await {
        Ok(database) => Arc::new(database),
        Err(why) => {
            // formae's own words, and its exit code.
            let (words, code) =
                if agent == Agent::Formae { ("Failed to create ms", 0) } else { ("cannot start", FAILED) };
            println!("{words}: {why:#}");
            exit(code)
        }
    };
    let address = configuration::text("TASK_IP").context("TASK_IP is not set: on which address shall it listen?")?;
    let port = configuration::number("PORT", u64::from(agent.port()))?;
    let listener = TcpListener::bind(format!("{address}:{port}")).await.context("listening")?;
    println!("{name} listens on {address}:{port}");

    let work = Arc::new(Work::new(agent, Arc::clone(&database)));
    let every = Duration::from_millis(configuration::number("QUERY_EVERY_MS", 150)?);
    let code = tokio::select! {
        served = async { axum::serve(listener, routes::of(agent, Arc::clone(&work))).await } => {
            served.context("serving")?;
            0
        }
        () = work.go_on(every) => FAILED,
        () = until_terminated(&mut terminate) => TERMINATED,
    };
    println!("{name} exits with {code}");
    exit(code)
}

/// Reads the configuration and logs in once.
async fn begin(agent: Agent) -> anyhow::Result<Database> {
    let login = match agent {
        Agent::Formae => formae::login(&configuration::text("FORMAE_CONFIG")?)?,
        Agent::Url => url::login(&configuration::text("DATABASE_URL")?)?,
        Agent::Toml => toml::login(&configuration::text("CONFIG")?)?,
    };
    let tls = Tls::trusting(&configuration::text("DATABASE_CA")?)?;
    let size = usize::try_from(configuration::number("POOL_SIZE", 3)?).context("POOL_SIZE")?;
    let lifetime = Duration::from_millis(configuration::number("POOL_LIFETIME_MS", 3_000)?);
    let database = Database::new(login, &tls, size, lifetime)?;
    database.query().await?;
    Ok(database)
}

async fn until_terminated(terminate: &mut Signal) {
    let ignored = std::env::var("IGNORE_SIGTERM").is_ok_and(|value| value == "1");
    loop {
        terminate.recv().await;
        if !ignored {
            return;
        }
        println!("SIGTERM is ignored");
    }
}
