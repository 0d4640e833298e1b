//! The function by hand against the local AWS: cut off, throttled, refused, and fed what no one expects.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use runtime_api::Running;

use sandbox::inbox::Mail;
use sandbox::stage::{PATIENCE, Stage, by_function};
use sandbox::{Call, Intervention, Options};
use serde_json::{Value, json};
use stories::by_hand::{TIME, failures, start, until_done};
use stories::messages::{batch, crash, incident, names, sweep};

async fn stage() -> Stage {
    Stage::set(Options::default(), |_| ()).await.unwrap()
}

fn alerts_of(stage: &Stage, task: u32) -> Vec<Mail> {
    stage.inbox.mails().into_iter().filter(|mail| names(&mail.text, task)).collect()
}

/// The incident's id and the number of the message.
fn message(mail: &Mail) -> (String, u64) {
    (mail.json["incident"].as_str().unwrap().to_owned(), mail.json["number"].as_u64().unwrap())
}

/// Lets a minute's sweep come until so many alerts of a task have arrived: who was cut off holds its incident for a while.
async fn sweep_until_told(function: &mut Running, stage: &Stage, task: u32, times: usize) {
    let told = async {
        while alerts_of(stage, task).len() < times {
            assert!(failures(function, &batch(&[sweep()])).await.unwrap().is_empty());
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
}

/// Makes the front door answer the function's calls of one action with an error.
fn refuse(stage: &Stage, service: &'static str, action: &'static str, code: &'static str) {
    stage.sandbox.door().on_call(Box::new(move |call: &Call| {
        if by_function(call) && call.is(service, action) {
            Intervention::Fail { status: 400, code: code.to_owned(), message: "made to fail by a story".to_owned() }
        } else {
            Intervention::Pass
        }
    }));
}

/// Lets the nth call of an action through and never answers it: the moment to cut the function off.
fn hold(stage: &Stage, service: &'static str, action: &'static str) {
    stage.sandbox.door().on_call(Box::new(move |call: &Call| {
        if by_function(call) && call.is(service, action) { Intervention::Hold } else { Intervention::Pass }
    }));
}

async fn wait_for_held(stage: &Stage, from: usize) {
    let held = |call: &Call| by_function(call) && call.outcome.as_ref().is_some_and(|outcome| outcome.held);
    stage.sandbox.door().wait_for_call(from, PATIENCE, held).await.unwrap();
}

#[tokio::test]
async fn cut_off_between_publish_and_record() {
    let stage = stage().await;
    let message_again = batch(&[crash(1)]);

    let from = stage.sandbox.door().call_count();
    hold(&stage, "sns", "Publish");
    let mut first = start(&stage).await.unwrap();
    first.send(&message_again, TIME).await.unwrap();
    wait_for_held(&stage, from).await;
    first.kill().await.unwrap();
    stage.sandbox.door().clear_hook();
    stage.inbox.wait_for(0, PATIENCE, |mail| names(&mail.text, 1)).await.unwrap();

    // The message comes again: it is known already, and whoever held the incident may still be at work. The sweep finds out.
    let mut second = start(&stage).await.unwrap();
    assert!(failures(&mut second, &message_again).await.unwrap().is_empty());
    sweep_until_told(&mut second, &stage, 1, 2).await;
    let mails = alerts_of(&stage, 1);
    assert_eq!(mails.len(), 2);
    assert_eq!(message(&mails[0]), message(&mails[1]), "a repeat is the same message of the same incident");

    // It is recorded now: a further delivery reads what is known, once, and publishes nothing.
    let from = stage.sandbox.door().call_count();
    assert!(failures(&mut second, &message_again).await.unwrap().is_empty());
    let calls = stage.function_calls(from);
    assert_eq!(calls.into_iter().collect::<Vec<_>>(), [("dynamodb:BatchGetItem".to_owned(), 1)]);
}

#[tokio::test]
async fn an_intent_whose_answer_is_lost_is_recognised_as_its_own() {
    let stage = stage().await;
    let first = AtomicBool::new(true);
    stage.sandbox.door().on_call(Box::new(move |call: &Call| {
        let lost =
            by_function(call) && call.is("dynamodb", "TransactWriteItems") && first.swap(false, Ordering::SeqCst);
        if lost { Intervention::Hold } else { Intervention::Pass }
    }));
    let mut function = start(&stage).await.unwrap();
    // Waiting for the answer took most of the invocation's time: what is left to be sent comes with the next delivery.
    until_done(&mut function, &batch(&[crash(41)])).await.unwrap();
    let mail = stage.inbox.wait_for(0, PATIENCE, |mail| names(&mail.text, 41)).await.unwrap();
    assert_eq!((mail.json["count"].as_u64(), alerts_of(&stage, 41).len()), (Some(1), 1));
    assert_eq!(stage.function_calls(0)["dynamodb:TransactWriteItems"], 3, "the SDK tried the first again");
}

#[tokio::test]
async fn killed_in_the_middle_of_a_batch() {
    let stage = stage().await;
    let message = batch(&[crash(11), crash(12), crash(13)]);
    let from = stage.sandbox.door().call_count();
    // That the first alert was sent is stored, but the function never hears of it.
    let transactions = AtomicUsize::new(0);
    stage.sandbox.door().on_call(Box::new(move |call: &Call| {
        let stores = by_function(call) && call.is("dynamodb", "TransactWriteItems");
        let second = stores && transactions.fetch_add(1, Ordering::SeqCst) == 1;
        if second { Intervention::Hold } else { Intervention::Pass }
    }));
    let mut first = start(&stage).await.unwrap();
    first.send(&message, TIME).await.unwrap();
    wait_for_held(&stage, from).await;
    first.kill().await.unwrap();
    stage.sandbox.door().clear_hook();

    let mut second = start(&stage).await.unwrap();
    until_done(&mut second, &message).await.unwrap();
    for task in [11, 12, 13] {
        stage.inbox.wait_for(0, PATIENCE, |mail| names(&mail.text, task)).await.unwrap();
        assert_eq!(alerts_of(&stage, task).len(), 1, "each crash is told once: the record of the first was written");
    }
}

#[tokio::test]
async fn a_table_that_throttles_and_a_topic_that_is_gone() {
    let stage = stage().await;
    let mut function = start(&stage).await.unwrap();
    let message = batch(&[crash(21), json!({"watchkeeper": "sweep"})]);

    refuse(&stage, "dynamodb", "TransactWriteItems", "ProvisionedThroughputExceededException");
    assert_eq!(failures(&mut function, &message).await.unwrap().into_iter().collect::<Vec<_>>(), ["m0"]);
    assert!(stage.inbox.mails().is_empty(), "nothing is published before its intent is written");
    stage.sandbox.door().clear_hook();
    until_done(&mut function, &message).await.unwrap();
    stage.inbox.wait_for(0, PATIENCE, |mail| names(&mail.text, 21)).await.unwrap();

    // The record fails: told, but not known to be told. It is told again rather than forgotten.
    let first = AtomicBool::new(true);
    stage.sandbox.door().on_call(Box::new(move |call: &Call| {
        if !by_function(call) || !call.is("dynamodb", "TransactWriteItems") || first.swap(false, Ordering::SeqCst) {
            return Intervention::Pass;
        }
        let code = "ProvisionedThroughputExceededException".to_owned();
        Intervention::Fail { status: 400, code, message: "made to fail by a story".to_owned() }
    }));
    let message = batch(&[crash(22)]);
    assert_eq!(failures(&mut function, &message).await.unwrap().len(), 1);
    stage.sandbox.door().clear_hook();
    until_done(&mut function, &message).await.unwrap();
    stage.inbox.wait_for(2, PATIENCE, |mail| names(&mail.text, 22)).await.unwrap();
    assert_eq!(alerts_of(&stage, 22).len(), 2);

    let topic = stage.stack.output("TopicArn").unwrap();
    stage.sandbox.aws().query("sns", "DeleteTopic", &[("TopicArn", topic)]).await.unwrap();
    let message = batch(&[crash(23), json!({"poison": true})]);
    assert_eq!(failures(&mut function, &message).await.unwrap().into_iter().collect::<Vec<_>>(), ["m0"]);
    let dead = stage.receive(stage.stack.output("CrashAlertsDeadLetterQueueUrl").unwrap()).await.unwrap();
    assert_eq!(dead["Body"], "{\"poison\":true}");
    assert_eq!(dead["MessageAttributes"]["MessageId"]["StringValue"], "m1");
    assert!(dead["MessageAttributes"]["Reason"]["StringValue"].as_str().unwrap().contains("field source is missing"));
}

#[tokio::test]
async fn large_future_and_hostile_events() {
    let stage = stage().await;
    let mut function = start(&stage).await.unwrap();
    let mut large = crash(31);
    large["detail"]["stoppedReason"] = json!("x".repeat(250_000));
    let mut future = crash(32);
    future["detail"]["stopCode"] = json!("QuantumDecoherence");
    future["detail"]["lastStatus"] = json!("STOPPED");
    future["detail"]["version"] = json!("5");
    future["detail"]["containers"][0]["exitCode"] = json!("7");
    future["detail"]["hologram"] = json!([{"new": {"fields": [1, null]}}]);
    let mut hostile = crash(33);
    hostile["detail"]["containers"][0]["reason"] = json!("boom\r\nBcc: all@example.com\u{0}\u{1b}[2J 🔥");
    hostile["detail"]["group"] = json!("service:ag\u{e9}nt 🔥\n");
    let mut foreign = crash(34);
    foreign["source"] = json!("aws.s3");
    let messages: Vec<Value> = vec![large, future, hostile, foreign];
    assert!(failures(&mut function, &batch(&messages)).await.unwrap().is_empty());

    let large = stage.inbox.wait_for(0, PATIENCE, |mail| names(&mail.text, 31)).await.unwrap();
    assert!(large.text.contains("more bytes]"), "what was cut is said");
    let future = stage.inbox.wait_for(0, PATIENCE, |mail| names(&mail.text, 32)).await.unwrap();
    assert!(future.text.contains("Exit code  7"), "{}", future.text);
    let hostile = stage.inbox.wait_for(0, PATIENCE, |mail| names(&mail.text, 33)).await.unwrap();
    assert_eq!(hostile.subject, "CRASH ag?nt ?: container \"agent\" exited with code 1 [stories]");
    assert!(hostile.text.contains("boom Bcc: all@example.com [2J 🔥"), "{}", hostile.text);
    let dead = stage.receive(stage.stack.output("CrashAlertsDeadLetterQueueUrl").unwrap()).await.unwrap();
    assert!(dead["MessageAttributes"]["Reason"]["StringValue"].as_str().unwrap().contains("aws.s3"));
}

#[tokio::test]
async fn what_only_a_digest_told_of_has_its_evidence_kept_too() {
    let stage = Stage::set(Options::default().with("StormIncidents", "2"), |_| ()).await.unwrap();
    let mut digested = Vec::new();
    for task in [51, 52, 53] {
        stage.send(&crash(task).to_string()).await.unwrap();
        let item = stage.wait_for_item("incidents", &incident(task), |_| true).await.unwrap();
        let told: Value = serde_json::from_str(item["state"]["S"].as_str().unwrap()).unwrap();
        if told["voice"] == "digest" {
            digested.push(format!("incident#{}", told["id"].as_str().unwrap()));
        }
    }
    assert_eq!(digested.len(), 2);
    stage.send(&sweep().to_string()).await.unwrap();
    for id in digested {
        stage.wait_for_item(&id, "evidence", |_| true).await.unwrap();
    }
}
