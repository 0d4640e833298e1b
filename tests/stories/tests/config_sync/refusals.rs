//! Declarations that are refused: what the stack is told, and that nothing is changed.

use std::collections::BTreeMap;

use sandbox::database_agents::create_database;
use sandbox::disorder::{CallEffect, CallMatch, CallRule, Plan};
use serde_json::{Value, json};
use stories::agents::secret;
use stories::stacks::Stack;

use crate::plain::{ALLOWED, Plain, output, outputs};

/// What stands in sources; it is told to nobody.
const PLANTED: &str = r#"hunter2'"\(${}%@/:#?&=+ ä🔑"#;
/// So many stacks are made at a time.
const AT_ONCE: usize = 12;

/// A case, what is declared, and the telling parts of the answer.
struct Case {
    name: &'static str,
    declared: Value,
    telling: Vec<&'static str>,
}

fn case(name: &'static str, declared: Value, telling: &[&'static str]) -> Case {
    Case { name, declared, telling: telling.to_vec() }
}

/// A password from one secret into another.
fn password(source: &str, target: &Value, at: &str) -> Value {
    json!({
        "Sources": {"db": {"Secret": source}}, "Target": target, "Values": [{"At": at, "Is": "{db.password}"}],
        // A case that is not refused at once fails here, and not only after an hour.
        "ServiceTimeout": "180",
    })
}

