//! Secrets Manager: reading a secret, and writing it by compare-and-swap.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use lambda_runtime::tracing::warn;
use watchkeeper_events::Arn;
use watchkeeper_secrets::{ALLOW, Hidden, Thing, may_use};

use super::failure::About;
use super::moment;
use crate::document::{Allow, Document, Place, Version};
use crate::token::Token;
use crate::trouble::Trouble;
use crate::world::Written;

/// The label of the version that is read by default.
const CURRENT: &str = "AWSCURRENT";
/// The label of a version that is to become current.
const PENDING: &str = "AWSPENDING";
/// How many bytes a secret may have (Secrets Manager API Reference, `PutSecretValue`).
const LARGEST: usize = 65_536;
/// How often a secret may turn out to have changed between two looks.
const LOOKS: usize = 3;
const GRANT: &str = "Watchkeeper may use a secret that is there and has the tag watchkeeper:allow (the stack's name, or @any); a \
                     key of your own must let its role decrypt and, for a target, generate data keys";

/// Secrets Manager.
#[derive(Debug, Clone)]
pub(super) struct SecretsManager {
    client: Client,
}

/// What a secret's labels say about a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Current is what the write is based on.
    AsRead,
    /// Current is what is to be written.
    Written,
    /// Current is another version.
    Overtaken,
}

impl SecretsManager {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// The current version and what it says.
    pub(super) async fn current(&self, arn: &str) -> Result<(Version, Hidden), Trouble> {
        self.read(arn).await.and_then(|read| text(arn, read))
    }

    /// The current version.
    pub(super) async fn version(&self, arn: &str) -> Result<Version, Trouble> {
        let described = self.describe(arn).await?;
        let none = || about(&name(arn)).not_yet("looking at a secret", "no version of it is AWSCURRENT");
        labelled(&described, CURRENT).map(|version| Version(version.to_owned())).ok_or_else(none)
    }

    /// The secret as it is now.
    pub(super) async fn document(&self, arn: &str) -> Result<Document, Trouble> {
        for _ in 0..LOOKS {
            let read = self.read(arn).await?;
            let described = self.describe(arn).await?;
            if labelled(&described, CURRENT) != read.version_id() {
                continue;
            }
            let made_at = read.created_date().and_then(moment::told);
            // This version was current before the secret was described, so that is noted in what was described.
            let changed_at = described.last_changed_date().or(described.created_date()).and_then(moment::over);
            let (Some(made_at), Some(changed_at)) = (made_at, changed_at) else {
                return Err(
                    about(&name(arn)).not_yet("reading a secret", "Secrets Manager did not say when it changed")
                );
            };
            let (version, text) = text(arn, read)?;
            let allow = Allow::Seen(allow(&described).map(str::to_owned));
            return Ok(Document { version, text, made_at, changed_at: changed_at.max(made_at), allow });
        }
        Err(Trouble::Restless)
    }

    /// Makes `text` a version of the secret with the token for its id, and then the current one in place of `base`.
    pub(super) async fn write(
        &self,
        arn: &str,
        base: &Version,
        token: &Token,
        text: &Hidden,
    ) -> Result<Written, Trouble> {
        fits(arn, text)?;
        let described = self.describe(arn).await?;
        writable(arn, &described)?;
        match standing(&described, base, token) {
            Standing::AsRead => {}
            Standing::Written => {
                self.take_off(arn, &described, token).await;
                return Ok(Written::Done);
            }
            Standing::Overtaken => {
                self.take_off(arn, &described, token).await;
                return Ok(Written::Overtaken);
            }
        }
        if let Some(pending) = pending_of_others(&described) {
            let why = format!(
                "somebody else is about to change it: the version {pending} has the label {PENDING}; if nobody is, take the \
                 label off it"
            );
            return Err(about(&name(arn)).not_yet("writing a secret", &why));
        }
        self.put(arn, token, text).await?;
        self.promote(arn, base, token).await
    }

    /// Whether a stack may have the secret written.
    pub(super) async fn may_be_target(&self, arn: &str, stack: &str) -> Result<(), Trouble> {
        let described = self.describe(arn).await?;
        whole(arn, &described)?;
        writable(arn, &described)?;
        allowed(arn, stack, &described)
    }

    /// Whether a stack may have the secret read.
    pub(super) async fn may_be_source(&self, arn: &str, stack: &str) -> Result<(), Trouble> {
        let described = self.describe(arn).await?;
        whole(arn, &described)?;
        stays(arn, &described)?;
        allowed(arn, stack, &described)
    }

    async fn read(&self, arn: &str) -> Result<GetSecretValueOutput, Trouble> {
        let read = self.client.get_secret_value().secret_id(arn).send().await;
        read.map_err(|error| about(&name(arn)).failed("reading a secret", &error))
    }

