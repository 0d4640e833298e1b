//! Logging in to PostgreSQL, as an agent would.

use std::error::Error;
use std::io;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::trouble::Trouble;
use crate::world::{Databases, LogIn};

/// How long a log-in may take, name look-up and TLS included.
const WITHIN: Duration = Duration::from_secs(5);
/// What PostgreSQL cuts names off after (its documentation, "Identifiers and Key Words").
const LONGEST_NAME: usize = 63;
/// Who signs the certificates of Amazon RDS.
const AMAZON: &str = include_str!("rds-global-bundle.pem");

/// PostgreSQL servers, over verified TLS alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct PostgreSql;

impl Databases for PostgreSql {
    async fn log_in(&self, to: &LogIn) -> Result<(), Trouble> {
        let roots = roots(to.ca.as_deref())?;
        let tried = match tls(roots) {
            Ok(tls) => tokio::time::timeout(WITHIN, attempt(to, tls)).await,
            Err(error) => Ok(Err(error.to_string())),
        };
        let why = match tried {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => why,
            Err(_) => format!("{} was not reached: no answer within {} seconds", place(to), WITHIN.as_secs()),
        };
        Err(Trouble::LogIn(without_secrets(&why, to)))
    }
}

async fn attempt(to: &LogIn, tls: MakeRustlsConnect) -> Result<(), String> {
    let port: u16 = to.port.parse().map_err(|_| "its port is not a number from 1 to 65535".to_owned())?;
    // A path would be a socket file, which has no TLS.
    // It is not shown, and no other text shall be that was taken for it: a whole URL with a password in it.
    let is_of_host = |one: char| one.is_ascii_alphanumeric() || matches!(one, '.' | ':' | '-' | '_');
    if to.host.is_empty() || !to.host.chars().all(is_of_host) {
        return Err("its host is neither a name nor an address".to_owned());
    }
    let mut config = Config::new();
    config.host(&to.host).port(port).dbname(&to.database);
    config.user(to.user.reveal()).password(to.password.reveal());
    config.ssl_mode(SslMode::Require).application_name("watchkeeper");
    let (client, connection) = config.connect(tls).await.map_err(|error| told(to, &error))?;
    let mut connection = pin!(connection);
    tokio::select! {
        ended = &mut connection => {
            ended.map_err(|error| told(to, &error))?;
            return Err(format!("{} ended the connection", place(to)));
        }
        answer = client.simple_query("SELECT 1") => answer.map_err(|error| told(to, &error))?,
    };
    // Takes leave, so that the server does not log a client that was lost. It has let us in: how this goes is all the same.
    drop(client);
    let _ = connection.await;
    Ok(())
}

fn tls(roots: Arc<RootCertStore>) -> Result<MakeRustlsConnect, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// Who may have signed the server's certificate: whom the declaration names, and nobody else, or Amazon.
fn roots(ca: Option<&str>) -> Result<Arc<RootCertStore>, Trouble> {
    static OF_AMAZON: LazyLock<Option<Arc<RootCertStore>>> = LazyLock::new(|| parsed(AMAZON).map(Arc::new));
    let Some(ca) = ca else {
        let broken = || Trouble::Refused("the certificates of Amazon RDS in this function cannot be read".to_owned());
        return OF_AMAZON.clone().ok_or_else(broken);
    };
    parsed(ca).map(Arc::new).ok_or_else(|| {
        Trouble::Refused(
            "CaCertificate must be one or more certificates in PEM, -----BEGIN CERTIFICATE-----…".to_owned(),
        )
    })
}

/// All certificates in a text, if there are some and all can be read.
fn parsed(pem: &str) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.ok()?).ok()?;
    }
    (!roots.is_empty()).then_some(roots)
}

fn place(to: &LogIn) -> String {
    format!("{}:{}", to.host, to.port)
}

/// The database's own words, or why there are none.
fn told(to: &LogIn, error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} {}: {}", said.severity(), said.code().code(), said.message());
    }
    let place = place(to);
    if let Some(distrust) = certificate_error(error) {
        let who = if to.ca.is_some() {
            "the declaration's CaCertificate"
        } else {
            "Amazon RDS's certificates, without a CaCertificate"
        };
        return format!("{place} was not trusted: {distrust} ({who} decides whom to trust)");
    }
    let (mut chain, mut cause) = (error.to_string(), error.source());
    while let Some(one) = cause {
        chain.extend([": ", &one.to_string()]);
        cause = one.source();
    }
    if chain.ends_with("server does not support TLS") {
        return format!("{place} is no PostgreSQL with TLS, which alone can be logged in to");
    }
    format!("{place} was not reached: {chain}")
}

