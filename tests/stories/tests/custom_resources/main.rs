//! The frame of custom resources as a Lambda function, with a server in place of CloudFormation's bucket: whatever the
//! request and the resource do, there is an answer, and just one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

mod waiting;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::put;
use runtime_api::{Answer, Running};
use serde_json::{Value, json};

const TIME: Duration = Duration::from_secs(4);
const STACK: &str = "arn:aws:cloudformation:eu-west-1:123456789012:stack/agent/1";

/// What was put, and how the next ones are refused.
#[derive(Default)]
struct Bucket {
    answers: Mutex<Vec<Value>>,
    refusals: Mutex<Vec<u16>>,
    tries: Mutex<usize>,
}

/// A function and its bucket.
struct Trial {
    function: Running,
    bucket: Arc<Bucket>,
    address: String,
    requests: u32,
}

async fn take(State(bucket): State<Arc<Bucket>>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    *bucket.tries.lock().unwrap() += 1;
    let right = headers.get("content-type").is_some_and(axum::http::HeaderValue::is_empty)
        && headers.get("content-length").is_some_and(|length| length.to_str().unwrap() == body.len().to_string())
        && headers.get("transfer-encoding").is_none()
        // Byte for byte, as it was signed.
        && uri == "/bucket/arn%3Aaws%3Acloudformation?X-Amz-Signature=a%2Fb+c";
    if !right || body.len() > 4096 {
        return StatusCode::FORBIDDEN;
    }
    let refusal = bucket.refusals.lock().unwrap().pop();
    if let Some(status) = refusal {
        return StatusCode::from_u16(status).unwrap();
    }
    bucket.answers.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    StatusCode::OK
}

impl Trial {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(more: &[(&str, &str)]) -> Self {
        let bucket = Arc::new(Bucket::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/bucket/", listener.local_addr().unwrap());
        let router = Router::new().route("/bucket/{*path}", put(take)).with_state(Arc::clone(&bucket));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let environment = [&[("RESPONSE_URL_PREFIXES", address.as_str())], more].concat();
        let binary = Path::new(env!("CARGO_BIN_EXE_trial-resources"));
        let mut function = Running::start(binary, &environment).await.unwrap();
        function.ready().await.unwrap();
        Self { function, bucket, address, requests: 0 }
    }

    /// A request of a new id.
    fn request(&mut self, kind: &str, properties: &Value) -> Value {
        self.requests += 1;
        let mut event = json!({
            "RequestType": kind, "RequestId": format!("r-{}", self.requests), "StackId": STACK,
            "ResponseURL": format!("{}arn%3Aaws%3Acloudformation?X-Amz-Signature=a%2Fb+c", self.address),
            "LogicalResourceId": "Thing", "ResourceType": "Custom::Trial", "ResourceProperties": properties,
        });
        if kind != "Create" {
            event["PhysicalResourceId"] = json!("trial/one");
        }
        event
    }

    async fn invoke(&mut self, event: &Value) -> Answer {
        self.function.invoke(event, TIME).await.unwrap()
    }

    /// Invokes it; the one answer that comes of it.
    async fn answer(&mut self, event: &Value) -> Value {
        let before = self.bucket.answers.lock().unwrap().len();
        assert_eq!(self.invoke(event).await, Answer::Response(Value::Null));
        let answers = self.bucket.answers.lock().unwrap().clone();
        assert_eq!(answers.len(), before + 1, "just one answer");
        let answer = answers[before].clone();
        for name in ["StackId", "RequestId", "LogicalResourceId"] {
            assert_eq!(answer[name], event[name]);
        }
        answer
    }

    async fn fails(&mut self, event: &Value) -> String {
        let answer = self.answer(event).await;
        assert_eq!(answer["Status"], "FAILED", "{answer}");
        answer["Reason"].as_str().unwrap().to_owned()
    }

    async fn succeeds(&mut self, event: &Value) -> Value {
        let answer = self.answer(event).await;
        assert_eq!(answer["Status"], "SUCCESS", "{answer}");
        answer
    }

    /// Invokes it, or sweeps; nothing is answered.
    async fn leaves_unanswered(&mut self, event: &Value) {
        let before = self.bucket.answers.lock().unwrap().len();
        assert_eq!(self.invoke(event).await, Answer::Response(Value::Null));
        assert_eq!(self.bucket.answers.lock().unwrap().len(), before);
    }

