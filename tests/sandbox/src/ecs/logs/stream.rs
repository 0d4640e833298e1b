//! One container's log stream.

use serde_json::{Value, json};

use super::Awslogs;
use crate::aws::{Aws, AwsError};
use crate::ecs::execution_role::ExecutionRole;

/// A log stream that exists.
pub(crate) struct LogStream {
    aws: Aws,
    group: String,
    name: String,
    /// Whether the execution role may write to it.
    open: bool,
}

impl LogStream {
    /// Makes the stream of a container, and its group if that is asked for; `Err` is the task's `stoppedReason`.
    pub(super) async fn create(role: &ExecutionRole<'_>, awslogs: &Awslogs, container: &str) -> Result<Self, String> {
        role.assume().await.map_err(|why| invalid_logger(&why))?;
        let name = format!("{}/{container}/{}", awslogs.stream_prefix, role.task);
        let group_arn = format!("arn:aws:logs:{}:{}:log-group:{}", role.region, role.account, awslogs.group);
        let stream_arn = format!("{group_arn}:log-stream:{name}");
        let stream = Self { aws: role.aws.clone(), group: awslogs.group.clone(), name, open: true };

        let no_stream = |error: &AwsError| no("stream", error);
        role.may("logs:CreateLogStream", &stream_arn).await.map_err(|error| no_stream(&error))?;
        match stream.create_stream().await {
            Err(error) if error.code == "ResourceNotFoundException" && awslogs.create_group => {
                let group = role.may("logs:CreateLogGroup", &format!("{group_arn}:log-stream:")).await;
                group.map_err(|error| no("group", &error))?;
                stream.create_group().await.map_err(|error| no("group", &error))?;
                stream.create_stream().await.map_err(|error| no_stream(&error))?;
            }
            created => created.map_err(|error| no_stream(&error))?,
        }
        // AWS lets a task start that cannot write its log, and drops what it would have written.
        let open = role.may("logs:PutLogEvents", &stream_arn).await;
        if let Err(error) = &open {
            eprintln!("ECS: the log stream {} stays empty: {}", stream.name, error.message);
        }
        Ok(Self { open: open.is_ok(), ..stream })
    }

    /// Adds events, all of the same instant.
    pub(super) async fn put(&self, milliseconds: i64, messages: &[String]) -> Result<(), AwsError> {
        if !self.open {
            return Ok(());
        }
        let event = |message: &String| json!({ "timestamp": milliseconds, "message": message });
        let events: Vec<Value> = messages.iter().map(event).collect();
        self.call("PutLogEvents", &json!({ "logEvents": events })).await
    }

    /// Its group and its name.
    pub(super) fn describe(&self) -> String {
        format!("{}:{}", self.group, self.name)
    }

    async fn create_stream(&self) -> Result<(), AwsError> {
        self.call("CreateLogStream", &json!({})).await
    }

    async fn create_group(&self) -> Result<(), AwsError> {
        let request = json!({ "logGroupName": self.group });
        there(self.aws.json("logs", "Logs_20140328.CreateLogGroup", &request).await)
    }

    async fn call(&self, action: &str, more: &Value) -> Result<(), AwsError> {
        let mut request = json!({ "logGroupName": self.group, "logStreamName": self.name });
        if let (Some(request), Some(more)) = (request.as_object_mut(), more.as_object()) {
            request.extend(more.clone());
        }
        there(self.aws.json("logs", &format!("Logs_20140328.{action}"), &request).await)
    }
}

/// What exists already need not be made.
fn there(answer: Result<Value, AwsError>) -> Result<(), AwsError> {
    match answer {
        Err(error) if error.code != "ResourceAlreadyExistsException" => Err(error),
        _ => Ok(()),
    }
}

fn no(what: &str, error: &AwsError) -> String {
    // ministack adds the group's name.
    let message = match error.code.as_str() {
        "ResourceNotFoundException" => "The specified log group does not exist.",
        _ => error.message.as_str(),
    };
    let why = format!("failed to create Cloudwatch log {what}: {}: {message}", error.code);
    invalid_logger(&format!("create stream has been retried 1 times: {why}"))
}

fn invalid_logger(why: &str) -> String {
    format!("ResourceInitializationError: failed to validate logger args: {why} : exit status 1")
}
