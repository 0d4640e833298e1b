//! Object Created (Amazon S3 User Guide, "Using EventBridge"): told of buckets that ask for it.

use serde_json::json;

use super::{queue_of, received};
use crate::local::with_sandbox;

#[test]
fn a_bucket_tells_of_its_objects_once_it_is_asked_to() {
    with_sandbox(async |local| {
        let s3 = async |method: &str, path: &str, body: &str| {
            local.sandbox.aws().rest("s3", method, path, body.as_bytes().to_vec()).await.unwrap()
        };
        let pattern = json!({
            "source": ["aws.s3"], "detail-type": ["Object Created"], "detail": { "bucket": { "name": ["telling", "silent"] } },
        });
        let url = queue_of(local, "objects", pattern).await;
        let place =
            "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
        for bucket in ["/silent", "/telling"] {
            s3("PUT", bucket, place).await;
        }
        let asked = "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>";
        s3("PUT", "/telling?notification", asked).await;
        for path in ["/silent/a", "/telling/gold/2026%2011%2B20%20%C3%BC.tar", "/telling/last"] {
            s3("PUT", path, "body").await;
        }
        s3("DELETE", "/telling/last", "").await;

        local.sandbox.bus().delivered().await;
        let events = received(local, &url).await;
        let keys: Vec<_> = events.iter().map(|event| &event["detail"]["object"]["key"]).collect();
        assert_eq!(keys, ["gold/2026 11+20 ü.tar", "last"], "as they are, and of one bucket");
        assert_eq!(events[0]["source"], "aws.s3");
        assert_eq!(events[0]["resources"], json!(["arn:aws:s3:::telling"]));
        assert_eq!((&events[0]["account"], &events[0]["region"]), (&json!("123456789012"), &json!("eu-west-1")));
    });
}
