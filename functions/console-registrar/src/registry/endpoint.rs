//! Where a Console is called.

use std::fmt;

use url::Url;
use watchkeeper_custom_resources::Properties;

/// Longer ones name no registry: the name has room for 600 bytes.
const LONGEST: usize = 500;
const WANTED: &str = "a Console's address, for example https://console.example.com";

/// A Console's URL, in one spelling: scheme and host in lower case, no default port, no slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(Url);

impl Endpoint {
    /// The property `Url`.
    pub(crate) fn read(properties: &mut Properties<'_>) -> Option<Self> {
        match Self::parse(properties.text("Url", WANTED)?) {
            Ok(endpoint) => Some(endpoint),
            Err(fault) => {
                properties.fault("Url", fault);
                None
            }
        }
    }

    /// An error says what is wrong and what would be right, and quotes nothing: it could be a password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| format!("is no URL ({error}); it must be {WANTED}"))?;
        let fault = if !["http", "https"].contains(&url.scheme()) {
            format!("must begin with https:// or http://; it must be {WANTED}")
        } else if !url.username().is_empty() || url.password().is_some() {
            "must not have a user or a password in it; they belong into the secret of Credentials".to_owned()
        } else if url.query().is_some() || url.fragment().is_some() {
            "must end before the ? or the #".to_owned()
        } else if url.as_str().len() > LONGEST {
            format!("must have at most {LONGEST} bytes")
        } else {
            return Ok(Self(url));
        };
        Err(fault)
    }

    /// Whether it names no path.
    pub(crate) fn is_bare(&self) -> bool {
        self.0.path() == "/"
    }

    /// With this path, which begins with a slash, after its own.
    pub(crate) fn with(&self, path: &str) -> String {
        format!("{self}{path}")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_console_has_one_spelling() {
        for (text, wanted) in [
            ("HTTPS://Console.Example.COM:443/", "https://console.example.com"),
            ("http://10.0.0.1:80/console/ScriptRunner", "http://10.0.0.1/console/ScriptRunner"),
            ("http://127.0.0.1:8080/a/../b/", "http://127.0.0.1:8080/b"),
            ("https://[::1]:8443", "https://[::1]:8443"),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(endpoint.to_string(), wanted);
            assert_eq!(Endpoint::parse(wanted).unwrap().to_string(), wanted);
        }
        assert!(Endpoint::parse("https://c/").unwrap().is_bare() && !Endpoint::parse("https://c/x").unwrap().is_bare());
        assert_eq!(Endpoint::parse("https://c").unwrap().with("/api?x=1"), "https://c/api?x=1");
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_repeated() {
        let long = format!("https://c/{}", "s3cret".repeat(100));
        for text in [
            "s3cret",
            "ftp://s3cret/",
            "https://s3cret@c/",
            "https://:s3cret@c/",
            "https://c/?s3cret",
            "https://c/#s3cret",
            "https://",
            &long,
        ] {
            let fault = Endpoint::parse(text).unwrap_err();
            assert!(!fault.contains("s3cret"), "{fault}");
        }
    }
}
