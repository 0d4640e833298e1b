//! Parameter Store: reading a parameter, and writing it without losing what somebody else writes at the same time.

use std::ops::Range;

use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::ProvideErrorMetadata;
use aws_sdk_ssm::types::{
    Parameter, ParameterMetadata, ParameterStringFilter, ParameterTier, ParameterType, ResourceTypeForTagging, Tag,
};
use watchkeeper_events::Arn;
use watchkeeper_secrets::{ALLOW, Hidden, Thing, may_use};

use super::failure::About;
use super::moment;
use crate::document::{Allow, Document, Place, Version};
use crate::trouble::Trouble;
use crate::world::Written;

/// How many bytes a parameter may have (Systems Manager API Reference, `PutParameter`).
const LARGEST_STANDARD: usize = 4_096;
const LARGEST_ADVANCED: usize = 8_192;
/// The only type of data that is there as soon as it is written.
const TEXT: &str = "text";
/// How often somebody may write at the same time as we put back what they wrote.
const PUTS_BACK: usize = 3;
/// How many versions of somebody else are looked at, the newest first.
const LOOKS_BACK: i64 = 10;
/// How many pages one parameter is looked for in: a page may be empty and not the last.
const PAGES: usize = 20;
const GRANT: &str = "Watchkeeper may use a parameter that is there and has the tag watchkeeper:allow (the stack's name, or @any); a \
                     key of your own must let its role decrypt and, for a target, encrypt";

/// Parameter Store.
#[derive(Debug, Clone)]
pub(super) struct ParameterStore {
    client: Client,
}

impl ParameterStore {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// The current version and what it says.
    pub(super) async fn current(&self, arn: &str) -> Result<(Version, Hidden), Trouble> {
        let read = self.get(arn, arn, true).await?;
        Ok((version(&read), text(arn, &read)?))
    }

    /// The current version.
    pub(super) async fn version(&self, arn: &str) -> Result<Version, Trouble> {
        // Not decrypted: the key is not asked for.
        Ok(version(&self.get(arn, arn, false).await?))
    }

    /// The parameter as it is now.
    pub(super) async fn document(&self, arn: &str) -> Result<Document, Trouble> {
        let read = self.get(arn, arn, true).await?;
        let Some(at) = read.last_modified_date().and_then(moment::over) else {
            return Err(about(&name(arn)).not_yet("reading a parameter", "Parameter Store did not say when it changed"));
        };
        // A parameter's version is current from when it is made.
        Ok(Document {
            version: version(&read),
            text: text(arn, &read)?,
            made_at: at,
            changed_at: at,
            allow: Allow::Unseen,
        })
    }

    /// Writes `text` over the version `base`. Parameter Store has no compare-and-swap, but it numbers the versions: one between
    /// `base` and ours was written by somebody else, and is put on top again.
    pub(super) async fn write(&self, arn: &str, base: &Version, text: &Hidden) -> Result<Written, Trouble> {
        let target = self.target(arn).await?;
        fits(arn, &target, text)?;
        let current = self.get(arn, &target.name, true).await?;
        if current.value() == Some(text.reveal()) {
            return Ok(Written::Done);
        }
        if version(&current) != *base {
            return Ok(Written::Overtaken);
        }
        let ours = self.put(arn, &target, target.kind.clone(), text.reveal()).await?;
        self.put_back(arn, &target, current.version() + 1..ours, text).await
    }

    /// Whether a stack may have the parameter read and written.
    pub(super) async fn may_be_used(&self, arn: &str, stack: &str) -> Result<(), Trouble> {
        let target = self.target(arn).await?;
        let tags = self.client.list_tags_for_resource().resource_type(ResourceTypeForTagging::Parameter);
        let tags = tags.resource_id(&target.name).send().await;
        let tags = tags.map_err(|error| about(&name(arn)).failed("looking at the tags of a parameter", &error))?;
        let tag = tags.tag_list().iter().find(|tag| tag.key() == ALLOW).map(Tag::value);
        may_use(stack, Thing { kind: "parameter", name: arn }, tag).map_err(Trouble::Refused)
    }

    /// A parameter by its ARN or name, which may end in `:` and a version.
    async fn get(&self, arn: &str, name_or_arn: &str, decrypted: bool) -> Result<Parameter, Trouble> {
        self.find(arn, name_or_arn, decrypted).await?.ok_or_else(|| {
            let why = "Parameter Store answered without it";
            about(&name(arn)).not_yet("reading a parameter", why)
        })
    }

