//! A sandbox with our stack in it and ops listening.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::inbox::Inbox;
use crate::stack::{self, Stack};
use crate::{Call, Options, Sandbox, redelivery};

/// The name that the function's calls carry in the front door's record.
pub const FUNCTION: &str = "crash-alerts";
/// How long a story waits for what should take a second or two; machines are shared and slow.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// How often a condition is looked at that nothing announces.
const LOOK: Duration = Duration::from_millis(50);

/// Everything a story needs.
pub struct Stage {
    /// The local AWS.
    pub sandbox: Sandbox,
    /// Our stack.
    pub stack: Stack,
    /// What ops get.
    pub inbox: Inbox,
}

impl Stage {
    /// Builds, starts, deploys and subscribes; `progress` is told what happens.
    pub async fn set(options: Options, progress: impl Fn(&str)) -> anyhow::Result<Self> {
        progress("building the functions (cargo build --workspace)");
        stack::build().await?;
        let sandbox = Sandbox::start(options, &progress).await?;
        progress("deploying infra/watchkeeper.yaml with infra/deploy");
        let stack = Stack::deploy(&sandbox, &progress).await?;
        if sandbox.options().disorder.is_some() {
            progress("on a bad day messages come again: after 10 s here, not after 3 minutes");
            let (function, queue) = (stack.output("CrashAlertsFunctionName")?, stack.output("CrashAlertsQueueUrl")?);
            redelivery::make_quick(sandbox.looks(), function, queue).await?;
        }
        let inbox = Inbox::subscribe(&sandbox, stack.output("TopicArn")?).await?;
        progress("ready: the stack is deployed and ops listen");
        Ok(Self { sandbox, stack, inbox })
    }

    /// Takes everything down, the reader of the inbox first.
    pub async fn stop(self) -> anyhow::Result<()> {
        drop(self.inbox);
        self.sandbox.stop().await
    }

    /// Calls ECS as a user would, through the front door.
    pub async fn ecs(&self, action: &str, request: Value) -> anyhow::Result<Value> {
        let target = format!("AmazonEC2ContainerServiceV20141113.{action}");
        Ok(self.sandbox.aws().json("ecs", &target, &request).await?)
    }

    /// Puts a message into the function's queue.
    pub async fn send(&self, body: &str) -> anyhow::Result<()> {
        let message = json!({"QueueUrl": self.stack.output("CrashAlertsQueueUrl")?, "MessageBody": body});
        self.sandbox.aws().json("sqs", "AmazonSQS.SendMessage", &message).await?;
        Ok(())
    }

    /// An item of the state table.
    pub async fn item(&self, pk: &str, sk: &str) -> anyhow::Result<Option<Value>> {
        let get = json!({
            "TableName": self.stack.output("TableName")?, "Key": {"pk": {"S": pk}, "sk": {"S": sk}}, "ConsistentRead": true
        });
        let answer = self.sandbox.looks().json("dynamodb", "DynamoDB_20120810.GetItem", &get).await?;
        Ok(answer.get("Item").cloned())
    }

    /// Waits until an item of the state table satisfies `wanted`.
    pub async fn wait_for_item(&self, pk: &str, sk: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let found = async {
            loop {
                match self.item(pk, sk).await? {
                    Some(item) if wanted(&item) => return anyhow::Ok(item),
                    _ => tokio::time::sleep(LOOK).await,
                }
            }
        };
        tokio::time::timeout(3 * PATIENCE, found)
            .await
            .with_context(|| format!("the table has no such item {pk} {sk}"))?
    }

    /// Waits until every event emitted so far was delivered, the function has dealt with its queue, and what it told
    /// has arrived.
    pub async fn quiet(&self) -> anyhow::Result<()> {
        self.sandbox.bus().delivered().await;
        let queue = self.stack.output("CrashAlertsQueueUrl")?;
        let empty = async {
            while !self.is_empty(queue).await? {
                tokio::time::sleep(LOOK).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, empty).await.context("the function does not get its queue empty")??;
        let told = |call: &Call| {
            let done = call.outcome.as_ref().is_some_and(|outcome| outcome.status == 200);
            by_function(call) && call.is("sns", "Publish") && done
        };
        let told = self.sandbox.door().calls_where(0, told).len();
        if told > 0 {
            let arrived = tokio::time::timeout(PATIENCE, self.inbox.next(told - 1)).await;
            arrived.with_context(|| format!("of {told} alerts only {} arrived", self.inbox.mails().len()))??;
        }
        Ok(())
    }

    /// Whether a queue has no message, in flight or not.
    pub async fn is_empty(&self, queue_url: &str) -> anyhow::Result<bool> {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let get = json!({"QueueUrl": queue_url, "AttributeNames": names});
        let answer = self.sandbox.looks().json("sqs", "AmazonSQS.GetQueueAttributes", &get).await?;
        Ok(names.iter().all(|name| answer["Attributes"][name] == "0"))
    }

    /// Checks that nothing arrived since there were `before` mails, once the function is done with its queue.
    pub async fn stays_silent(&self, before: usize) -> anyhow::Result<()> {
        self.quiet().await?;
        let since: Vec<_> = self.inbox.mails().into_iter().skip(before).map(|mail| mail.subject).collect();
        ensure!(since.is_empty(), "this should have stayed silent, but ops got {since:?}");
        Ok(())
    }

    /// The calls that the function made since `from`, by name, with how often.
    #[must_use]
    pub fn function_calls(&self, from: usize) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.sandbox.door().calls_where(from, by_function) {
            *counts.entry(format!("{}:{}", call.service, call.action)).or_default() += 1;
        }
        counts
    }

    /// Waits until a queue holds a message.
    pub async fn wait_for_message(&self, queue_url: &str) -> anyhow::Result<()> {
        let get = json!({"QueueUrl": queue_url, "AttributeNames": ["ApproximateNumberOfMessages"]});
        let found = async {
            loop {
                let answer = self.sandbox.looks().json("sqs", "AmazonSQS.GetQueueAttributes", &get).await?;
                if answer["Attributes"]["ApproximateNumberOfMessages"] != "0" {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(2 * PATIENCE, found).await.context("no message came")?
    }

    /// Takes a message from a queue, waiting for one.
    pub async fn receive(&self, queue_url: &str) -> anyhow::Result<Value> {
        let receive = json!({
            "QueueUrl": queue_url, "MaxNumberOfMessages": 1, "WaitTimeSeconds": 20, "MessageAttributeNames": ["All"]
        });
        let answer = self.sandbox.looks().json("sqs", "AmazonSQS.ReceiveMessage", &receive).await?;
        let message = answer["Messages"][0].clone();
        ensure!(!message.is_null(), "no message came within 20 s");
        let delete = json!({"QueueUrl": queue_url, "ReceiptHandle": message["ReceiptHandle"]});
        self.sandbox.looks().json("sqs", "AmazonSQS.DeleteMessage", &delete).await?;
        Ok(message)
    }
}

/// Whether the function made this call.
#[must_use]
pub fn by_function(call: &Call) -> bool {
    call.caller == FUNCTION
}
