//! A declaration goes: also when its service has gone before, and when it is told twice.

use axum::Router;
use axum::body::Bytes;
use axum::routing::put;
use sandbox::stage::PATIENCE;
use serde_json::{Value, json};
use stories::cli::aws;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::declared::registration;
use crate::scene::{AGENT, Scene};

#[tokio::test]
async fn a_registration_goes_after_its_service_and_once_more() {
    let (heard, mut answers) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/answer", listener.local_addr().unwrap());
    let hear = move |body: Bytes| {
        let heard = heard.clone();
        async move { heard.send(serde_json::from_slice::<Value>(&body).unwrap()).unwrap() }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/answer", put(hear))).await });
    let scene = Scene::set().await;
    scene.service(AGENT, 2).await;
    let declared = registration(&scene.scripts());
    let stack = scene.stack("agent", declared.clone()).await;
    stack.comes_to("CREATE_COMPLETE").await;
    scene.quiet().await;
    scene.lose_events();
    let delete = json!({"cluster": "demo", "service": AGENT, "force": true});
    scene.stage.ecs("DeleteService", delete).await.unwrap();
    assert_eq!(scene.ids().await, ["CAP-1", "CAP-2"]);
    stack.delete().await;
    stack.is_deleted().await;
    assert!(scene.console.agents().await.is_empty());

    // CloudFormation may ask again, for what is gone and for what never was.
    scene.set_variable("RESPONSE_URL_PREFIXES", |_| url.clone()).await;
    let function = scene.stage.stack.output("ConsoleRegistrarFunctionName").unwrap();
    let id = format!("script-runner {}/console/ScriptRunner#", scene.console.endpoint());
    let named = [format!("{id}CAP"), format!("{id}CAP"), format!("{id}NEVER"), "Registration-not-created".to_owned()];
    for (number, id) in named.iter().enumerate() {
        let event = json!({
            "RequestType": "Delete", "RequestId": format!("r-{number}"), "ResponseURL": url, "StackId": stack.id(),
            "ResourceType": "Custom::ConsoleRegistration", "LogicalResourceId": "Registration", "PhysicalResourceId": id,
            "ResourceProperties": declared["Properties"],
        });
        let payload = event.to_string();
        let invoke = [
            "lambda",
            "invoke",
            "--function-name",
            function,
            "--invocation-type",
            "Event",
            "--payload",
            &payload,
            "/dev/null",
        ];
        aws(&scene.stage, &invoke).await.unwrap();
        let answer = timeout(PATIENCE, answers.recv()).await.unwrap().unwrap();
        assert_eq!(
            (&answer["Status"], answer["PhysicalResourceId"].as_str()),
            (&json!("SUCCESS"), Some(id.as_str())),
            "{answer}"
        );
    }
    scene.find_events();
    scene.ends_well(&[&stack]).await;
}