    async fn find(&self, arn: &str, name_or_arn: &str, decrypted: bool) -> Result<Option<Parameter>, Trouble> {
        let read = self.client.get_parameter().name(name_or_arn).with_decryption(decrypted).send().await;
        match read {
            Ok(read) => Ok(read.parameter),
            Err(error) if error.code() == Some("ParameterVersionNotFound") => Ok(None),
            Err(error) => Err(about(&name(arn)).failed("reading a parameter", &error)),
        }
    }

    /// What is to be kept of a parameter when it is written.
    async fn target(&self, arn: &str) -> Result<Target, Trouble> {
        let filter = ParameterStringFilter::builder().key("Name").option("Equals").set_values(Some(names(arn))).build();
        let filter = filter.map_err(|_| no_parameter(arn))?;
        let mut pages = self.client.describe_parameters().parameter_filters(filter).into_paginator().send();
        for _ in 0..PAGES {
            let Some(page) = pages.next().await else { break };
            let page = page.map_err(|error| about(&name(arn)).failed("looking at a parameter", &error))?;
            let mut described = page.parameters.unwrap_or_default().into_iter();
            if let Some(found) = described.find(|one| one.arn().is_none_or(|found| found == arn)) {
                return Target::of(arn, found);
            }
        }
        Err(no_parameter(arn))
    }

    /// Writes, and keeps all that is not the text; the version that it became.
    async fn put(&self, arn: &str, target: &Target, kind: ParameterType, text: &str) -> Result<i64, Trouble> {
        let Target { name: own_name, key, tier, description, allowed_pattern, .. } = target;
        // Without its key a secure parameter would get the account's.
        let key = key.clone().filter(|_| kind == ParameterType::SecureString);
        let put = self.client.put_parameter().name(own_name).overwrite(true).value(text).r#type(kind);
        let put = put.set_key_id(key).set_tier(tier.clone()).data_type(TEXT);
        let put = put.set_description(description.clone()).set_allowed_pattern(allowed_pattern.clone()).send().await;
        put.map(|put| put.version())
            .map_err(|error| about(&name(arn)).failed_with_document("writing a parameter", &error))
    }

    /// Puts on top again what somebody else wrote in these versions, which ours hides.
    async fn put_back(
        &self,
        arn: &str,
        target: &Target,
        mut between: Range<i64>,
        ours: &Hidden,
    ) -> Result<Written, Trouble> {
        let (mut written, mut ours) = (Written::Done, ours.reveal().to_owned());
        for _ in 0..PUTS_BACK {
            let Some(theirs) = self.newest_other(arn, target, between.clone(), &ours).await? else {
                return Ok(written);
            };
            let text = theirs.value().unwrap_or_default().to_owned();
            let kind = theirs.r#type().unwrap_or(&target.kind).clone();
            let put = self.put(arn, target, kind, &text).await?;
            (written, between, ours) = (Written::Overtaken, between.end + 1..put, text);
        }
        Err(Trouble::Restless)
    }

    /// The newest of these versions that says something else; the same may be a write of ours that was repeated.
    async fn newest_other(
        &self,
        arn: &str,
        target: &Target,
        between: Range<i64>,
        ours: &str,
    ) -> Result<Option<Parameter>, Trouble> {
        let oldest = between.start.max(between.end - LOOKS_BACK);
        for version in (oldest..between.end).rev() {
            let found = self.find(arn, &format!("{}:{version}", target.name), true).await?;
            if let Some(theirs) = found.filter(|theirs| theirs.value().is_some_and(|text| text != ours)) {
                return Ok(Some(theirs));
            }
        }
        Ok(None)
    }
}

/// What a parameter is, beside its text.
#[derive(Debug, Clone)]
struct Target {
    name: String,
    kind: ParameterType,
    key: Option<String>,
    tier: Option<ParameterTier>,
    description: Option<String>,
    allowed_pattern: Option<String>,
}

