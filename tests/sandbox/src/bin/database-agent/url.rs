//! A login in a URL whose parts are percent-encoded.

use anyhow::Context;
use tokio_postgres::Config;

/// The errors of the URL's reader may quote it, so they are not passed on.
pub(crate) fn login(url: &str) -> anyhow::Result<Config> {
    url.parse().ok().context("the database's URL cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_what_it_is_encoded_as() {
        let config = login("postgres://u:%40%2F%25%3A%23%C3%A9@localhost:5/d?sslmode=require").unwrap();
        assert_eq!(config.get_password(), Some("@/%:#é".as_bytes()));
        let raw = login("postgres://u:@/%:#é@localhost:5/d").unwrap();
        assert_ne!(raw.get_password(), config.get_password());
        let error = format!("{:?}", login("postgres://u:secret%@localhost:five/d").unwrap_err());
        assert!(error.starts_with("the database's URL cannot be read") && !error.contains("secret"), "{error}");
    }
}
