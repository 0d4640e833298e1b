//! Requests that are carried on by the sweep.

use runtime_api::Answer;
use serde_json::{Value, json};

use crate::Trial;

fn sweep() -> Value {
    json!({"watchkeeper": "sweep"})
}

#[tokio::test]
async fn what_is_not_ready_yet_waits_for_the_sweep_and_succeeds() {
    let mut trial = Trial::new().await;
    let create = trial.request("Create", &json!({"Name": "one", "Count": "5", "Later": "2"}));
    trial.leaves_unanswered(&create).await;
    trial.leaves_unanswered(&sweep()).await;
    assert!(trial.is_there("one").await, "what is begun is not undone");
    assert_eq!(trial.invoke(&sweep()).await, Answer::Response(Value::Null));
    let answer = trial.bucket.answers.lock().unwrap().last().unwrap().clone();
    assert_eq!((&answer["RequestId"], &answer["Status"]), (&create["RequestId"], &json!("SUCCESS")));
    assert_eq!(answer["Data"]["Count"], "5");
    trial.leaves_unanswered(&sweep()).await;
}

#[tokio::test]
async fn what_waits_is_given_up_and_undone_before_cloudformation_gives_up() {
    let mut trial = Trial::new().await;
    // Two minutes and ten seconds are kept: three seconds to wait.
    let properties = json!({"Name": "one", "Later": "1000000", "ServiceTimeout": "133"});
    let create = trial.request("Create", &properties);
    trial.leaves_unanswered(&create).await;
    while trial.bucket.answers.lock().unwrap().is_empty() {
        assert_eq!(trial.invoke(&sweep()).await, Answer::Response(Value::Null));
    }
    let answer = trial.bucket.answers.lock().unwrap()[0].clone();
    let reason = answer["Reason"].as_str().unwrap();
    assert!(reason.starts_with("gave up after ") && reason.contains(" s: it is not ready at try "), "{reason}");
    assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("FAILED"), &json!("trial/one")));
    trial.leaves_unanswered(&sweep()).await;
    assert!(!trial.is_there("one").await, "an earlier try made it");

    // With so little time it never waits.
    let create = trial.request("Create", &json!({"Name": "two", "Later": "1", "ServiceTimeout": "60"}));
    assert_eq!(trial.fails(&create).await, "gave up after 0 s: it is not ready at try 1");
}

#[tokio::test]
async fn a_deletion_while_a_creation_waits_ends_it_at_its_next_try() {
    let mut trial = Trial::new().await;
    let create = trial.request("Create", &json!({"Name": "one", "Later": "9"}));
    trial.leaves_unanswered(&create).await;
    let mut delete = trial.request("Delete", &json!({"Name": "one"}));
    delete["PhysicalResourceId"] = json!("agent-Thing-1ABCDEF");
    trial.succeeds(&delete).await;
    assert!(!trial.is_there("one").await);
    trial.invoke(&sweep()).await;
    let answer = trial.bucket.answers.lock().unwrap().last().unwrap().clone();
    assert_eq!((&answer["RequestId"], &answer["Status"]), (&create["RequestId"], &json!("FAILED")));
    assert!(answer["Reason"].as_str().unwrap().contains("deleted while it was being created"));
    assert!(!trial.is_there("one").await);
}

#[tokio::test]
async fn an_update_that_waits_gives_way_to_a_later_one() {
    let mut trial = Trial::new().await;
    let before = json!({"Name": "one", "Count": "1"});
    let create = trial.request("Create", &before);
    let created = trial.succeeds(&create).await;
    let update = |trial: &mut Trial, to: &Value, from: &Value| {
        let mut update = trial.request("Update", to);
        update["OldResourceProperties"] = from.clone();
        update["PhysicalResourceId"] = created["PhysicalResourceId"].clone();
        update
    };
    let waits = json!({"Name": "two", "Later": "1"});
    let cancelled = update(&mut trial, &waits, &before);
    trial.leaves_unanswered(&cancelled).await;
    // CloudFormation has cancelled it and goes back.
    let back = update(&mut trial, &before, &waits);
    trial.succeeds(&back).await;
    trial.invoke(&sweep()).await;
    let answer = trial.bucket.answers.lock().unwrap().last().unwrap().clone();
    assert_eq!((&answer["RequestId"], &answer["Status"]), (&cancelled["RequestId"], &json!("FAILED")));
    assert!(answer["Reason"].as_str().unwrap().contains("a later request has taken its place"));
    assert!(trial.is_there("one").await && !trial.is_there("two").await, "what it had begun to make is undone");
}
