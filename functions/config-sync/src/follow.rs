//! The sequence: look, compare, log in, write, restart, follow; each step safe to be cut off after and to be done again.

use std::collections::{BTreeMap, BTreeSet};

use lambda_runtime::tracing::{info, warn};
use time::OffsetDateTime;
use watchkeeper_events::ServiceArn;
use watchkeeper_lease::{Budget, Fence, Flight, FlightError, Holder, Key, Kind, single_flight};
use watchkeeper_secrets::Thing;

use crate::declared::{Declared, Mode};
use crate::document::{Document, Place, Version};
use crate::look::{log_in, readings, services};
use crate::plan::{self, Action, Content, Warning, content};
use crate::state::{InStep, Report, Rollout, Since, State, Step, Work};
use crate::token::{Token, values_of};
use crate::trouble::Trouble;
use crate::world::{World, Written};

/// The kind of key that a declaration's work is done under.
pub const KIND: Kind = Kind("config");
/// How often in one run the documents may turn out to be other than they were looked at.
const LOOKS: usize = 3;

/// How far a run came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// The addresses in the target that were written.
    pub changed: Vec<String>,
    /// The addresses whose values in the target are others, and are left so.
    pub left: Vec<String>,
    /// Whether the target says what the sources say.
    pub is_in_step: bool,
    /// Whether services are still on their way.
    pub goes_on: bool,
    /// Whether there is a service that should run on what the documents say, and does not, or not yet.
    pub is_behind: bool,
    /// What AWS itself says is wrong with the sources.
    pub troubles: Vec<String>,
    /// What a person should know of the services.
    pub warnings: Vec<Warning>,
    /// The services that would be restarted if the declaration did not only observe.
    pub stale: Vec<ServiceArn>,
}

/// The key that a declaration's work is done under.
#[must_use]
pub fn key(id: &str) -> Key {
    Key::new(KIND, id)
}

/// Brings a declaration's target and services in step, never twice at once: who finds another at work leaves it to that one.
pub async fn keep_in_step<W: World>(
    world: &W,
    id: &str,
    holder: &Holder,
    budget: Budget,
    now: impl Fn() -> OffsetDateTime + Copy + Send,
) -> Result<Flight<Done>, FlightError<Trouble>> {
    single_flight(world.leases(), &key(id), holder, now, budget, |lease| follow(world, id, lease.fence, now)).await
}

/// One run under a lease of this fence.
async fn follow<W: World>(
    world: &W,
    id: &str,
    fence: Fence,
    now: impl Fn() -> OffsetDateTime + Send,
) -> Result<Done, Trouble> {
    let Some(declaration) = world.get(id).await? else { return Ok(Done::default()) };
    let mut run = Run {
        world,
        id,
        declared: declaration.declared,
        stored: declaration.state.clone(),
        state: declaration.state,
        fence,
        kept_in: BTreeSet::new(),
    };
    // From before, if that run was cut off.
    run.tell().await;
    let mut done = Done::default();
    let written = run.write(&mut done, &now).await;
    if written == Err(Trouble::FencedOff) {
        return Err(Trouble::FencedOff);
    }
    // Services on their way are followed also where nothing can be written now.
    let restarted = run.restart(&mut done, written.is_ok(), &now).await;
    if restarted == Err(Trouble::FencedOff) {
        return Err(Trouble::FencedOff);
    }
    written.and(restarted).map(|()| done)
}

struct Run<'a, W> {
    world: &'a W,
    id: &'a str,
    declared: Declared,
    /// What the table has.
    stored: State,
    /// What it is to have.
    state: State,
    fence: Fence,
    /// The documents that the sources are kept in.
    kept_in: BTreeSet<Place>,
}

