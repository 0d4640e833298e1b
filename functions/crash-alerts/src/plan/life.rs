//! The life of an incident: given what is stored and what is news, what is to be stored and what ops are to be told.
//!
//! Pure, and the same whatever order and however often the news comes, as long as each fault is given once: the store sees to that.

mod relapse;
mod speaker;

use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::{Kind, Notice};
use watchkeeper_stops::Severity;

use self::speaker::{has_speaker, speaks_for, takes_over};
use super::desk::Desk;
use super::incident::{Fault, Heard, Incident, Nature, News, Over, Past, Phase, Rest, Sending, Symptom, Tags, Voice};
use super::rules::Rules;
use super::silence;

/// A crash shortly before Watchkeeper's own rollout came of the same change.
const BEFORE_A_ROLLOUT: Duration = Duration::minutes(2);
/// A standalone task that failed is not run again by anybody: so long afterwards it is history. Less than a day, so that a nightly job
/// that fails again is told again.
const STANDALONE: Duration = Duration::hours(20);
/// What ECS warns of and repeats each hour for as long as it lasts, though all tasks run.
const WARNED_OF: Duration = Duration::minutes(70);

/// How a service is, as ECS says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether it runs all it should, on one complete deployment; also one that is gone, or should run nothing.
    pub is_well: bool,
    /// Why so, a sentence for ops: `2 of 2 tasks run on agent:7.`
    pub words: String,
    /// Its tags.
    pub tags: Tags,
}

/// A rollout that Watchkeeper itself began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// The deployment it made; none where tasks are replaced.
    pub deployment: Option<String>,
    /// When it began.
    pub began: OffsetDateTime,
    /// Until when it should be over.
    pub until: OffsetDateTime,
}

/// What is so around an incident.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// Now.
    pub now: OffsetDateTime,
    /// The numbers.
    pub rules: &'a Rules,
    /// The service that it is about, where that was looked up.
    pub service: Option<&'a Health>,
    /// The other live incidents of the same subject.
    pub siblings: &'a [Incident],
    /// Watchkeeper's own rollout of the service.
    pub rollout: Option<&'a Rollout>,
    /// Whether there is a storm.
    pub storm: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is nothing to be stored but that the faults were seen.
    Nothing,
    /// There is no incident, and this is to be remembered.
    Rest(Rest),
    /// The incident is to be stored.
    Turn(Box<Turn>),
}

/// A turn of an incident's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The incident as it is now.
    pub incident: Incident,
    /// What ops are to be told; [`place`] puts it where it goes out from.
    pub notice: Option<Notice>,
    /// Siblings that it speaks for from now on, as they are now.
    pub taken: Vec<Incident>,
}

/// The news is taken in. Faults must not have been given before.
#[must_use]
pub fn observe(before: Option<Incident>, rest: Option<&Rest>, news: &[News], scene: Scene<'_>) -> Outcome {
    let mut incident = before;
    let mut remembered = rest.cloned();
    let mut taken = Vec::new();
    for news in news {
        match news {
            News::Fault(fault) => match &mut incident {
                Some(incident) => happen_again(incident, fault, scene),
                None if is_history(fault, remembered.as_ref()) => {}
                None => {
                    let mut new = relapse::again_or_new(fault, remembered.as_ref(), scene);
                    count(&mut new, fault, scene);
                    taken = begin(&mut new, fault, scene);
                    incident = Some(new);
                }
            },
            News::Again(fault) => {
                if let Some(incident) = incident.as_mut().filter(|incident| incident.follows(fault, scene.now)) {
                    incident.follow(fault, scene.now);
                    if !has_speaker(incident, scene) {
                        speak_again(incident);
                    }
                }
            }
            News::Done(fault) if incident.is_none() => {
                let mut new = Incident::of(fault, scene.now);
                new.count(fault, scene.now);
                new.phase = Phase::Closed;
                let notice = Some(Notice::Done).filter(|_| !is_silenced(&new, scene));
                return Outcome::Turn(Box::new(Turn { incident: new, notice, taken }));
            }
            News::Done(_) => {}
            News::Over(over) => {
                if let Some(incident) = &mut incident {
                    seem_over(incident, over, scene);
                } else {
                    let known = remembered.take();
                    let over_at = known.as_ref().map_or(over.at, |rest| rest.over_at.max(over.at));
                    let (first_at, past) = known.map_or((None, None), |rest| (rest.first_at, rest.past));
                    remembered = Some(Rest { over_at, first_at, past });
                }
            }
        }
    }
    match incident {
        Some(incident) => Outcome::Turn(Box::new(settle(incident, taken, scene))),
        None if remembered.as_ref() != rest => remembered.map_or(Outcome::Nothing, Outcome::Rest),
        None => Outcome::Nothing,
    }
}

