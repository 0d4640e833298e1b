//! The way of emitted events to their targets, with the disorder that a plan brings about.

use std::sync::Weak;
use std::time::Instant;

use serde_json::Value;
use tokio::sync::mpsc;

use super::Shared;
use super::line::{Hold, Line};
use crate::disorder::EventEffect;

/// An event that is to be delivered, and what happens to it on its way.
pub(super) struct Emitted {
    pub(super) place: usize,
    pub(super) at: Instant,
    pub(super) event: Value,
    pub(super) effect: Option<EventEffect>,
}

/// Delivers what is emitted, one event after the other, until the bus is gone.
pub(super) async fn carry(bus: Weak<Shared>, mut events: mpsc::UnboundedReceiver<Emitted>) {
    let mut line = Line::default();
    loop {
        while let Some((place, (event, copies))) = line.next(Instant::now()) {
            let Some(shared) = bus.upgrade() else { return };
            for _ in 0..=copies {
                if let Err(error) = shared.deliver(&event).await {
                    shared.refuse(format!("event {} was not delivered: {error:#}", event["id"]));
                }
            }
            shared.settle(place);
        }
        let due = line.due();
        let due = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            emitted = events.recv() => {
                let Some(Emitted { place, at, event, effect }) = emitted else { return };
                let (hold, copies) = match effect {
                    None => (None, 0),
                    Some(EventEffect::Duplicate(copies)) => (None, copies),
                    Some(EventEffect::Delay(time)) => (Some(Hold { others: None, time }), 0),
                    Some(EventEffect::Reorder { after, within }) => (Some(Hold { others: Some(after), time: within }), 0),
                    Some(EventEffect::Drop) => {
                        let Some(shared) = bus.upgrade() else { return };
                        shared.settle(place);
                        continue;
                    }
                };
                line.arrive(place, (event, copies), hold, at);
            }
            () = due => {}
        }
    }
}
