//! Events on their way to queues, as EventBridge would carry them.
//!
//! AWS (and ministack) refuse `PutEvents` for `aws.*` sources, so ECS's events are delivered from here: the rules are those
//! that are deployed, ministack's own matcher says which of them match, and only the sending is ours.

mod rules;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::aws::{Aws, AwsError};
use crate::options::Options;
use rules::{Rules, Target};

/// The default event bus of the sandbox. Clones are the same bus.
#[derive(Clone)]
pub struct Bus {
    shared: Arc<Shared>,
}

struct Shared {
    region: String,
    account: String,
    rules: Rules,
    /// Through the front door, so that a delivery is recorded and a test can make it fail.
    sender: Aws,
    emitted: Mutex<Vec<Value>>,
    refused: Mutex<Vec<String>>,
    /// How many of the emitted events were delivered.
    delivered: watch::Sender<usize>,
    changed: watch::Sender<()>,
    queue: mpsc::UnboundedSender<Value>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

impl Bus {
    /// `reader` asks ministack about rules, `sender` delivers.
    pub(crate) fn start(reader: Aws, sender: Aws, options: &Options) -> Self {
        let (queue, mut events) = mpsc::unbounded_channel::<Value>();
        let shared = Arc::new(Shared {
            region: options.region.clone(),
            account: options.account.clone(),
            rules: Rules::new(reader),
            sender,
            emitted: Mutex::default(),
            refused: Mutex::default(),
            delivered: watch::Sender::new(0),
            changed: watch::Sender::new(()),
            queue,
            worker: Mutex::default(),
        });
        let bus = Self { shared };
        let weak = Arc::downgrade(&bus.shared);
        let worker = tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                let Some(shared) = weak.upgrade() else { return };
                if let Err(error) = shared.deliver(&event).await {
                    shared.refuse(format!("event {} was not delivered: {error:#}", event["id"]));
                }
                shared.delivered.send_modify(|count| *count += 1);
            }
        });
        *bus.shared.worker() = Some(worker);
        bus
    }

    /// An event of this account and region, now.
    #[must_use]
    pub fn event(&self, source: &str, detail_type: &str, resources: &[&str], detail: &Value) -> Value {
        json!({
            "version": "0",
            "id": crate::ids::uuid(),
            "detail-type": detail_type,
            "source": source,
            "account": self.shared.account,
            "time": crate::clock::seconds(crate::clock::now()),
            "region": self.shared.region,
            "resources": resources,
            "detail": detail,
        })
    }

    /// All events that ECS has emitted so far, in order.
    #[must_use]
    pub fn emitted(&self) -> Vec<Value> {
        self.shared.emitted().clone()
    }

    /// Waits until an event from place `from` of [`Bus::emitted`] on satisfies `wanted`, and returns it.
    pub async fn wait_for(
        &self,
        from: usize,
        within: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let found = async { self.next(from, wanted).await.1 };
        tokio::time::timeout(within, found).await.map_err(|_| {
            let seen: Vec<_> = self.shared.emitted().iter().skip(from).map(summary).collect();
            anyhow::anyhow!("no such event within {within:?}; emitted since event {from}: {}", seen.join(", "))
        })
    }

    /// Waits, however long it takes, for the first event from place `from` of [`Bus::emitted`] on that satisfies `wanted`;
    /// returns it with its place.
    pub async fn next(&self, from: usize, wanted: impl Fn(&Value) -> bool) -> (usize, Value) {
        let mut changed = self.shared.changed.subscribe();
        loop {
            let emitted = self.emitted();
            if let Some(index) = emitted.iter().skip(from).position(&wanted) {
                return (from + index, emitted[from + index].clone());
            }
            // The sender lives as long as `self`.
            let _ = changed.changed().await;
        }
    }

    /// Waits until every event emitted so far was delivered.
    pub async fn delivered(&self) {
        let count = self.shared.emitted().len();
        // The sender lives as long as `self`.
        let _ = self.shared.delivered.subscribe().wait_for(|delivered| *delivered >= count).await;
    }

    /// Delivers `event` to the targets of the rules that match it, now: a duplicate, an old event, one made by hand. It does
    /// not become part of [`Bus::emitted`]. Returns the ARNs of the targets that took it.
    pub async fn deliver(&self, event: &Value) -> anyhow::Result<Vec<String>> {
        self.shared.deliver(event).await
    }

    /// What could not be done because the sandbox does not model it, or because delivery itself failed.
    pub fn refused(&self) -> Vec<String> {
        self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Logs the event and queues it for delivery; events are delivered in the order in which they are emitted.
    pub(crate) fn emit(&self, event: Value) {
        self.shared.emitted().push(event.clone());
        self.shared.changed.send_replace(());
        // After `close` there is nobody to deliver to.
        let _ = self.shared.queue.send(event);
    }

    pub(crate) fn close(&self) {
        if let Some(worker) = self.shared.worker().take() {
            worker.abort();
        }
    }
}

