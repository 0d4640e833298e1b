//! RDS clusters with a real PostgreSQL behind them.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use crate::local::{SOON, with_sandbox};
use crate::sources::LabelEvents;
use sandbox::postgres::{Login, Tls};
use sandbox::rds::Cluster;
use sandbox::{AwsError, Options, Postgres, Sandbox};
use serde_json::{Value, json};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, NoTls};

/// A cluster with a writer, as a stack would make it, and PostgreSQL behind it.
async fn cluster(sandbox: &Sandbox, name: &str) -> Arc<Cluster> {
    create(sandbox, name).await;
    sandbox.rds().connect(name, |text| eprintln!("sandbox: {text}")).await.unwrap()
}

async fn create(sandbox: &Sandbox, name: &str) {
    let rds = async |action: &str, parameters: &[(&str, &str)]| {
        sandbox.aws().query("rds", action, parameters).await.unwrap();
    };
    let id = ("DBClusterIdentifier", name);
    let (engine, master) = (("Engine", "aurora-postgresql"), ("MasterUsername", "app-admin"));
    let managed = ("ManageMasterUserPassword", "true");
    rds("CreateDBCluster", &[id, engine, master, managed, ("DatabaseName", "formae")]).await;
    let writer = format!("{name}-writer");
    let class = ("DBInstanceClass", "db.serverless");
    rds("CreateDBInstance", &[("DBInstanceIdentifier", &writer), id, engine, class]).await;
}

async fn manager(sandbox: &Sandbox, action: &str, request: Value) -> Result<Value, AwsError> {
    sandbox.aws().json("secretsmanager", &format!("secretsmanager.{action}"), &request).await
}

async fn one(client: &Client, query: &str) -> String {
    client.query_one(query, &[]).await.unwrap().get(0)
}

fn is_refused(answer: &Result<Client, Error>) -> bool {
    answer.as_ref().is_err_and(|error| error.code() == Some(&SqlState::INVALID_PASSWORD))
}

#[test]
fn the_master_user_logs_in_over_tls_alone() {
    with_sandbox(async |local| {
        let cluster = cluster(&local.sandbox, "logins").await;
        let (server, login) = (cluster.server(), cluster.master_login("AWSCURRENT").await.unwrap());
        assert_eq!((login.user(), login.database()), ("app-admin", "formae"));
        assert!(!format!("{login:?}").contains(login.password()));

        let client = server.connect(&login).await.unwrap();
        assert_eq!(one(&client, "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").await, "TLSv1.3");
        assert_eq!(one(&client, "SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user").await, "false");
        client.batch_execute("CREATE ROLE reader LOGIN; CREATE TABLE notes (text text)").await.unwrap();

        let wrong = Login::new(login.user(), "wrong", login.database());
        assert!(is_refused(&server.connect(&wrong).await));

        let mut plain = tokio_postgres::Config::new();
        plain.host(server.host()).port(server.port()).user(login.user()).password(login.password()).dbname("formae");
        let refused = plain.ssl_mode(SslMode::Disable).connect(NoTls).await.map(drop).unwrap_err();
        assert_eq!(refused.code(), Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION), "{refused}");
    });
}

#[test]
fn a_client_that_trusts_another_authority_does_not_connect() {
    with_sandbox(async |local| {
        let cluster = cluster(&local.sandbox, "trust").await;
        let (server, login) = (cluster.server(), cluster.master_login("AWSCURRENT").await.unwrap());
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
        let refused = Tls::trusting(&other).unwrap().connect("localhost", server.port(), &login).await.map(drop);
        assert!(refused.unwrap_err().to_string().contains("TLS"));
        let trusting = Tls::trusting(server.ca_pem()).unwrap();
        trusting.connect("localhost", server.port(), &login).await.unwrap();
        trusting.connect("127.0.0.1", server.port(), &login).await.unwrap();
        // An address of loopback that the certificate does not name.
        let proxy = tokio::net::TcpListener::bind(("127.0.0.2", 0)).await.unwrap();
        let address = proxy.local_addr().unwrap();
        let to = (server.host(), server.port());
        let passed = async {
            let mut from = proxy.accept().await.unwrap().0;
            let mut to = tokio::net::TcpStream::connect(to).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
        };
        let login = trusting.connect("127.0.0.2", address.port(), &login);
        let refused = tokio::join!(login, passed).0.map(drop).unwrap_err();
        assert!(refused.to_string().contains("TLS"), "{refused}");
    });
}

