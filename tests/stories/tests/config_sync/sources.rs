//! Where values come from, and the examples in infra/examples.

use sandbox::database_agents::create_database;
use sandbox::stack::root;
use serde_json::{Value, json};
use stories::agents::IMAGE;
use stories::stacks::Stack;

use crate::plain::{Plain, output};
use crate::scene::PLANTED;

/// The bucket that our stack may list.
const BUCKET: &str = "demo-gold-masters";

fn example(file: &str) -> String {
    std::fs::read_to_string(root().join("infra/examples").join(file)).unwrap()
}

#[tokio::test]
async fn several_sources_are_one_set_of_values_wherever_they_stand() {
    let scene = Plain::set().await;
    let login = |password: &str| json!({"user": "app", "password": password}).to_string();
    let config = |host: &str| format!("[database]\nurl = \"postgres://x:y@{host}:6432/app\" # the pool\n");
    let database = scene.secret("database", &login(PLANTED)).await;
    let place = scene.parameter("/team/config", &config("one.example"), json!({})).await;
    let token = scene.parameter("token", "token-one", json!({"Type": "String"})).await;
    let before =
        r#"{ "DATABASE_URL": "postgres://nobody:old@nowhere:1/app?sslmode=require", "full": "", "token": "" }"#;
    let target = scene.secret("target", before).await;
    scene.reader("agent", &[&target]).await;
    let declared = json!({
        "Sources": {"db": {"Secret": database}, "config": {"Parameter": place}, "token": {"Parameter": token}},
        "Target": {"Secret": target},
        "Values": [
            {"At": "json:DATABASE_URL > url:user", "Is": "{db.user}"},
            {"At": "json:DATABASE_URL > url:password", "Is": "{db.password}"},
            {"At": "json:DATABASE_URL > url:host", "Is": "{config:toml:database.url > url:host}"},
            {"At": "json:full", "Is": "postgres://{db.user}:{db.password|url}@{config:toml:database.url > url:host}/app"},
            {"At": "json:token", "Is": "{token}"},
        ],
    });
    let stack = scene.stack("agent", declared).await;
    let described = stack.comes_to("CREATE_COMPLETE").await;
    let changed = "json:DATABASE_URL > url:user, json:DATABASE_URL > url:password, json:DATABASE_URL > url:host, json:full, json:token";
    assert_eq!(output(&described, "Changed"), changed);
    // Read again as whoever uses them would.
    let check = |text: &str, password: &str, host: &str, token: &str| {
        let read: Value = serde_json::from_str(text).unwrap();
        let (url, full) = (read["DATABASE_URL"].as_str().unwrap(), read["full"].as_str().unwrap());
        let of = |url: &str, step: &str| watchkeeper_documents::read(url, &step.parse().unwrap()).unwrap();
        for url in [url, full] {
            assert_eq!([of(url, "url:user"), of(url, "url:password"), of(url, "url:host")], ["app", password, host]);
        }
        assert!(url.ends_with(":1/app?sslmode=require") && read["token"] == token);
    };
    let first = scene.text(&target).await;
    check(&first, PLANTED, "one.example", "token-one");
    scene.runs_on("agent", &first).await;

    // Each by its own event, and one after the other.
    let second = "'second \"one\" 100%";
    scene.put(&database, &login(second)).await;
    scene.put(&place, &config("two.example")).await;
    scene.put(&token, "token-two").await;
    crate::plain::until("all three have arrived", async || {
        let text = scene.text(&target).await;
        let read: Value = serde_json::from_str(&text).unwrap();
        read["token"] == "token-two" && text.contains("two.example") && text.contains("second")
    })
    .await;
    let text = scene.text(&target).await;
    check(&text, second, "two.example", "token-two");
    scene.runs_on("agent", &text).await;
    scene.ends_well(&[PLANTED, second, "token-one", "token-two"]).await;
}