/// Time passes.
#[must_use]
pub fn look(mut incident: Incident, scene: Scene<'_>) -> Turn {
    if let Some(health) = scene.service {
        incident.tags = health.tags.clone();
        match (&incident.phase, health.is_well) {
            (Phase::Open, true) if ends(&incident) == Ends::WhenWell => {
                incident.phase = Phase::Clearing { since: scene.now, words: health.words.clone() };
            }
            (Phase::Clearing { .. }, false) if ends(&incident) == Ends::WhenWell => incident.phase = Phase::Open,
            _ => {}
        }
        if incident.phase == Phase::Open && !health.is_well && !has_speaker(&incident, scene) {
            speak_again(&mut incident);
        }
    }
    if ends(&incident) == Ends::WithItsDay
        && scene.now - incident.touched_at >= STANDALONE
        && incident.phase == Phase::Open
    {
        let words = "no task of it has crashed for 20 hours".to_owned();
        incident.phase = Phase::Clearing { since: incident.touched_at, words };
    }
    settle(incident, Vec::new(), scene)
}

/// A notice goes out from the incident itself, or waits at the desk for the digest.
pub fn place(turn: &mut Turn, desk: &mut Desk, crowd: bool, scene: Scene<'_>) {
    let incident = &mut turn.incident;
    if incident.phase == Phase::Closed {
        desk.let_go(&incident.id);
    }
    let Some(notice) = turn.notice.take() else { return };
    let lines_only = incident.has_lines_only(notice);
    // A digest has no lines: a second look at the log is nothing that it could tell.
    if lines_only && !desk.is_free(crowd, scene.now, scene.rules) {
        return;
    }
    incident.messages += 1;
    // What a digest told of goes on in digests, but for what lasts for hours.
    let crowd = crowd || (incident.voice == Voice::Digest && notice == Notice::Escalated);
    let alone = desk.admit(incident, notice, incident.messages, crowd, scene.now, scene.rules);
    let before = incident.heard;
    let repeats = before.map_or(0, |heard| heard.repeats) + u32::from(notice == Notice::Repeated);
    incident.heard = Some(Heard { count: incident.count, at: scene.now, repeats, severity: Some(incident.severity) });
    if alone {
        let sending = Sending { number: incident.messages, notice, count: incident.count, at: scene.now, lines_only };
        incident.outbox.push(sending);
        if notice == Notice::Opened {
            incident.gathers_until = Some(scene.now + scene.rules.group_wait);
        }
        if incident.voice == Voice::Digest {
            incident.voice = Voice::Own;
        }
    } else if notice == Notice::Opened {
        incident.voice = Voice::Digest;
    }
}

/// What ends an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// The service is well.
    WhenWell,
    /// News says so.
    WithNews,
    /// A later task of the family ends well, or a day passes.
    WithItsDay,
}

fn ends(incident: &Incident) -> Ends {
    match (incident.nature, incident.key.subject.starts_with("service#")) {
        (Nature::State, _) => Ends::WithNews,
        (Nature::Event, true) => Ends::WhenWell,
        (Nature::Event, false) => Ends::WithItsDay,
    }
}

/// Nobody speaks for it any more. What ops heard of it was closed with its speaker: it is told anew.
fn speak_again(incident: &mut Incident) {
    incident.voice = Voice::Own;
    incident.heard = None;
}

/// A late event of an incident that is over belongs to it; a state that is over says nothing any more.
fn is_history(fault: &Fault, rest: Option<&Rest>) -> bool {
    rest.is_some_and(|rest| {
        let within = rest.first_at.is_some_and(|first_at| fault.at >= first_at);
        fault.at <= rest.over_at && (fault.nature == Nature::State || within)
    })
}

