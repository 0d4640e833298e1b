//! The secrets of a task's containers: read once, while the task starts ("Pass sensitive data to an Amazon ECS container").

mod go;
mod manager;
mod parameters;
mod reference;

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::fmt;

use super::definition::ContainerDefinition;
use super::execution_role::ExecutionRole;
use crate::aws::AwsError;
use reference::ValueFrom;

/// The content of a secret, which shows itself to nobody but the container.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretValue(String);

impl fmt::Debug for SecretValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretValue(…)")
    }
}

/// What the containers of one task were given, by `valueFrom`.
#[derive(Debug, Default)]
pub(crate) struct Secrets(HashMap<String, SecretValue>);

impl Secrets {
    /// Reads every secret that `containers` name; `Err` is the task's `stoppedReason`.
    pub(crate) async fn pull(role: &ExecutionRole<'_>, containers: &[ContainerDefinition]) -> Result<Self, String> {
        let named = containers.iter().flat_map(|container| &container.secrets);
        let named: BTreeSet<&str> = named.map(|(_, value_from)| value_from.as_str()).collect();
        if named.is_empty() {
            return Ok(Self::default());
        }
        let failed = |why| format!("ResourceInitializationError: unable to pull secrets or registry auth: {why}");
        role.assume().await.map_err(failed)?;
        Self::retrieve(role, named).await.map_err(|why| failed(format!("execution resource retrieval failed: {why}")))
    }

    /// A container's secrets, for its environment.
    pub(crate) fn of(&self, container: &ContainerDefinition) -> impl Iterator<Item = (String, OsString)> {
        let variable =
            |(name, value_from): &(String, String)| Some((name.clone(), OsString::from(&self.0.get(value_from)?.0)));
        container.secrets.iter().filter_map(variable)
    }

    async fn retrieve(role: &ExecutionRole<'_>, named: BTreeSet<&str>) -> Result<Self, String> {
        let retried = |store: &str, why: String| {
            format!("unable to retrieve {store}: service call has been retried 1 time(s): {why}")
        };
        let (mut values, mut parameters) = (HashMap::new(), Vec::new());
        for value_from in named {
            let value = match ValueFrom::read(value_from) {
                ValueFrom::Parameter(name) => {
                    parameters.push(name);
                    continue;
                }
                ValueFrom::Secret(secret) => manager::read(role, &secret).await,
                // The ECS agent's words (asmsecret).
                ValueFrom::Malformed => {
                    Err("unexpected ARN format with parameters when trying to retrieve ASM secret".to_owned())
                }
            };
            values.insert(value_from.to_owned(), value.map_err(|why| retried("secret from asm", why))?);
        }
        let read = parameters::read(role, &parameters).await;
        values.extend(read.map_err(|why| retried("secrets from ssm", why))?);
        Ok(Self(values))
    }
}

/// A refusal as the SDK in ECS writes it.
fn refusal(error: &AwsError) -> String {
    // The text of an answer that could not be read may be the secret itself.
    let message = if error.code == "NotJson" { "the answer is not JSON" } else { error.message.as_str() };
    format!("{}: {message} status code: {}, request id: {}", error.code, error.status, crate::ids::uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_no_debug_text_and_in_no_refusal() {
        let secrets = Secrets(HashMap::from([("from".to_owned(), SecretValue("hidden".to_owned()))]));
        assert!(!format!("{secrets:?}").contains("hidden"));
        let error = AwsError {
            call: "secretsmanager:GetSecretValue".to_owned(),
            code: "NotJson".to_owned(),
            message: "the answer is not JSON: hidden".to_owned(),
            status: 200,
        };
        assert!(!refusal(&error).contains("hidden"));
    }
}
