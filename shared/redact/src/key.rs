//! Which names stand before a secret.

/// What is kept under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A password: any value, however short.
    Password,
    /// A token or a key, which is never just a few characters.
    Token,
    /// Several tokens or keys; also what a model counts by, so only a list of them says something.
    Tokens,
    /// The value of a header for credentials: a scheme, and what follows it.
    Authorization,
    /// Cookies: several pairs.
    Cookies,
}

/// How names end that stand before a password, written in small letters and without separators.
const PASSWORDS: [&str; 8] =
    ["password", "passwd", "passphrase", "passcode", "pwd", "passwords", "passwordhash", "passwordsha256"];

/// How names end that stand before a token or a key.
const TOKENS: [&str; 28] = [
    "token",
    "secret",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "authkey",
    "accountkey",
    "sharedkey",
    "storagekey",
    "licensekey",
    "clientkey",
    "sessionkey",
    "deploykey",
    "secretaccesskey",
    "credential",
    "credentials",
    "bearer",
    "jwt",
    "signature",
    "secretstring",
    "sessionid",
    "connectionstring",
    "apitokens",
    "secretkeybase",
];

/// How names end that stand before a list of tokens or keys.
const LISTS: [&str; 7] = ["tokens", "secrets", "apikeys", "accesskeys", "secretkeys", "privatekeys", "signingkeys"];

/// Of these, the whole last part of the name is asked for: `bypass`, `compass` and `design` end in them, too.
const WHOLE: [(&str, Kind); 8] = [
    ("pass", Kind::Password),
    ("dbpass", Kind::Password),
    ("pgpass", Kind::Password),
    ("smtppass", Kind::Password),
    ("userpass", Kind::Password),
    ("sig", Kind::Token),
    ("pat", Kind::Token),
    ("pw", Kind::Password),
];

/// What a name says of its value; none for one that says nothing: `token_count`, `secret_name`, `key`.
pub(crate) fn kind(name: &str) -> Option<Kind> {
    // A shell's working directory.
    if matches!(name, "PWD" | "OLDPWD") {
        return None;
    }
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '_' | '-' | '.'));
    let joined: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    if joined.is_empty() {
        return None;
    }
    if PASSWORDS.iter().any(|end| joined.ends_with(end)) {
        return Some(Kind::Password);
    }
    if joined.ends_with("authorization") {
        return Some(Kind::Authorization);
    }
    if joined.ends_with("cookie") || joined.ends_with("cookies") {
        return Some(Kind::Cookies);
    }
    if TOKENS.iter().any(|end| joined.ends_with(end)) {
        return Some(Kind::Token);
    }
    if LISTS.iter().any(|end| joined.ends_with(end)) {
        return Some(Kind::Tokens);
    }
    let last = last_part(name).to_ascii_lowercase();
    WHOLE.iter().find(|(word, _)| last == *word).map(|(_, kind)| *kind)
}

/// What follows the last separator or the last change from small letters to a capital.
fn last_part(name: &str) -> &str {
    let bytes = name.as_bytes();
    let start = (1..bytes.len()).rev().find(|at| {
        matches!(bytes[at - 1], b'_' | b'-' | b'.')
            || (bytes[*at].is_ascii_uppercase() && bytes[at - 1].is_ascii_lowercase())
    });
    name.get(start.unwrap_or(0)..).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in
            ["password", "DB_PASSWORD", "spring.datasource.password", "pgPassword2", "MYSQL_PWD", "db_pass", "userPass"]
        {
            assert_eq!(kind(name), Some(Kind::Password), "{name}");
        }
        for name in [
            "AWS_SECRET_ACCESS_KEY",
            "x-api-key",
            "clientSecret",
            "X-Amz-Security-Token",
            "refresh_token",
            "GITHUB_PAT",
            "secret_key_base",
            "sig",
        ] {
            assert_eq!(kind(name), Some(Kind::Token), "{name}");
        }
        for name in ["Proxy-Authorization", "authorization"] {
            assert_eq!(kind(name), Some(Kind::Authorization), "{name}");
        }
        assert_eq!(kind("Set-Cookie"), Some(Kind::Cookies));
        for name in ["max_tokens", "secrets", "apiKeys"] {
            assert_eq!(kind(name), Some(Kind::Tokens), "{name}");
        }
        for name in ["token_count", "secret_name", "secretArn", "key", "bypass", "design", "user", "", "17"] {
            assert_eq!(kind(name), None, "{name}");
        }
    }
}
