//! The function's queue: messages in any order, some of them twice, and what fails comes again.

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use time::{Duration, OffsetDateTime};

/// As the template has them.
const VISIBILITY: Duration = Duration::seconds(180);
const RECEIVES: u32 = 20;
const BATCH: usize = 10;

#[derive(Debug, Clone)]
pub(crate) struct Queued {
    id: u64,
    body: String,
    sent_at: OffsetDateTime,
    visible_at: OffsetDateTime,
    receives: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    messages: Vec<Queued>,
    numbers: u64,
    /// Messages that came too often and were given up.
    pub(crate) given_up: Vec<String>,
}

impl Queue {
    pub(crate) fn put(&mut self, body: String, sent_at: OffsetDateTime, visible_at: OffsetDateTime) {
        self.numbers += 1;
        self.messages.push(Queued { id: self.numbers, body, sent_at, visible_at, receives: 0 });
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// When there is something to take.
    pub(crate) fn next_at(&self) -> Option<OffsetDateTime> {
        self.messages.iter().map(|message| message.visible_at).min()
    }

    /// A batch; `twice` lets some of it be delivered once more at the same time.
    pub(crate) fn take(&mut self, now: OffsetDateTime, rng: &mut fastrand::Rng, twice: bool) -> Option<SqsEvent> {
        let mut visible: Vec<usize> =
            (0..self.messages.len()).filter(|&place| self.messages[place].visible_at <= now).collect();
        rng.shuffle(&mut visible);
        visible.truncate(if rng.u8(..3) == 0 { 1 } else { BATCH });
        let mut event = SqsEvent::default();
        let mut given_up = Vec::new();
        for place in visible {
            let message = &mut self.messages[place];
            message.receives += 1;
            if message.receives > RECEIVES {
                given_up.push(message.id);
                continue;
            }
            let is_twice = twice && rng.u8(..16) == 0;
            message.visible_at = now + if is_twice { Duration::milliseconds(20) } else { VISIBILITY };
            let mut record = SqsMessage::default();
            record.message_id = Some(message.id.to_string());
            record.body = Some(message.body.clone());
            let sent_at = message.sent_at.unix_timestamp_nanos() / 1_000_000;
            record.attributes.insert("SentTimestamp".to_owned(), sent_at.to_string());
            event.records.push(record);
        }
        for message in self.messages.extract_if(.., |message| given_up.contains(&message.id)) {
            self.given_up.push(message.body);
        }
        (!event.records.is_empty()).then_some(event)
    }

    /// The batch was answered: what did not fail goes.
    pub(crate) fn answered(&mut self, batch: &SqsEvent, failed: &[String]) {
        let done: Vec<u64> = batch
            .records
            .iter()
            .filter_map(|record| record.message_id.clone())
            .filter(|id| !failed.contains(id))
            .filter_map(|id| id.parse().ok())
            .collect();
        self.messages.retain(|message| !done.contains(&message.id));
    }
}
