//! What was decided to be told is sent, by one invocation at a time.

use std::time::Duration;

use lambda_runtime::tracing::{info, warn};
use time::OffsetDateTime;
use tokio::time::timeout;
use watchkeeper_alerts::{Evidence, LogTail, Message, Notice, Report, Wording, render};
use watchkeeper_events::TaskStateChange;
use watchkeeper_lease::{Budget, Flight, FlightError, Holder, Kind as LeaseKind, Lease, single_flight};

use crate::error::Trouble;
use crate::evidence::{Suspect, see_service};
use crate::observe::{pause, service_of};
use crate::plan::desk::{Digest, Line, Spell};
use crate::plan::incident::{Incident, Nature, Phase, Sending, Voice};
use crate::store::{Change, Changes, Committed, Stored};
use crate::{Aws, Function, Invocation};

/// Leases of whoever sends for an incident.
const INCIDENT: LeaseKind = LeaseKind("incident");
/// The lease of whoever sends digests.
const DESK: LeaseKind = LeaseKind("incidents-desk");
/// How often what was sent is noted again where somebody else wrote meanwhile.
const TRIES: u32 = 8;
/// An incident's messages are few; more at once is a fault of ours.
const MESSAGES_AT_ONCE: usize = 10;
/// What must be left of an invocation's time to begin to send.
const FOR_A_RUN: time::Duration = time::Duration::seconds(5);
/// How long a message waits for how its service is.
const A_LOOK: Duration = Duration::from_secs(2);
/// What must be left of it to publish one message and to note that.
const TO_TELL_AND_NOTE: time::Duration = time::Duration::seconds(4);

impl<A: Aws> Function<A> {
    /// Sends what an incident has to say. Who finds another at it leaves: that one, or the sweep, sees to it.
    pub(crate) async fn dispatch(
        &self,
        key: &str,
        task: Option<&TaskStateChange>,
        invocation: &Invocation,
    ) -> Result<(), Trouble> {
        let lease = watchkeeper_lease::Key::new(INCIDENT, key);
        let work = |lease: Lease| self.send_out(key, task, lease, invocation.deadline);
        let (holder, budget) = (holder(invocation), budget(invocation));
        done(single_flight(&self.aws, &lease, &holder, self.clock, budget, work).await)
    }

    async fn send_out(
        &self,
        key: &str,
        task: Option<&TaskStateChange>,
        lease: Lease,
        deadline: OffsetDateTime,
    ) -> Result<(), Trouble> {
        let Some(mut stored) = self.aws.incident(key).await? else { return Ok(()) };
        for _ in 0..MESSAGES_AT_ONCE {
            let Some(sending) = stored.value.outbox.first().cloned() else { return Ok(()) };
            let Gathered { evidence, says_more } = self.evidence(&stored.value, &sending, task).await;
            let wants_lines = sending.notice == Notice::Opened && stored.value.is_crash();
            // Cut off in between, it would be told twice. Its evidence is kept, so the next try is quick.
            if deadline - self.now() < TO_TELL_AND_NOTE {
                return Err(Trouble::NoTime);
            }
            // A second look at the log that has nothing to tell is not told.
            if !sending.lines_only || says_more {
                let report = report(&stored.value, &sending, evidence);
                self.publish(&Message::One(Box::new(report))).await?;
            }
            let Some(after) = self.sent(key, &stored.value.id, sending.number, wants_lines, &lease).await? else {
                return Ok(());
            };
            stored = after;
        }
        Ok(())
    }

    async fn publish(&self, message: &Message) -> Result<(), Trouble> {
        let wording = Wording { log_lines_in_email: self.settings.log_lines_in_email };
        let rendered = render(message, &wording);
        self.pacer.turn().await;
        let sns_id = self.aws.publish(&rendered).await?;
        info!(sns_id, subject = rendered.subject, "told ops");
        Ok(())
    }

    /// What is known of it: gathered when it is first told, looked at again when what followed was gathered.
    async fn evidence(&self, incident: &Incident, sending: &Sending, task: Option<&TaskStateChange>) -> Gathered {
        if matches!(sending.notice, Notice::Resolved | Notice::Done) || !incident.has_evidence() {
            return Gathered { evidence: None, says_more: false };
        }
        let mut kept = None;
        // What was gathered before it came back says nothing of now.
        let is_old = sending.notice == Notice::Opened && incident.returns > 0 && incident.documented_at.is_none();
        let own = (!is_old).then_some(&incident.id);
        // A failed deployment's evidence is that of its crashes.
        for id in own.into_iter().chain(incident.speaks_for.iter().map(|symptom| &symptom.id)) {
            match self.aws.evidence(id).await {
                Ok(Some(found)) => {
                    kept = Some(found);
                    break;
                }
                Ok(None) => {}
                Err(trouble) => warn!(id, %trouble, "the evidence is not read"),
            }
        }
        // What came within the group wait is told as more, or as an escalation: then late lines are there.
        let lines_come_late = matches!(sending.notice, Notice::More | Notice::Escalated) && incident.is_crash();
        let looks_again = lines_come_late || sending.notice == Notice::Opened && incident.is_failed_deployment();
        if let Some(mut kept) = kept.take_if(|_| !looks_again) {
            // What was gathered in a silence may be hours old when it is told.
            if sending.notice == Notice::Opened && incident.documented_at.is_some() {
                self.see_now(incident, &mut kept).await;
            }
            return Gathered { evidence: Some(kept), says_more: false };
        }
        let last_words = kept.as_ref().and_then(last_words).cloned();
        let evidence = self.aws.gather(incident, task, kept).await;
        if let Err(trouble) = self.aws.keep_evidence(&incident.id, &evidence, self.now()).await {
            warn!(id = incident.id, %trouble, "the evidence is told, and not kept");
        }
        let says_more = last_words_are_news(last_words.as_ref(), &evidence);
        Gathered { evidence: Some(evidence), says_more }
    }