    /// What the frame would do to make `name` as it is wanted: whether it is there.
    async fn is_there(&mut self, name: &str) -> bool {
        let look = self.request("Create", &json!({"Name": name, "Mode": "observe"}));
        self.succeeds(&look).await["Data"]["Decision"] != "create"
    }
}

#[tokio::test]
async fn a_thing_is_made_changed_and_deleted() {
    let mut trial = Trial::new().await;
    let create = trial.request("Create", &json!({"ServiceToken": "t", "Name": "one", "Count": "3"}));
    let made = trial.succeeds(&create).await;
    assert_eq!(made["PhysicalResourceId"], "trial/one");
    assert_eq!(made["Data"], json!({"Count": "3", "Decision": "create"}));
    let update = trial.request("Update", &json!({"Name": "one", "Count": "4"}));
    assert_eq!(trial.succeeds(&update).await["Data"]["Decision"], "replace");
    let delete = trial.request("Delete", &json!({"Name": "one"}));
    trial.succeeds(&delete).await;
    assert!(!trial.is_there("one").await);
}

#[tokio::test]
async fn nobody_is_answered_where_nobody_can_be() {
    let mut trial = Trial::new().await;
    for url in [json!(null), json!(5), json!("https://example.com/"), json!("http://127.0.0.1:1/")] {
        let mut event = trial.request("Create", &json!({"Name": "one"}));
        event["ResponseURL"] = url;
        // A failure of the function, so that the event ends among the dead letters and somebody is told.
        assert!(matches!(trial.invoke(&event).await, Answer::Error(_)));
    }
    assert!(matches!(trial.invoke(&json!({})).await, Answer::Error(_)));
    assert_eq!(*trial.bucket.tries.lock().unwrap(), 0);
    assert!(!trial.is_there("one").await, "and nothing is done");
}

#[tokio::test]
async fn what_cannot_be_understood_is_answered_with_all_that_is_wrong() {
    let mut trial = Trial::new().await;
    let mut cut_off = trial.request("Create", &json!({"Name": "one"}));
    cut_off.as_object_mut().unwrap().retain(|name, _| !["RequestType", "ResourceProperties"].contains(&name.as_str()));
    let reason = trial.fails(&cut_off).await;
    assert!(reason.contains("RequestType") && reason.contains("ResourceProperties"), "{reason}");

    let mut wrong = trial.request("Create", &json!("text"));
    wrong["ResourceType"] = json!(["Custom::Trial"]);
    let reason = trial.fails(&wrong).await;
    assert!(reason.contains("ResourceType must be text") && reason.contains("ResourceProperties"), "{reason}");

    let mut unknown = trial.request("Create", &json!({}));
    unknown["ResourceType"] = json!("Custom::Trail");
    assert_eq!(trial.fails(&unknown).await, "there is no resource type Custom::Trail; there are: Custom::Trial");

    let typos = trial.request("Create", &json!({"Nmae": "one", "Count": "many", "Fate": "unknown"}));
    let reason = trial.fails(&typos).await;
    for part in
        ["#/Name is missing", "#/Count must be", "#/Fate must be one of", "#/Nmae is not known; did you mean Name?"]
    {
        assert!(reason.contains(part), "{reason}");
    }
    // The deletion that CloudFormation sends after each of these.
    let mut delete = trial.request("Delete", &json!({"Nmae": "one"}));
    delete["PhysicalResourceId"] = json!("Thing-not-created");
    trial.succeeds(&delete).await;
}

#[tokio::test]
async fn whatever_the_work_does_there_is_an_answer_with_the_real_name_and_nothing_is_left() {
    let mut trial = Trial::new().await;
    for (fate, reason) in [
        ("fails", "it fails on purpose"),
        ("panics", "the function panicked"),
        ("hangs", "the time that the function has was not enough"),
        ("large", "takes 4096 at most"),
    ] {
        let event = trial.request("Create", &json!({"Name": "one", "Fate": fate}));
        let answer = trial.answer(&event).await;
        let said = answer["Reason"].as_str().unwrap();
        assert!(said.contains(reason) && !said.contains("secret-of-a-panic"), "{fate}: {said}");
        assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("FAILED"), &json!("trial/one")));
        assert!(!trial.is_there("one").await, "{fate}: what was made is taken away");
    }
}

