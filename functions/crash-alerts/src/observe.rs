//! An incident is told its news.

use std::collections::HashMap;
use std::time::Duration;

use lambda_runtime::tracing::{info, warn};
use tokio::time::timeout;
use watchkeeper_events::{ServiceArn, TaskStateChange};

use crate::error::Trouble;
use crate::plan::desk::Desk;
use crate::plan::incident::{Incident, Key, News, Phase, Voice};
use crate::plan::life::{self, Outcome, Rollout, Scene, Turn};
use crate::sights::Seen;
use crate::store::{Change, Changes, Committed, Known, Stored};
use crate::{Aws, Function, Invocation};

/// How often a step is begun again that somebody else was quicker with.
const TRIES: u32 = 8;
/// How long a new incident waits for how its service is.
const A_LOOK: Duration = Duration::from_secs(3);
/// A transaction takes 100 items (DynamoDB Developer Guide, "Quotas"): this leaves room for the incidents and the desk.
pub(crate) const FAULTS_AT_ONCE: usize = 80;

/// What a step needs beside the incident.
pub(crate) struct Around {
    pub(crate) siblings: Vec<Stored<Incident>>,
    pub(crate) rollout: Option<Rollout>,
    pub(crate) desk: Stored<Desk>,
}

impl<A: Aws> Function<A> {
    /// Tells an incident its news, and sends what it has to say. `task` is what stopped, for the evidence.
    pub(crate) async fn observe(
        &self,
        key: &Key,
        news: &[News],
        task: Option<&TaskStateChange>,
        invocation: &Invocation,
    ) -> Result<(), Trouble> {
        let mut has_something_to_say = false;
        for news in news.chunks(FAULTS_AT_ONCE) {
            has_something_to_say |= self.take_in(key, news).await?;
        }
        if has_something_to_say { self.dispatch(&key.text(), task, invocation).await } else { Ok(()) }
    }

    /// Whether the incident has something to say now.
    async fn take_in(&self, key: &Key, news: &[News]) -> Result<bool, Trouble> {
        let service = service_of(&key.subject);
        let mut faults: Vec<_> = Vec::new();
        for news in news {
            if let News::Fault(fault) | News::Done(fault) = news
                && !faults.contains(&fault.alert.key)
            {
                faults.push(fault.alert.key.clone());
            }
        }
        for attempt in 0..TRIES {
            pause(attempt).await;
            let known = self.aws.read(key, &faults, service.as_ref()).await?;
            let mut fresh = Vec::new();
            let mut changes = Changes::default();
            for news in news {
                if let News::Fault(fault) | News::Done(fault) = news {
                    let is_known = |key| known.seen.contains(key) || changes.seen.iter().any(|(seen, _)| seen == key);
                    if is_known(&fault.alert.key) {
                        // It counts once; a state may be worse by now than when it was counted.
                        let live = known.incident.as_ref().filter(|_| matches!(news, News::Fault(_)));
                        if live.is_some_and(|stored| stored.value.follows(fault, self.now())) {
                            fresh.push(News::Again(fault.clone()));
                        }
                        continue;
                    }
                    changes.seen.push((fault.alert.key.clone(), None));
                }
                fresh.push(news.clone());
            }
            if fresh.is_empty() {
                info!(incident = key.text(), "nothing that was not known");
                // Who was to send it may have been cut off.
                return Ok(known.incident.is_some_and(|stored| !stored.value.outbox.is_empty()));
            }
            if let Some(says) = self.step(key, &fresh, known, changes, service.as_ref()).await? {
                return Ok(says);
            }
        }
        Err(Trouble::Overtaken)
    }

    /// How services are, if ECS says so in time: what is to be told does not wait for it.
    pub(crate) async fn glance(
        &self,
        services: &[ServiceArn],
        within: Duration,
    ) -> Result<HashMap<ServiceArn, Seen>, Trouble> {
        timeout(within, self.aws.services(services)).await.unwrap_or(Err(Trouble::Unanswered))
    }