    /// How the service is now; what cannot be seen in time is not told.
    async fn see_now(&self, incident: &Incident, evidence: &mut Evidence) {
        (evidence.running, evidence.deployment) = (None, None);
        let Some(service) = service_of(&incident.key.subject) else { return };
        let Some(cluster) = service.cluster() else { return };
        let look = timeout(A_LOOK, self.aws.describe(&cluster, std::slice::from_ref(&service)));
        let service = match look.await.unwrap_or(Err(Trouble::Unanswered)) {
            Ok(found) => found.into_iter().next(),
            Err(trouble) => return warn!(%service, %trouble, "how it is now is not told"),
        };
        see_service(&Suspect { service, ..Suspect::at(incident.first_at) }, evidence);
    }

    /// Notes that a message was sent; none if the incident is gone.
    async fn sent(
        &self,
        key: &str,
        id: &str,
        number: u32,
        wants_lines: bool,
        lease: &Lease,
    ) -> Result<Option<Stored<Incident>>, Trouble> {
        for attempt in 0..TRIES {
            pause(attempt).await;
            let Some(stored) = self.aws.incident(key).await?.filter(|stored| stored.value.id == id) else {
                return Ok(None);
            };
            let mut after = stored.value.clone();
            after.outbox.retain(|sending| sending.number != number);
            after.wants_lines |= wants_lines;
            let change = Change { before: Some((id.to_owned(), stored.version)), after: after.clone() };
            let changes = Changes { incidents: vec![change], fence: Some(lease.fence.0), ..Changes::default() };
            if self.aws.commit(&changes, self.now()).await? == Committed::Done {
                let gone = after.phase == Phase::Closed && after.outbox.is_empty();
                return Ok((!gone).then_some(Stored { value: after, version: stored.version + 1 }));
            }
        }
        Err(Trouble::Overtaken)
    }

    /// Sends the digest that is due, if one is.
    pub(crate) async fn dispatch_digest(&self, invocation: &Invocation) -> Result<(), Trouble> {
        let lease = watchkeeper_lease::Key::new(DESK, "digest");
        let work = |_lease: Lease| self.send_digest();
        let (holder, budget) = (holder(invocation), budget(invocation));
        done(single_flight(&self.aws, &lease, &holder, self.clock, budget, work).await)
    }

    async fn send_digest(&self) -> Result<(), Trouble> {
        let desk = self.aws.desk().await?.value;
        let Some((spell, digest)) = desk.spell().and_then(|spell| Some((spell, spell.outbox.as_ref()?))) else {
            return Ok(());
        };
        let live = self.aws.live(None).await?;
        self.publish(&digest_message(spell, digest, &live)).await?;
        for attempt in 0..TRIES {
            pause(attempt).await;
            let Stored { value: mut desk, version } = self.aws.desk().await?;
            desk.sent(digest.number, self.now());
            let changes = Changes { desk: Some((version, desk)), ..Changes::default() };
            if self.aws.commit(&changes, self.now()).await? == Committed::Done {
                return Ok(());
            }
        }
        Err(Trouble::Overtaken)
    }

    /// Lets time pass at the desk, and sends what is due.
    pub(crate) async fn look_at_desk(&self, invocation: &Invocation) -> Result<(), Trouble> {
        for attempt in 0..TRIES {
            pause(attempt).await;
            let Stored { value: mut desk, version } = self.aws.desk().await?;
            let now = self.now();
            if desk.look(now, &self.settings.rules) {
                let changes = Changes { desk: Some((version, desk.clone())), ..Changes::default() };
                if self.aws.commit(&changes, now).await? == Committed::Overtaken {
                    continue;
                }
            }
            if desk.spell().is_some_and(|spell| spell.outbox.is_some()) {
                return self.dispatch_digest(invocation).await;
            }
            return Ok(());
        }
        Err(Trouble::Overtaken)
    }
}

/// A name that no other piece of work has.
fn holder(invocation: &Invocation) -> Holder {
    Holder(format!("{} {:016x}", invocation.request_id, fastrand::u64(..)))
}

/// What is known of an incident.
struct Gathered {
    evidence: Option<Evidence>,
    /// Whether the container said more than was told: there are lines of it for the first time, or its last one is another.
    says_more: bool,
}

