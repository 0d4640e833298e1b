//! A cluster with a server behind it, and the rotation of its master password.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use postgres_protocol::escape::escape_identifier;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::xml;
use crate::aws::{Aws, AwsError};
use crate::postgres::{Login, MAINTENANCE_DATABASE, Postgres};

/// What makes trouble in URLs, SQL, shells, JSON, Pkl and format strings.
const HOSTILE: &str = r#"'"\(${}%@/:#?&=+ "#;

/// What RDS said of a cluster before it had a server.
pub(super) struct Described {
    pub(super) engine: String,
    arn: String,
    master_user: String,
    database: Option<String>,
    secret: String,
}

impl Described {
    pub(super) async fn read(direct: &Aws, identifier: &str) -> anyhow::Result<Self> {
        let answer = direct.query("rds", "DescribeDBClusters", &[("DBClusterIdentifier", identifier)]).await?;
        let member = |name: &str| {
            let text = xml::text(&answer, name);
            text.map(str::to_owned).with_context(|| format!("the cluster {identifier} has no {name}"))
        };
        Ok(Self {
            engine: member("Engine")?,
            arn: member("DBClusterArn")?,
            master_user: member("MasterUsername")?,
            database: member("DatabaseName").ok(),
            secret: member("SecretArn").context("it has to be created with ManageMasterUserPassword")?,
        })
    }
}

/// A cluster whose endpoint is a real server.
pub struct Cluster {
    direct: Aws,
    identifier: String,
    arn: String,
    secret: String,
    master_user: String,
    database: String,
    server: Postgres,
    /// Two rotations at once would leave the secret with one password and the server with the other.
    rotating: tokio::sync::Mutex<()>,
    is_impaired: AtomicBool,
}

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// When the server began to refuse the old password.
    pub changed_at: OffsetDateTime,
    /// The version of the secret that was current until then.
    pub previous_version: String,
    /// The version that is current now.
    pub version: String,
}

impl Cluster {
    /// Makes the master user and the cluster's database in `server`, and marks the secret as RDS marks it.
    pub(super) async fn make(
        direct: Aws,
        identifier: &str,
        described: Described,
        server: Postgres,
    ) -> anyhow::Result<Self> {
        let Described { engine: _, arn, master_user, database, secret } = described;
        let cluster = Self {
            direct,
            identifier: identifier.to_owned(),
            arn,
            secret,
            master_user,
            database: database.unwrap_or_else(|| MAINTENANCE_DATABASE.to_owned()),
            server,
            rotating: tokio::sync::Mutex::default(),
            is_impaired: AtomicBool::new(false),
        };
        cluster.make_master_user().await.with_context(|| format!("the master user of {identifier}"))?;
        let tags = json!([
            { "Key": "aws:rds:primaryDBClusterArn", "Value": cluster.arn },
            { "Key": "aws:secretsmanager:owningService", "Value": "rds" },
        ]);
        cluster.secret("TagResource", json!({ "Tags": tags })).await?;
        Ok(cluster)
    }

    /// Its name.
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The ARN of the secret with the master user's name and password.
    #[must_use]
    pub fn secret_arn(&self) -> &str {
        &self.secret
    }

    /// The database that it was created with.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The server behind it.
    #[must_use]
    pub fn server(&self) -> &Postgres {
        &self.server
    }

    /// From now on RDS says that it cannot rotate the master secret (`SecretStatus` `impaired`), or that it can again.
    pub fn set_impaired(&self, is_impaired: bool) {
        self.is_impaired.store(is_impaired, Ordering::Relaxed);
    }

    pub(super) fn is_impaired(&self) -> bool {
        self.is_impaired.load(Ordering::Relaxed)
    }

    /// The master user's login with a password of the secret: that of `stage`, such as `AWSCURRENT`.
    pub async fn master_login(&self, stage: &str) -> anyhow::Result<Login> {
        let value = self.secret("GetSecretValue", json!({ "VersionStage": stage })).await?;
        let value = value["SecretString"].as_str().unwrap_or_default();
        let value: Value = serde_json::from_str(value).ok().context("the managed secret does not hold JSON")?;
        let member = |name: &str| value[name].as_str().with_context(|| format!("the managed secret has no {name}"));
        Ok(Login::new(member("username")?, member("password")?, &self.database))
    }

    /// Rotates the master password to a new one, which is random and hostile.
    pub async fn rotate_master(&self) -> anyhow::Result<Rotation> {
        let random = crate::ids::hex32();
        let (front, back) = random.split_at(16);
        self.rotate_master_to(&format!("{front}{HOSTILE}{back}")).await
    }

    /// Rotates the master password to this one.
    pub async fn rotate_master_to(&self, password: &str) -> anyhow::Result<Rotation> {
        let _turn = self.rotating.lock().await;
        let previous_version = self.version("AWSCURRENT").await?;
        let version = crate::ids::uuid();
        let value = json!({ "username": self.master_user, "password": password }).to_string();
        let pending = json!({ "ClientRequestToken": version, "SecretString": value, "VersionStages": ["AWSPENDING"] });
        self.secret("PutSecretValue", pending).await?;
        self.server.set_password(&self.master_user, password).await.context("changing the master password")?;
        let changed_at = crate::clock::now();
        let promoted = json!({
            "VersionStage": "AWSCURRENT", "MoveToVersionId": version, "RemoveFromVersionId": previous_version,
        });
        self.secret("UpdateSecretVersionStage", promoted).await?;
        let done = json!({ "VersionStage": "AWSPENDING", "RemoveFromVersionId": version });
        self.secret("UpdateSecretVersionStage", done).await?;
        Ok(Rotation { changed_at, previous_version, version })
    }

    async fn make_master_user(&self) -> anyhow::Result<()> {
        let superuser = self.server.administer().await?;
        let user = escape_identifier(&self.master_user);
        // As on RDS: no superuser, but one who may make databases and roles.
        let statement = format!(
            "CREATE ROLE rds_superuser IN ROLE pg_monitor, pg_signal_backend; \
             CREATE ROLE {user} LOGIN CREATEDB CREATEROLE IN ROLE rds_superuser"
        );
        superuser.batch_execute(&statement).await?;
        if self.database != MAINTENANCE_DATABASE {
            let database = escape_identifier(&self.database);
            superuser.batch_execute(&format!("CREATE DATABASE {database} OWNER {user}")).await?;
        }
        let login = self.master_login("AWSCURRENT").await?;
        Ok(self.server.set_password(&self.master_user, login.password()).await?)
    }

    async fn version(&self, stage: &str) -> anyhow::Result<String> {
        let described = self.secret("DescribeSecret", json!({})).await?;
        let versions = described["VersionIdsToStages"].as_object().into_iter().flatten();
        let mut carrying =
            versions.filter(|(_, stages)| stages.as_array().is_some_and(|all| all.contains(&json!(stage))));
        Ok(carrying.next().with_context(|| format!("no version of the managed secret is {stage}"))?.0.clone())
    }

    /// A call about the managed secret, past the front door.
    async fn secret(&self, action: &str, mut request: Value) -> Result<Value, AwsError> {
        request["SecretId"] = json!(self.secret);
        self.direct.json("secretsmanager", &format!("secretsmanager.{action}"), &request).await
    }
}
