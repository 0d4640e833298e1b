//! stack-resources with real stacks in the local AWS, whose CloudFormation awaits its answers.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Bytes;
use axum::routing::put;
use sandbox::disorder::{CallEffect, CallMatch, CallRule, Moment, Plan};
use sandbox::stage::{PATIENCE, Stage};
use sandbox::{Call, Options, redelivery};
use serde_json::{Value, json};
use stories::stacks::Stack;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;

const BUCKET: &str = "demo-objects";

async fn stage() -> Stage {
    stage_with(Options::default()).await
}

async fn stage_with(options: Options) -> Stage {
    let stage = Stage::set(options, |_| ()).await.unwrap();
    make_bucket(&stage, BUCKET).await;
    stage
}

async fn make_bucket(stage: &Stage, name: &str) {
    let region = &stage.sandbox.options().region;
    let place = format!(
        "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
    );
    stage.sandbox.aws().rest("s3", "PUT", &format!("/{name}"), place.into_bytes()).await.unwrap();
}

/// A `Custom::BucketObject` under this key.
fn object(key: &str, content: &Value) -> Value {
    json!({
        "Type": "Custom::BucketObject",
        "Properties": {
            "ServiceToken": {"Fn::ImportValue": "watchkeeper-StackResourcesServiceToken"},
            "Bucket": BUCKET, "Key": key, "Content": content,
        }
    })
}

fn text(text: &str) -> Value {
    json!({"Text": text})
}

/// A request as CloudFormation sends it, to be answered at `url`.
fn request(kind: &str, id: &str, url: &str, key: &str) -> Value {
    json!({
        "RequestType": kind, "RequestId": id, "ResponseURL": url, "ResourceType": "Custom::BucketObject",
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/agent/1", "LogicalResourceId": "Script",
        "ResourceProperties": {"Bucket": BUCKET, "Key": key, "Content": text("echo")},
    })
}

/// What is in an object; `None` if there is none.
async fn content(stage: &Stage, key: &str) -> Option<String> {
    stage.sandbox.looks().rest("s3", "GET", &format!("/{BUCKET}/{key}"), Vec::new()).await.ok()
}

/// Invokes the deployed function as CloudFormation does: Lambda tries it three times, then sends it to the queue.
async fn invoke(stage: &Stage, event: &Value) {
    let name = stage.stack.output("StackResourcesFunctionName").unwrap();
    let payload = event.to_string();
    let invoke =
        ["lambda", "invoke", "--function-name", name, "--invocation-type", "Event", "--payload", &payload, "/dev/null"];
    let answer = Command::new(stage.sandbox.aws_cli()).args(invoke).output().await.unwrap();
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
}

fn by_it(call: &Call) -> bool {
    call.caller == "stack-resources"
}

#[tokio::test]
async fn a_script_is_put_into_a_bucket_changed_renamed_and_taken_out() {
    let stage = stage().await;
    let outputs = json!({"Arn": {"Value": {"Fn::GetAtt": ["Script", "Arn"]}}, "Ref": {"Value": {"Ref": "Script"}},
        "Decision": {"Value": {"Fn::GetAtt": ["Script", "Decision"]}}});
    let resources = json!({"Script": object("scripts/helper one.sh", &text("echo 1\n"))});
    let stack = Stack::create(&stage, "agent", &resources, &outputs).await;
    let described = stack.comes_to("CREATE_COMPLETE").await;
    for said in ["arn:aws:s3:::demo-objects/scripts/helper one.sh", "s3://demo-objects/scripts/helper one.sh", "create"]
    {
        assert!(described.contains(&format!("<OutputValue>{said}</OutputValue>")), "{described}");
    }
    let key = "scripts/helper%20one.sh";
    assert_eq!(content(&stage, key).await.as_deref(), Some("echo 1\n"));

    // Another content, and beside it a copy of what somebody else put there.
    stage.sandbox.aws().rest("s3", "PUT", &format!("/{BUCKET}/golden%20master"), b"master".to_vec()).await.unwrap();
    let copy = json!({"Bucket": BUCKET, "Key": "golden master"});
    let resources = json!({
        "Script": object("scripts/helper one.sh", &text("echo 2\n")), "Copy": object("copied", &copy),
    });
    stack.update(&resources, &outputs).await;
    stack.comes_to("UPDATE_COMPLETE").await;
    assert_eq!(content(&stage, key).await.as_deref(), Some("echo 2\n"));
    assert_eq!(content(&stage, "copied").await.as_deref(), Some("master"));

    // Another name in the template: made under the new one first, deleted under the old one last.
    let renamed = json!({"Helper": object("scripts/helper one.sh", &text("echo 3\n"))});
    stack.update(&renamed, &json!({})).await;
    stack.comes_to("UPDATE_COMPLETE").await;
    assert_eq!(content(&stage, key).await.as_deref(), Some("echo 3\n"), "the old name's deletion leaves it");
    assert_eq!(content(&stage, "copied").await, None, "what is out of the template is out of the bucket");

    // Another key: CloudFormation replaces it.
    stack.update(&json!({"Helper": object("moved", &text("echo 3\n"))}), &json!({})).await;
    stack.comes_to("UPDATE_COMPLETE").await;
    assert_eq!((content(&stage, key).await, content(&stage, "moved").await.as_deref()), (None, Some("echo 3\n")));

    stack.delete().await;
    stack.is_deleted().await;
    assert_eq!(content(&stage, "moved").await, None);
    assert_eq!(content(&stage, "golden%20master").await.as_deref(), Some("master"));
    let refused = |call: &Call| by_it(call) && call.outcome.as_ref().is_some_and(|outcome| outcome.status == 403);
    assert_eq!(stage.sandbox.door().calls_where(0, refused).len(), 0);
    let called: BTreeSet<String> = stage.sandbox.door().calls_where(0, by_it).iter().map(kind).collect();
    let wanted = ["dynamodb GetItem", "dynamodb UpdateItem", "s3 DELETE", "s3 GET", "s3 HEAD", "s3 PUT"];
    assert_eq!(called, wanted.map(str::to_owned).into());
}