#[tokio::test]
async fn a_deletion_before_the_creation_and_one_during_it() {
    let mut trial = Trial::new().await;
    // CloudFormation gave up on a creation that it had no answer to, and made a name up.
    let create = trial.request("Create", &json!({"Name": "one"}));
    let mut delete = trial.request("Delete", &json!({"Name": "one"}));
    delete["PhysicalResourceId"] = json!("agent-Thing-1ABCDEF");
    assert_eq!(trial.succeeds(&delete).await["PhysicalResourceId"], "agent-Thing-1ABCDEF");

    // The same while it was created: the creation answers that, and leaves nothing. (Its work is cut off first, so that
    // the next try is later than the deletion but began before.)
    let mut hangs = create.clone();
    hangs["ResourceProperties"] = json!({"Name": "two", "Fate": "hangs"});
    trial.function.send(&hangs, Duration::from_secs(1)).await.unwrap();
    trial.function.answer(Duration::from_secs(5)).await.unwrap();
    let mut delete = trial.request("Delete", &json!({"Name": "two"}));
    delete["PhysicalResourceId"] = json!("agent-Thing-1ABCDEF");
    trial.succeeds(&delete).await;
    assert!(!trial.is_there("two").await);

    // A creation later than the deletion is none of its business.
    let create = trial.request("Create", &json!({"Name": "two"}));
    trial.succeeds(&create).await;
}

#[tokio::test]
async fn the_way_back_after_a_failed_update_may_lead_to_an_old_format() {
    let mut trial = Trial::new().await;
    let create = trial.request("Create", &json!({"Name": "one"}));
    trial.succeeds(&create).await;
    let (old, new) = (json!({"Title": "one"}), json!({"Name": "one", "Fate": "fails"}));
    let mut back = trial.request("Update", &old);
    back["OldResourceProperties"] = new.clone();
    trial.fails(&back).await;

    let mut update = trial.request("Update", &new);
    update["OldResourceProperties"] = old.clone();
    let answer = trial.answer(&update).await;
    assert_eq!((&answer["Status"], &answer["PhysicalResourceId"]), (&json!("FAILED"), &json!("trial/one")));
    let mut back = trial.request("Update", &old);
    back["OldResourceProperties"] = new;
    assert_eq!(trial.succeeds(&back).await["PhysicalResourceId"], "trial/one");

    let delete = trial.request("Delete", &old);
    trial.succeeds(&delete).await;
    assert!(!trial.is_there("one").await, "a deletion goes by the name");
}

#[tokio::test]
async fn an_update_that_fails_keeps_the_name_that_it_had() {
    let mut trial = Trial::new().await;
    let create = trial.request("Create", &json!({"Name": "one"}));
    trial.succeeds(&create).await;
    let update = trial.request("Update", &json!({"Name": "two", "Fate": "fails"}));
    assert_eq!(trial.answer(&update).await["PhysicalResourceId"], "trial/one");
    assert!(trial.is_there("one").await && !trial.is_there("two").await);
    let update = trial.request("Update", &json!({"Name": "two"}));
    assert_eq!(trial.succeeds(&update).await["PhysicalResourceId"], "trial/two", "CloudFormation deletes the old one");
}

#[tokio::test]
async fn a_renamed_resource_keeps_its_thing() {
    let mut trial = Trial::new().await;
    let create = trial.request("Create", &json!({"Name": "one"}));
    trial.succeeds(&create).await;
    let mut renamed = trial.request("Create", &json!({"Name": "one"}));
    renamed["LogicalResourceId"] = json!("Other");
    trial.succeeds(&renamed).await;
    let delete = trial.request("Delete", &json!({"Name": "one"}));
    trial.succeeds(&delete).await;
    assert!(trial.is_there("one").await);
}

#[tokio::test]
async fn a_request_that_comes_again_is_answered_again_and_not_done_again() {
    let mut trial = Trial::new().await;
    let create = trial.request("Create", &json!({"Name": "one"}));
    let first = trial.answer(&create).await;
    assert_eq!(first["Data"]["Decision"], "create");
    assert_eq!(trial.answer(&create).await, first, "done again it would be a replacement");
}

