//! Events on their way to queues, as EventBridge would carry them.
//!
//! AWS (and ministack) refuse `PutEvents` for `aws.*` sources, so ECS's events are delivered from here, and so are those that
//! ministack's services tell, which then know disorder too: the rules are those that are deployed, ministack's own matcher
//! says which of them match, and only the sending is ours.

mod carry;
mod line;
pub(crate) mod native;
mod rules;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::aws::{Aws, AwsError};
use crate::disorder::Disorder;
use crate::options::Options;
use carry::{Emitted, carry};
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
    disorder: Disorder,
    emitted: Mutex<Vec<Value>>,
    refused: Mutex<Vec<String>>,
    /// The places of the emitted events that were neither delivered nor dropped yet.
    on_their_way: watch::Sender<BTreeSet<usize>>,
    changed: watch::Sender<()>,
    queue: mpsc::UnboundedSender<Emitted>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

impl Bus {
    /// `reader` asks ministack about rules, `sender` delivers.
    pub(crate) fn start(reader: Aws, sender: Aws, disorder: Disorder, options: &Options) -> Self {
        let (queue, events) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            region: options.region.clone(),
            account: options.account.clone(),
            rules: Rules::new(reader),
            sender,
            disorder,
            emitted: Mutex::default(),
            refused: Mutex::default(),
            on_their_way: watch::Sender::new(BTreeSet::new()),
            changed: watch::Sender::new(()),
            queue,
            worker: Mutex::default(),
        });
        let bus = Self { shared };
        let worker = tokio::spawn(carry(Arc::downgrade(&bus.shared), events));
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

    /// All events that AWS's services have emitted so far, in order.
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

    /// Waits until every event emitted so far was delivered, or dropped by a rule of disorder.
    pub async fn delivered(&self) {
        let count = self.shared.emitted().len();
        let mut on_their_way = self.shared.on_their_way.subscribe();
        // The sender lives as long as `self`.
        let _ = on_their_way.wait_for(|places| places.first().is_none_or(|place| *place >= count)).await;
    }

    /// Delivers `event` to the targets of the rules that match it, now: a duplicate, an old event, one made by hand. It does
    /// not become part of [`Bus::emitted`], and no rule of disorder is asked about it. Returns the ARNs of the targets that
    /// took it.
    pub async fn deliver(&self, event: &Value) -> anyhow::Result<Vec<String>> {
        self.shared.deliver(event).await
    }

    /// What could not be done because the sandbox does not model it, or because delivery itself failed.
    pub fn refused(&self) -> Vec<String> {
        self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Logs the event and queues it for delivery; events are delivered in the order in which they are emitted, unless a rule
    /// of disorder says otherwise.
    pub(crate) fn emit(&self, event: Value) {
        let mut emitted = self.shared.emitted();
        let place = emitted.len();
        emitted.push(event.clone());
        // Under the lock, so that rules see events in the order of the log.
        let effect = self.shared.disorder.about_event(&event);
        self.shared.on_their_way.send_modify(|places| _ = places.insert(place));
        // After `close` there is nobody to deliver to.
        let _ = self.shared.queue.send(Emitted { place, at: Instant::now(), event, effect });
        drop(emitted);
        self.shared.changed.send_replace(());
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

    fn settle(&self, place: usize) {
        self.on_their_way.send_modify(|places| _ = places.remove(&place));
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
    let what =
        ["eventName", "lastStatus", "operation"].into_iter().find_map(|name| detail[name].as_str()).unwrap_or("?");
    format!("{} {what}", event["resources"][0].as_str().unwrap_or("?"))
}