fn kind(call: &Call) -> String {
    format!("{} {}", call.service, call.action.split(' ').next().unwrap_or_default())
}

#[tokio::test]
async fn what_fails_is_rolled_back_and_nothing_of_others_is_touched() {
    let stage = stage().await;
    stage.sandbox.aws().rest("s3", "PUT", &format!("/{BUCKET}/theirs"), b"theirs".to_vec()).await.unwrap();
    make_bucket(&stage, "not-allowed").await;

    // A creation: one object is made, the other one is in somebody's way. Both are deleted again.
    let mut late = object("theirs", &text("ours"));
    late["DependsOn"] = json!("Script");
    let resources = json!({"Script": object("script", &text("echo 1\n")), "Late": late});
    let stack = Stack::create(&stage, "refused", &resources, &json!({})).await;
    stack.comes_to("ROLLBACK_COMPLETE").await;
    assert!(stack.events().await.contains("was not put there by Watchkeeper"), "{}", stack.events().await);
    assert_eq!(content(&stage, "script").await, None);
    assert_eq!(content(&stage, "theirs").await.as_deref(), Some("theirs"));

    // A bucket that the parameter does not name, and properties that are wrong.
    let mut elsewhere = object("x", &text("x"));
    elsewhere["Properties"]["Bucket"] = json!("not-allowed");
    let stack = Stack::create(&stage, "denied", &json!({"Script": elsewhere}), &json!({})).await;
    stack.comes_to("ROLLBACK_COMPLETE").await;
    assert!(stack.events().await.contains("BucketObjectArns"), "{}", stack.events().await);
    let mut typo = object("x", &json!({"Txet": "x"}));
    typo["Properties"]["Mode"] = json!("look");
    let stack = Stack::create(&stage, "typo", &json!({"Script": typo}), &json!({})).await;
    stack.comes_to("ROLLBACK_COMPLETE").await;
    for said in ["#/Mode must be one of: observe, act", "#/Content/Txet is not known; did you mean Text?"] {
        assert!(stack.events().await.contains(said), "{}", stack.events().await);
    }

    // An update and a rename that are rolled back: the old content, the old owner.
    let stack =
        Stack::create(&stage, "agent", &json!({"Script": object("script", &text("echo 1\n"))}), &json!({})).await;
    stack.comes_to("CREATE_COMPLETE").await;
    let mut late = object("theirs", &text("ours"));
    late["DependsOn"] = json!("Script");
    let update = json!({"Script": object("script", &text("echo 2\n")), "Late": late});
    stack.update(&update, &json!({})).await;
    stack.comes_to("UPDATE_ROLLBACK_COMPLETE").await;
    assert_eq!(content(&stage, "script").await.as_deref(), Some("echo 1\n"));
    let mut late = object("theirs", &text("ours"));
    late["DependsOn"] = json!("Renamed");
    let rename = json!({"Renamed": object("script", &text("echo 1\n")), "Late": late});
    stack.update(&rename, &json!({})).await;
    stack.comes_to("UPDATE_ROLLBACK_COMPLETE").await;
    assert_eq!(content(&stage, "script").await.as_deref(), Some("echo 1\n"), "the old name has it again");
    stack.delete().await;
    stack.is_deleted().await;
    assert_eq!(content(&stage, "script").await, None, "and deletes it");
    assert_eq!(content(&stage, "theirs").await.as_deref(), Some("theirs"));
}