#[tokio::test]
async fn a_bucket_that_is_down_is_tried_again_and_one_that_refuses_is_not() {
    let mut trial = Trial::new().await;
    *trial.bucket.refusals.lock().unwrap() = vec![429, 503, 500];
    let create = trial.request("Create", &json!({"Name": "one"}));
    trial.succeeds(&create).await;
    assert_eq!(*trial.bucket.tries.lock().unwrap(), 4);

    *trial.bucket.refusals.lock().unwrap() = vec![403];
    let create = trial.request("Create", &json!({"Name": "two"}));
    assert!(matches!(trial.invoke(&create).await, Answer::Error(_)));
    assert_eq!(*trial.bucket.tries.lock().unwrap(), 5, "an expired URL stays expired");

    // Down for longer than the invocation: Lambda tries it again, which brings the answer that is kept.
    *trial.bucket.refusals.lock().unwrap() = vec![500; 100];
    let create = trial.request("Create", &json!({"Name": "three"}));
    let Answer::Error(error) = trial.invoke(&create).await else { panic!("this must be tried again") };
    let said = error.to_string();
    assert!(said.contains("not delivered yet: HTTP status 500") && !said.contains("/bucket/"), "{said}");
    trial.bucket.refusals.lock().unwrap().clear();
    assert_eq!(trial.succeeds(&create).await["Data"]["Decision"], "create");
}

/// What Lambda sends to the queue when all tries of a request died.
fn died(message_id: &str, request: &Value) -> Value {
    let body = json!({
        "version": "1.0", "timestamp": "2026-11-20T10:04:31Z", "requestPayload": request,
        "requestContext": {"requestId": "x", "functionArn": "f", "condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": "Runtime.ExitError", "errorMessage": "RequestId: x Error: Runtime exited"}
    });
    json!({"messageId": message_id, "body": body.to_string(), "eventSource": "aws:sqs"})
}

#[tokio::test]
async fn the_last_answer_is_given_for_what_was_never_answered_only() {
    let mut trial = Trial::new().await;
    let answered = trial.request("Create", &json!({"Name": "one"}));
    trial.succeeds(&answered).await;
    let unanswered = trial.request("Create", &json!({"Name": "two"}));
    let batch = json!({"Records": [
        died("m1", &answered), died("m2", &unanswered), {"messageId": "m3", "body": "no message"},
    ]});
    let before = trial.bucket.answers.lock().unwrap().len();
    // The message of no request comes again, and at last lies among the dead letters.
    let again = json!({"batchItemFailures": [{"itemIdentifier": "m3"}]});
    assert_eq!(trial.invoke(&batch).await, Answer::Response(again));
    let answers = trial.bucket.answers.lock().unwrap()[before..].to_vec();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!((&answers[0]["RequestId"], &answers[0]["Status"]), (&unanswered["RequestId"], &json!("FAILED")));
    assert_eq!(answers[0]["PhysicalResourceId"], "trial/two");
    let reason = answers[0]["Reason"].as_str().unwrap();
    assert!(reason.contains("RetriesExhausted, Runtime.ExitError"), "{reason}");

    // The bucket is down: the message comes again.
    *trial.bucket.refusals.lock().unwrap() = vec![500; 100];
    let other = trial.request("Delete", &json!({"Name": "two"}));
    let batch = json!({"Records": [died("m4", &other)]});
    let again = json!({"batchItemFailures": [{"itemIdentifier": "m4"}]});
    assert_eq!(trial.invoke(&batch).await, Answer::Response(again));
}

#[tokio::test]
async fn a_failed_update_is_forgotten_when_a_later_one_succeeds() {
    let mut trial = Trial::new().await;
    for name in ["one", "taken"] {
        let create = trial.request("Create", &json!({"Name": name}));
        trial.succeeds(&create).await;
    }
    let update = async |trial: &mut Trial, id: &str, to: Value, from: Value| {
        let mut update = trial.request("Update", &to);
        update["PhysicalResourceId"] = json!(id);
        update["OldResourceProperties"] = from;
        trial.answer(&update).await["Status"].clone()
    };
    assert_eq!(update(&mut trial, "trial/one", json!({"Name": "taken"}), json!({"Name": "one"})).await, "FAILED");
    assert_eq!(update(&mut trial, "trial/one", json!({"Name": "one"}), json!({"Name": "taken"})).await, "SUCCESS");
    // Somebody mends what stood in the way, and the same update works.
    let mut delete = trial.request("Delete", &json!({"Name": "taken"}));
    delete["PhysicalResourceId"] = json!("trial/taken");
    trial.succeeds(&delete).await;
    assert_eq!(update(&mut trial, "trial/one", json!({"Name": "taken"}), json!({"Name": "one"})).await, "SUCCESS");
    let typo = json!({"Nmae": "other"});
    assert_eq!(
        update(&mut trial, "trial/taken", typo, json!({"Name": "taken"})).await,
        "FAILED",
        "this is no way back"
    );
}

