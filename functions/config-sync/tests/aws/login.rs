//! Logging in to a real PostgreSQL.

use std::fmt::Write;
use std::time::Instant;

use config_sync::aws::PostgreSql;
use config_sync::trouble::Trouble;
use config_sync::world::{Databases, LogIn};
use sandbox::Postgres;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use watchkeeper_secrets::Hidden;

/// A server with a user `app` whose password is `hunter2`, and the way to it.
async fn server(folder: &std::path::Path) -> (Postgres, LogIn) {
    // Its files may be another user's.
    std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let server = Postgres::start(&folder.join("server"), |text| eprintln!("sandbox: {text}")).await.unwrap();
    password(&server, "hunter2").await;
    let to = LogIn {
        host: server.host().to_owned(),
        port: server.port().to_string(),
        database: "postgres".to_owned(),
        user: "app".into(),
        password: "hunter2".into(),
        ca: Some(server.ca_pem().to_owned()),
    };
    (server, to)
}

/// PostgreSQL itself prepares and keeps it.
async fn password(server: &Postgres, password: &str) {
    let client = server.administer().await.unwrap();
    let there = "DO $$ BEGIN CREATE ROLE app LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$";
    client.batch_execute(there).await.unwrap();
    client.batch_execute(&format!("ALTER ROLE app PASSWORD '{}'", password.replace('\'', "''"))).await.unwrap();
}

async fn refused(to: &LogIn) -> String {
    match PostgreSql.log_in(to).await {
        Err(Trouble::LogIn(text)) => {
            assert!(!text.contains("hunter2") && !text.contains("\"app\""), "{text}");
            text
        }
        other => panic!("not told as a log-in: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_log_in_does_and_others_read_what_the_database_says() {
    let folder = tempfile::tempdir().unwrap();
    let (server, to) = server(folder.path()).await;
    assert_eq!(PostgreSql.log_in(&to).await, Ok(()));
    let with = |change: &dyn Fn(&mut LogIn)| {
        let mut to = to.clone();
        change(&mut to);
        to
    };

    let wrong = with(&|to| to.password = Hidden::from("wrong"));
    assert_eq!(refused(&wrong).await, "FATAL 28P01: password authentication failed for user [redacted]");
    let swapped = with(&|to| to.user = Hidden::from("hunter2"));
    assert!(refused(&swapped).await.starts_with("FATAL 28P01: password authentication failed for user "));
    let nowhere = with(&|to| to.database = "nowhere".to_owned());
    assert_eq!(refused(&nowhere).await, "FATAL 3D000: database \"nowhere\" does not exist");

    // Amazon signed no certificate of a server here.
    let amazons = with(&|to| to.ca = None);
    let said = refused(&amazons).await;
    assert!(said.contains("was not trusted: invalid peer certificate: UnknownIssuer"), "{said}");
    assert!(said.contains("Amazon RDS's certificates, without a CaCertificate"), "{said}");
    let none = with(&|to| to.ca = Some("none".to_owned()));
    assert!(matches!(PostgreSql.log_in(&none).await, Err(Trouble::Refused(_))));

    // A server of another name, though its certificate is signed by whom we trust.
    let other = TcpListener::bind(("127.0.0.2", 0)).await.unwrap();
    let elsewhere = with(&|to| {
        to.host = "127.0.0.2".to_owned();
        to.port = other.local_addr().unwrap().port().to_string();
    });
    let passed = async {
        let mut from = other.accept().await.unwrap().0;
        let mut behind = TcpStream::connect((server.host(), server.port())).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut from, &mut behind).await;
    };
    let (said, ()) = tokio::join!(refused(&elsewhere), passed);
    assert!(said.contains("was not trusted: invalid peer certificate: "), "{said}");

    server.stop().await;
    assert!(refused(&to).await.starts_with(&format!("localhost:{} was not reached: ", to.port)));
}

#[tokio::test(flavor = "multi_thread")]
async fn any_password_logs_in() {
    let folder = tempfile::tempdir().unwrap();
    let (server, to) = server(folder.path()).await;
    let mut all = "every printable one: ".to_owned();
    for byte in b' '..=b'~' {
        write!(all, "{}", char::from(byte)).unwrap();
    }
    let long = "Ab0~".repeat(200);
    for nasty in [
        all.as_str(),
        long.as_str(),
        " leading and trailing ",
        "pässwörd-ключ-鍵-🔑",
        "'; DROP ROLE app; --",
        "\\u0041\\",
        "$$",
        "SCRAM-SHA-256$4096:",
        "tab\tnewline\nreturn\r",
        // What SASLprep makes others of, and what it forbids.
        "I\u{ad}X \u{2168} \u{aa} a\u{a0}b",
        "\u{7}\u{7f}",
        "\u{627}1",
    ] {
        password(&server, nasty).await;
        let to = LogIn { password: Hidden::from(nasty), ..to.clone() };
        assert_eq!(PostgreSql.log_in(&to).await, Ok(()), "{nasty:?}");
        assert!(refused(&LogIn { password: Hidden::from(format!("{nasty}x")), ..to }).await.starts_with("FATAL 28P01"));
    }
    let null = LogIn { password: Hidden::from("hunter2\0"), ..to.clone() };
    refused(&null).await;
    refused(&LogIn { user: Hidden::from("app\0hunter2"), ..to }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_postgresql_is_told_soon() {
    let to = |host: &str, port: &str| LogIn {
        host: host.to_owned(),
        port: port.to_owned(),
        database: "app".to_owned(),
        user: "app".into(),
        password: "hunter2".into(),
        ca: None,
    };
    for (host, port, why) in [
        ("localhost", "", "its port is not a number"),
        ("localhost", "hunter2", "its port is not a number"),
        ("localhost", "65536", "its port is not a number"),
        ("", "5432", "its host is neither a name nor an address"),
        ("/run/hunter2", "5432", "its host is neither a name nor an address"),
        ("no.such.host.invalid", "5432", "no.such.host.invalid:5432 was not reached: "),
    ] {
        let said = refused(&to(host, port)).await;
        assert!(said.starts_with(why), "{said}");
    }

    // MySQL speaks first.
    let mysql = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = mysql.local_addr().unwrap().port().to_string();
    let greets = async {
        let mut client = mysql.accept().await.unwrap().0;
        client.write_all(b"\x4a\0\0\0\x0a8.4.0\0").await.unwrap();
        client
    };
    let at_mysql = to("127.0.0.1", &port);
    let (said, _client) = tokio::join!(refused(&at_mysql), greets);
    assert_eq!(said, format!("127.0.0.1:{port} is no PostgreSQL with TLS, which alone can be logged in to"));

    // The door is open, and nobody is in.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let began = Instant::now();
    let said = refused(&to("127.0.0.1", &port)).await;
    assert_eq!(said, format!("127.0.0.1:{port} was not reached: no answer within 5 seconds"));
    assert!(began.elapsed().as_secs() < 10, "it took {:?}", began.elapsed());
}
