//! The sweep: tries again what waits. It comes each minute, and sees to it that what was left to it is answered in time.

use std::time::Duration;

use lambda_runtime::tracing::{error, info};
use time::OffsetDateTime;
use tokio::time::timeout;

use crate::attempt::{Attempt, TO_WAIT, gave_up};
use crate::courier::Courier;
use crate::envelope::Envelope;
use crate::error::Undone;
use crate::frame::{Frame, Invocation, given_up, noted};
use crate::ledger::{Begun, Hold, Ledger, LedgerError, Waiting};

/// How long the list of what waits may take.
const TO_LIST: Duration = Duration::from_secs(10);

/// A waiting request that is ours.
struct Turn<'a> {
    waiting: &'a Waiting,
    envelope: Envelope,
    hold: Hold,
    first: OffsetDateTime,
    cut_off: bool,
}

impl<L: Ledger, C: Courier> Frame<L, C> {
    /// Tries again what waits, as many as there is time for, whoever waits longest for its turn first. At its end the first
    /// answer that was not delivered is told; what failed does not keep the others waiting.
    ///
    /// Two sweeps at once do one try of each request.
    pub async fn sweep(&self, invocation: &Invocation) -> Result<(), Undone> {
        let listed = timeout(TO_LIST, self.ledger.waiting()).await;
        let mut waiting = listed.unwrap_or_else(|_| {
            Err(LedgerError { doing: "looking for waiting requests", why: "no answer in time".to_owned() })
        })?;
        waiting.sort_by_key(|waiting| waiting.tried);
        let time = invocation.time_left();
        let mut undone = Ok(());
        let mut cut_off = Vec::new();
        for one in &waiting {
            // Who comes late has at least half of the time.
            if invocation.time_left() < time / 2 {
                info!(waiting = waiting.len(), "no time for all: the next sweep goes on");
                return undone;
            }
            let tried = match self.take(one, invocation).await {
                Ok(None) => Ok(()),
                // The function may have died of it: after all others, so that they have their turns.
                Ok(Some(turn)) if turn.cut_off => {
                    cut_off.push(turn);
                    Ok(())
                }
                Ok(Some(turn)) => self.turn(turn, invocation, time).await,
                Err(error) => Err(error),
            };
            undone = undone.and(tried);
        }
        for turn in cut_off {
            if invocation.time_left() < time / 2 {
                return undone;
            }
            undone = undone.and(self.turn(turn, invocation, time).await);
        }
        undone
    }

    /// Takes a waiting request, unless it is in other hands or needs no work any more.
    async fn take<'a>(&self, waiting: &'a Waiting, invocation: &Invocation) -> Result<Option<Turn<'a>>, Undone> {
        let forget = || noted(self.ledger.waits_no_more(&waiting.request_id));
        let envelope = match Envelope::read(&waiting.event, &self.urls) {
            Ok(envelope) => envelope,
            Err(why) => {
                error!(request_id = waiting.request_id, %why, "a waiting request cannot be answered any more");
                forget().await;
                return Err(Undone::Unanswerable(why.to_string()));
            }
        };
        let reply = &envelope.reply;
        let hold = invocation.hold();
        match self.begin(reply, &hold, waiting.first).await {
            Begun::Ours { first, cut_off } => {
                let first = first.min(waiting.first);
                Ok(Some(Turn { waiting, envelope, hold, first, cut_off }))
            }
            Begun::InFlight => {
                info!(request_id = waiting.request_id, "another invocation works on it");
                Ok(None)
            }
            Begun::Done(stored) => {
                let left = reply.time_left(waiting.first, OffsetDateTime::now_utc());
                if !stored.delivered && left.is_zero() {
                    given_up(reply);
                } else if !stored.delivered {
                    self.deliver(reply, &stored, invocation.end(left)).await?;
                }
                forget().await;
                Ok(None)
            }
        }
    }

    /// A try, in an invocation that had so much time at its beginning.
    async fn turn(&self, turn: Turn<'_>, invocation: &Invocation, time: Duration) -> Result<(), Undone> {
        let Turn { waiting, envelope, hold, first, cut_off } = &turn;
        let reply = &envelope.reply;
        let left = reply.time_left(*first, OffsetDateTime::now_utc());
        if *cut_off && !left.is_zero() && left <= TO_WAIT {
            // A further try could be the last that is heard of it.
            let reason = gave_up(reply, left, "the function ended without an answer; its log says why");
            let answer = self.last_answer(reply, envelope.request.as_ref().ok(), reason).await;
            self.finish(reply, &answer, false, invocation.end(left)).await?;
            noted(self.ledger.waits_no_more(&reply.request_id)).await;
            return Ok(());
        }
        let attempt = Attempt {
            event: &waiting.event,
            envelope,
            hold,
            first: *first,
            tried: waiting.tried,
            made: waiting.made.clone(),
            whole: invocation.time_left() >= time * 9 / 10,
            waits: true,
        };
        self.attempt(attempt, invocation).await
    }
}