/// What TLS has against the server's certificate.
fn certificate_error(error: &tokio_postgres::Error) -> Option<&rustls::Error> {
    let source = error.source()?.downcast_ref::<io::Error>()?;
    let error = source.get_ref()?.downcast_ref::<rustls::Error>()?;
    matches!(error, rustls::Error::InvalidCertificate(_)).then_some(error)
}

/// PostgreSQL repeats the names of user and database, and could be told a password for a name by mistake.
fn without_secrets(text: &str, to: &LogIn) -> String {
    let hidden = "[redacted]";
    let mut text = text.to_owned();
    for secret in [to.password.reveal(), cut_off(to.password.reveal())] {
        if !secret.is_empty() {
            text = text.replace(secret, hidden);
        }
    }
    // A name that is one is shown; a whole URL that was taken for it is not.
    let is_name = to.database.chars().all(|one| one.is_alphanumeric() || matches!(one, '_' | '-' | '.' | '$'));
    let database = if is_name { "" } else { to.database.as_str() };
    for name in [to.user.reveal(), cut_off(to.user.reveal()), database, cut_off(database)] {
        text = text.replace(&format!("\"{name}\""), hidden);
    }
    text
}

/// As PostgreSQL cuts off a name.
fn cut_off(name: &str) -> &str {
    &name[..name.floor_char_boundary(LONGEST_NAME)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(user: &str, password: &str) -> LogIn {
        LogIn {
            host: "db.example".into(),
            port: "5432".into(),
            database: "app".into(),
            user: user.into(),
            password: password.into(),
            ca: None,
        }
    }

    #[test]
    fn the_shipped_certificates_are_those_that_amazon_signs_with_now() {
        assert_eq!(parsed(AMAZON).unwrap().len(), AMAZON.matches("BEGIN CERTIFICATE").count());
        // rds-ca-rsa2048-g1, rds-ca-rsa4096-g1 and rds-ca-ecc384-g1 are of a region each; the subject is in the certificate as
        // it is written here.
        let roots = parsed(AMAZON).unwrap();
        let has = |name: &str| {
            let name = name.as_bytes();
            roots.roots.iter().any(|root| root.subject.windows(name.len()).any(|part| part == name))
        };
        for region in ["eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-southeast-2", "me-central-1"] {
            for kind in ["RSA2048", "RSA4096", "ECC384"] {
                let name = format!("Amazon RDS {region} Root CA {kind} G1");
                assert!(has(&name), "{name} is missing");
            }
        }
        assert!(has("Amazon Root CA 1") && !has("Amazon RDS Root 2019 CA"));
    }

    #[test]
    fn what_is_no_certificate_is_refused_and_not_repeated() {
        let torn = "-----BEGIN CERTIFICATE-----\nhunter2\n";
        let other = "-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n";
        let first = &AMAZON[AMAZON.find("-----BEGIN").unwrap()..];
        let first = &first[..first.find("-----END").unwrap()];
        let one = format!("{first}-----END CERTIFICATE-----\n");
        assert_eq!(roots(Some(&one)).unwrap().len(), 1, "whom the declaration names, and nobody else");
        for ca in ["", "hunter2", torn, other, &format!("{one}{other}"), &format!("{one}{torn}")] {
            let Err(Trouble::Refused(text)) = roots(Some(ca)) else { panic!("{ca} is none") };
            assert!(text.starts_with("CaCertificate must be") && !text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn what_is_hidden_is_hidden_in_the_databases_words_too() {
        let long = "ü".repeat(40);
        let cut = format!("role \"{}\" does not exist", cut_off(&long));
        for (user, password, said, expected) in [
            ("app", "hunter2", "failed for user \"app\"", "failed for user [redacted]"),
            ("hunter2", "hunter2", "failed for user \"hunter2\"", "failed for user \"[redacted]\""),
            ("a", "", "a role \"a\" is not permitted", "a role [redacted] is not permitted"),
            (&long, "hunter2", &cut, "role [redacted] does not exist"),
            ("app", &long, &cut, "role \"[redacted]\" does not exist"),
        ] {
            assert_eq!(without_secrets(said, &to(user, password)), expected);
        }
    }
}