    async fn describe(&self, arn: &str) -> Result<DescribeSecretOutput, Trouble> {
        let described = self.client.describe_secret().secret_id(arn).send().await;
        described.map_err(|error| about(&name(arn)).failed("looking at a secret", &error))
    }

    /// The same text under the same token is put once, however often it is asked for.
    async fn put(&self, arn: &str, token: &Token, text: &Hidden) -> Result<(), Trouble> {
        let put = self.client.put_secret_value().secret_id(arn).client_request_token(token.as_str());
        let put = put.version_stages(PENDING).secret_string(text.reveal()).send().await;
        put.map(drop).map_err(|error| about(&name(arn)).failed_with_document("writing a secret", &error))
    }

    /// Moves the label `AWSCURRENT`, if it is still where it was.
    async fn promote(&self, arn: &str, base: &Version, token: &Token) -> Result<Written, Trouble> {
        let moved = self.client.update_secret_version_stage().secret_id(arn).version_stage(CURRENT);
        let moved = moved.move_to_version_id(token.as_str()).remove_from_version_id(&base.0).send().await;
        let Err(error) = moved else {
            self.take_off_label(arn, token).await;
            return Ok(Written::Done);
        };
        let trouble = about(&name(arn)).failed("making a secret's new version current", &error);
        // It is not where it was, or that version is gone. That is also what a move that was done is answered when it is repeated.
        if !matches!(error.code(), Some("InvalidParameterException" | "ResourceNotFoundException")) {
            return Err(trouble);
        }
        let described = self.describe(arn).await?;
        match standing(&described, base, token) {
            Standing::Written => {
                self.take_off(arn, &described, token).await;
                Ok(Written::Done)
            }
            Standing::AsRead => Err(trouble),
            Standing::Overtaken => {
                self.take_off(arn, &described, token).await;
                Ok(Written::Overtaken)
            }
        }
    }

    /// Takes `AWSPENDING` off a version of ours that has it: on one that is not current, it would keep the secret from being
    /// rotated.
    async fn take_off(&self, arn: &str, described: &DescribeSecretOutput, token: &Token) {
        if labelled(described, PENDING) == Some(token.as_str()) {
            self.take_off_label(arn, token).await;
        }
    }

    async fn take_off_label(&self, arn: &str, token: &Token) {
        let off = self.client.update_secret_version_stage().secret_id(arn).version_stage(PENDING);
        match off.remove_from_version_id(token.as_str()).send().await {
            Ok(_) => {}
            // It went with the move, or somebody else has taken it.
            Err(error) if error.code() == Some("InvalidParameterException") => {}
            Err(error) => {
                // It is known by its form when this secret is next written.
                let trouble = about(&name(arn)).failed("taking a label off a secret's version", &error);
                warn!(secret = arn, version = %token, %trouble, "a version keeps its label AWSPENDING");
            }
        }
    }
}

fn about(name: &str) -> About<'_> {
    About { name, grant: GRANT }
}

fn name(arn: &str) -> String {
    Place::Secret(arn.to_owned()).name()
}

fn text(arn: &str, read: GetSecretValueOutput) -> Result<(Version, Hidden), Trouble> {
    let (Some(version), Some(text)) = (read.version_id, read.secret_string) else {
        let name = name(arn);
        return Err(Trouble::Refused(format!(
            "the {name} is not text: put it there as SecretString, not SecretBinary"
        )));
    };
    Ok((Version(version), Hidden::from(text)))
}

fn fits(arn: &str, text: &Hidden) -> Result<(), Trouble> {
    let length = text.reveal().len();
    if (1..=LARGEST).contains(&length) {
        return Ok(());
    }
    let name = name(arn);
    Err(Trouble::Refused(format!("the {name} would have {length} bytes, and a secret takes 1 to {LARGEST}")))
}

/// The version that has a label.
fn labelled<'a>(described: &'a DescribeSecretOutput, label: &str) -> Option<&'a str> {
    let versions = described.version_ids_to_stages()?;
    versions.iter().find(|(_, labels)| labels.iter().any(|one| one == label)).map(|(version, _)| version.as_str())
}

fn standing(described: &DescribeSecretOutput, base: &Version, token: &Token) -> Standing {
    match labelled(described, CURRENT) {
        Some(current) if current == token.as_str() => Standing::Written,
        Some(current) if current == base.0 => Standing::AsRead,
        _ => Standing::Overtaken,
    }
}

/// The version that somebody else is about to make current: a rotation, a person. What was made current keeps the label.
fn pending_of_others(described: &DescribeSecretOutput) -> Option<&str> {
    let pending = labelled(described, PENDING)?;
    (Some(pending) != labelled(described, CURRENT) && !is_a_token(pending)).then_some(pending)
}

