//! The last answer: for requests whose every invocation died (Lambda Developer Guide, "Capturing records of asynchronous
//! invocations": the on-failure destination's message has the event in `requestPayload`).

use lambda_runtime::tracing::{error, info, warn};
use serde_json::Value;
use time::OffsetDateTime;

use crate::courier::Courier;
use crate::envelope::Envelope;
use crate::error::Undone;
use crate::frame::{Frame, Invocation, given_up, noted};
use crate::ledger::{Begun, Ledger, Stored};

/// Answers for each message's request unless it was answered; returns the ids of the messages that must come again.
pub(crate) async fn batch<L: Ledger, C: Courier>(
    frame: &Frame<L, C>,
    records: &[Value],
    invocation: &Invocation,
) -> Vec<String> {
    let mut again = Vec::new();
    for record in records {
        let message_id = record["messageId"].as_str().unwrap_or_default();
        if let Err(undone) = message(frame, record, invocation).await {
            warn!(message_id, %undone, "this message must come again");
            again.push(message_id.to_owned());
        }
    }
    again
}

async fn message<L: Ledger, C: Courier>(
    frame: &Frame<L, C>,
    record: &Value,
    invocation: &Invocation,
) -> Result<(), Undone> {
    let body: Value = record["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
    let envelope = match Envelope::read(&body["requestPayload"], &frame.urls) {
        Ok(envelope) => envelope,
        Err(why) => {
            error!(%why, "a message of no request that can be answered");
            return Err(Undone::Unanswerable(why.to_string()));
        }
    };
    let reply = &envelope.reply;
    let now = OffsetDateTime::now_utc();
    let left = reply.time_left(now, now);
    if left.is_zero() {
        given_up(reply);
        return Ok(());
    }
    match frame.begin(reply, &invocation.hold(), now).await {
        Begun::InFlight => Err(Undone::InFlight),
        Begun::Done(Stored { delivered: true, .. }) => {
            info!(request_id = reply.request_id, "answered before");
            Ok(())
        }
        Begun::Done(stored) => frame.deliver(reply, &stored, invocation.end(left)).await,
        Begun::Ours { first, .. } => {
            let left = reply.time_left(first, now);
            if left.is_zero() {
                given_up(reply);
                return Ok(());
            }
            // Cut off when it was noted already: the sweep sees to it, once this hold's time is over.
            let waiting = noted(frame.ledger.waiting()).await.unwrap_or_default();
            if waiting.iter().any(|waiting| waiting.request_id == reply.request_id) {
                info!(request_id = reply.request_id, "the sweep tries it again");
                return Ok(());
            }
            let ends = [&body["requestContext"]["condition"], &body["responsePayload"]["errorType"]];
            let ends: Vec<_> = ends.iter().filter_map(|end| end.as_str()).collect();
            let reason = format!("the function ended without an answer ({}); its log says why", ends.join(", "));
            let answer = frame.last_answer(reply, envelope.request.as_ref().ok(), reason).await;
            frame.finish(reply, &answer, false, invocation.end(left)).await
        }
    }
}
