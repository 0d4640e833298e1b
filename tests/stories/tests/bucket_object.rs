//! `Custom::BucketObject` against an S3 that loses answers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::sync::{Arc, Mutex};

use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use stack_resources::{BucketObject, Objects};
use watchkeeper_custom_resources::{Decision, Owner, Properties, ResourceType};

/// One object, and an answer to its first PUT that is an error although the PUT took effect.
#[derive(Default)]
struct S3 {
    object: Option<(Bytes, String, String)>,
    puts: u32,
}

const PRECONDITION: &str = "<Error><Code>PreconditionFailed</Code><Message>x</Message></Error>";
const INTERNAL: &str = "<Error><Code>InternalError</Code><Message>x</Message></Error>";

async fn serve(State(s3): State<Arc<Mutex<S3>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let mut s3 = s3.lock().unwrap();
    let header =
        |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    match (parts.method, &s3.object) {
        (Method::HEAD | Method::GET, None) => StatusCode::NOT_FOUND.into_response(),
        (Method::HEAD | Method::GET, Some((body, owner, kind))) => {
            let headers = [
                ("etag", "\"e\"".to_owned()),
                ("x-amz-meta-watchkeeper-owner", owner.clone()),
                ("content-type", kind.clone()),
            ];
            (headers, body.clone()).into_response()
        }
        (Method::PUT, Some(_)) if header("if-none-match") == "*" => {
            (StatusCode::PRECONDITION_FAILED, PRECONDITION).into_response()
        }
        (Method::PUT, _) => {
            s3.puts += 1;
            s3.object = Some((body, header("x-amz-meta-watchkeeper-owner"), header("content-type")));
            if s3.puts == 1 {
                (StatusCode::INTERNAL_SERVER_ERROR, INTERNAL).into_response()
            } else {
                ([("etag", "\"e\"")], "").into_response()
            }
        }
        (method, _) => panic!("{method}"),
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_a_success_and_a_content_type_that_goes_is_written() {
    let s3 = Arc::new(Mutex::new(S3::default()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(serve).with_state(s3);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new("eu-west-1"))
        .force_path_style(true)
        .credentials_provider(Credentials::new("t", "t", None, None, "t"))
        .build();
    let resource = BucketObject::new(Objects::new(aws_sdk_s3::Client::from_conf(config)));
    let stack_id = "arn:aws:cloudformation:eu-west-1:1:stack/a/1".to_owned();
    let owner = Owner { stack_id, logical_id: "Script".to_owned() };
    let text = json!({"Bucket": "bucket", "Key": "k", "Content": {"Text": "echo"}});
    let wanted = Properties::read(&text, BucketObject::read).unwrap();
    let observed = resource.observe(&owner, &wanted).await.unwrap();
    assert_eq!(BucketObject::decide(&owner, &wanted, &observed), Decision::Create);
    // The SDK tries again, and S3 says that the object is there already.
    resource.create(&owner, &wanted, &observed).await.unwrap();
    let observed = resource.observe(&owner, &wanted).await.unwrap();
    assert_eq!(BucketObject::decide(&owner, &wanted, &observed), Decision::Keep);

    let typed = json!({"Bucket": "bucket", "Key": "k", "ContentType": "text/html", "Content": {"Text": "echo"}});
    let typed = Properties::read(&typed, BucketObject::read).unwrap();
    resource.replace(&owner, &typed, &observed).await.unwrap();
    let observed = resource.observe(&owner, &wanted).await.unwrap();
    assert_eq!(BucketObject::decide(&owner, &wanted, &observed), Decision::Replace);
}