/// Whether a version is of a write of Watchkeeper's, which was cut off: all others have ids of another form, mostly UUIDs.
fn is_a_token(version: &str) -> bool {
    version.len() == 64 && version.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Events and task definitions carry the whole ARN, and what is found by them is declared under it.
fn whole(arn: &str, described: &DescribeSecretOutput) -> Result<(), Trouble> {
    match described.arn() {
        Some(whole) if whole != arn => Err(Trouble::Refused(format!(
            "{arn} is a part of the secret's ARN, or another spelling: name it by all of it, {whole}, which !Ref gives"
        ))),
        _ => Ok(()),
    }
}

fn allowed(arn: &str, stack: &str, described: &DescribeSecretOutput) -> Result<(), Trouble> {
    may_use(stack, Thing { kind: "secret", name: arn }, allow(described)).map_err(Trouble::Refused)
}

fn allow(described: &DescribeSecretOutput) -> Option<&str> {
    described.tags().iter().find(|tag| tag.key() == Some(ALLOW)).and_then(|tag| tag.value())
}

fn stays(arn: &str, described: &DescribeSecretOutput) -> Result<(), Trouble> {
    if described.deleted_date().is_none() {
        return Ok(());
    }
    Err(Trouble::Refused(format!("the {} is scheduled for deletion: restore it, or name another", name(arn))))
}

/// Whether what is written stays: nobody else's, and not a copy.
fn writable(arn: &str, described: &DescribeSecretOutput) -> Result<(), Trouble> {
    stays(arn, described)?;
    let name = name(arn);
    let refused = |why: String| Err(Trouble::Refused(format!("the {name} cannot be a target: {why}")));
    if let Some(owner) = described.owning_service() {
        return refused(format!(
            "it belongs to {owner}, which alone writes it; name it (or its database) as a source, and a secret of your own as \
             the target"
        ));
    }
    if described.rotation_enabled() == Some(true) {
        return refused("it rotates itself; turn its rotation off, or name it as a source".to_owned());
    }
    let own = Arn::parse(arn).map(|arn| arn.region().to_owned()).unwrap_or_default();
    match described.primary_region() {
        Some(primary) if primary != own => refused(format!(
            "it is a replica of a secret in {primary}; declare it there, and it is replicated from there"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use aws_smithy_types::DateTime;

    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app/config-AbCdEf";
    const ROTATION: &str = "0c4f2a3e-5a5e-4d7e-9f0e-1f2b3c4d5e6f";

    fn token() -> Token {
        Token::new("app", &BTreeMap::new(), &Version("base".into()), "text")
    }

    fn described(labels: &[(&str, &[&str])]) -> DescribeSecretOutput {
        let labels = labels.iter().map(|(version, labels)| {
            ((*version).to_owned(), labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>())
        });
        DescribeSecretOutput::builder().set_version_ids_to_stages(Some(labels.collect())).build()
    }

    #[test]
    fn the_labels_say_how_a_write_stands() {
        let token = token();
        for (current, expected) in
            [("base", Standing::AsRead), (token.as_str(), Standing::Written), ("other", Standing::Overtaken)]
        {
            let described = described(&[(current, &[CURRENT]), ("older", &["AWSPREVIOUS"])]);
            assert_eq!(standing(&described, &Version("base".into()), &token), expected);
        }
        assert_eq!(standing(&described(&[]), &Version("base".into()), &token), Standing::Overtaken);
    }

    #[test]
    fn only_who_is_about_to_change_it_is_waited_for() {
        let token = token();
        for (pending, expected) in [(ROTATION, Some(ROTATION)), (token.as_str(), None)] {
            assert_eq!(pending_of_others(&described(&[("base", &[CURRENT]), (pending, &[PENDING])])), expected);
        }
        assert_eq!(pending_of_others(&described(&[(ROTATION, &[CURRENT, PENDING])])), None);
        assert_eq!(pending_of_others(&described(&[("base", &[CURRENT])])), None);
    }

    #[test]
    fn a_target_is_nobody_elses_and_no_copy() {
        let secret = DescribeSecretOutput::builder;
        for (described, why) in [
            (secret().owning_service("rds"), "it belongs to rds, which alone writes it"),
            (secret().rotation_enabled(true), "it rotates itself; turn its rotation off"),
            (secret().primary_region("us-east-1"), "it is a replica of a secret in us-east-1"),
            (secret().deleted_date(DateTime::from_secs(1)), "is scheduled for deletion: restore it"),
        ] {
            let Err(Trouble::Refused(text)) = writable(ARN, &described.build()) else { panic!("{why}") };
            assert!(text.starts_with("the secret app/config-AbCdEf ") && text.contains(why), "{text}");
        }
        let ours = secret().rotation_enabled(false).primary_region("eu-west-1").build();
        assert_eq!(writable(ARN, &ours), Ok(()));
    }

    #[test]
    fn a_secret_has_one_to_64_kb() {
        for (length, is_fit) in [(0, false), (1, true), (LARGEST, true), (LARGEST + 1, false)] {
            assert_eq!(fits(ARN, &Hidden::from("x".repeat(length))).is_ok(), is_fit, "{length}");
        }
    }
}
