//! The credentials of Consoles, from Secrets Manager.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use serde_json::{Map, Value};
use watchkeeper_aws_errors::{status, words};
use watchkeeper_custom_resources::Properties;
use watchkeeper_events::Arn;
use watchkeeper_secrets::{ALLOW, Hidden, Thing, may_use};

use crate::registry::Trouble;

/// A user and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Who.
    pub user: Hidden,
    /// And that it is so.
    pub password: Hidden,
}

/// One version of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The secret's ARN.
    pub arn: String,
    /// Secrets Manager's `VersionId`.
    pub version: String,
    /// What is in it.
    pub value: Hidden,
}

impl Secret {
    /// User and password: JSON with `user` (or `username`, as RDS and Secrets Manager's console write it) and `password`.
    pub fn login(&self) -> Result<Login, Trouble> {
        let arn = &self.arn;
        let wanted = r#"it must be JSON as {"user": "…", "password": "…"}"#;
        let members =
            self.members().ok_or_else(|| Trouble::Refused(format!("the secret {arn} is no JSON object; {wanted}")))?;
        let text = |names: &[&str]| {
            let found = names.iter().find_map(|name| members.get(*name)?.as_str()).filter(|text| !text.is_empty());
            let missing = || Trouble::Refused(format!("the secret {arn} has no text {}; {wanted}", names.join(" or ")));
            found.map(Hidden::from).ok_or_else(missing)
        };
        Ok(Login { user: text(&["user", "username"])?, password: text(&["password"])? })
    }

    /// A token: JSON with `token`, or the whole text.
    pub fn token(&self) -> Result<Hidden, Trouble> {
        let arn = &self.arn;
        let wanted = r#"it must be a token, or JSON as {"token": "…"}"#;
        let members = self.members();
        let token = match &members {
            Some(members) => members.get("token").and_then(Value::as_str),
            None => Some(self.value.reveal()),
        };
        let token = token.map(str::trim).filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| Trouble::Refused(format!("the secret {arn} has no text token; {wanted}")))?;
        if token.chars().all(|one| matches!(one, ' '..='~')) {
            Ok(Hidden::from(token))
        } else {
            Err(Trouble::Refused(format!("the token in the secret {arn} has characters that no HTTP header can carry")))
        }
    }

    fn members(&self) -> Option<Map<String, Value>> {
        serde_json::from_str(self.value.reveal()).ok()
    }
}

/// Where the credentials are.
pub trait Secrets: Send + Sync {
    /// The secret as it was last read; read now, if it never was.
    fn current(&self, arn: &str) -> impl Future<Output = Result<Secret, Trouble>> + Send;

    /// The secret read anew, if it is another version than this one: for who was refused with it.
    fn newer(&self, than: &Secret) -> impl Future<Output = Result<Option<Secret>, Trouble>> + Send;

    /// Whether the secret's owner lets this stack use it.
    fn allowed(&self, arn: &str, stack: &str) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// Several Consoles share what was read.
impl<S: Secrets> Secrets for &S {
    async fn current(&self, arn: &str) -> Result<Secret, Trouble> {
        (**self).current(arn).await
    }

    async fn newer(&self, than: &Secret) -> Result<Option<Secret>, Trouble> {
        (**self).newer(than).await
    }

    async fn allowed(&self, arn: &str, stack: &str) -> Result<(), Trouble> {
        (**self).allowed(arn, stack).await
    }
}

/// The property `Credentials`: a secret's ARN.
pub(crate) fn read_arn(properties: &mut Properties<'_>, wanted: &str) -> Option<String> {
    let text = properties.text("Credentials", wanted)?;
    let is_secret = |arn: &Arn| arn.service() == "secretsmanager" && arn.resource().starts_with("secret:");
    if Arn::parse(text).is_ok_and(|arn| is_secret(&arn)) {
        return Some(text.to_owned());
    }
    // Not quoted: it could be the secret itself.
    properties.fault("Credentials", format!("is not {wanted}"));
    None
}

/// Secrets Manager. What was read is kept for as long as the function is warm, for all clones: it is read anew when it is refused.
#[derive(Debug, Clone)]
pub struct SecretsManager {
    client: Client,
    read: Arc<Mutex<HashMap<String, Secret>>>,
}

impl SecretsManager {
    /// Through this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, read: Arc::default() }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, Secret>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, arn: &str) -> Result<Secret, Trouble> {
        let read = self.client.get_secret_value().secret_id(arn).send().await;
        let read = read.map_err(|error| trouble("reading", arn, &error))?;
        let (Some(value), Some(version)) = (read.secret_string(), read.version_id()) else {
            return Err(Trouble::Refused(format!("the secret {arn} is not text: put it there as SecretString")));
        };
        let secret = Secret { arn: arn.to_owned(), version: version.to_owned(), value: Hidden::from(value) };
        self.kept().insert(arn.to_owned(), secret.clone());
        Ok(secret)
    }
}