#[test]
fn rds_tells_the_endpoint_that_there_is() {
    with_sandbox(async |local| {
        create(&local.sandbox, "not-connected").await;
        let cluster = cluster(&local.sandbox, "endpoint").await;
        let (host, port) = (cluster.server().host(), cluster.server().port());
        let describe = async |action: &str, parameters: &[(&str, &str)]| {
            local.sandbox.aws().query("rds", action, parameters).await.unwrap()
        };
        let clusters = describe("DescribeDBClusters", &[("DBClusterIdentifier", "endpoint")]).await;
        for element in ["Endpoint", "ReaderEndpoint"] {
            assert!(clusters.contains(&format!("<{element}>{host}</{element}>")), "{clusters}");
        }
        assert!(clusters.contains(&format!("<Port>{port}</Port>")), "{clusters}");
        let instances = describe("DescribeDBInstances", &[("DBInstanceIdentifier", "endpoint-writer")]).await;
        let instances: String = instances.split_whitespace().collect();
        let wanted = format!("<Address>{host}</Address><Port>{port}</Port>");
        assert!(instances.contains(&wanted), "{instances}");

        let other = describe("DescribeDBClusters", &[("DBClusterIdentifier", "not-connected")]).await;
        assert!(!other.contains(&format!("<Port>{port}</Port>")), "{other}");
        let again = local.sandbox.rds().connect("endpoint", |_| ()).await.unwrap();
        assert_eq!(again.server().port(), port, "one cluster has one server");
    });
}

#[test]
fn only_managed_postgresql_clusters_are_connected() {
    with_sandbox(async |local| {
        let refused = async |name: &str| {
            local.sandbox.rds().connect(name, |_| ()).await.map(drop).map_err(|error| format!("{error:#}")).unwrap_err()
        };
        let create = async |name: &str, engine: &str, managed: (&str, &str)| {
            let parameters = [("DBClusterIdentifier", name), ("Engine", engine), ("MasterUsername", "admin"), managed];
            local.sandbox.aws().query("rds", "CreateDBCluster", &parameters).await.unwrap();
        };
        assert!(refused("nowhere").await.contains("DBClusterNotFound"));
        create("by-hand", "aurora-postgresql", ("MasterUserPassword", "a-password")).await;
        assert!(refused("by-hand").await.contains("ManageMasterUserPassword"));
        create("mysql", "aurora-mysql", ("ManageMasterUserPassword", "true")).await;
        assert!(refused("mysql").await.contains("PostgreSQL only"));
    });
}

#[test]
fn the_managed_secret_is_marked_and_nobody_else_writes_it() {
    with_sandbox(async |local| {
        let sandbox = &local.sandbox;
        let cluster = cluster(sandbox, "managed").await;
        let arn = cluster.secret_arn();
        let described = manager(sandbox, "DescribeSecret", json!({ "SecretId": arn })).await.unwrap();
        let name = described["Name"].as_str().unwrap();
        assert!(name.starts_with("rds!cluster-"), "{described}");
        assert_eq!((&described["OwningService"], &described["RotationEnabled"]), (&json!("rds"), &json!(true)));
        let tag = |key: &str, value: &str| json!({ "Key": key, "Value": value });
        let tags = described["Tags"].as_array().unwrap();
        assert!(tags.contains(&tag("aws:rds:primaryDBClusterArn", cluster.arn())), "{described}");
        assert!(tags.contains(&tag("aws:secretsmanager:owningService", "rds")), "{described}");

        let before = manager(sandbox, "GetSecretValue", json!({ "SecretId": arn })).await.unwrap();
        let value: Value = serde_json::from_str(before["SecretString"].as_str().unwrap()).unwrap();
        let mut members: Vec<&String> = value.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["password", "username"]);
        let version = &before["VersionId"];
        let stage = json!({ "VersionStage": "MINE", "MoveToVersionId": version });
        for id in [arn, name] {
            for (action, request) in [
                ("PutSecretValue", json!({ "SecretString": "mine" })),
                ("UpdateSecret", json!({ "SecretString": "mine" })),
                ("UpdateSecretVersionStage", stage.clone()),
                ("DeleteSecret", json!({ "ForceDeleteWithoutRecovery": true })),
            ] {
                let mut request = request;
                request["SecretId"] = json!(id);
                let refused = manager(sandbox, action, request).await.unwrap_err();
                assert_eq!(refused.code, "InvalidRequestException", "{action}");
                assert!(refused.message.contains("managed by rds"), "{refused}");
            }
        }
        assert_eq!(manager(sandbox, "GetSecretValue", json!({ "SecretId": arn })).await.unwrap(), before);
    });
}