impl<W: World> Run<'_, W> {
    async fn remember(&mut self) -> Result<(), Trouble> {
        if self.state != self.stored {
            self.world.remember(self.id, &self.state, self.fence).await?;
            self.stored = self.state.clone();
        }
        Ok(())
    }

    /// Notes since when a document has had its version.
    fn note(&mut self, place: &Place, document: &Document) {
        let at = match self.state.since.get(place) {
            Some(known) if known.version == document.version => return,
            Some(_) => document.changed_at,
            // Met for the first time: nobody knows when it became current, and a tag may have been changed since.
            None => document.made_at,
        };
        self.state.since.insert(place.clone(), Since { version: document.version.clone(), at });
    }

    /// Makes the target say what the sources say.
    async fn write(&mut self, done: &mut Done, now: &impl Fn() -> OffsetDateTime) -> Result<(), Trouble> {
        for _ in 0..LOOKS {
            // The target comes first: if it is still the same when it is written, no source was read by anybody later than here
            // and written before. So what is new is never overwritten with what is older.
            let target = self.world.document(&self.declared.target).await?;
            let Some(sources) = readings(self.world, &self.declared).await? else { continue };
            self.note(&self.declared.target.clone(), &target);
            self.kept_in = sources.values().filter_map(|source| source.kept_in.clone()).collect();
            done.troubles = sources.values().filter_map(|source| source.trouble.clone()).collect();
            let versions: BTreeMap<_, _> =
                sources.iter().map(|(name, read)| (name.clone(), read.version.clone())).collect();
            match content(&self.declared, &self.state, &sources, &target)? {
                Content::InStep => {
                    self.state.in_step_with = Some(InStep { versions, values: values_of(&self.declared) });
                    done.is_in_step = true;
                    return Ok(());
                }
                Content::Drifted { changed } => {
                    done.left = changed;
                    return Ok(());
                }
                Content::Write { changed, .. } if self.declared.mode == Mode::Observe => {
                    done.left = changed;
                    return Ok(());
                }
                Content::Write { text, changed } => {
                    let thing = Thing { kind: "target", name: &self.declared.target.name() };
                    target.allow.allows(&self.declared.stack, thing).map_err(Trouble::Refused)?;
                    log_in(self.world, &self.declared, &sources).await?;
                    let work = self.state.work.get_or_insert_with(|| Work { began: now(), changed: Vec::new() });
                    let new: Vec<_> = changed.iter().filter(|one| !work.changed.contains(one)).cloned().collect();
                    work.changed.extend(new);
                    self.remember().await?;
                    let token = Token::new(self.id, &sources, &target.version, text.reveal());
                    match self.world.write(&self.declared.target, &target, &token, &text).await? {
                        Written::Done => {
                            info!(declaration = self.id, target = %self.declared.target, version = %token, ?changed, "written");
                            done.changed = changed;
                            // Told to the second by Secrets Manager, and known better here: the token is the version's id.
                            if let Place::Secret(_) = self.declared.target {
                                let since = Since { version: Version(token.as_str().to_owned()), at: now() };
                                self.state.since.insert(self.declared.target.clone(), since);
                            }
                        }
                        Written::Overtaken => info!(declaration = self.id, "somebody was faster: looking again"),
                    }
                    // Either way it is looked at again: what it says now, and since when.
                }
            }
        }
        Err(Trouble::Restless)
    }

    /// Has services restarted whose tasks have not read what the documents say now.
    async fn restart(
        &mut self,
        done: &mut Done,
        is_written: bool,
        now: &impl Fn() -> OffsetDateTime,
    ) -> Result<(), Trouble> {
        let mut watched = self.declared.watched();
        watched.append(&mut self.kept_in);
        if !is_written {
            // Where the sources were not read, what they are kept in is what it was.
            watched.extend(self.state.since.keys().cloned());
        }
        let target = self.declared.target.clone();
        for place in watched.iter().filter(|place| **place != target || !is_written) {
            let document = self.world.document(place).await?;
            self.note(place, &document);
        }
        self.state.since.retain(|place, _| watched.contains(place));
        // Before ECS is looked at: all that it shows is later than this.
        self.remember().await?;
        let services = services(self.world, &self.declared, &watched).await?;
        let mut plan = plan::restarts(&self.declared, &self.state.since, &self.state.rollouts, &services, now());
        done.warnings.clone_from(&plan.warnings);
        if self.declared.mode == Mode::Observe {
            let is_stale =
                |arn: &&ServiceArn| plan.rollouts.get(arn.as_str()).is_some_and(|one| one.step == Step::Unasked);
            let would = services.iter().map(|(arn, _)| arn).filter(|arn| self.declared.restarts(arn));
            done.stale = would.filter(is_stale).cloned().collect();
            done.is_behind = !done.stale.is_empty();
            // What was begun before goes on when things may be done again.
            return Ok(());
        }
        let is_left_alone = |(service, rollout): (&String, &Rollout)| {
            matches!(rollout.step, Step::LeftAlone { .. })
                && self.state.rollouts.get(service).is_none_or(|known| known.versions != rollout.versions)
        };
        if !plan.actions.is_empty() || plan.rollouts.iter().any(is_left_alone) {
            self.state.work.get_or_insert_with(|| Work { began: now(), changed: Vec::new() });
        }
        self.state.rollouts = std::mem::take(&mut plan.rollouts);
        self.remember().await?;
        let mut ended = Ok(());
        for action in &plan.actions {
            // One that cannot be restarted keeps no other from it.
            match self.act(action).await {
                Err(Trouble::FencedOff) => return Err(Trouble::FencedOff),
                Err(trouble) if trouble.may_pass() => ended = ended.and(Err(trouble)),
                Err(trouble) => self.give_up(action, &trouble),
                Ok(()) => {}
            }
        }
        self.remember().await?;
        let steps = || self.state.rollouts.values().map(|rollout| &rollout.step);
        done.goes_on = !steps().all(Step::is_over);
        done.is_behind = !steps().all(|step| matches!(step, Step::Done { .. } | Step::Unasked));
        // What could not be written is not done.
        if is_written && !done.goes_on && self.state.report.is_none() {
            self.conclude(&plan.warnings, now());
            self.remember().await?;
            self.tell().await;
        }
        ended
    }

    fn give_up(&mut self, action: &Action, trouble: &Trouble) {
        let (Action::Deploy(service) | Action::Stop(service, _)) = action;
        if let Some(rollout) = self.state.rollouts.get_mut(service.as_str()) {
            rollout.step = Step::Failed { why: trouble.to_string() };
        }
    }

    async fn act(&mut self, action: &Action) -> Result<(), Trouble> {
        match action {
            Action::Deploy(service) => {
                let deployment = self.world.deploy(service).await?;
                info!(declaration = self.id, %service, since = ?self.state.since, "deployed anew");
                if let (Some(begun), Some(rollout)) = (deployment, self.state.rollouts.get_mut(service.as_str())) {
                    rollout.step = Step::Following { deployment: begun.id, made_at: begun.made_at };
                }
                Ok(())
            }
            Action::Stop(service, task) => {
                info!(declaration = self.id, %service, task = task.0, "stopped, to be replaced");
                self.world.stop(service, task).await
            }
        }
    }

    /// What ops are to be told of the work, if there was any. It is remembered as it is told, so that it is told in one way.
    fn conclude(&mut self, warnings: &[Warning], now: OffsetDateTime) {
        if let Some(Work { began, changed }) = self.state.work.take() {
            let services = self.state.rollouts.iter();
            self.state.report = Some(Report {
                began,
                ended: now,
                changed,
                services: services.map(|(service, rollout)| (service.clone(), rollout.step.clone())).collect(),
                // Of a tag that can be moved whoever declares it is told, and not ops each time.
                warnings: warnings
                    .iter()
                    .filter(|one| matches!(one, Warning::Pinned { .. }))
                    .map(ToString::to_string)
                    .collect(),
            });
        }
    }

    /// Tells ops what they have not been told. Where that fails, the next run does; nothing waits for it.
    async fn tell(&mut self) {
        let Some(report) = &self.state.report else { return };
        let told = self.world.tell(&self.declared.target, report).await;
        if told.is_ok() {
            self.state.report = None;
        }
        if let Err(trouble) = match told {
            Ok(()) => self.remember().await,
            Err(trouble) => Err(trouble),
        } {
            warn!(declaration = self.id, %trouble, "ops are told later, or once more");
        }
    }
}