#[tokio::test]
async fn caps_gold_master_is_the_newest_snapshot() {
    let scene = Plain::set().await;
    let put = async |path: &str, body: &str| {
        scene.stage.sandbox.aws().rest("s3", "PUT", path, body.as_bytes().to_vec()).await.unwrap();
    };
    let place =
        "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    put(&format!("/{BUCKET}"), place).await;
    let events = "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>";
    put(&format!("/{BUCKET}?notification"), events).await;
    put(&format!("/{BUCKET}/gold-masters/2026-11-01.tar"), "one").await;
    put(&format!("/{BUCKET}/other/2027.tar"), "of others").await;
    let parameters = [("SnapshotBucket", BUCKET), ("FirstSnapshot", "gold-masters/none-yet.tar")];
    let stack = Stack::create_of(&scene.stage, "cap", &example("cap-gold-master.yaml"), &parameters).await;
    let described = stack.comes_to("CREATE_COMPLETE").await;
    let parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/cap/S3_GOLD_MASTER";
    assert!(described.contains("<OutputValue>/cap/S3_GOLD_MASTER</OutputValue>"), "{described}");
    assert_eq!(scene.text(parameter).await, "gold-masters/2026-11-01.tar");
    scene.reader("cap", &[parameter]).await;
    scene.stop_the_clock().await;

    // An object that is made wakes the function by itself; LastModified has seconds, and of two as old the later name counts.
    let mails = scene.mail_count();
    put(&format!("/{BUCKET}/gold-masters/2026-11-02%20%C3%BC%2B.tar"), "two").await;
    let newest = "gold-masters/2026-11-02 ü+.tar";
    scene.says(parameter, newest).await;
    scene.runs_on("cap", newest).await;
    scene.told(mails, &["parameter /cap/S3_GOLD_MASTER", "changed text; running on it: cap"]).await;
    put(&format!("/{BUCKET}/other/2028.tar"), "of others").await;
    scene.sweep().await;
    assert_eq!((scene.text(parameter).await, scene.restarts("cap")), (newest.to_owned(), 1));
    scene.ends_well(&[]).await;
}

#[tokio::test]
async fn the_examples_follow_their_databases_password() {
    let scene = Plain::set().await;
    let database = create_database(&scene.stage.sandbox, "agents", |_| ()).await.unwrap();
    let pkl = "agent {\n  datastore {\n    postgres { user = \"u\"; password = \"old\" } // ours\n  }\n  auth { password = \"other\" }\n}\n";
    let formae = scene.secret("formae/config", pkl).await;
    let dbward = scene.secret("dbward/url", "postgres://app-admin:old@db.example:5432/dbward").await;
    let flue = scene
        .secret("flue/settings", r#"{"DATABASE_URL": "postgres://app-admin:old@db.example:5432/flue", "n": 1}"#)
        .await;
    let server = scene.parameter("/dbward/server-config", "log = \"info\"", json!({"Type": "String"})).await;
    let flue_url = format!("{flue}:DATABASE_URL::");
    for (name, document) in
        [("formae", &formae), ("dbward-agent", &dbward), ("dbward-server", &server), ("flue", &flue_url)]
    {
        scene.begin_reader(name, &[document], IMAGE, json!({})).await;
    }
    for name in ["formae", "dbward-agent", "dbward-server", "flue"] {
        scene.steady(name, 1).await;
    }
    // The local database's authority is not Amazon RDS's.
    let trusting = format!("LogIn: {{CaCertificate: {}, Source: db", json!(database.server().ca_pem()));
    let create = async |name: &str, parameters: &[(&str, &str)]| {
        let template = example(&format!("{name}-config-sync.yaml"));
        assert!(template.contains("LogIn: {Source: db"));
        let template = template.replace("LogIn: {Source: db", &trusting);
        let parameters = [parameters, &[("ClusterArn", database.arn())]].concat();
        let stack = Stack::create_of(&scene.stage, name, &template, &parameters).await;
        stack.comes_to("CREATE_COMPLETE").await;
    };
    create("formae", &[("ConfigSecretArn", &formae), ("DatabaseName", database.database())]).await;
    create("dbward", &[("DatabaseUrlSecretArn", &dbward)]).await;
    create("flue", &[("SettingsSecretArn", &flue)]).await;
    let password_in = async |document: &str, at: &str| {
        watchkeeper_documents::read(&scene.text(document).await, &at.parse().unwrap()).unwrap()
    };
    let follow = async |password: &str| {
        for (document, at) in [
            (&formae, "pkl:agent.datastore.postgres.password"),
            (&dbward, "url:password"),
            (&flue, "json:DATABASE_URL > url:password"),
        ] {
            crate::plain::until(at, async || password_in(document, at).await == password).await;
        }
        scene.runs_on("formae", &scene.text(&formae).await).await;
        scene.runs_on("dbward-agent", &scene.text(&dbward).await).await;
        scene.runs_on("flue", &url_of(&scene, &flue).await).await;
    };
    database.rotate_master_to(PLANTED).await.unwrap();
    follow(PLANTED).await;
    let all_but_one = scene.text(&formae).await;
    assert!(all_but_one.ends_with("} // ours\n  }\n  auth { password = \"other\" }\n}\n"), "all else is as it was");
    assert_eq!(scene.restarts("dbward-server"), 0);

    // The server's configuration is only watched.
    scene.put(&server, "log = \"debug\"").await;
    scene.runs_on("dbward-server", "log = \"debug\"").await;
    assert_eq!(scene.restarts("dbward-server"), 1);
    scene.ends_well(&[PLANTED]).await;
}

/// What Flue's task definition takes of its settings.
async fn url_of(scene: &Plain, settings: &str) -> String {
    let read: Value = serde_json::from_str(&scene.text(settings).await).unwrap();
    read["DATABASE_URL"].as_str().unwrap().to_owned()
}
