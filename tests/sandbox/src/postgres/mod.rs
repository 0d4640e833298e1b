//! A real PostgreSQL with TLS, in a folder of the run, on a free port of loopback.
//!
//! Over TCP it takes only TLS and only SCRAM, as Aurora does by default; there is no socket file, whose path could get too long.

mod account;
mod authority;
pub mod connect;
mod program;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use postgres_protocol::escape::{escape_identifier, escape_literal};
use postgres_protocol::password::scram_sha_256;
use tokio::net::TcpListener;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

pub use connect::{Login, Tls};

use crate::child::{Child, Launch, Output};
use account::Account;

/// The server's certificate is for this name.
const HOST: &str = "localhost";

/// The superuser, called as Aurora's own, so that it does not meet a master user.
const SUPERUSER: &str = "rdsadmin";

/// The database that is always there.
pub(crate) const MAINTENANCE_DATABASE: &str = "postgres";

/// It takes a quarter of a second; a machine that builds at the same time may take much longer.
const READY_WITHIN: Duration = Duration::from_secs(30);
const READY_POLL: Duration = Duration::from_millis(25);

/// Between finding a free port and the server binding it another program may take it.
const ATTEMPTS: usize = 3;

/// Who may connect: everybody over TLS with a password, nobody without.
const HOST_BASED_AUTHENTICATION: &str = "hostssl all all 127.0.0.1/32 scram-sha-256\n";

/// A running server. It ends when this is dropped, and with the process however that ends.
pub struct Postgres {
    port: u16,
    authority: String,
    tls: Tls,
    superuser: Login,
    process: Child,
}

impl Postgres {
    /// Provisions the program if need be, makes a server in `folder` (which must not be there yet), and waits until it
    /// answers. `progress` is told what takes long.
    pub async fn start(folder: &Path, progress: impl Fn(&str)) -> anyhow::Result<Self> {
        let target = crate::options::sandbox_folder();
        progress("starting PostgreSQL (the first time it is installed into target/sandbox: some 120 MB to fetch)");
        let program = tokio::task::spawn_blocking(move || program::provision(&target));
        let program = program.await.context("installing PostgreSQL")??;
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let folder = fs::canonicalize(folder).with_context(|| format!("finding {}", folder.display()))?;
        let place = Place { account: Account::choose(), program, folder };
        let password = crate::ids::hex32();
        let superuser = Login::new(SUPERUSER, &password, MAINTENANCE_DATABASE);
        let authority = place.make(&password).await?;
        let tls = Tls::trusting(&authority)?;

        let mut last = None;
        for _ in 0..ATTEMPTS {
            let (port, process) = place.launch().await?;
            // Dropped on the way out, it ends the process.
            let server =
                Self { port, authority: authority.clone(), tls: tls.clone(), superuser: superuser.clone(), process };
            match tokio::time::timeout(READY_WITHIN, server.ready()).await {
                Ok(Ok(())) => return Ok(server),
                Ok(Err(error)) => last = Some(error),
                Err(_) => last = Some(anyhow::anyhow!("PostgreSQL did not answer within {READY_WITHIN:?}")),
            }
        }
        let error = last.unwrap_or_else(|| anyhow::anyhow!("PostgreSQL was not started"));
        Err(error.context(format!("its log is {}", place.log().display())))
    }