#[tokio::test]
async fn an_update_that_only_observes_keeps_its_name() {
    let mut trial = Trial::new().await;
    let create = trial.request("Create", &json!({"Name": "one"}));
    trial.succeeds(&create).await;
    let mut update = trial.request("Update", &json!({"Name": "two", "Mode": "observe"}));
    update["OldResourceProperties"] = json!({"Name": "one"});
    let answer = trial.succeeds(&update).await;
    assert_eq!(answer["PhysicalResourceId"], "trial/one", "or CloudFormation would delete it");
}

#[tokio::test]
async fn the_way_back_is_never_refused() {
    let mut trial = Trial::new().await;
    let create = trial.request("Create", &json!({"Name": "taken"}));
    trial.succeeds(&create).await;
    let update = async |trial: &mut Trial, to: Value, from: Value| {
        let mut update = trial.request("Update", &to);
        update["PhysicalResourceId"] = json!("trial/taken");
        update["OldResourceProperties"] = from;
        trial.answer(&update).await["Status"].clone()
    };
    let (old, new) = (json!({"Name": "taken"}), json!({"Name": "taken", "Count": "2"}));
    assert_eq!(update(&mut trial, new.clone(), old.clone()).await, "FAILED");
    assert_eq!(update(&mut trial, old, new).await, "SUCCESS");
}

#[tokio::test]
async fn an_update_that_fails_leaves_what_lies_under_its_other_name() {
    let mut trial = Trial::new().await;
    for name in ["before", "after"] {
        let create = trial.request("Create", &json!({"Name": name}));
        trial.succeeds(&create).await;
    }
    // A rollback: CloudFormation goes back from the name that an update brought to the one before, which is still there.
    let mut back = trial.request("Update", &json!({"Name": "before", "Fate": "fails"}));
    back["PhysicalResourceId"] = json!("trial/after");
    back["OldResourceProperties"] = json!({"Name": "after"});
    trial.fails(&back).await;
    let mut dead = trial.request("Update", &json!({"Name": "before"}));
    dead["PhysicalResourceId"] = json!("trial/after");
    trial.invoke(&json!({"Records": [died("m", &dead)]})).await;
    assert!(trial.is_there("before").await && trial.is_there("after").await);
}

#[tokio::test]
async fn an_answer_that_is_refused_for_good_is_no_success() {
    let mut trial = Trial::new().await;
    *trial.bucket.refusals.lock().unwrap() = vec![403];
    let create = trial.request("Create", &json!({"Name": "one"}));
    let said = trial.invoke(&create).await;
    assert_ne!(said, Answer::Response(Value::Null), "or no queue and no alarm would ever tell of it");
}

#[tokio::test]
async fn what_cloudformation_has_given_up_is_not_worked_on() {
    let mut trial = Trial::new().await;
    let mut create = trial.request("Create", &json!({"Name": "one"}));
    create["ResponseURL"] = json!(format!("{}x?X-Amz-Date=20260101T120000Z", trial.address));
    trial.leaves_unanswered(&create).await;
    assert_eq!(*trial.bucket.tries.lock().unwrap(), 0);
    assert!(!trial.is_there("one").await);
}

#[tokio::test]
async fn a_stack_that_only_observes_changes_nothing() {
    let mut trial = Trial::with(&[("MODE", "observe")]).await;
    let create = trial.request("Create", &json!({"Name": "one", "Mode": "act"}));
    assert_eq!(trial.succeeds(&create).await["Data"]["Decision"], "create");
    let delete = trial.request("Delete", &json!({"Name": "one", "Mode": "act"}));
    trial.succeeds(&delete).await;
    assert!(!trial.is_there("one").await);
}
