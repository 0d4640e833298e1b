//! Clusters with their managed secrets.

use std::sync::Arc;

use config_sync::aws::PostgreSql;
use config_sync::declared::Source;
use config_sync::document::{Content, Place, Reading};
use config_sync::world::{Databases, Documents, LogIn};
use sandbox::rds::Cluster;

use crate::local::{Local, refused, with_sandbox};

/// A cluster with a writer, as a stack would make it.
async fn create(local: &Local, name: &str, more: &[(&str, &str)]) {
    let rds = async |action: &str, parameters: &[(&str, &str)]| {
        local.sandbox.aws().query("rds", action, parameters).await.unwrap();
    };
    let id = ("DBClusterIdentifier", name);
    let master = [id, ("Engine", "aurora-postgresql"), ("MasterUsername", "app-admin")];
    rds("CreateDBCluster", &[&master, more].concat()).await;
    let (writer, class) = (format!("{name}-writer"), ("DBInstanceClass", "db.serverless"));
    rds("CreateDBInstance", &[("DBInstanceIdentifier", &writer), id, ("Engine", "aurora-postgresql"), class]).await;
}

const MANAGED: [(&str, &str); 4] = [
    ("ManageMasterUserPassword", "true"),
    ("DatabaseName", "formae"),
    ("Tags.Tag.1.Key", "watchkeeper:allow"),
    ("Tags.Tag.1.Value", "agents"),
];

async fn connected(local: &Local, name: &str) -> (Arc<Cluster>, Source) {
    create(local, name, &MANAGED).await;
    let cluster = local.sandbox.rds().connect(name, |text| eprintln!("sandbox: {text}")).await.unwrap();
    let source = Source::Cluster(cluster.arn().to_owned());
    (cluster, source)
}

fn value(reading: &Reading, name: &str) -> String {
    let Content::Values(values) = &reading.content else { panic!("no values") };
    values[name].reveal().to_owned()
}

#[test]
fn a_cluster_says_where_it_is_and_who_gets_in() {
    with_sandbox(async |local| {
        let (cluster, source) = connected(local, "reading").await;
        let reading = local.vault.reading(&source).await.unwrap();
        let port = cluster.server().port().to_string();
        assert_eq!(value(&reading, "host"), cluster.server().host());
        assert_eq!((value(&reading, "port"), value(&reading, "database")), (port, "formae".to_owned()));
        let login = cluster.master_login("AWSCURRENT").await.unwrap();
        assert_eq!(
            (value(&reading, "username").as_str(), value(&reading, "password").as_str()),
            (login.user(), login.password())
        );
        assert_eq!(reading.kept_in, Some(Place::Secret(cluster.secret_arn().to_owned())));
        assert_eq!((&reading.trouble, local.vault.version(&source).await), (&None, Ok(reading.version.clone())));
        assert!(
            reading.version.0.ends_with(&format!("@localhost:{}", cluster.server().port())),
            "{:?}",
            reading.version
        );
        assert!(!format!("{reading:?}").contains(login.password()));

        let rotation = cluster.rotate_master().await.unwrap();
        assert_ne!(local.vault.version(&source).await.unwrap(), reading.version);
        let rotated = local.vault.reading(&source).await.unwrap();
        assert!(rotated.version.0.starts_with(&rotation.version));
        // What was read opens the database, whatever characters the password has.
        let to = LogIn {
            host: value(&rotated, "host"),
            port: value(&rotated, "port"),
            database: value(&rotated, "database"),
            user: value(&rotated, "username").into(),
            password: value(&rotated, "password").into(),
            ca: Some(cluster.server().ca_pem().to_owned()),
        };
        assert_eq!(PostgreSql.log_in(&to).await, Ok(()));
        let old = LogIn { password: value(&reading, "password").into(), ..to };
        assert!(PostgreSql.log_in(&old).await.is_err());
    });
}

#[test]
fn a_cluster_is_used_by_whom_its_owner_allows() {
    with_sandbox(async |local| {
        let (cluster, source) = connected(local, "allowed").await;
        assert_eq!(local.vault.may_be_source(&source, "agents").await, Ok(()));
        let said = refused(local.vault.may_be_source(&source, "others").await);
        assert!(said.contains("may not use the cluster arn:aws:rds:") && said.contains("is \"agents\""), "{said}");
        let elsewhere = refused(local.elsewhere().may_be_source(&source, "agents").await);
        assert!(elsewhere.contains("is in the region eu-west-1"), "{elsewhere}");
        // Its secret is RDS's own.
        let secret = Place::Secret(cluster.secret_arn().to_owned());
        let said = refused(local.vault.may_be_target(&secret, "agents").await);
        assert!(said.contains("it belongs to rds, which alone writes it"), "{said}");
    });
}

#[test]
fn who_has_no_managed_secret_reads_what_to_do() {
    with_sandbox(async |local| {
        let tag = [("Tags.Tag.1.Key", "watchkeeper:allow"), ("Tags.Tag.1.Value", "*")];
        create(local, "by-hand", &[&[("MasterUserPassword", "a-password")], &tag[..]].concat()).await;
        let cluster = Source::Cluster("arn:aws:rds:eu-west-1:123456789012:cluster:by-hand".to_owned());
        for outcome in [
            local.vault.may_be_source(&cluster, "agents").await,
            local.vault.reading(&cluster).await.map(drop),
            local.vault.version(&cluster).await.map(drop),
        ] {
            let said = refused(outcome);
            assert!(
                said.contains("cluster by-hand has no managed master secret: give it ManageMasterUserPassword"),
                "{said}"
            );
        }
        let instance = Source::Instance("arn:aws:rds:eu-west-1:123456789012:db:by-hand-writer".to_owned());
        let said = refused(local.vault.reading(&instance).await);
        assert!(said.contains("database by-hand-writer is part of the cluster by-hand"), "{said}");
        for gone in [
            Source::Cluster("arn:aws:rds:eu-west-1:123456789012:cluster:gone".to_owned()),
            Source::Instance("arn:aws:rds:eu-west-1:123456789012:db:gone".to_owned()),
        ] {
            let trouble = local.vault.reading(&gone).await.unwrap_err();
            assert!(!trouble.may_pass() && trouble.to_string().contains(" gone: DB"), "{trouble}");
        }
    });
}