impl Shared {
    async fn deliver(&self, event: &Value) -> anyhow::Result<Vec<String>> {
        let mut took = Vec::new();
        for target in self.rules.targets_for(event).await? {
            match self.deliver_to(&target, event).await {
                Ok(()) => took.push(target.arn),
                Err(text) => self.refuse(text),
            }
        }
        Ok(took)
    }

    /// `Err` says why nobody got the event: not the queue, and not its dead-letter queue either.
    async fn deliver_to(&self, target: &Target, event: &Value) -> Result<(), String> {
        if let Some(why) = &target.not_modelled {
            return Err(format!("rule {}: target {}: the sandbox does not model {why}", target.rule_arn, target.arn));
        }
        let Err(error) = self.send(&target.arn, target.message_group.as_deref(), event, None).await else {
            return Ok(());
        };
        let Some(dead_letters) = &target.dead_letter_arn else {
            return Err(format!(
                "rule {}: {error}; the target has no dead-letter queue: the event is lost",
                target.rule_arn
            ));
        };
        // The attributes that EventBridge puts on a dead letter (EventBridge user guide, "dead-letter queues").
        let attribute = |text: &str| json!({ "DataType": "String", "StringValue": text });
        let attributes = json!({
            "RULE_ARN": attribute(&target.rule_arn),
            "TARGET_ARN": attribute(&target.arn),
            "ERROR_CODE": attribute(&error.code),
            "ERROR_MESSAGE": attribute(&error.message),
        });
        self.send(dead_letters, None, event, Some(attributes))
            .await
            .map_err(|second| format!("rule {}: {error}; and its dead-letter queue: {second}", target.rule_arn))
    }

    async fn send(
        &self,
        queue_arn: &str,
        group: Option<&str>,
        event: &Value,
        attributes: Option<Value>,
    ) -> Result<(), AwsError> {
        let name = queue_arn.rsplit(':').next().unwrap_or(queue_arn);
        let url = self.sender.json("sqs", "AmazonSQS.GetQueueUrl", &json!({ "QueueName": name })).await?;
        let mut message = json!({ "QueueUrl": url["QueueUrl"], "MessageBody": event.to_string() });
        if let Some(attributes) = attributes {
            message["MessageAttributes"] = attributes;
        }
        if let Some(group) = group {
            message["MessageGroupId"] = json!(group);
        }
        self.sender.json("sqs", "AmazonSQS.SendMessage", &message).await.map(|_| ())
    }

    fn refuse(&self, text: String) {
        eprintln!("event bus: {text}");
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    fn emitted(&self) -> MutexGuard<'_, Vec<Value>> {
        self.emitted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn worker(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One event in a few words, for the text of a wait that failed.
fn summary(event: &Value) -> String {
    let detail = &event["detail"];
    let what = detail["eventName"].as_str().or(detail["lastStatus"].as_str()).unwrap_or("?");
    format!("{} {what}", event["resources"][0].as_str().unwrap_or("?"))
}