#[test]
fn a_rotation_changes_password_and_secret_and_tells_it_once() {
    with_sandbox(async |local| {
        let sandbox = &local.sandbox;
        let cluster = cluster(sandbox, "rotation").await;
        let events = LabelEvents::begin(local, "labels-of-rotation", cluster.secret_arn()).await;
        let old = cluster.master_login("AWSCURRENT").await.unwrap();
        let session = cluster.server().connect(&old).await.unwrap();

        let rotation = cluster.rotate_master().await.unwrap();

        let new = cluster.master_login("AWSCURRENT").await.unwrap();
        assert_ne!(new.password(), old.password());
        for hostile in ["'", "\"", "\\(", "${", "%", "@", "/", ":", "#"] {
            assert!(new.password().contains(hostile), "{hostile} is missing");
        }
        assert!(is_refused(&cluster.server().connect(&old).await));
        cluster.server().connect(&new).await.unwrap();
        assert_eq!(one(&session, "SELECT 'on'").await, "on", "who is logged in stays");
        assert_eq!(cluster.master_login("AWSPREVIOUS").await.unwrap().password(), old.password());
        let described = manager(sandbox, "DescribeSecret", json!({ "SecretId": cluster.secret_arn() })).await.unwrap();
        let stages =
            json!({ rotation.version.clone(): ["AWSCURRENT"], rotation.previous_version.clone(): ["AWSPREVIOUS"] });
        assert_eq!(described["VersionIdsToStages"], stages);

        let told = events.until_now(local).await;
        let [event] = &told[..] else { panic!("told {} times: {told:?}", told.len()) };
        assert_eq!(event["source"], "aws.secretsmanager");
        assert_eq!(event["detail-type"], "Secret Label Updated");
        assert_eq!(event["detail"]["labelUpdated"], "AWSCURRENT");
        assert_eq!(event["detail"]["versionId"], json!(rotation.version));
    });
}

#[test]
fn any_password_can_be_rotated_to() {
    with_sandbox(async |local| {
        let cluster = cluster(&local.sandbox, "passwords").await;
        let mut all = "every printable one: ".to_owned();
        for byte in b' '..=b'~' {
            write!(all, "{}", char::from(byte)).unwrap();
        }
        for password in [
            all.as_str(),
            "pässwörd-ключ-鍵-🔑",
            "'; DROP ROLE \"app-admin\"; --",
            "\\u0041\\",
            "$$",
            "SCRAM-SHA-256$4096:",
        ] {
            cluster.rotate_master_to(password).await.unwrap();
            let login = cluster.master_login("AWSCURRENT").await.unwrap();
            assert_eq!(login.password(), password);
            cluster.server().connect(&login).await.unwrap();
        }
    });
}

#[tokio::test]
async fn a_database_ends_with_its_sandbox() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let cluster = cluster(&sandbox, "ending").await;
    let at = (cluster.server().host(), cluster.server().port());
    std::net::TcpStream::connect(at).unwrap();
    sandbox.stop().await.unwrap();
    assert!(std::net::TcpStream::connect(at).is_err());
}

#[tokio::test]
async fn a_database_can_be_stopped_and_dropped() {
    let folder = tempfile::tempdir().unwrap();
    // Its files may be another user's.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let start = async |name: &str| Postgres::start(&folder.path().join(name), |_| ()).await.unwrap();
    let server = start("stopped").await;
    let at = (server.host(), server.port());
    let client = server.administer().await.unwrap();
    server.stop().await;
    assert!(std::net::TcpStream::connect(at).is_err());
    assert!(client.query("SELECT 1", &[]).await.is_err());

    let server = start("dropped").await;
    let at = (server.host(), server.port());
    drop(server);
    let deadline = Instant::now() + SOON;
    while std::net::TcpStream::connect(at).is_ok() {
        assert!(Instant::now() < deadline, "the server goes on");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
