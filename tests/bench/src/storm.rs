//! A storm: thousands of crashes of many services in two outages, some told twice, in any order, against the sandbox's own table,
//! topic and queue.
//!
//! The bench is the event source mapping: two processes of crash-alerts, each one batch at a time ([`mapping`]). What came of it is
//! counted in the table, at the topic and at the front door ([`outcome`]).

pub mod events;
pub mod mapping;
pub mod outcome;
pub mod place;
pub mod report;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::time::{interval, timeout};

use events::Storm;
use mapping::{Mapping, Message};
use outcome::Outcome;
use place::Place;

/// Between two sweeps: in Lambda a minute, five times a digest's window. As the window, it is shorter here.
const SWEEP: Duration = Duration::from_secs(12);
/// How long the last digest may take: what waits for a window to end, and a window without news.
const LAST_DIGEST: Duration = Duration::from_mins(5);

/// A storm that is over, but for its last digests.
pub struct Raged {
    place: Place,
    mapping: Mapping,
    outcome: Outcome,
}

/// Lets a storm come in batches of so many, until all is taken in.
pub async fn rage(binary: &Path, storm: &Storm, batch_size: usize, progress: impl Fn(&str)) -> anyhow::Result<Raged> {
    let place = Place::make(storm, &progress).await?;
    let mut mapping = Mapping::start(binary, &place, batch_size).await?;
    progress(&format!("{} messages in batches of {batch_size}", storm.messages.len()));

    mapping.put(storm.messages.iter().cloned());
    let began = Instant::now();
    {
        let (queue, work) = mapping.parts();
        tokio::select! {
            worked = work => worked?,
            failed = place.bring_looks(queue) => failed?,
            () = sweeps(queue) => {}
        }
    }
    let took = began.elapsed();
    progress(&format!("all taken in within {:.0} s; its last digests come by and by", took.as_secs_f64()));
    let outcome = outcome::of_storm(storm, &place, &mapping, took)?;
    Ok(Raged { place, mapping, outcome })
}

impl Raged {
    /// What is known of it by now.
    #[must_use]
    pub fn so_far(&self) -> &Outcome {
        &self.outcome
    }

    /// Where the table's counts are not how many tasks stopped, in words.
    pub async fn wrong(&self, storm: &Storm) -> anyhow::Result<Vec<String>> {
        Ok(outcome::wrong(&storm.stops, &self.place.incidents().await?))
    }

    /// Waits for the last digests, and counts what came of the storm.
    pub async fn ended(mut self, storm: &Storm) -> anyhow::Result<Outcome> {
        let last = last_digests(&mut self.mapping, &self.place);
        timeout(LAST_DIGEST, last).await.context("digests wait, and are not sent")??;
        let wrong = self.wrong(storm).await?;
        let outcome = outcome::in_the_end(Outcome { wrong, ..self.outcome }, &self.place, &self.mapping).await?;
        self.mapping.end().await?;
        drop(self.place.inbox);
        self.place.sandbox.stop().await?;
        Ok(outcome)
    }
}

async fn sweeps(queue: &mapping::Queue) {
    let mut minute = interval(SWEEP);
    loop {
        minute.tick().await;
        queue.put_first(Message::sweep());
    }
}

/// Lets time pass until nothing waits at the desk; and once more, since what a storm kept back is told after its end.
async fn last_digests(mapping: &mut Mapping, place: &Place) -> anyhow::Result<()> {
    let mut minute = interval(SWEEP);
    let mut quiet = 0;
    while quiet < 2 {
        minute.tick().await;
        let looks = place.looks(0).await?;
        mapping.put(looks);
        mapping.put([Message::sweep()]);
        mapping.work().await?;
        quiet = if place.nothing_waits().await? { quiet + 1 } else { 0 };
    }
    Ok(())
}