fn begin(incident: &mut Incident, fault: &Fault, scene: Scene<'_>) -> Vec<Incident> {
    if let Some(health) = scene.service {
        incident.tags = health.tags.clone();
    }
    relapse::note(incident);
    let misread = incident.tags.silence.as_deref().map(silence::read).unwrap_or_default().1;
    for fault in &scene.rules.misread {
        incident.notes.push(format!("The stack's parameter Silences is not understood: {fault}."));
    }
    for fault in misread {
        incident.notes.push(format!("The service's tag watchkeeper:silence is not understood: {fault}."));
    }
    if let Some(rollout) = scene.rollout.filter(|rollout| comes_of(fault, rollout)) {
        incident.voice = Voice::Rollout { until: rollout.until };
        return Vec::new();
    }
    // Whom ops did not hear, being silenced, speaks for nobody.
    let is_audible = |sibling: &&Incident| sibling.heard.is_some() && speaks_for(sibling, incident);
    if let Some(speaker) = scene.siblings.iter().find(is_audible) {
        incident.voice = Voice::Speaker(speaker.id.clone());
        return Vec::new();
    }
    let mut taken = Vec::new();
    if is_silenced(incident, scene) {
        return taken;
    }
    let mut symptoms: Vec<_> = scene.siblings.iter().filter(|sibling| sibling.voice == Voice::Own).collect();
    // With its crashes a failed deployment may become as urgent as what is seen of it from outside.
    symptoms.sort_by_key(|sibling| !sibling.is_crash());
    for sibling in symptoms {
        if !takes_over(incident, sibling) {
            continue;
        }
        incident.severity = incident.severity.max(sibling.severity);
        incident.speaks_for.push(Symptom { id: sibling.id.clone(), words: in_words(sibling) });
        let voice = Voice::Speaker(incident.id.clone());
        taken.push(Incident { voice, gathers_until: None, ..(*sibling).clone() });
    }
    taken
}

fn in_words(incident: &Incident) -> String {
    match incident.count {
        1 => incident.alert.summary.clone(),
        count => format!("{} times: {}", count, incident.alert.summary),
    }
}

/// Whether Watchkeeper's own rollout explains it: tasks of before it die of what it is to mend, it is itself under way, or it
/// fails, which the function that began it tells with what it knows.
fn comes_of(fault: &Fault, rollout: &Rollout) -> bool {
    let meanwhile = fault.at >= rollout.began - BEFORE_A_ROLLOUT && fault.at <= rollout.until;
    let is_its_own = rollout.deployment.is_some() && fault.deployment == rollout.deployment;
    meanwhile
        && match fault.alert.kind {
            Kind::Crash => !is_its_own,
            Kind::DeploymentFailed | Kind::Rollback => is_its_own,
            Kind::TasksMissing | Kind::DeploymentStuck => true,
            _ => false,
        }
}

/// Counts a fault, and what many of them make of a crash.
fn count(incident: &mut Incident, fault: &Fault, scene: Scene<'_>) {
    incident.count(fault, scene.now);
    let level = scene.rules.level(incident.count);
    if incident.is_crash() && level > 0 {
        incident.severity = incident.severity.max(if level > 1 { Severity::Critical } else { Severity::Error });
    }
}

fn happen_again(incident: &mut Incident, fault: &Fault, scene: Scene<'_>) {
    count(incident, fault, scene);
    // What Watchkeeper's rollout does not explain is told, also where all is well by now.
    let is_unexplained = matches!(incident.voice, Voice::Rollout { .. })
        && !scene.rollout.is_some_and(|rollout| comes_of(fault, rollout));
    if is_unexplained {
        incident.voice = Voice::Own;
    }
    let is_old = match incident.nature {
        Nature::State => incident.over_at.is_some_and(|over_at| fault.at <= over_at),
        Nature::Event => match incident.phase {
            Phase::Clearing { since, .. } => fault.at < since && !is_unexplained,
            Phase::Open | Phase::Closed => incident.over_at.is_some_and(|over_at| fault.at <= over_at),
        },
    };
    if is_old {
        return;
    }
    // Its speaker is over, or says too little by now, and this is not over.
    if !has_speaker(incident, scene) {
        speak_again(incident);
    }
    if incident.phase == Phase::Closed {
        // Its end is told, or being told: this is told as a beginning, under the same id.
        incident.heard = None;
        incident.notes.clear();
        incident.speaks_for.clear();
        relapse::comes_back(incident, fault);
        if incident.voice == Voice::Digest {
            incident.voice = Voice::Own;
        }
    }
    incident.phase = Phase::Open;
    // Repeats for no other reason than time are counted from here.
    if let Some(heard) = &mut incident.heard {
        heard.repeats = 0;
    }
}

fn seem_over(incident: &mut Incident, over: &Over, scene: Scene<'_>) {
    if incident.over_at.is_some_and(|known| known >= over.at) {
        return;
    }
    incident.over_at = Some(over.at);
    if over.at >= incident.last_at && incident.phase == Phase::Open {
        incident.phase = Phase::Clearing { since: scene.now, words: over.words.clone() };
    }
}

