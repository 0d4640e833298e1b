//! Every call that came in, kept for as long as the sandbox lives.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::call::{Call, Incoming, Outcome};
use super::forward::Answer;

pub(crate) struct Record {
    calls: Mutex<Vec<(Instant, Call)>>,
    changed: watch::Sender<()>,
}

impl Default for Record {
    fn default() -> Self {
        Self { calls: Mutex::default(), changed: watch::Sender::new(()) }
    }
}

impl Record {
    /// Notes a call as it comes in, so that its place says when it came, not when it was answered.
    pub(crate) fn begin(&self, incoming: &Incoming) -> Call {
        let mut calls = self.calls();
        let call = Call {
            index: calls.len(),
            at: crate::clock::now(),
            caller: incoming.caller.clone(),
            service: incoming.service.clone(),
            action: incoming.action.clone(),
            resource: incoming.resource.clone(),
            outcome: None,
        };
        calls.push((Instant::now(), call.clone()));
        call
    }

    pub(crate) fn end(&self, index: usize, answer: &Answer, held: bool) {
        if let Some((began, call)) = self.calls().get_mut(index) {
            call.outcome =
                Some(Outcome { status: answer.status, error: answer.error_code(), took: began.elapsed(), held });
        }
        self.changed.send_replace(());
    }

    pub(crate) fn count(&self) -> usize {
        self.calls().len()
    }

    pub(crate) fn since(&self, index: usize) -> Vec<Call> {
        self.calls().iter().skip(index).map(|(_, call)| call.clone()).collect()
    }

    pub(crate) async fn wait_for(
        &self,
        index: usize,
        within: Duration,
        wanted: impl Fn(&Call) -> bool,
    ) -> anyhow::Result<Call> {
        let mut changed = self.changed.subscribe();
        let found = async {
            loop {
                if let Some(call) = self.since(index).into_iter().find(&wanted) {
                    return call;
                }
                // The sender lives as long as `self`.
                let _ = changed.changed().await;
            }
        };
        tokio::time::timeout(within, found).await.map_err(|_| {
            let seen: Vec<_> =
                self.since(index).iter().map(|call| format!("{}:{}", call.service, call.action)).collect();
            anyhow::anyhow!("no such call within {within:?}; seen since call {index}: {}", seen.join(", "))
        })
    }

    fn calls(&self) -> MutexGuard<'_, Vec<(Instant, Call)>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
