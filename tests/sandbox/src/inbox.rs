//! The inbox of ops: a queue subscribed to the alert topic, so that what lies in it went through SNS. A queue gets the text for
//! queues; those for e-mail, text messages and chats are the same Publish's, kept by the front door.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::door::publish::{FIFO, Published};
use crate::{Aws, Sandbox};

/// One alert as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// When it arrived.
    pub at: Instant,
    /// Its subject.
    pub subject: String,
    /// Its text as an e-mail.
    pub text: String,
    /// Its text as a text message.
    pub sms: String,
    /// What a chat gets over HTTPS; null when that is no JSON.
    pub https: Value,
    /// What queues and functions get; null when that is no JSON.
    pub json: Value,
    /// Its attributes, which filter policies read.
    pub attributes: BTreeMap<String, String>,
}

/// What has arrived, for who only looks on. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Mails {
    arrived: Arc<Mutex<Vec<Mail>>>,
}

impl Mails {
    /// All that has arrived.
    pub fn all(&self) -> Vec<Mail> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, mail: Mail) {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
    }
}

/// The inbox; it is read until it is dropped.
#[derive(Debug)]
pub struct Inbox {
    mails: Mails,
    changed: watch::Receiver<usize>,
    reader: JoinHandle<()>,
}

impl Inbox {
    /// Makes the queue, subscribes it to the topic (to a FIFO topic a FIFO queue), and begins to read.
    pub async fn subscribe(sandbox: &Sandbox, topic: &str) -> anyhow::Result<Self> {
        let (aws, published) = (sandbox.looks().clone(), sandbox.door().published());
        let queue = if topic.ends_with(FIFO) {
            json!({"QueueName": "ops-inbox.fifo", "Attributes": {"FifoQueue": "true"}})
        } else {
            json!({"QueueName": "ops-inbox"})
        };
        let made = aws.json("sqs", "AmazonSQS.CreateQueue", &queue).await?;
        let url = made["QueueUrl"].as_str().context("the new queue has no URL")?.to_owned();
        let attributes = json!({"QueueUrl": url, "AttributeNames": ["QueueArn"]});
        let attributes = aws.json("sqs", "AmazonSQS.GetQueueAttributes", &attributes).await?;
        let arn = attributes["Attributes"]["QueueArn"].as_str().context("the new queue has no ARN")?.to_owned();
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}}
        }]});
        let policy = json!({"QueueUrl": url, "Attributes": {"Policy": policy.to_string()}});
        aws.json("sqs", "AmazonSQS.SetQueueAttributes", &policy).await?;
        aws.query("sns", "Subscribe", &[("TopicArn", topic), ("Protocol", "sqs"), ("Endpoint", &arn)]).await?;

        let mails = Mails::default();
        let (count, changed) = watch::channel(0);
        let reader = tokio::spawn(read(aws, published, url, mails.clone(), count));
        Ok(Self { mails, changed, reader })
    }

    /// All that has arrived.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.all()
    }

    /// The same for who outlives the inbox.
    pub fn shared(&self) -> Mails {
        self.mails.clone()
    }

    /// Waits for the mail at place `index`, however long it takes.
    pub async fn next(&self, index: usize) -> anyhow::Result<Mail> {
        let mut changed = self.changed.clone();
        changed.wait_for(|count| *count > index).await.context("the inbox is not read any more")?;
        self.mails().into_iter().nth(index).context("the inbox lost a mail")
    }

    /// Waits until a mail from place `from` on satisfies `wanted`.
    pub async fn wait_for(
        &self,
        from: usize,
        within: Duration,
        wanted: impl Fn(&Mail) -> bool,
    ) -> anyhow::Result<Mail> {
        let mut changed = self.changed.clone();
        let found = async {
            loop {
                if let Some(mail) = self.mails().into_iter().skip(from).find(|mail| wanted(mail)) {
                    return Ok(mail);
                }
                changed.changed().await.context("the inbox is not read any more")?;
            }
        };
        tokio::time::timeout(within, found).await.unwrap_or_else(|_| {
            let subjects: Vec<_> = self.mails().into_iter().skip(from).map(|mail| mail.subject).collect();
            Err(anyhow::anyhow!("no such alert within {within:?}; what arrived meanwhile: {subjects:?}"))
        })
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read(aws: Aws, published: Published, url: String, mails: Mails, count: watch::Sender<usize>) {
    let receive = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20});
    loop {
        let messages = match aws.json("sqs", "AmazonSQS.ReceiveMessage", &receive).await {
            Ok(answer) => answer["Messages"].as_array().cloned().unwrap_or_default(),
            Err(error) => {
                // Its watchers are told that nobody reads any more when `count` goes.
                eprintln!("the inbox cannot be read: {error}");
                return;
            }
        };
        for message in messages {
            let envelope: Value =
                message["Body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
            mails.add(mail(&envelope, &published).await);
            count.send_modify(|count| *count += 1);
            let delete = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
            if let Err(error) = aws.json("sqs", "AmazonSQS.DeleteMessage", &delete).await {
                eprintln!("a mail stays in the inbox and will appear again: {error}");
            }
        }
    }
}

/// A message as its envelope and its Publish have it.
async fn mail(envelope: &Value, published: &Published) -> Mail {
    let at = Instant::now();
    let field = |name: &str| envelope[name].as_str().unwrap_or_default();
    let texts = published.of(field("MessageId")).await.unwrap_or_default();
    let text = |protocol: &str| texts.get(protocol).or(texts.get("default")).map_or(field("Message"), String::as_str);
    let json = |text: &str| serde_json::from_str(text).unwrap_or_default();
    let attributes = envelope["MessageAttributes"].as_object().into_iter().flatten();
    let value = |value: &Value| value["Value"].as_str().unwrap_or_default().to_owned();
    Mail {
        at,
        subject: field("Subject").to_owned(),
        text: text("email").to_owned(),
        sms: text("sms").to_owned(),
        https: json(text("https")),
        json: json(field("Message")),
        attributes: attributes.map(|(name, given)| (name.clone(), value(given))).collect(),
    }
}
