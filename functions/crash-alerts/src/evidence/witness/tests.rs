//! The calls themselves, against a server that answers what each test wants.

use super::*;
use serde_json::{Value, json};

use crate::answering::answering;

fn stream(region: &str) -> Stream {
    Stream { region: region.into(), group: "/ecs/agent".into(), name: "agent/agent/8f1c".into(), since: Some(1_000) }
}

fn page(messages: &[&str], backward: &str) -> Value {
    let events: Vec<Value> =
        messages.iter().map(|m| json!({"timestamp": 1, "message": m, "ingestionTime": 1})).collect();
    json!({"events": events, "nextBackwardToken": backward, "nextForwardToken": "f/1"})
}

#[tokio::test]
async fn the_end_of_a_stream_is_read_in_its_own_region() {
    let (config, asked) = answering(vec![(200, page(&["one", "two"], "b/1"))]).await;
    let logs = aws_sdk_cloudwatchlogs::Client::new(&config);
    let read = read_log(&logs, &stream("us-east-1"), End::Last, 30).await.unwrap();
    assert_eq!(read, Page { messages: vec!["one".into(), "two".into()], whole: true });
    let body = json!({
        "logGroupName": "/ecs/agent", "logStreamName": "agent/agent/8f1c",
        "startFromHead": false, "limit": 30, "startTime": 1_000,
    });
    assert_eq!(*asked.lock().unwrap(), [("us-east-1".to_owned(), body)]);
}

#[tokio::test]
async fn empty_pages_are_passed_over_until_the_end() {
    let full = page(&["x"; 3], "b/2");
    let (config, asked) = answering(vec![(200, page(&[], "b/1")), (200, full)]).await;
    let logs = aws_sdk_cloudwatchlogs::Client::new(&config);
    let read = read_log(&logs, &stream("eu-west-1"), End::Last, 3).await.unwrap();
    assert_eq!((read.messages.len(), read.whole), (3, false));
    assert_eq!(asked.lock().unwrap()[1].1["nextToken"], "b/1");

    let (config, asked) = answering(vec![(200, page(&[], "b/1")), (200, page(&[], "b/1"))]).await;
    let logs = aws_sdk_cloudwatchlogs::Client::new(&config);
    let read = read_log(&logs, &stream("eu-west-1"), End::Last, 3).await.unwrap();
    assert_eq!((read.messages.len(), read.whole, asked.lock().unwrap().len()), (0, true, 2));

    let empty = ["b/1", "b/2", "b/3"].map(|token| (200, page(&[], token)));
    let (config, asked) = answering(empty.to_vec()).await;
    let logs = aws_sdk_cloudwatchlogs::Client::new(&config);
    let read = read_log(&logs, &stream("eu-west-1"), End::Last, 3).await;
    assert_eq!((read, asked.lock().unwrap().len()), (Err(Unseen::Deeper), 3), "nobody knows that it wrote nothing");
}

#[tokio::test]
async fn a_revision_is_read_once() {
    let definition = json!({"taskDefinition": {
        "family": "agent", "revision": 7, "cpu": "256",
        "containerDefinitions": [{
            "name": "agent", "image": "agent:v1", "essential": false, "secrets": [{"name": "T", "valueFrom": "/t"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g", "mode": "non-blocking"}},
        }],
    }});
    let (config, asked) = answering(vec![(200, definition)]).await;
    let (ecs, known) = (aws_sdk_ecs::Client::new(&config), Revisions::default());
    let arn = TaskDefinitionArn::parse("arn:aws:ecs:eu-west-1:123456789012:task-definition/agent:7").unwrap();
    let revision = read_revision(&ecs, &known, &arn).await.unwrap();
    assert_eq!(read_revision(&ecs, &known, &arn).await.unwrap(), revision);
    assert_eq!(asked.lock().unwrap().len(), 1);
    let container = revision.container("agent").unwrap();
    assert_eq!((revision.name.as_str(), container.essential), ("agent:7", false));
    assert_eq!(container.settings["image"], "agent:v1");
    assert_eq!(container.secrets["T"], "/t");
    assert_eq!(container.logs.as_ref().unwrap().options.len(), 1);
}

#[tokio::test]
async fn what_aws_refuses_is_told_apart() {
    let refused = |code: &str, message: &str| json!({"__type": code, "message": message});
    for (status, answer, expected) in [
        (400, refused("AccessDeniedException", "User: x is not authorized"), Unseen::Denied),
        (
            400,
            refused("ResourceNotFoundException", "The specified log stream does not exist."),
            Unseen::Gone("The specified log stream does not exist.".into()),
        ),
        (400, refused("ThrottlingException", "Rate exceeded"), Unseen::Throttled),
        (
            400,
            refused("InvalidParameterException", "wrong: password=hunter2"),
            Unseen::Other("InvalidParameterException: wrong: password=[redacted]".into()),
        ),
        (502, json!("<html>"), Unseen::Other("HTTP status 502, without an error code".into())),
    ] {
        let (config, _) = answering(vec![(status, answer)]).await;
        let logs = aws_sdk_cloudwatchlogs::Client::new(&config);
        assert_eq!(read_log(&logs, &stream("eu-west-1"), End::Last, 3).await.unwrap_err(), expected);
    }
    let gone = refused("ClientException", "Unable to describe task definition.");
    let (config, _) = answering(vec![(400, gone)]).await;
    let arn = TaskDefinitionArn::parse("arn:aws:ecs:eu-west-1:123456789012:task-definition/agent:7").unwrap();
    let read = read_revision(&aws_sdk_ecs::Client::new(&config), &Revisions::default(), &arn).await;
    assert_eq!(read.unwrap_err(), Unseen::Gone("Unable to describe task definition.".into()));
}