    /// Whether the incident has something to say now; none if somebody else was quicker.
    async fn step(
        &self,
        key: &Key,
        fresh: &[News],
        known: Known,
        mut changes: Changes,
        service: Option<&ServiceArn>,
    ) -> Result<Option<bool>, Trouble> {
        let now = self.now();
        let begins = known.incident.is_none() && fresh.iter().any(|news| matches!(news, News::Fault(_)));
        let mut seen = None;
        let mut siblings = Vec::new();
        let is_spoken_for =
            known.incident.as_ref().is_some_and(|stored| matches!(stored.value.voice, Voice::Speaker(_)));
        if is_spoken_for {
            siblings = self.aws.live(Some(&key.subject)).await?;
        }
        if begins && let Some(service) = service {
            let looked = self.glance(std::slice::from_ref(service), A_LOOK);
            let (looked, others) = tokio::join!(looked, self.aws.live(Some(&key.subject)));
            // Without it an incident is told all the same: nobody is silent for want of a tag.
            match looked {
                Ok(mut services) => seen = services.remove(service),
                Err(trouble) => warn!(%service, %trouble, "the service is not looked at"),
            }
            if seen.as_ref().is_some_and(|seen| seen.is_ignored) {
                info!(%service, "ignored, as its tag says");
                return Ok((self.aws.commit(&changes, now).await? == Committed::Done).then_some(false));
            }
            siblings = others?;
        }
        let desk = known.desk.unwrap_or(Stored { value: Desk::default(), version: 0 });
        let around = Around { siblings, rollout: known.rollout, desk };
        let others: Vec<_> = around.siblings.iter().map(|stored| stored.value.clone()).collect();
        let scene = Scene {
            now,
            rules: &self.settings.rules,
            service: seen.as_ref().map(|seen| &seen.health),
            siblings: &others,
            rollout: around.rollout.as_ref(),
            storm: around.desk.value.storms(),
        };
        let before = known.incident.as_ref().map(|stored| (stored.value.id.clone(), stored.version));
        changes.rest_version = known.rest.as_ref().map_or(0, |rest| rest.version);
        let rest = known.rest.as_ref().map(|rest| &rest.value);
        match life::observe(known.incident.map(|stored| stored.value), rest, fresh, scene) {
            Outcome::Nothing if changes.are_none() => return Ok(Some(false)),
            Outcome::Nothing => {}
            Outcome::Rest(rest) => changes.rest = Some((key.clone(), rest)),
            Outcome::Turn(turn) => {
                for (_, incident) in &mut changes.seen {
                    *incident = Some(turn.incident.id.clone());
                }
                return self.commit_turn(*turn, before, &around, changes, false, scene).await;
            }
        }
        Ok((self.aws.commit(&changes, now).await? == Committed::Done).then_some(false))
    }

    /// Stores a turn of an incident's life, with what the desk makes of its notice. Whether the incident has something to say then;
    /// none if somebody else was quicker.
    pub(crate) async fn commit_turn(
        &self,
        mut turn: Turn,
        before: Option<(String, u64)>,
        around: &Around,
        mut changes: Changes,
        crowd: bool,
        scene: Scene<'_>,
    ) -> Result<Option<bool>, Trouble> {
        let mut desk = around.desk.value.clone();
        life::place(&mut turn, &mut desk, crowd, scene);
        // The incident and the desk may have been read at different moments: one that a digest told of goes only with the desk of now.
        let leaves_digest = turn.incident.phase == Phase::Closed && turn.incident.voice == Voice::Digest;
        if desk != around.desk.value || leaves_digest {
            changes.desk = Some((around.desk.version, desk.clone()));
        }
        let Turn { incident, taken, .. } = turn;
        for after in taken {
            let before = around.siblings.iter().find(|sibling| sibling.value.id == after.id);
            changes
                .incidents
                .extend(before.map(|before| Change { before: Some((before.value.id.clone(), before.version)), after }));
        }
        let begins = before.is_none() && incident.gathers_until.is_some();
        if before.is_some() || incident.phase != Phase::Closed || !incident.outbox.is_empty() {
            changes.incidents.push(Change { before, after: incident.clone() });
        }
        if self.aws.commit(&changes, scene.now).await? == Committed::Overtaken {
            return Ok(None);
        }
        let (phase, voice) = (&incident.phase, &incident.voice);
        info!(incident = incident.key.text(), id = incident.id, count = incident.count, ?phase, ?voice, "stored");
        let storm_begins = desk.storms() && !around.desk.value.storms();
        if begins || storm_begins {
            self.look_again(&incident, scene.rules.group_wait.unsigned_abs()).await;
        }
        Ok(Some(!incident.outbox.is_empty()))
    }

    /// Has the incident looked at once more when what follows its first message was gathered. Where this fails the sweep does it.
    async fn look_again(&self, incident: &Incident, after: Duration) {
        if let Err(trouble) = self.aws.look_again(&incident.key.text(), after).await {
            warn!(incident = incident.key.text(), %trouble, "it is looked at again by the sweep only");
        }
    }
}

/// A little longer each time, and never the same for two.
pub(crate) async fn pause(attempt: u32) {
    if attempt > 0 {
        let most = 20_u64 << attempt.min(5);
        tokio::time::sleep(Duration::from_millis(fastrand::u64(most / 2..most))).await;
    }
}

/// The service that an incident is about.
pub(crate) fn service_of(subject: &str) -> Option<ServiceArn> {
    subject.strip_prefix("service#").and_then(|arn| ServiceArn::parse(arn).ok())
}
