//! A login in a TOML file: a URL, or its parts.

use anyhow::Context;
use serde::Deserialize;
use tokio_postgres::Config;

#[derive(Deserialize)]
struct File {
    database: Database,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Database {
    Url { url: String },
    Parts { host: String, port: u16, user: String, password: String, name: String },
}

/// The errors of TOML's reader may quote the file, so they are not passed on.
pub(crate) fn login(file: &str) -> anyhow::Result<Config> {
    let file: File = toml::from_str(file).ok().context("CONFIG is not TOML with a [database] that has all it needs")?;
    match file.database {
        Database::Url { url } => super::url::login(&url),
        Database::Parts { host, port, user, password, name } => {
            let mut config = Config::new();
            config.host(host).port(port).user(user).password(password).dbname(name);
            Ok(config)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_a_url_or_its_parts() {
        let url = login("[database]\nurl = 'postgres://u:p%22@h/d'").unwrap();
        let parts = "[database]\nhost = 'h'\nport = 5432\nuser = 'u'\npassword = \"p\\\"\"\nname = 'd'";
        let parts = login(parts).unwrap();
        for config in [url, parts] {
            assert_eq!((config.get_user(), config.get_password()), (Some("u"), Some(&b"p\""[..])));
            assert_eq!(config.get_dbname(), Some("d"));
        }
        let error = format!("{:?}", login("[database]\npassword = \"secret\\q\"").unwrap_err());
        assert!(!error.contains("secret"), "{error}");
    }
}
