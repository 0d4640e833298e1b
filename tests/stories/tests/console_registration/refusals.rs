//! Declarations that are refused: what the stack is told.

use sandbox::console::Fault;
use serde_json::{Value, json};

use stories::agents::{IMAGE, secret};

use crate::declared::{arn, registration, with};
use crate::scene::{AGENT, Scene, WRONG};

/// A case, what is declared, and the telling parts of the answer.
struct Case {
    name: &'static str,
    declared: Value,
    telling: Vec<&'static str>,
}

fn case(name: &'static str, declared: Value, telling: &[&'static str]) -> Case {
    Case { name, declared, telling: telling.to_vec() }
}

fn badly_written(scene: &Scene) -> Vec<Case> {
    let good = registration(&scene.scripts());
    let say = |more: Value| with(good.clone(), more);
    let elsewhere = arn(AGENT).replace("eu-west-1", "us-east-1");
    let both = json!({"ScriptRunner": scene.scripts()["ScriptRunner"], "Rest": scene.rest()["Rest"]});
    let other = json!({"ScriptRunner": {"Url": "ftp://console", "Credentials": "admin/hunter2"}});
    vec![
        case("no such service", say(json!({"Service": arn("nobody")})), &["there is no service", "must depend on it"]),
        case("no such cluster", say(json!({"Service": arn("x").replace("demo", "nowhere")})), &["there is no service"]),
        case("no awsvpc", say(json!({"Service": arn("bridged")})), &["network mode bridge", "it must be awsvpc"]),
        case(
            "another region",
            say(json!({"Service": elsewhere})),
            &["is in us-east-1", "of eu-west-1", "ServiceToken"],
        ),
        case("a name, no ARN", say(json!({"Service": AGENT})), &["#/Service must be the ARN of an ECS service"]),
        case(
            "a typo",
            say(json!({"Port": null, "Prot": 1})),
            &["#/Port is missing", "#/Prot is not known; did you mean Port?"],
        ),
        case(
            "two registries",
            say(json!({"Registry": both})),
            &["#/Registry/Rest is one too many beside ScriptRunner"],
        ),
        case("no registry", say(json!({"Registry": null})), &["#/Registry is missing"]),
        case(
            "an empty registry",
            say(json!({"Registry": {}})),
            &["#/Registry/ScriptRunner is missing; there must be one of"],
        ),
        case(
            "wrong URL and ARN",
            say(json!({"Registry": other})),
            &["/Url must begin with https://", "/Credentials is not the ARN"],
        ),
        case(
            "wrong types",
            say(json!({"Port": "http", "AgentId": ["CAP"], "Adopt": "maybe", "ProbationSeconds": -1})),
            &[
                "#/Port must be a whole number",
                "#/AgentId must be text, not a list",
                "#/Adopt must be true or false",
                "#/ProbationSeconds",
            ],
        ),
        case("port 0", say(json!({"Port": 0})), &["#/Port must be a whole number from 1 to 65535"]),
        case("an empty id", say(json!({"AgentId": ""})), &["#/AgentId is empty"]),
        case("a long id", say(json!({"AgentId": "x".repeat(101)})), &["#/AgentId must be at most 100 bytes long"]),
    ]
}

async fn with_bad_secrets(scene: &Scene) -> Vec<Case> {
    let stage = &scene.stage;
    let login = json!({"user": "admin", "password": WRONG}).to_string();
    let untagged = secret(stage, "untagged", &login, &[]).await;
    let others = secret(stage, "others", &login, &[("watchkeeper:allow", "formae")]).await;
    let text = secret(stage, "text", WRONG, &[("watchkeeper:allow", "@any")]).await;
    let lacking = secret(stage, "lacking", &json!({"user": WRONG}).to_string(), &[("watchkeeper:allow", "@any")]).await;
    let wrong = secret(stage, "wrong", &login, &[("watchkeeper:allow", "@any")]).await;
    let none = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:none-AbCdEf";
    let with = |secret: &str| registration(&scene.scripts_with(secret));
    vec![
        case(
            "a secret without the tag",
            with(&untagged),
            &["Watchkeeper may read a secret that is there and has the tag watchkeeper:allow"],
        ),
        case("a secret of another stack", with(&others), &["may not use the secret", "is \"formae\""]),
        case("no such secret", with(none), &["the secret arn:aws:secretsmanager"]),
        case("a secret that is no JSON", with(&text), &["is no JSON object", "it must be JSON as"]),
        case("a secret without a password", with(&lacking), &["has no text password"]),
        case("a wrong password", with(&wrong), &["did not run the script to its end: ERROR: invalid user or password"]),
    ]
}

/// Creates a stack for each, all at once; each must fail, with the telling parts in the answer.
async fn all_are_refused(scene: &Scene, cases: &[Case]) {
    let mut stacks = Vec::new();
    for (place, case) in cases.iter().enumerate() {
        stacks.push(scene.stack(&format!("case-{place}"), case.declared.clone()).await);
    }
    for (case, stack) in cases.iter().zip(&stacks) {
        stack.comes_to("ROLLBACK_COMPLETE").await;
        let said = stack.reason("Registration", "CREATE_FAILED").await;
        println!("| {} | {said} |", case.name);
        for telling in &case.telling {
            assert!(said.contains(telling), "{}: {said}", case.name);
        }
        stack.delete().await;
        stack.is_deleted().await;
    }
    scene.keeps_secrets(&stacks.iter().collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn what_is_badly_declared_is_refused_with_what_would_be_right() {
    let scene = Scene::set().await;
    scene.service(AGENT, 1).await;
    let bridged = json!({
        "family": "bridged", "networkMode": "bridge", "requiresCompatibilities": ["EC2"],
        "containerDefinitions": [{"name": "agent", "image": IMAGE, "essential": true, "memory": 64}]
    });
    let answer = scene.stage.ecs("RegisterTaskDefinition", bridged).await.unwrap();
    let service = json!({
        "cluster": "demo", "serviceName": "bridged", "desiredCount": 0, "launchType": "EC2",
        "taskDefinition": answer["taskDefinition"]["taskDefinitionArn"],
    });
    scene.stage.ecs("CreateService", service).await.unwrap();
    let mut cases = badly_written(&scene);
    cases.extend(with_bad_secrets(&scene).await);
    all_are_refused(&scene, &cases).await;
    assert!(scene.console.agents().await.is_empty());

    // What the Console says, with status 200.
    for (name, fault, telling) in [
        (
            "the Console says no",
            Fault::Says { text: "<b>Licence expired</b>\nsecond line".to_owned() },
            "to its end: <b>Licence expired</b>",
        ),
        ("the Console says nothing", Fault::Says { text: String::new() }, "it said nothing"),
        ("password changed", Fault::WrongPassword, "invalid user or password"),
    ] {
        scene.console.set_fault(Some(fault));
        all_are_refused(&scene, &[case(name, registration(&scene.scripts()), &[telling])]).await;
    }
}