    /// The name that its certificate is for.
    #[must_use]
    pub fn host(&self) -> &'static str {
        HOST
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate, as PEM, of the authority that clients have to trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.authority
    }

    /// Logs in over TLS.
    pub async fn connect(&self, login: &Login) -> Result<Client, tokio_postgres::Error> {
        self.tls.connect(HOST, self.port, login).await
    }

    /// Logs in as the superuser.
    pub async fn administer(&self) -> Result<Client, tokio_postgres::Error> {
        self.connect(&self.superuser).await
    }

    /// Gives a user another password, whatever is in it; sessions go on.
    pub async fn set_password(&self, user: &str, password: &str) -> Result<(), tokio_postgres::Error> {
        let (user, verifier) = (escape_identifier(user), escape_literal(&scram_sha_256(password.as_bytes())));
        self.administer().await?.batch_execute(&format!("ALTER ROLE {user} PASSWORD {verifier}")).await
    }

    /// Ends it, cutting off its clients, and waits until it is gone.
    pub async fn stop(&self) {
        self.end();
        self.ended().await;
    }

    /// Begins to end it: a fast shutdown, as PostgreSQL calls it.
    pub(crate) fn end(&self) {
        self.process.interrupt();
    }

    pub(crate) async fn ended(&self) {
        self.process.wait().await;
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let mut poll = tokio::time::interval(READY_POLL);
        loop {
            poll.tick().await;
            if let Some(code) = self.process.exit_code() {
                bail!("PostgreSQL ended with exit code {code} while starting");
            }
            match self.administer().await {
                Ok(_) => return Ok(()),
                // It listens, and is not the one that is starting here.
                Err(error) if error.code() == Some(&SqlState::INVALID_PASSWORD) => {
                    return Err(error).context("another server has its port");
                }
                Err(_) => {}
            }
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where a server is made and run, and as whom.
struct Place {
    account: Account,
    program: PathBuf,
    folder: PathBuf,
}

impl Place {
    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("postgres.log")
    }

    /// Makes the data folder and the certificate; the answer is the authority's.
    async fn make(&self, password: &str) -> anyhow::Result<String> {
        self.account.own(&self.folder, 0o700).with_context(|| format!("giving away {}", self.folder.display()))?;
        self.account.check_way(&self.data())?;
        self.account.check_way(&self.program.join("bin/postgres"))?;
        let password_file = self.write("password", password)?;
        let data = self.data().display().to_string();
        let arguments = ["--username", SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale"];
        let mut arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        // A run's folder is kept for its logs, so it should be small.
        arguments.push("--wal-segsize=1".into());
        arguments.extend(["--no-sync".into(), "--pgdata".into(), data]);
        arguments.push(format!("--pwfile={}", password_file.display()));
        let code = self.run("initdb", arguments).await?.wait().await;
        fs::remove_file(&password_file).with_context(|| format!("removing {}", password_file.display()))?;
        ensure!(code == 0, "initdb failed with exit code {code}; its words are in {}", self.log().display());

        let issued = authority::issue()?;
        self.write("certificate.pem", &issued.certificate)?;
        self.write("key.pem", &issued.key)?;
        self.write("data/pg_hba.conf", HOST_BASED_AUTHENTICATION)?;
        Ok(issued.authority)
    }

    async fn launch(&self) -> anyhow::Result<(u16, Child)> {
        let probe = TcpListener::bind(("127.0.0.1", 0)).await.context("finding a port for PostgreSQL")?;
        let port = probe.local_addr().context("reading PostgreSQL's port")?.port();
        drop(probe);
        let file = |name: &str| self.folder.join(name).display().to_string();
        let settings = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".into(),
            "unix_socket_directories=".into(),
            "ssl=on".into(),
            format!("ssl_cert_file={}", file("certificate.pem")),
            format!("ssl_key_file={}", file("key.pem")),
            // Nothing has to outlive the machine, nor anything outside of the folder the server.
            "fsync=off".into(),
            "dynamic_shared_memory_type=mmap".into(),
            // A statement may hold a password.
            "log_min_error_statement=panic".into(),
        ];
        let mut arguments = vec!["-D".to_owned(), self.data().display().to_string()];
        arguments.extend(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]));
        Ok((port, self.run("postgres", arguments).await?))
    }

    async fn run(&self, program: &str, arguments: Vec<String>) -> anyhow::Result<Child> {
        let (program, arguments) = self.account.command(self.program.join("bin").join(program), arguments);
        let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"));
        let environment = vec![("PATH".to_owned(), path), ("LC_ALL".to_owned(), "C".into())];
        let (folder, output) = (self.folder.clone(), Output::File(self.log()));
        Child::start(Launch { program, arguments, environment, folder, output }).await
    }

    /// A file that only the server's user can read.
    fn write(&self, name: &str, content: &str) -> anyhow::Result<PathBuf> {
        let file = self.folder.join(name);
        fs::write(&file, "")
            .and_then(|()| self.account.own(&file, 0o600))
            .and_then(|()| fs::write(&file, content))
            .with_context(|| format!("writing {}", file.display()))?;
        Ok(file)
    }
}
