//! RDS: where a database is, and its master user's managed secret.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbCluster, DbInstance, MasterUserSecret, Tag};
use serde_json::{Map, Value};
use watchkeeper_events::Arn;
use watchkeeper_secrets::{ALLOW, Hidden, Thing, may_use};

use super::failure::About;
use super::secrets::SecretsManager;
use crate::declared::Source;
use crate::document::{Allow, Content, Place, Reading, Version};
use crate::trouble::Trouble;

const GRANT: &str = "Watchkeeper's role may describe the databases of its own account and region";
const DOING: &str = "looking at a database";

/// RDS, and Secrets Manager for the managed secrets.
#[derive(Debug, Clone)]
pub(super) struct Rds {
    client: Client,
    secrets: SecretsManager,
}

/// A cluster or an instance, as RDS tells it.
#[derive(Debug, Clone)]
struct Found {
    /// `cluster NAME` or `database NAME`.
    name: String,
    endpoint: Option<(String, i32)>,
    database: Option<String>,
    secret: Option<MasterUserSecret>,
    /// The cluster that it is an instance of.
    cluster: Option<String>,
    tags: Vec<Tag>,
}

/// Where it is, and which secret opens it.
#[derive(Debug)]
struct Way<'a> {
    host: &'a str,
    port: i32,
    secret: &'a str,
}

impl Rds {
    pub(super) fn new(client: Client, secrets: SecretsManager) -> Self {
        Self { client, secrets }
    }

    /// What a database's endpoint and secret are now.
    pub(super) async fn reading(&self, source: &Source, arn: &str) -> Result<Reading, Trouble> {
        let database = self.look(source, arn).await?;
        let way = database.way()?;
        let (version, text) = self.secrets.current(way.secret).await?;
        let login = login(&database.name, &text)?;
        let values = [("host", way.host.to_owned()), ("port", way.port.to_string())]
            .into_iter()
            .chain(database.database.clone().map(|name| ("database", name)))
            .map(|(name, value)| (name, Hidden::from(value)))
            .chain(login)
            .map(|(name, value)| (name.to_owned(), value));
        Ok(Reading {
            version: way.version(&version),
            content: Content::Values(values.collect()),
            kept_in: Some(Place::Secret(way.secret.to_owned())),
            trouble: database.trouble(),
            allow: Allow::Seen(database.allow().map(str::to_owned)),
        })
    }

    /// Which version its secret has, and where it is.
    pub(super) async fn version(&self, source: &Source, arn: &str) -> Result<Version, Trouble> {
        let database = self.look(source, arn).await?;
        let way = database.way()?;
        Ok(way.version(&self.secrets.version(way.secret).await?))
    }

    /// Whether a stack may have its endpoint and secret read.
    pub(super) async fn may_be_source(&self, source: &Source, arn: &str, stack: &str) -> Result<(), Trouble> {
        let database = self.look(source, arn).await?;
        let kind = if matches!(source, Source::Cluster(_)) { "cluster" } else { "database" };
        may_use(stack, Thing { kind, name: arn }, database.allow()).map_err(Trouble::Refused)?;
        database.secret().map(drop)
    }

    async fn look(&self, source: &Source, arn: &str) -> Result<Found, Trouble> {
        let name = name(source, arn);
        let about = About { name: &name, grant: GRANT };
        let found = if matches!(source, Source::Cluster(_)) {
            let clusters = self.client.describe_db_clusters().db_cluster_identifier(arn).send().await;
            let clusters = clusters.map_err(|error| about.failed(DOING, &error))?;
            clusters.db_clusters.unwrap_or_default().into_iter().next().map(|found| Found::cluster(&name, found))
        } else {
            let instances = self.client.describe_db_instances().db_instance_identifier(arn).send().await;
            let instances = instances.map_err(|error| about.failed(DOING, &error))?;
            instances.db_instances.unwrap_or_default().into_iter().next().map(|found| Found::instance(&name, found))
        };
        found.ok_or_else(|| about.not_yet(DOING, "RDS answered without it"))
    }
}

impl Found {
    fn allow(&self) -> Option<&str> {
        self.tags.iter().find(|tag| tag.key() == Some(ALLOW)).and_then(|tag| tag.value())
    }

    fn cluster(name: &str, found: DbCluster) -> Self {
        Self {
            name: name.to_owned(),
            endpoint: found.endpoint.zip(found.port),
            database: found.database_name.filter(|name| !name.is_empty()),
            secret: found.master_user_secret,
            cluster: None,
            tags: found.tag_list.unwrap_or_default(),
        }
    }

    fn instance(name: &str, found: DbInstance) -> Self {
        Self {
            name: name.to_owned(),
            endpoint: found.endpoint.and_then(|endpoint| endpoint.address.zip(endpoint.port)),
            database: found.db_name.filter(|name| !name.is_empty()),
            secret: found.master_user_secret,
            cluster: found.db_cluster_identifier.filter(|cluster| !cluster.is_empty()),
            tags: found.tag_list.unwrap_or_default(),
        }
    }