impl Target {
    fn of(arn: &str, described: ParameterMetadata) -> Result<Self, Trouble> {
        let refused = |why: &str| Trouble::Refused(format!("the {} cannot be used: {why}", name(arn)));
        let (Some(own_name), Some(kind)) = (described.name, described.r#type) else { return Err(no_parameter(arn)) };
        if kind == ParameterType::StringList {
            return Err(refused("it is a StringList; make it a String or a SecureString"));
        }
        if described.data_type.is_some_and(|kind| kind != TEXT) {
            return Err(refused("its data type is not text, so that what is written is there only some time later"));
        }
        Ok(Self {
            name: own_name,
            kind,
            key: described.key_id,
            tier: described.tier,
            description: described.description.filter(|text| !text.is_empty()),
            allowed_pattern: described.allowed_pattern.filter(|text| !text.is_empty()),
        })
    }
}

fn about(name: &str) -> About<'_> {
    About { name, grant: GRANT }
}

fn name(arn: &str) -> String {
    Place::Parameter(arn.to_owned()).name()
}

fn no_parameter(arn: &str) -> Trouble {
    Trouble::Refused(format!(
        "there is no parameter {arn} in this account and region; one that is shared with it cannot be used"
    ))
}

/// The names that a parameter of this ARN can have: the ARN leaves out the slash that a name may begin with.
fn names(arn: &str) -> Vec<String> {
    let resource = Arn::parse(arn).map(|arn| arn.resource().to_owned()).unwrap_or_default();
    let name = resource.strip_prefix("parameter/").unwrap_or(&resource);
    let path = format!("/{name}");
    if name.contains('/') { vec![path] } else { vec![name.to_owned(), path] }
}

fn version(read: &Parameter) -> Version {
    Version(read.version().to_string())
}

fn text(arn: &str, read: &Parameter) -> Result<Hidden, Trouble> {
    let none = || about(&name(arn)).not_yet("reading a parameter", "Parameter Store answered without its value");
    read.value().map(Hidden::from).ok_or_else(none)
}

fn fits(arn: &str, target: &Target, text: &Hidden) -> Result<(), Trouble> {
    let length = text.reveal().len();
    let (largest, advice) = match target.tier {
        Some(ParameterTier::Advanced | ParameterTier::IntelligentTiering) => (LARGEST_ADVANCED, "a secret takes 64 KB"),
        _ => (LARGEST_STANDARD, "make it a parameter of the advanced tier (8 KB), or a secret (64 KB)"),
    };
    if (1..=largest).contains(&length) {
        return Ok(());
    }
    Err(Trouble::Refused(format!("the {} would have {length} bytes, and it takes 1 to {largest}; {advice}", name(arn))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:ssm:eu-west-1:123456789012:parameter/app/config";

    fn described() -> aws_sdk_ssm::types::builders::ParameterMetadataBuilder {
        ParameterMetadata::builder().name("/app/config").r#type(ParameterType::String)
    }

    #[test]
    fn an_arn_leaves_the_first_slash_open() {
        let arn = |name: &str| format!("arn:aws:ssm:eu-west-1:123456789012:parameter/{name}");
        assert_eq!(names(&arn("app/config")), ["/app/config"]);
        assert_eq!(names(&arn("config")), ["config", "/config"]);
    }

    #[test]
    fn lists_and_what_takes_time_are_refused() {
        for (described, why) in [
            (described().r#type(ParameterType::StringList), "it is a StringList; make it a String"),
            (described().data_type("aws:ec2:image"), "its data type is not text"),
        ] {
            let Err(Trouble::Refused(text)) = Target::of(ARN, described.build()) else { panic!("{why}") };
            assert!(text.starts_with("the parameter /app/config cannot be used: ") && text.contains(why), "{text}");
        }
        assert!(Target::of(ARN, described().data_type(TEXT).build()).is_ok());
    }

    #[test]
    fn how_much_fits_is_told_before() {
        for (tier, length, is_fit) in [
            (None, LARGEST_STANDARD, true),
            (None, LARGEST_STANDARD + 1, false),
            (Some(ParameterTier::Standard), 0, false),
            (Some(ParameterTier::Advanced), LARGEST_ADVANCED, true),
            (Some(ParameterTier::Advanced), LARGEST_ADVANCED + 1, false),
        ] {
            let target = Target::of(ARN, described().set_tier(tier).build()).unwrap();
            let fits = fits(ARN, &target, &Hidden::from("x".repeat(length)));
            assert_eq!(fits.is_ok(), is_fit, "{length}");
        }
    }
}
