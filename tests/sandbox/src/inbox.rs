//! The inbox of ops: a queue subscribed to the alert topic, so that what lies in it went through SNS.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::Aws;

/// One alert as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// When it arrived.
    pub at: Instant,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
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
    /// Makes the queue, subscribes it to the topic, and begins to read.
    pub async fn subscribe(aws: &Aws, topic: &str) -> anyhow::Result<Self> {
        let aws = aws.clone();
        let made = aws.json("sqs", "AmazonSQS.CreateQueue", &json!({"QueueName": "ops-inbox"})).await?;
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
        let reader = tokio::spawn(read(aws, url, mails.clone(), count));
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

async fn read(aws: Aws, url: String, mails: Mails, count: watch::Sender<usize>) {
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
            let field = |name: &str| envelope[name].as_str().unwrap_or_default().to_owned();
            let mail = Mail { at: Instant::now(), subject: field("Subject"), text: field("Message") };
            mails.add(mail);
            count.send_modify(|count| *count += 1);
            let delete = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
            if let Err(error) = aws.json("sqs", "AmazonSQS.DeleteMessage", &delete).await {
                eprintln!("a mail stays in the inbox and will appear again: {error}");
            }
        }
    }
}