#[tokio::test]
async fn who_only_observes_changes_nothing() {
    let stage = stage().await;
    let mut script = object("script", &text("echo 1\n"));
    script["Properties"]["Mode"] = json!("observe");
    let outputs = json!({"Decision": {"Value": {"Fn::GetAtt": ["Script", "Decision"]}}});
    let stack = Stack::create(&stage, "agent", &json!({"Script": script}), &outputs).await;
    assert!(stack.comes_to("CREATE_COMPLETE").await.contains("<OutputValue>create</OutputValue>"));
    assert_eq!(content(&stage, "script").await, None);
    stage.sandbox.aws().rest("s3", "PUT", &format!("/{BUCKET}/script"), b"theirs".to_vec()).await.unwrap();
    stack.delete().await;
    stack.is_deleted().await;
    assert_eq!(content(&stage, "script").await.as_deref(), Some("theirs"));
    let wrote = |call: &Call| by_it(call) && ["s3 PUT", "s3 DELETE"].contains(&kind(call).as_str());
    assert_eq!(stage.sandbox.door().calls_where(0, wrote).len(), 0);
}

#[tokio::test]
async fn a_function_that_dies_at_every_try_still_answers() {
    // The test's own ear, since CloudFormation's is known to CloudFormation only.
    let (heard, mut answers) = mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/answer", listener.local_addr().unwrap());
    let hear = move |body: Bytes| {
        let heard = heard.clone();
        async move { heard.send(serde_json::from_slice::<Value>(&body).unwrap()).unwrap() }
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/answer", put(hear))).await });
    let environment = vec![("RESPONSE_URL_PREFIXES".to_owned(), url.clone())];
    let stage = stage_with(Options { environment, ..Options::default() }).await;
    let (function, queue) = ("StackResourcesFunctionName", "StackResourcesUnansweredQueueUrl");
    let (function, queue) = (stage.stack.output(function).unwrap(), stage.stack.output(queue).unwrap());
    redelivery::make_quick(stage.sandbox.aws(), function, queue).await.unwrap();

    // No try lives longer than its first call of S3. Those that come while the first one's time runs leave by themselves.
    let call = CallMatch { caller: "stack-resources".into(), service: "s3".into(), ..CallMatch::default() };
    let calls = vec![CallRule::new(call, CallEffect::Kill(Moment::After)).named("kill")];
    let kill = stage.sandbox.disorder().add(Plan { calls, ..Plan::default() }).unwrap();
    let from = stage.sandbox.door().call_count();
    let create = request("Create", "r-1", &url, "script");
    invoke(&stage, &create).await;
    let answer = timeout(2 * PATIENCE, answers.recv()).await.unwrap().unwrap();
    assert_eq!((&answer["Status"], &answer["RequestId"]), (&json!("FAILED"), &json!("r-1")));
    assert_eq!(answer["PhysicalResourceId"], format!("s3://{BUCKET}/script"));
    let reason = answer["Reason"].as_str().unwrap();
    assert!(reason.contains("ended without an answer"), "{reason}");
    assert!(kill.report().done("kill") >= 1, "{}", kill.report());

    // The same message once more, and the same request: told before, told again, done never again.
    drop(kill);
    let message = json!({"requestPayload": create, "requestContext": {"condition": "RetriesExhausted"}}).to_string();
    let send = json!({"QueueUrl": queue, "MessageBody": message});
    stage.sandbox.aws().json("sqs", "AmazonSQS.SendMessage", &send).await.unwrap();
    while !stage.is_empty(queue).await.unwrap() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(answers.try_recv().is_err(), "one answer only");
    invoke(&stage, &create).await;
    assert_eq!(timeout(PATIENCE, answers.recv()).await.unwrap().unwrap(), answer);
    let puts = stage.sandbox.door().calls_where(from, |call| by_it(call) && kind(call) == "s3 PUT");
    assert_eq!(puts.len(), 0, "each try was killed at its first look");
}