    /// The managed secret's ARN.
    fn secret(&self) -> Result<&str, Trouble> {
        let name = &self.name;
        if let Some(arn) = self.secret.as_ref().and_then(|secret| secret.secret_arn()) {
            return Ok(arn);
        }
        Err(Trouble::Refused(match &self.cluster {
            Some(cluster) => {
                format!("the {name} is part of the cluster {cluster}, which has the secret: name that as Cluster")
            }
            None => format!(
                "the {name} has no managed master secret: give it ManageMasterUserPassword, or name the secret with its \
                 password as Secret"
            ),
        }))
    }

    fn way(&self) -> Result<Way<'_>, Trouble> {
        let secret = self.secret()?;
        let later = |why| About { name: &self.name, grant: GRANT }.not_yet(DOING, why);
        if self.secret_status() == Some("creating") {
            return Err(later("its master secret is still being made"));
        }
        let (host, port) = self.endpoint.as_ref().ok_or_else(|| later("it has no endpoint yet"))?;
        Ok(Way { host, port: *port, secret })
    }

    fn secret_status(&self) -> Option<&str> {
        self.secret.as_ref()?.secret_status()
    }

    /// What RDS itself says is wrong.
    fn trouble(&self) -> Option<String> {
        (self.secret_status() == Some("impaired")).then(|| {
            format!(
                "the master secret of the {} is impaired: RDS cannot rotate it; the database, the secret and its key must be \
                 there and within RDS's reach",
                self.name
            )
        })
    }
}

impl Way<'_> {
    fn version(&self, secret: &Version) -> Version {
        Version(format!("{secret}@{}:{}", self.host, self.port))
    }
}

fn name(source: &Source, arn: &str) -> String {
    let resource = Arn::parse(arn).map(|arn| arn.resource().to_owned()).unwrap_or_default();
    let name = resource.split_once(':').map_or(resource.as_str(), |(_, name)| name);
    if matches!(source, Source::Cluster(_)) { format!("cluster {name}") } else { format!("database {name}") }
}

/// User and password in a managed secret.
fn login(name: &str, secret: &Hidden) -> Result<[(&'static str, Hidden); 2], Trouble> {
    let refused = |why| Trouble::Refused(format!("the master secret of the {name} {why}"));
    // What the parser says of a text could quote it.
    let members: Option<Map<String, Value>> = serde_json::from_str(secret.reveal()).ok();
    let members = members.ok_or_else(|| refused("is no JSON object".to_owned()))?;
    let text = |member: &'static str| {
        let found = members.get(member).and_then(Value::as_str).filter(|text| !text.is_empty());
        found.map(|text| (member, Hidden::from(text))).ok_or_else(|| refused(format!("has no text {member}")))
    };
    Ok([text("username")?, text("password")?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(status: &str) -> Found {
        let secret = MasterUserSecret::builder().secret_arn("arn:s").secret_status(status).build();
        let found = DbCluster::builder().endpoint("db.example").port(5432).master_user_secret(secret).build();
        Found::cluster("cluster app", found)
    }

    #[test]
    fn user_and_password_are_found_and_nothing_is_told_of_the_rest() {
        let found =
            login("cluster app", &Hidden::from(r#"{"username":"u","password":"p","engine":"postgres"}"#)).unwrap();
        assert_eq!(
            found.map(|(name, value)| (name, value.reveal().to_owned())),
            [("username", "u".to_owned()), ("password", "p".to_owned())]
        );
        for (secret, why) in [
            ("hunter2", "is no JSON object"),
            (r#"["hunter2"]"#, "is no JSON object"),
            (r#"{"username":"hunter2"}"#, "has no text password"),
            (r#"{"password":"hunter2","username":""}"#, "has no text username"),
            (r#"{"password":["hunter2"],"username":"u"}"#, "has no text password"),
        ] {
            let Err(Trouble::Refused(text)) = login("cluster app", &Hidden::from(secret)) else { panic!("{secret}") };
            assert_eq!(text, format!("the master secret of the cluster app {why}"));
        }
    }

    #[test]
    fn what_rds_says_of_a_secret_is_told_or_waited_for() {
        assert_eq!(database("active").trouble(), None);
        assert!(database("active").way().is_ok() && database("impaired").way().is_ok());
        assert!(
            database("impaired").trouble().unwrap().starts_with("the master secret of the cluster app is impaired")
        );
        let creating = database("creating").way().unwrap_err();
        assert!(creating.may_pass() && creating.to_string().contains("still being made"), "{creating}");
        let starting = Found { endpoint: None, ..database("active") };
        assert!(starting.way().unwrap_err().may_pass());
    }

    #[test]
    fn who_has_no_managed_secret_reads_what_to_do() {
        let none = Found { secret: None, ..database("active") };
        assert!(none.secret().unwrap_err().to_string().contains("give it ManageMasterUserPassword"));
        let part = Found { cluster: Some("app".into()), ..none };
        assert!(part.secret().unwrap_err().to_string().contains("part of the cluster app"));
    }
}