/// Creates a stack for each; each must fail, with the telling parts in the answer, and with nothing changed.
async fn all_are_refused(scene: &Plain, cases: &[Case], documents: &[&str]) {
    let before = snapshot(scene, documents).await;
    let mut wrong = Vec::new();
    for cases in cases.chunks(AT_ONCE) {
        let mut stacks = Vec::new();
        for (place, case) in cases.iter().enumerate() {
            stacks.push(scene.stack(&format!("case-{place}"), case.declared.clone()).await);
        }
        for (case, stack) in cases.iter().zip(&stacks) {
            stack.comes_to("ROLLBACK_COMPLETE").await;
            let said = stack.reason("Sync", "CREATE_FAILED").await;
            println!("| {} | {said} |", case.name);
            if let Some(telling) = case.telling.iter().find(|telling| !said.contains(**telling)) {
                wrong.push(format!("{}: {telling:?} is not in: {said}", case.name));
            }
            stack.delete().await;
            stack.is_deleted().await;
        }
        crate::scene::keeps_secrets(scene, &[PLANTED]).await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    scene.sweep().await;
    assert_eq!((snapshot(scene, documents).await, scene.changes()), (before, BTreeMap::default()));
}

async fn snapshot(scene: &Plain, documents: &[&str]) -> Vec<String> {
    let mut texts = Vec::new();
    for document in documents {
        texts.push(scene.text(document).await);
    }
    texts
}

fn badly_written(source: &str, target: &str) -> Vec<Case> {
    let target = json!({"Secret": target});
    let good = password(source, &target, "json:password");
    let with = |more: Value| {
        let mut declared = good.clone();
        declared.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        declared.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        declared
    };
    vec![
        case(
            "several faults",
            json!({"Target": {"Secret": PLANTED}, "Sources": {"db": {"Secret": source, "Cluster": PLANTED}},
                "Values": [{"At": "jsn:a", "Is": "{db.password"}, {"Is": "{other}", "Att": "x"}], "RestartAtOnce": 0,
                "Restart": "all", "Mode": "watch", "OnDrfit": "report"}),
            &[
                "#/Target/Secret is not the ARN of a secret, which !Ref gives",
                "#/Sources/db/Cluster is one too many beside Secret",
                "#/Values/0/At",
                "#/Values/0/Is a brace is not closed",
                "#/Values/1/At is missing",
                "#/Values/1/Att is not known; did you mean At?",
                "#/RestartAtOnce must be a whole number from 1 to 50",
                "#/Restart must be auto, none, or a list",
                "#/Mode",
                "#/OnDrfit is not known; did you mean OnDrift?",
            ],
        ),
        case(
            "a source that is not there",
            with(json!({"Values": [{"At": "json:a", "Is": "{db2.password}"}]})),
            &["#/Sources has no db2"],
        ),
        case("the target is a source", with(json!({"Sources": {"db": target}})), &["a document cannot follow itself"]),
        case(
            "an address twice",
            with(json!({"Values": [{"At": "json:a", "Is": "x"}, {"At": "json:a", "Is": "y"}]})),
            &["#/Values has json:a twice"],
        ),
        case("no target", with(json!({"Target": null})), &["#/Target is missing"]),
    ]
}

#[tokio::test]
async fn what_is_badly_declared_is_refused_with_what_would_be_right() {
    let scene = Plain::set().await;
    let source = scene.secret("source", &json!({"password": PLANTED}).to_string()).await;
    let target = scene.secret("target", r#"{"password": "old", "a": ""}"#).await;
    all_are_refused(&scene, &badly_written(&source, &target), &[&source, &target]).await;
}

#[tokio::test]
async fn what_the_documents_do_not_have_is_refused() {
    let scene = Plain::set().await;
    let source = scene.secret("source", &json!({"password": PLANTED, "long": "x".repeat(4_000)}).to_string()).await;
    let lacking = scene.secret("lacking", &json!({"user": PLANTED}).to_string()).await;
    let text = scene.secret("text", PLANTED).await;
    let json = scene.secret("json", &json!({"password": "old", "list": ["a"]}).to_string()).await;
    let pkl = "before = \"x\"\npassword = \"\\(before)y\"\n";
    let pkl = scene.secret("pkl", pkl).await;
    let yaml = scene.secret("yaml", "a: &x old\nb: *x\nport: 1\nport2: 2\nport2: 3\n").await;
    let toml = scene.secret("toml", "[database\npassword = 1").await;
    let at = |secret: &str| json!({"Secret": secret});
    let large = scene.secret("large", &json!({"password": "", "rest": "x".repeat(65_000)}).to_string()).await;
    let filler = scene.secret("filler", &json!({"password": "y".repeat(1_000)}).to_string()).await;
    let small = json!({"password": "", "rest": "x".repeat(3_500)}).to_string();
    let small = scene.parameter("/small", &small, json!({})).await;
    let cases = [
        case(
            "a source without the key",
            password(&lacking, &at(&json), "json:password"),
            &["the value of json:password: the source db", "has nothing at password"],
        ),
        case(
            "a source that is no JSON",
            password(&text, &at(&json), "json:password"),
            &["the source db", "does not parse as JSON"],
        ),
        case(
            "Pkl on JSON",
            password(&source, &at(&json), "pkl:password"),
            &["the target: the document does not parse as Pkl"],
        ),
        case(
            "JSON on text",
            password(&source, &at(&text), "json:password"),
            &["the target: the document does not parse as JSON"],
        ),
        case("TOML that is none", password(&source, &at(&toml), "toml:database.password"), &["does not parse as TOML"]),
        case(
            "an address that is not there",
            password(&source, &at(&json), "json:pasword"),
            &["the target: the document has nothing at pasword"],
        ),
        case("no single value", password(&source, &at(&json), "json:list"), &["has a list there, not a single value"]),
        case("twice there", password(&source, &at(&yaml), "yaml:port2"), &["more than once"]),
        case("an alias", password(&source, &at(&yaml), "yaml:b"), &["has no value of its own there"]),
        case("repeated by an alias", password(&source, &at(&yaml), "yaml:a"), &["the target: the document"]),
        case("text for a number", password(&source, &at(&yaml), "yaml:port"), &["cannot take the new value there"]),
        case("computed", password(&source, &at(&pkl), "pkl:password"), &["has no value of its own there, but"]),
        case(
            "a secret that grows too large",
            password(&filler, &at(&large), "json:password"),
            &["secret large-", " bytes, and a secret takes 1 to 65536"],
        ),
        case(
            "a parameter that grows too large",
            password(&filler, &json!({"Parameter": small}), "json:password"),
            &["parameter small would have 4525", " bytes, and "],
        ),
    ];
    all_are_refused(&scene, &cases, &[&source, &lacking, &text, &json, &pkl, &yaml, &toml, &large, &filler, &small])
        .await;
    scene.was_never_refused();
}

#[tokio::test]
async fn what_may_not_be_used_is_refused() {
    let scene = Plain::set().await;
    let (stage, aws) = (&scene.stage, scene.stage.sandbox.aws());
    let text = json!({"password": PLANTED}).to_string();
    let source = scene.secret("source", &text).await;
    let target = scene.secret("target", r#"{"password": "old"}"#).await;
    let untagged = secret(stage, "untagged", &text, &[]).await;
    let others = secret(stage, "others", &text, &[("watchkeeper:allow", "formae")]).await;
    let untagged_parameter = scene.parameter("/untagged", &text, json!({"Tags": null})).await;
    let others_parameter =
        scene.parameter("/others", &text, json!({"Tags": [{"Key": ALLOWED[0].0, "Value": "formae"}]})).await;
    let list = scene.parameter("/list", "a,b", json!({"Type": "StringList"})).await;
    let binary = json!({"Name": "binary", "SecretBinary": "AAECAw==", "Tags": [{"Key": ALLOWED[0].0, "Value": "*"}]});
    let binary = scene.manager("CreateSecret", binary).await["ARN"].as_str().unwrap().to_owned();
    let rotating = scene.secret("rotating", &text).await;
    let function = stage.stack.output("StackResourcesServiceToken").unwrap();
    let rotation = json!({"SecretId": rotating, "RotationLambdaARN": function, "RotateImmediately": false,
        "RotationRules": {"AutomaticallyAfterDays": 30}});
    scene.manager("RotateSecret", rotation).await;
    let deleted = scene.secret("deleted", &text).await;
    scene.manager("DeleteSecret", json!({"SecretId": deleted})).await;
    for (name, tag) in [("allowed", Some("*")), ("not-allowed", None)] {
        let mut cluster = vec![
            ("DBClusterIdentifier", name),
            ("Engine", "aurora-postgresql"),
            ("MasterUsername", "app"),
            ("ManageMasterUserPassword", "true"),
        ];
        cluster
            .extend(tag.iter().flat_map(|tag| [("Tags.Tag.1.Key", "watchkeeper:allow"), ("Tags.Tag.1.Value", *tag)]));
        aws.query("rds", "CreateDBCluster", &cluster).await.unwrap();
    }
    let described = aws.query("rds", "DescribeDBClusters", &[("DBClusterIdentifier", "allowed")]).await.unwrap();
    let of_rds = described.split("<SecretArn>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let cluster = |name: &str| json!({"Sources": {"db": {"Cluster": format!("arn:aws:rds:eu-west-1:123456789012:cluster:{name}")}}});
    let cluster = |name: &str| {
        let mut declared = password(&source, &json!({"Secret": target}), "json:password");
        declared.as_object_mut().unwrap().extend(cluster(name).as_object().unwrap().clone());
        declared
    };
    let bucket = json!({"Sources": {"newest": {"Bucket": "somebody-elses"}}, "Target": {"Secret": target},
        "Values": [{"At": "json:password", "Is": "{newest.key}"}], "ServiceTimeout": "180"});
    let to = |secret: &str| password(&source, &json!({"Secret": secret}), "json:password");
    let from = |secret: &str| password(secret, &json!({"Secret": target}), "json:password");
    let to_parameter = |arn: &str| password(&source, &json!({"Parameter": arn}), "json:password");
    let missing = "has the tag watchkeeper:allow (the stack's name, or @any)";
    let cases = [
        case("a target without the tag", to(&untagged), &["secret untagged-", missing]),
        case("a source without the tag", from(&untagged), &["secret untagged-", missing]),
        case(
            "a target of another stack",
            to(&others),
            &["the stack case-2 may not use the secret", ":others-", "is \"formae\"", "watchkeeper:allow = case-2"],
        ),
        case("a source of another stack", from(&others), &["the stack case-3 may not use the secret", "is \"formae\""]),
        case("a parameter without the tag", to_parameter(&untagged_parameter), &["parameter untagged", missing]),
        case(
            "a parameter of another stack",
            to_parameter(&others_parameter),
            &["the stack case-5 may not use the parameter", "is \"formae\""],
        ),
        case(
            "a cluster without the tag",
            cluster("not-allowed"),
            &["the stack case-6 may not use the cluster", "it has no tag watchkeeper:allow"],
        ),
        case("a cluster that is not there", cluster("nowhere"), &["cluster nowhere", "DBClusterNotFoundFault"]),
        case("a target of RDS", to(&of_rds), &["cannot be a target: it belongs to rds"]),
        case("a target that rotates itself", to(&rotating), &["cannot be a target: it rotates itself"]),
        case("a target that is being deleted", to(&deleted), &["is scheduled for deletion: restore it"]),
        case(
            "a target in another region",
            to(&target.replace("eu-west-1", "us-east-1")),
            &["is in the region us-east-1", "eu-west-1"],
        ),
        case("a list", to_parameter(&list), &["parameter list", "StringList"]),
        case("a binary target", to(&binary), &["is not text: put it there as SecretString, not SecretBinary"]),
        case("a binary source", from(&binary), &["is not text: put it there as SecretString, not SecretBinary"]),
        case("no such target", to(&target.replace("target-", "nothing-")), &["secret nothing-", missing]),
        case(
            "a bucket that is not listed",
            bucket,
            &["s3://somebody-elses/", "Watchkeeper's role may list the buckets that its stack's parameters name"],
        ),
    ];
    all_are_refused(
        &scene,
        &cases,
        &[&source, &target, &untagged, &others, &untagged_parameter, &others_parameter, &rotating],
    )
    .await;
}

#[tokio::test]
async fn a_key_that_may_not_be_used_is_told_with_what_to_allow() {
    let scene = Plain::set().await;
    let source = scene.secret("source", &json!({"password": PLANTED}).to_string()).await;
    let target = scene.secret("locked", r#"{"password": "old"}"#).await;
    let parameter = scene.parameter("/locked", r#"{"password": "old"}"#, json!({})).await;
    for (name, actions) in
        [("reading", ["GetSecretValue", "GetParameter"]), ("writing", ["PutSecretValue", "PutParameter"])]
    {
        let about = CallMatch {
            caller: "config-sync".into(),
            action: actions.into(),
            resource: "locked".into(),
            ..CallMatch::default()
        };
        let message = "Access to KMS is not allowed".into();
        let fail = CallEffect::Fail { status: 400, code: "AccessDeniedException".into(), message };
        let locked = Plan { calls: vec![CallRule::new(about, fail)], ..Plan::default() };
        let locked = scene.stage.sandbox.disorder().add(locked).unwrap();
        let mut stacks = Vec::new();
        for (place, at) in [json!({"Secret": target}), json!({"Parameter": parameter})].iter().enumerate() {
            stacks.push(scene.stack(&format!("{name}-{place}"), password(&source, at, "json:password")).await);
        }
        for stack in &stacks {
            stack.comes_to("ROLLBACK_COMPLETE").await;
            let said = stack.reason("Sync", "CREATE_FAILED").await;
            println!("| {name} | {said} |");
            assert!(
                said.contains("Access to KMS is not allowed") && said.contains("a key of your own must let its role"),
                "{said}"
            );
            stack.delete().await;
            stack.is_deleted().await;
        }
        drop(locked);
        crate::scene::keeps_secrets(&scene, &[PLANTED]).await;
    }
    scene.sweep().await;
    for document in [&target, &parameter] {
        assert_eq!(scene.text(document).await, r#"{"password": "old"}"#, "nothing is written later, either");
    }
}

#[tokio::test]
async fn a_login_that_fails_keeps_the_stack_from_being_made_and_nothing_is_written() {
    let scene = Plain::set().await;
    let database = create_database(&scene.stage.sandbox, "agents", |_| ()).await.unwrap();
    let server = database.server();
    let wrong =
        json!({"host": server.host(), "port": server.port().to_string(), "user": "app-admin", "password": PLANTED});
    let nowhere = json!({"host": server.host(), "port": "1", "user": "app-admin", "password": PLANTED});
    let (wrong, nowhere) =
        (scene.secret("wrong", &wrong.to_string()).await, scene.secret("nowhere", &nowhere.to_string()).await);
    let target = scene.secret("target", r#"{"password": "old"}"#).await;
    let login = |source: &str, ca: Option<&str>| {
        let mut declared = password(source, &json!({"Secret": target}), "json:password");
        declared["LogIn"] = json!({"Host": "{db.host}", "Port": "{db.port}", "Database": database.database(), "User": "{db.user}",
            "Password": "{db.password}"});
        if let Some(ca) = ca {
            declared["LogIn"]["CaCertificate"] = ca.into();
        }
        declared
    };
    let ca = Some(server.ca_pem());
    let begins = "the database does not let the new credential in, so it is not written: ";
    let cases = [
        case("a wrong password", login(&wrong, ca), &[begins, "password authentication failed"]),
        case("nobody listens", login(&nowhere, ca), &[begins]),
        case("an unknown authority", login(&wrong, None), &[begins]),
    ];
    all_are_refused(&scene, &cases, &[&target]).await;
}

#[tokio::test]
async fn a_secret_of_64_kb_is_a_source_and_a_secret_of_the_stack_is_a_target() {
    let scene = Plain::set().await;
    let filler = "x".repeat(65_536 - json!({"password": PLANTED, "rest": ""}).to_string().len());
    let text = json!({"password": PLANTED, "rest": filler}).to_string();
    assert_eq!(text.len(), 65_536);
    let source = scene.secret("source", &text).await;
    let config = json!({"Type": "AWS::SecretsManager::Secret", "Properties": {
        "Name": "app/config", "SecretString": r#"{"password": "old"}"#, "Tags": [{"Key": ALLOWED[0].0, "Value": "*"}]}});
    let declared = password(&source, &json!({"Secret": {"Fn::GetAtt": ["Config", "Id"]}}), "json:password");
    let resources = json!({"Config": config, "Sync": scene.sync(declared)});
    let stack = Stack::create(&scene.stage, "agent", &resources, &outputs()).await;
    let described = stack.comes_to("CREATE_COMPLETE").await;
    assert_eq!(output(&described, "Changed"), "json:password");
    let arn =
        scene.manager("DescribeSecret", json!({"SecretId": "app/config"})).await["ARN"].as_str().unwrap().to_owned();
    let read: Value = serde_json::from_str(&scene.text(&arn).await).unwrap();
    assert_eq!(read, json!({"password": PLANTED}));
    // Its name instead: what somebody writes who does not know.
    let named = scene.stack("named", password(&source, &json!({"Secret": "app/config"}), "json:password")).await;
    named.comes_to("ROLLBACK_COMPLETE").await;
    let said = named.reason("Sync", "CREATE_FAILED").await;
    assert!(said.contains("#/Target/Secret is not the ARN of a secret, which !Ref gives"), "{said}");
    scene.ends_well(&[PLANTED]).await;
}
