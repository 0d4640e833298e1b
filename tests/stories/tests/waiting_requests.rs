//! Requests of custom resources in a real table: taken, let go, waiting and forgotten.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use sandbox::{Options, Sandbox};
use serde_json::json;
use stories::table::{TABLE, table};
use time::{Duration, OffsetDateTime};
use watchkeeper_custom_resources::{Begun, Hold, Ledger, PhysicalId, Stored, Table, Waiting};

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::seconds(1_790_000_000 + seconds)
}

fn hold(holder: &str, from: i64) -> Hold {
    Hold { holder: holder.to_owned(), from: at(from), until: at(from + 60) }
}

fn ours(first: i64, cut_off: bool) -> Begun {
    Begun::Ours { first: at(first), cut_off }
}

fn waiting(request_id: &str, tried: i64) -> Waiting {
    // Thirty of them are more than the 1 MB that DynamoDB gives in one page.
    let event = json!({"RequestId": request_id, "ResourceProperties": {"Text": "x".repeat(60_000)}});
    Waiting { request_id: request_id.to_owned(), event, first: at(0), tried: at(tried), made: None }
}

#[tokio::test]
async fn a_request_is_one_holders_until_it_is_let_go_or_the_time_is_over() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let ledger = Table::new(table(&sandbox).await, TABLE, "function");
    let begin = async |holder: &str, from: i64| ledger.begin("r", &hold(holder, from)).await.unwrap();
    assert_eq!(begin("a", 0).await, ours(0, false));
    assert_eq!(begin("a", 0).await, ours(0, false), "the same call once more");
    assert_eq!(begin("b", 30).await, Begun::InFlight);
    ledger.let_go("r", "b").await.unwrap();
    assert_eq!(begin("b", 30).await, Begun::InFlight, "it was not b's to let go");
    ledger.let_go("r", "a").await.unwrap();
    assert_eq!(begin("b", 30).await, ours(0, false));
    assert_eq!(begin("c", 91).await, ours(0, true), "b neither answered nor let it go");
    ledger.done("r", "body").await.unwrap();
    ledger.let_go("r", "c").await.unwrap();
    let done = |delivered| Begun::Done(Stored { body: "body".to_owned(), delivered });
    assert_eq!(begin("d", 92).await, done(false));
    ledger.delivered("r").await.unwrap();
    assert_eq!(begin("d", 500).await, done(true));
    ledger.let_go("never-begun", "a").await.unwrap();
}

#[tokio::test]
async fn what_waits_is_listed_as_it_was_noted_last_until_it_is_forgotten() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let dynamodb = table(&sandbox).await;
    let ledger = Table::new(dynamodb.clone(), TABLE, "function");
    let other = Table::new(dynamodb.clone(), TABLE, "other-function");
    assert_eq!(ledger.waiting().await.unwrap(), []);
    let mut all: Vec<_> = (0..30).map(|place| waiting(&format!("r-{place:02}"), place)).collect();
    for one in &all {
        ledger.wait(one, at(3600)).await.unwrap();
    }
    all[0].made = Some(PhysicalId::new("thing"));
    all[0].tried = at(100);
    ledger.wait(&all[0], at(3600)).await.unwrap();
    // A try that made nothing does not forget what an earlier one made.
    ledger.wait(&Waiting { made: None, ..all[0].clone() }, at(3600)).await.unwrap();
    other.wait(&waiting("theirs", 0), at(3600)).await.unwrap();
    let mut listed = ledger.waiting().await.unwrap();
    listed.sort_by(|one, other| one.request_id.cmp(&other.request_id));
    assert!(listed == all, "{listed:?}");

    let expiry = dynamodb.get_item().table_name(TABLE);
    let key = |value: &str| aws_sdk_dynamodb::types::AttributeValue::S(value.to_owned());
    let item = expiry.key("pk", key("waiting#function")).key("sk", key("r-00")).send().await.unwrap().item.unwrap();
    assert_eq!(item["expires_at"].as_n().unwrap(), &at(3600 + 600).unix_timestamp().to_string(), "secrets do not stay");

    for one in &all[1..] {
        ledger.waits_no_more(&one.request_id).await.unwrap();
        ledger.waits_no_more(&one.request_id).await.unwrap();
    }
    assert!(ledger.waiting().await.unwrap() == all[..1]);
    assert_eq!(other.waiting().await.unwrap().len(), 1);

    // One that cannot be understood is left out, and is no reason to stop.
    let put = dynamodb.put_item().table_name(TABLE).item("pk", key("waiting#function")).item("sk", key("broken"));
    put.item("event", key("{")).send().await.unwrap();
    assert!(ledger.waiting().await.unwrap() == all[..1]);
}
