//! Connections over TLS that trust the server's own authority and nothing else.

use std::fmt;
use std::sync::Arc;

use anyhow::Context;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Who logs in, and to which database.
#[derive(Clone)]
pub struct Login {
    user: String,
    password: String,
    database: String,
}

impl Login {
    /// A login of `user` to `database`.
    pub fn new(user: impl Into<String>, password: impl Into<String>, database: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into(), database: database.into() }
    }

    /// Who logs in.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password. It belongs into no text.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Where to.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }
}

/// Without the password.
impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Login")
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

/// How a client speaks TLS: the server's certificate and its name are checked, as libpq does with `verify-full`.
#[derive(Clone)]
pub struct Tls(MakeRustlsConnect);

impl Tls {
    /// Trusts the authority of this certificate alone.
    pub fn trusting(authority: &str) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(authority.as_bytes()).context("reading the authority")?;
        roots.add(certificate).context("trusting the authority")?;
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .context("choosing versions of TLS")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(MakeRustlsConnect::new(config)))
    }

    /// For pools, which make their connections themselves.
    #[must_use]
    pub fn connector(&self) -> MakeRustlsConnect {
        self.0.clone()
    }

    /// Logs in. The connection ends when the client is dropped.
    pub async fn connect(&self, host: &str, port: u16, login: &Login) -> Result<Client, tokio_postgres::Error> {
        let mut config = Config::new();
        config.host(host).port(port).user(&login.user).password(&login.password).dbname(&login.database);
        config.ssl_mode(SslMode::Require).application_name("sandbox");
        let (client, connection) = config.connect(self.0.clone()).await?;
        tokio::spawn(async move {
            // What breaks it, the client is told at its next query.
            let _ = connection.await;
        });
        Ok(client)
    }
}