/// What is due now, once everything was taken in.
fn settle(mut incident: Incident, taken: Vec<Incident>, scene: Scene<'_>) -> Turn {
    if let Phase::Clearing { since, words } = &incident.phase {
        let quiet_for = match ends(&incident) {
            Ends::WhenWell if incident.is_crash() => scene.rules.crash_quiet,
            Ends::WhenWell if is_unseen_by_counts(&incident) => scene.rules.hold.max(WARNED_OF),
            _ => scene.rules.hold,
        };
        let quiet_for = scene.rules.quiet(quiet_for, incident.returns);
        let from = if incident.nature == Nature::Event { incident.touched_at.max(*since) } else { *since };
        // Nobody says that a service is well who did not look at it just now.
        let is_seen = ends(&incident) != Ends::WhenWell || scene.service.is_some_and(|health| health.is_well);
        if is_seen && scene.now - from >= quiet_for {
            incident.notes = vec![words.clone()];
            // What is known of an earlier end says nothing of this one.
            incident.over_at = Some(incident.over_at.filter(|over_at| *over_at >= incident.last_at).unwrap_or(*since));
            incident.phase = Phase::Closed;
            incident.gathers_until = None;
            let heard = incident.heard.is_some() && incident.voice == Voice::Own;
            return Turn { incident, notice: heard.then_some(Notice::Resolved), taken };
        }
    }
    let notice = due(&mut incident, scene);
    Turn { incident, notice, taken }
}

/// Whether a service may run all its tasks and have this trouble.
fn is_unseen_by_counts(incident: &Incident) -> bool {
    incident.alert.kind == Kind::Service
        && ["unhealthy", "unknown", "throttled", "violated"].iter().any(|word| incident.key.cause.contains(word))
}

fn due(incident: &mut Incident, scene: Scene<'_>) -> Option<Notice> {
    let gathers = incident.gathers_until.is_some_and(|until| scene.now < until);
    let has_gathered = !gathers && incident.gathers_until.take().is_some();
    let silent = matches!(incident.voice, Voice::Speaker(_) | Voice::Rollout { .. })
        || (incident.voice == Voice::Digest && scene.storm)
        || incident.phase != Phase::Open;
    if silent {
        return None;
    }
    if is_silenced(incident, scene) {
        incident.was_silenced |= incident.heard.is_none();
        return None;
    }
    let Some(heard) = incident.heard else {
        if incident.was_silenced {
            incident.notes.push("It began in a time in which it was silenced.".to_owned());
        }
        return Some(Notice::Opened);
    };
    let is_often = incident.is_crash() && scene.rules.level(incident.count) > scene.rules.level(heard.count);
    let escalates = is_often || heard.severity.is_some_and(|heard| incident.severity > heard);
    if gathers {
        return None;
    }
    if escalates {
        return Some(Notice::Escalated);
    }
    if has_gathered && (incident.count > heard.count || std::mem::take(&mut incident.wants_lines)) {
        return Some(Notice::More);
    }
    // A standalone task does not go on failing by itself.
    let goes_on = ends(incident) != Ends::WithItsDay || incident.count > heard.count;
    let again = goes_on && scene.now - heard.at >= scene.rules.repeat && heard.repeats < scene.rules.repeats;
    again.then_some(Notice::Repeated)
}

fn is_silenced(incident: &Incident, scene: Scene<'_>) -> bool {
    if incident.tags.is_ignored {
        return true;
    }
    let about = silence::About::of(incident);
    let by_tag = incident.tags.silence.as_deref().map(silence::read).unwrap_or_default().0;
    scene.rules.silences.iter().chain(&by_tag).any(|silence| silence.covers(about, scene.now))
}

impl Incident {
    /// Whether a notice is only about log lines that may have come late.
    #[must_use]
    pub fn has_lines_only(&self, notice: Notice) -> bool {
        notice == Notice::More && self.heard.is_some_and(|heard| heard.count == self.count)
    }

    /// What is remembered of it once it goes.
    #[must_use]
    pub fn rest(&self) -> Rest {
        let may_return = self.nature == Nature::Event && self.messages > 0;
        Rest {
            over_at: self.over_at.unwrap_or(self.touched_at),
            first_at: Some(self.first_at),
            past: may_return.then(|| Past {
                id: self.id.clone(),
                count: self.count,
                messages: self.messages,
                returns: self.returns,
            }),
        }
    }

    /// When time alone changes it next, at the latest; a hint for nobody's correctness.
    #[must_use]
    pub fn gathers(&self, now: OffsetDateTime) -> Option<Duration> {
        self.gathers_until.map(|until| (until - now).max(Duration::ZERO))
    }
}
