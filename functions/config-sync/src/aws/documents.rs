//! Where documents and other sources are kept, as one.

use aws_config::SdkConfig;
use watchkeeper_events::Arn;
use watchkeeper_secrets::Hidden;

use super::buckets::Buckets;
use super::databases::Rds;
use super::parameters::ParameterStore;
use super::secrets::SecretsManager;
use crate::declared::Source;
use crate::document::{Allow, Content, Document, Place, Reading, Version};
use crate::token::Token;
use crate::trouble::Trouble;
use crate::world::{Documents, Written};

/// Secrets Manager, Parameter Store, RDS and S3 of one region.
#[derive(Debug, Clone)]
pub struct Vault {
    region: String,
    secrets: SecretsManager,
    parameters: ParameterStore,
    databases: Rds,
    buckets: Buckets,
}

impl Vault {
    /// All from one configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let secrets = SecretsManager::new(aws_sdk_secretsmanager::Client::new(config));
        Self {
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            databases: Rds::new(aws_sdk_rds::Client::new(config), secrets.clone()),
            secrets,
            parameters: ParameterStore::new(aws_sdk_ssm::Client::new(config)),
            buckets: Buckets::new(aws_sdk_s3::Client::new(config)),
        }
    }

    /// Whether a stack may have this document written.
    pub async fn may_be_target(&self, place: &Place, stack: &str) -> Result<(), Trouble> {
        self.is_here(&place.to_string(), &place.name())?;
        match place {
            Place::Secret(arn) => self.secrets.may_be_target(arn, stack).await,
            Place::Parameter(arn) => self.parameters.may_be_used(arn, stack).await,
        }
    }

    /// Whether a stack may have this source read.
    pub async fn may_be_source(&self, source: &Source, stack: &str) -> Result<(), Trouble> {
        match source {
            Source::Document(place) => {
                self.is_here(&place.to_string(), &place.name())?;
                match place {
                    Place::Secret(arn) => self.secrets.may_be_source(arn, stack).await,
                    Place::Parameter(arn) => self.parameters.may_be_used(arn, stack).await,
                }
            }
            Source::Cluster(arn) | Source::Instance(arn) => {
                self.is_here(arn, arn)?;
                self.databases.may_be_source(source, arn, stack).await
            }
            // Objects are not tagged by who owns their bucket: the stack's parameters name the buckets that may be read.
            Source::Newest { .. } => Ok(()),
        }
    }

    fn is_here(&self, arn: &str, name: &str) -> Result<(), Trouble> {
        let region = Arn::parse(arn).map(|arn| arn.region().to_owned()).unwrap_or_default();
        if region == self.region {
            return Ok(());
        }
        Err(Trouble::Refused(format!(
            "{name} is in the region {region}, and Watchkeeper here is in {}: deploy it there, too, and declare it there",
            self.region
        )))
    }
}

impl Documents for Vault {
    async fn reading(&self, source: &Source) -> Result<Reading, Trouble> {
        let text = |(version, text)| Reading {
            version,
            content: Content::Text(text),
            kept_in: None,
            trouble: None,
            allow: Allow::Unseen,
        };
        match source {
            Source::Document(Place::Secret(arn)) => self.secrets.current(arn).await.map(text),
            Source::Document(Place::Parameter(arn)) => self.parameters.current(arn).await.map(text),
            Source::Cluster(arn) | Source::Instance(arn) => self.databases.reading(source, arn).await,
            Source::Newest { bucket, prefix } => self.buckets.reading(bucket, prefix).await,
        }
    }

    async fn version(&self, source: &Source) -> Result<Version, Trouble> {
        match source {
            Source::Document(Place::Secret(arn)) => self.secrets.version(arn).await,
            Source::Document(Place::Parameter(arn)) => self.parameters.version(arn).await,
            Source::Cluster(arn) | Source::Instance(arn) => self.databases.version(source, arn).await,
            Source::Newest { bucket, prefix } => Ok(self.buckets.reading(bucket, prefix).await?.version),
        }
    }

    async fn document(&self, place: &Place) -> Result<Document, Trouble> {
        match place {
            Place::Secret(arn) => self.secrets.document(arn).await,
            Place::Parameter(arn) => self.parameters.document(arn).await,
        }
    }

    async fn write(&self, place: &Place, base: &Document, token: &Token, text: &Hidden) -> Result<Written, Trouble> {
        match place {
            Place::Secret(arn) => self.secrets.write(arn, &base.version, token, text).await,
            // Parameter Store has no tokens: a repeat finds the text there already.
            Place::Parameter(arn) => self.parameters.write(arn, &base.version, text).await,
        }
    }
}