impl Secrets for SecretsManager {
    async fn current(&self, arn: &str) -> Result<Secret, Trouble> {
        let kept = self.kept().get(arn).cloned();
        match kept {
            Some(secret) => Ok(secret),
            None => self.read(arn).await,
        }
    }

    async fn newer(&self, than: &Secret) -> Result<Option<Secret>, Trouble> {
        let read = self.read(&than.arn).await?;
        Ok((read.version != than.version).then_some(read))
    }

    async fn allowed(&self, arn: &str, stack: &str) -> Result<(), Trouble> {
        let described = self.client.describe_secret().secret_id(arn).send().await;
        let described = described.map_err(|error| trouble("looking at the tags of", arn, &error))?;
        let tag = described.tags().iter().find(|tag| tag.key() == Some(ALLOW)).and_then(|tag| tag.value());
        may_use(stack, Thing { kind: "secret", name: arn }, tag).map_err(Trouble::Refused)
    }
}

/// What Secrets Manager said of a call that failed.
fn trouble<E>(doing: &str, arn: &str, error: &SdkError<E>) -> Trouble
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let code = error.code().unwrap_or_default();
    let text = format!("{doing} the secret {arn}: {}", words(error));
    match (code, status(error)) {
        ("AccessDeniedException", _) => Trouble::Refused(format!(
            "{text}. Watchkeeper may read a secret that is there and has the tag {ALLOW}; a key of your own must let its role decrypt, too"
        )),
        (code, _) if code.contains("Throttling") || code == "TooManyRequestsException" => Trouble::Unavailable(text),
        // Secrets Manager was not reached, did not answer, or answered with what is no answer of its own.
        (_, None | Some(429 | 500..)) => Trouble::Unavailable(text),
        _ => Trouble::Refused(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(value: &str) -> Secret {
        Secret { arn: "arn:s".into(), version: "v".into(), value: Hidden::from(value) }
    }

    #[test]
    fn user_and_password_are_found_and_never_shown() {
        for value in [r#"{"user":"u","password":"hunter2"}"#, r#"{"username":"u","password":"hunter2","host":"h"}"#] {
            let secret = secret(value);
            let login = secret.login().unwrap();
            assert_eq!((login.user.reveal(), login.password.reveal()), ("u", "hunter2"));
            assert!(!format!("{secret:?}{login:?}").contains("hunter2"));
        }
        for (value, lacks) in [
            ("hunter2", "no JSON object"),
            (r#"["hunter2"]"#, "no JSON object"),
            (r#"{"user":"u","passwort":"hunter2"}"#, "no text password"),
            (r#"{"user":"","password":"hunter2"}"#, "no text user or username"),
            (r#"{"user":"u","password":["hunter2"]}"#, "no text password"),
        ] {
            let Err(Trouble::Refused(text)) = secret(value).login() else { panic!("{value} is no login") };
            assert!(text.contains(lacks) && text.contains("arn:s") && !text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn a_token_stands_alone_or_in_json() {
        for value in ["hunter2", "hunter2\n", r#"{"token":"hunter2"}"#] {
            assert_eq!(secret(value).token().unwrap().reveal(), "hunter2");
        }
        for value in ["", " \n", r#"{"tokn":"hunter2"}"#, "hunter2\nhunter2", "hünter2"] {
            let Err(Trouble::Refused(text)) = secret(value).token() else { panic!("{value} is no token") };
            assert!(text.contains("arn:s") && !text.contains("nter2"), "{text}");
        }
    }
}