/// The log of the container that began it, whose last line often says why. It stands first where it could be read.
fn last_words(evidence: &Evidence) -> Option<&LogTail> {
    evidence.logs.first()
}

/// Whether the container's last line was not told. Its driver sends lines in batches, so the one that says why it ended comes late.
fn last_words_are_news(told: Option<&LogTail>, now: &Evidence) -> bool {
    let Some(now) = last_words(now) else { return false };
    told.is_none_or(|told| told.container != now.container || told.tail.last() != now.tail.last())
}

fn budget(invocation: &Invocation) -> Budget {
    Budget { deadline: invocation.deadline, for_a_run: FOR_A_RUN }
}

fn done(flight: Result<Flight<()>, FlightError<Trouble>>) -> Result<(), Trouble> {
    match flight {
        Ok(Flight::Busy | Flight::Ran { .. }) => Ok(()),
        Err(FlightError::NoTime(_)) => Err(Trouble::NoTime),
        Err(FlightError::Lease(trouble)) => {
            Err(Trouble::Call { doing: "holding an incident", why: trouble.to_string() })
        }
        Err(FlightError::Work(trouble)) => Err(trouble),
    }
}

/// What one message tells of an incident.
fn report(incident: &Incident, sending: &Sending, evidence: Option<Evidence>) -> Report {
    let resolved = sending.notice == Notice::Resolved;
    let mut alert = incident.alert.clone();
    let mut notes = incident.notes.clone();
    if resolved {
        alert.next_step = None;
        // Of a state its end is told, of an event what happened, and how it is now.
        match (incident.nature, notes.pop()) {
            (Nature::State, Some(words)) => alert.summary = words,
            (Nature::Event, Some(words)) => notes.push(format!("Now {words}.")),
            (_, None) => {}
        }
    }
    let speaks_for = incident.speaks_for.iter();
    notes.extend(speaks_for.clone().map(|symptom| format!("Before it: {}.", symptom.words)));
    Report {
        incident: incident.id.clone(),
        number: sending.number,
        notice: sending.notice,
        alert,
        severity: incident.severity,
        count: sending.count,
        first_at: incident.first_at,
        last_at: match sending.notice {
            Notice::Resolved => incident.over_at.unwrap_or(sending.at),
            // It is still so now, which says for how long.
            Notice::Repeated => sending.at,
            _ => incident.last_at,
        },
        owner: incident.tags.owner.clone(),
        runbook: incident.tags.runbook.clone(),
        evidence,
        notes,
        speaks_for: speaks_for.map(|symptom| symptom.id.clone()).collect(),
    }
}

/// A digest's message. Who lives is told as it is now.
fn digest_message(spell: &Spell, digest: &Digest, live: &[Stored<Incident>]) -> Message {
    let reports: Vec<_> = digest.lines.iter().map(|line| line_report(line, live)).collect();
    let why = why(digest);
    Message::Digest {
        id: spell.id.clone(),
        number: digest.number,
        why,
        over: digest.over,
        storm: digest.storm,
        severity: spell.severity,
        since: spell.began,
        reports,
    }
}

fn why(digest: &Digest) -> String {
    let count = digest.lines.len() as u64 + digest.left_out;
    let all = |notice: Notice| digest.lines.iter().all(|line| line.notice == notice);
    let left_out = match digest.left_out {
        0 => String::new(),
        left_out => format!(", of which {left_out} are not listed"),
    };
    let incidents = if count == 1 { "incident" } else { "incidents" };
    match count {
        0 => "all is over that the digests told of".to_owned(),
        _ if all(Notice::Opened) => format!("{count} new {incidents}{left_out}"),
        _ if all(Notice::Resolved) => format!("{count} {incidents} over{left_out}"),
        _ if all(Notice::Repeated) => format!("{count} {incidents} still open{left_out}"),
        _ => format!("news of {count} {incidents}{left_out}"),
    }
}

fn line_report(line: &Line, living: &[Stored<Incident>]) -> Report {
    let now = living.iter().map(|stored| &stored.value).find(|incident| incident.id == line.incident.id);
    let incident = now.unwrap_or(&line.incident);
    let sending = Sending {
        number: line.number,
        notice: line.notice,
        count: incident.count,
        at: incident.touched_at,
        lines_only: false,
    };
    report(&incident.in_brief(), &sending, None)
}

impl Incident {
    /// Whether its evidence is to be gathered though no message of its own asks for it: a digest told of it, or nobody did, since it is
    /// silenced, spoken for, or held back for a rollout. What is told later finds it then.
    pub(crate) fn is_to_be_documented(&self) -> bool {
        let is_untold = self.voice == Voice::Digest || self.heard.is_none();
        is_untold && self.documented_at.is_none() && self.has_evidence()
    }

    /// Whether there may be log lines and the like.
    pub(crate) fn has_evidence(&self) -> bool {
        self.key.subject.starts_with("service#") || self.key.subject.starts_with("family#")
    }
}

#[cfg(test)]
mod tests;
