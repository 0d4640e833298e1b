//! A login in a Pkl file, which is evaluated as formae does.

use std::path::{Path, PathBuf};

use anyhow::Context;
use pklr::{Error, EvalCapabilities, Evaluator};
use tokio_postgres::Config;

/// The errors of Pkl's evaluator may quote the file, so they are not passed on.
pub(crate) fn login(file: &str) -> anyhow::Result<Config> {
    let evaluated = Evaluator::with_capabilities(Alone).eval_source(file, Path::new("/formae.pkl"));
    let evaluated =
        evaluated.and_then(|value| value.try_to_json()).ok().context("FORMAE_CONFIG is not right as Pkl")?;
    let postgres = &evaluated["agent"]["datastore"]["postgres"];
    let text = |name: &str| {
        let found = postgres[name].as_str();
        found.with_context(|| format!("FORMAE_CONFIG has no text agent.datastore.postgres.{name}"))
    };
    let port = postgres["port"].as_u64().and_then(|port| u16::try_from(port).ok());
    let mut config = Config::new();
    config.host(text("host")?).user(text("user")?).password(text("password")?).dbname(text("database")?);
    config.port(port.context("FORMAE_CONFIG has no number agent.datastore.postgres.port")?);
    Ok(config)
}

/// The file has nothing around it: no files, no environment, no network.
struct Alone;

fn nothing<T>() -> Result<T, Error> {
    Err(Error::Unsupported("reading anything but the file itself".to_owned()))
}

impl EvalCapabilities for Alone {
    fn read_to_string(&mut self, _: &Path) -> Result<String, Error> {
        nothing()
    }

    fn path_exists(&mut self, _: &Path) -> Result<bool, Error> {
        Ok(false)
    }

    fn canonicalize(&mut self, path: &Path) -> Result<PathBuf, Error> {
        Ok(path.to_owned())
    }

    fn read_env(&mut self, _: &str) -> Result<Option<String>, Error> {
        nothing()
    }

    fn fetch_text(&mut self, _: &str) -> Result<String, Error> {
        nothing()
    }

    fn fetch_bytes(&mut self, _: &str) -> Result<Vec<u8>, Error> {
        nothing()
    }

    fn temp_dir(&mut self, _: &str) -> Result<PathBuf, Error> {
        nothing()
    }

    fn glob(&mut self, _: &Path, _: &str) -> Result<Vec<PathBuf>, Error> {
        nothing()
    }
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::Host;

    use super::*;

    fn file(password: &str) -> String {
        format!(
            "agent {{ datastore {{ mssql {{ password = \"other\" }}\n postgres {{ host = \"localhost\"\n port = 5\n \
             user = \"u\"\n database = \"d\"\n password = {password} }} }} }}"
        )
    }

    #[test]
    fn the_postgres_block_is_the_one() {
        let config = login(&file(r#""\"\\\u{6f}""#)).unwrap();
        assert_eq!(config.get_password(), Some(&br#""\o"#[..]));
        assert_eq!((config.get_user(), config.get_dbname(), config.get_ports()), (Some("u"), Some("d"), &[5][..]));
        assert_eq!(config.get_hosts(), [Host::Tcp("localhost".to_owned())]);
    }

    #[test]
    fn an_escape_that_is_missing_is_noticed_or_evaluated() {
        assert_eq!(login(&file(r#""a\(1 + 1)b""#)).unwrap().get_password(), Some(&b"a2b"[..]));
        for wrong in [r#""secret\(""#, r#""secret\q""#, r#""se"cret""#, "null", r#"read("env:HOME")"#] {
            let error = format!("{:?}", login(&file(wrong)).unwrap_err());
            assert!(!error.contains("secret") && error.starts_with("FORMAE_CONFIG "), "{error}");
        }
    }
}
