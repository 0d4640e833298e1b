//! Disorder on demand: events that come late, twice, out of order or never, calls that are throttled, fail or are slow, and
//! callers that are killed in mid-flight. What happens is a [`Plan`], and the same sequence of matches has the same decisions.
//!
//! Each rule counts its own matches and decides by itself; of those that decide to act on one event or call, the first acts
//! and the others are overruled.

mod chance;
pub mod command;
pub(crate) mod control;
mod matching;
mod plan;
pub(crate) mod process;
mod report;
mod rule;
mod span;
mod texts;
mod throttling;

use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::door::Call;
use chance::decides;
use matching::Matches;
pub use plan::{CallEffect, CallMatch, CallRule, EventEffect, EventMatch, EventRule, Moment, Plan, PlanError};
pub use report::{Deed, Report, Subject, Tally};
pub use rule::Rule;
pub use texts::Texts;
pub(crate) use throttling::throttled;

/// Callers that are the sandbox itself: the event bus, and whoever looks how a story gets on. A rule concerns them only if it
/// names them.
pub const OWN_CALLERS: [&str; 2] = ["eventbridge", "sandbox"];

/// The plans in force. Clones are the same.
#[derive(Clone, Default)]
pub struct Disorder {
    plans: Arc<Mutex<Plans>>,
}

#[derive(Default)]
struct Plans {
    set: Option<Arc<InForce>>,
    added: Vec<Arc<InForce>>,
}

/// A plan in force, with what it has done.
pub(crate) struct InForce {
    plan: Plan,
    report: Mutex<Report>,
    /// How often each rule decided to act, whether or not another overruled it.
    decided: Mutex<Vec<u64>>,
}

/// A plan that is in force for as long as this is kept.
#[must_use = "the plan ends when this is dropped"]
pub struct Added {
    disorder: Disorder,
    plan: Arc<InForce>,
}

impl Disorder {
    /// Puts `plan` in force, instead of the one that was set before.
    pub fn set(&self, plan: Plan) -> Result<(), PlanError> {
        let plan = InForce::new(plan)?;
        self.plans().set = Some(plan);
        Ok(())
    }

    /// Ends the plan that was set, and says what it did. Events that are held back keep their time; plans that were added
    /// stay in force.
    pub fn clear(&self) -> Option<Report> {
        let plan = self.plans().set.take();
        plan.map(|plan| plan.report().clone())
    }

    /// Puts `plan` in force beside all others, until the answer is dropped.
    pub fn add(&self, plan: Plan) -> Result<Added, PlanError> {
        let plan = InForce::new(plan)?;
        self.plans().added.push(Arc::clone(&plan));
        Ok(Added { disorder: self.clone(), plan })
    }

    /// What the plan that was set has done so far.
    pub fn report(&self) -> Option<Report> {
        let plan = self.plans().set.clone();
        plan.map(|plan| plan.report().clone())
    }

    /// Every plan in force, with what it has done so far.
    pub(crate) fn in_force(&self) -> Vec<(Plan, Report)> {
        self.all().iter().map(|plan| (plan.plan.clone(), plan.report().clone())).collect()
    }

    /// What becomes of an event.
    pub(crate) fn about_event(&self, event: &Value) -> Option<EventEffect> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let subject = || {
            let detail = &event["detail"];
            let state = detail["eventName"].as_str().or(detail["lastStatus"].as_str()).unwrap_or_default();
            let about = text(&event["resources"][0]);
            let about = about.rsplit(':').next().unwrap_or_default();
            let id = text(&event["id"]);
            let what =
                format!("{} {} {state} of {about}, event {id}", text(&event["time"]), text(&event["detail-type"]));
            (Subject::Event(id), what)
        };
        let mut effect = None;
        for plan in self.all() {
            plan.decide(&plan.plan.events, "events", 0, event, &subject, &mut effect);
        }
        effect.map(|(effect, _)| effect)
    }

    /// What becomes of a call, and whose doing that is.
    pub(crate) fn about_call(&self, call: &Call) -> Option<(CallEffect, Arc<InForce>)> {
        let mut effect = None;
        for plan in self.all() {
            plan.decide(
                &plan.plan.calls,
                "calls",
                plan.plan.events.len(),
                call,
                &|| {
                    let (at, resource) = (crate::clock::seconds(call.at), call.resource.as_deref().unwrap_or("-"));
                    let Call { index, service, action, caller, .. } = call;
                    (
                        Subject::Call(*index),
                        format!("{at} call {index}, {service}:{action} by {caller} about {resource}"),
                    )
                },
                &mut effect,
            );
        }
        effect
    }

    fn all(&self) -> Vec<Arc<InForce>> {
        let plans = self.plans();
        plans.set.iter().chain(&plans.added).cloned().collect()
    }

    fn plans(&self) -> MutexGuard<'_, Plans> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InForce {
    fn new(plan: Plan) -> Result<Arc<Self>, PlanError> {
        let plan = plan.checked()?;
        let events = plan.events.iter().enumerate().map(|(n, rule)| rule.label("events", n));
        let calls = plan.calls.iter().enumerate().map(|(n, rule)| rule.label("calls", n));
        let rules: Vec<_> = events.chain(calls).map(|rule| Tally { rule, ..Tally::default() }).collect();
        let decided = Mutex::new(vec![0; rules.len()]);
        Ok(Arc::new(Self { plan, report: Mutex::new(Report { rules, ..Report::default() }), decided }))
    }

    /// Counts a thing that came by for all `rules` that are about it; the first that acts on it gives the effect, unless one
    /// of another plan did already. `from` is the place of the first of `rules` in the report.
    fn decide<M: Matches<T>, E: Clone + Debug, T>(
        self: &Arc<Self>,
        rules: &[Rule<M, E>],
        list: &str,
        from: usize,
        thing: &T,
        subject: &dyn Fn() -> (Subject, String),
        effect: &mut Option<(E, Arc<Self>)>,
    ) {
        let mut report = self.report();
        let mut decided = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        let Report { rules: tallies, log, .. } = &mut *report;
        for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.matching.matches(thing)) {
            let (Some(tally), Some(decided)) = (tallies.get_mut(from + index), decided.get_mut(from + index)) else {
                continue;
            };
            tally.matched += 1;
            let left = rule.times.is_none_or(|times| *decided < times);
            if !left || !decides(self.plan.seed, &rule.label(list, index), rule, tally.matched) {
                continue;
            }
            *decided += 1;
            if effect.is_some() {
                tally.overruled += 1;
                continue;
            }
            tally.done += 1;
            let (subject, what) = subject();
            log.push(Deed { rule: tally.rule.clone(), subject, what, effect: format!("{:?}", rule.effect) });
            *effect = Some((rule.effect.clone(), Arc::clone(self)));
        }
    }

    /// Something that a rule asked for could not be done.
    pub(crate) fn fault(&self, why: String) {
        eprintln!("disorder: {why}");
        self.report().faults.push(why);
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Added {
    /// What it has done so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.plan.report().clone()
    }
}

impl Drop for Added {
    fn drop(&mut self) {
        self.disorder.plans().added.retain(|plan| !Arc::ptr_eq(plan, &self.plan));
    }
}

#[cfg(test)]
mod tests;
