//! What configuration follows: secrets, parameters and objects, with AWS's rules about them and the events that tell of them.

mod kms;
mod labels;
mod objects;
mod parameters;
mod secrets;

pub(crate) use labels::LabelEvents;
use sandbox::AwsError;
use serde_json::{Value, json};

use crate::local::Local;

async fn manager(local: &Local, action: &str, request: Value) -> Result<Value, AwsError> {
    local.sandbox.aws().json("secretsmanager", &format!("secretsmanager.{action}"), &request).await
}

async fn ssm(local: &Local, action: &str, request: Value) -> Result<Value, AwsError> {
    local.sandbox.aws().json("ssm", &format!("AmazonSSM.{action}"), &request).await
}

/// A queue of this name that a rule of the same name sends the matching events to: its URL.
async fn queue_of(local: &Local, name: &str, pattern: Value) -> String {
    let aws = local.sandbox.aws();
    let made = aws.json("sqs", "AmazonSQS.CreateQueue", &json!({ "QueueName": name })).await.unwrap();
    let rule = json!({ "Name": name, "EventPattern": pattern.to_string() });
    aws.json("events", "AWSEvents.PutRule", &rule).await.unwrap();
    let target = json!({ "Id": "1", "Arn": format!("arn:aws:sqs:eu-west-1:123456789012:{name}") });
    aws.json("events", "AWSEvents.PutTargets", &json!({ "Rule": name, "Targets": [target] })).await.unwrap();
    made["QueueUrl"].as_str().unwrap().to_owned()
}

/// The events that are in a queue now, and in it no longer.
async fn received(local: &Local, url: &str) -> Vec<Value> {
    let request = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 1000 });
    let mut events = Vec::new();
    loop {
        let answer = local.sandbox.aws().json("sqs", "AmazonSQS.ReceiveMessage", &request).await.unwrap();
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        if messages.is_empty() {
            return events;
        }
        events.extend(messages.iter().map(|message| {
            let body = message["Body"].as_str().unwrap();
            serde_json::from_str::<Value>(body).unwrap()
        }));
    }
}
