//! The event source mapping: it hands batches to at most two instances of the function, and what failed comes again.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail, ensure};
use runtime_api::{Answer, Running};
use serde_json::{Value, json};

use super::events::Incident;
use super::place::Place;

/// The function's time-out, as the template has it.
const TIME: Duration = Duration::from_secs(30);
/// A message that failed more often than this would be in the dead-letter queue.
const RECEIVES: usize = 10;

/// A message of the function's queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// Its body.
    pub body: String,
    /// Which incident it is about, if it tells of a stop.
    pub incident: Option<Incident>,
}

impl Message {
    /// The scheduler's.
    #[must_use]
    pub fn sweep() -> Self {
        Self { id: "sweep".to_owned(), body: json!({"watchkeeper": "sweep"}).to_string(), incident: None }
    }
}

/// What waits, and what was handed out.
#[derive(Debug, Default)]
pub struct Queue(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<(Message, usize)>,
    handed_out: HandedOut,
}

/// What was handed out so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HandedOut {
    /// Batches with at least one stop in them.
    pub batches: usize,
    /// (Batch, incident) pairs: how many incidents each batch told of, added up.
    pub pairs: usize,
    /// Messages that failed and came again.
    pub again: usize,
}

impl Queue {
    /// A message that does not wait behind the others.
    pub fn put_first(&self, message: Message) {
        self.lock().messages.push_front((message, 1));
    }

    fn put(&self, message: Message) {
        self.lock().messages.push_back((message, 1));
    }

    fn take(&self, at_most: usize) -> Vec<(Message, usize)> {
        let mut waiting = self.lock();
        let count = at_most.min(waiting.messages.len());
        let batch: Vec<_> = waiting.messages.drain(..count).collect();
        let incidents: BTreeSet<_> = batch.iter().filter_map(|(message, _)| message.incident.as_ref()).collect();
        waiting.handed_out.batches += usize::from(!incidents.is_empty());
        waiting.handed_out.pairs += incidents.len();
        batch
    }

    fn put_back(&self, message: Message, receives: usize) -> anyhow::Result<()> {
        ensure!(receives < RECEIVES, "a message failed {RECEIVES} times: {}", message.body);
        let mut waiting = self.lock();
        waiting.handed_out.again += 1;
        waiting.messages.push_back((message, receives + 1));
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.lock().messages.is_empty()
    }

    fn handed_out(&self) -> HandedOut {
        self.lock().handed_out
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The mapping and its two instances.
#[derive(Debug)]
pub struct Mapping {
    queue: Queue,
    batch_size: usize,
    instances: [Running; 2],
}

impl Mapping {
    /// Starts the instances.
    pub async fn start(binary: &Path, place: &Place, batch_size: usize) -> anyhow::Result<Self> {
        let environment = place.environment();
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut instances = [Running::start(binary, &environment).await?, Running::start(binary, &environment).await?];
        for instance in &mut instances {
            instance.ready().await?;
        }
        Ok(Self { queue: Queue::default(), batch_size, instances })
    }

    /// Puts messages at the queue's end.
    pub fn put(&self, messages: impl IntoIterator<Item = Message>) {
        messages.into_iter().for_each(|message| self.queue.put(message));
    }

    /// Works until the queue is empty.
    pub async fn work(&mut self) -> anyhow::Result<()> {
        self.parts().1.await
    }

    /// The queue, and the work until it is empty.
    pub fn parts(&mut self) -> (&Queue, impl Future<Output = anyhow::Result<()>>) {
        let Self { queue, batch_size, instances: [one, other] } = self;
        let (queue, batch_size) = (&*queue, *batch_size);
        let work = async move {
            while !queue.is_empty() {
                tokio::try_join!(drain(queue, batch_size, one), drain(queue, batch_size, other))?;
            }
            Ok(())
        };
        (queue, work)
    }

    /// What was handed out so far.
    #[must_use]
    pub fn handed_out(&self) -> HandedOut {
        self.queue.handed_out()
    }

    /// Messages in a batch at most.
    #[must_use]
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// The most memory that an instance ever had resident, in MiB.
    pub fn peak_mib(&self) -> anyhow::Result<f64> {
        let peak = self.instances.iter().map(|instance| instance.usage().map(|usage| usage.peak_kib));
        let peak = peak.collect::<anyhow::Result<Vec<_>>>()?.into_iter().max().unwrap_or_default();
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        Ok(peak as f64 / 1024.0)
    }

    /// CPU time of both instances.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        self.instances.iter().map(|instance| instance.usage().map(|usage| usage.cpu)).sum()
    }

    /// Ends the instances.
    pub async fn end(self) -> anyhow::Result<()> {
        for instance in self.instances {
            instance.kill().await?;
        }
        Ok(())
    }
}

async fn drain(queue: &Queue, batch_size: usize, instance: &mut Running) -> anyhow::Result<()> {
    loop {
        let batch = queue.take(batch_size);
        if batch.is_empty() {
            return Ok(());
        }
        let answer = match instance.invoke(&event(&batch), TIME).await? {
            Answer::Response(answer) => answer,
            Answer::Error(error) => bail!("the function failed: {error}"),
        };
        let failures = answer["batchItemFailures"].as_array().context("the answer names no failures")?;
        let failed: BTreeSet<&str> = failures.iter().filter_map(|failure| failure["itemIdentifier"].as_str()).collect();
        for (message, receives) in batch {
            if failed.contains(message.id.as_str()) {
                queue.put_back(message, receives)?;
            }
        }
    }
}

/// The batch as Lambda hands it to the function, with the members that it reads.
fn event(batch: &[(Message, usize)]) -> Value {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis().to_string();
    let record = |(message, receives): &(Message, usize)| {
        json!({
            "messageId": message.id, "body": message.body, "eventSource": "aws:sqs", "messageAttributes": {},
            "attributes": {"SentTimestamp": now, "ApproximateReceiveCount": receives.to_string()}
        })
    };
    json!({"Records": batch.iter().map(record).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stop(id: &str, cause: usize) -> Message {
        Message { id: id.to_owned(), body: "{}".to_owned(), incident: Some(("service".to_owned(), cause)) }
    }

    #[test]
    fn pairs_are_the_incidents_of_each_batch() {
        let queue = Queue::default();
        for message in [stop("a", 0), stop("b", 0), stop("c", 1), stop("d", 0)] {
            queue.put(message);
        }
        queue.put_first(Message::sweep());
        assert_eq!(queue.take(4).len(), 4);
        queue.put_back(stop("b", 0), 1).unwrap();
        assert_eq!(queue.take(4).iter().map(|(message, _)| message.id.as_str()).collect::<Vec<_>>(), ["d", "b"]);
        queue.put_first(Message::sweep());
        assert_eq!(queue.take(4).len(), 1);
        assert_eq!(queue.handed_out(), HandedOut { batches: 2, pairs: 3, again: 1 });
        assert!(queue.is_empty() && queue.put_back(stop("b", 0), RECEIVES).is_err());
    }
}
