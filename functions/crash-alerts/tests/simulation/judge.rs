//! What must hold of a history, whatever happens.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crash_alerts::plan::desk::{Digest, Line};
use crash_alerts::plan::incident::{Incident, Nature, News, Phase, Voice};
use crash_alerts::plan::rules::Rules;
use crash_alerts::{Changes, Stored};
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::{Kind, Notice};
use watchkeeper_stops::Severity;

use crate::clock;
use crate::table::{Table, place};
use crate::world::{HALF_SILENT, IGNORED, World};

/// So old what is seen of a service may be when it is acted on.
const SIGHT: Duration = Duration::seconds(30);
/// A speaker of which nothing was heard for so long says nothing of what is seen from outside.
const SHORTLY: Duration = Duration::minutes(30);
/// A sweep may be lost, come late or be cut off: so much later than it should something may be told.
const DELAYS: Duration = Duration::minutes(6);
/// SNS cuts an e-mail subscriber off who gets more in a second.
const IN_A_SECOND: usize = 10;

/// A fault that the world made.
#[derive(Debug)]
struct Issued {
    key: String,
    at: OffsetDateTime,
    severity: Severity,
    /// The incidents that counted it, or what swallowed it.
    taken: Vec<String>,
}

/// A message that was decided.
#[derive(Debug, Clone)]
struct Decision {
    notice: Notice,
    alone: bool,
    at: OffsetDateTime,
    count: u64,
    severity: Severity,
    lines_only: bool,
}

/// An incident, for as long as the history lasts.
#[derive(Debug)]
struct Life {
    last: Incident,
    is_gone: bool,
    was_over_at_once: bool,
    /// Whether another incident, or a rollout, spoke for it once: then what ops heard of it before was closed, and it may begin anew.
    was_spoken_for: bool,
    /// How urgent the most urgent is that ops heard of it and that is not closed.
    told: Option<Severity>,
    decided: BTreeMap<u32, Decision>,
    /// By how many messages it had an end: it may have come back since.
    ends: BTreeSet<u32>,
}

/// A message that was published, of an incident or a digest.
#[derive(Debug)]
struct Told {
    state: String,
    /// Of a digest, what it tells.
    lines: Vec<(String, u64, String)>,
    by: Vec<usize>,
}

pub(crate) struct Judge {
    rules: Rules,
    pub(crate) faults: Vec<String>,
    issued: HashMap<(String, String), Issued>,
    overs: HashMap<String, Vec<OffsetDateTime>>,
    lives: BTreeMap<String, Life>,
    told: BTreeMap<(String, u64), Told>,
    /// Incidents that began anew, told on their own, after a digest told of them.
    reopened: BTreeSet<String>,
    /// The incidents that each spell's digests told of.
    spells: HashMap<String, BTreeSet<String>>,
    looks: HashMap<String, usize>,
    storms: usize,
    /// When each service was last seen to be well.
    well: HashMap<u8, OffsetDateTime>,
    /// Of which subjects there is something more urgent than anything that was told of them, and since when.
    overlooked: HashMap<String, OffsetDateTime>,
    /// When each incident whose faults are events was told to begin.
    openings: HashMap<String, Vec<OffsetDateTime>>,
    digests: Vec<OffsetDateTime>,
    published: Vec<OffsetDateTime>,
    pub(crate) messages: usize,
    pub(crate) counted: u64,
}

impl Judge {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            faults: Vec::new(),
            issued: HashMap::new(),
            overs: HashMap::new(),
            lives: BTreeMap::new(),
            told: BTreeMap::new(),
            reopened: BTreeSet::new(),
            spells: HashMap::new(),
            looks: HashMap::new(),
            storms: 0,
            well: HashMap::new(),
            overlooked: HashMap::new(),
            openings: HashMap::new(),
            digests: Vec::new(),
            published: Vec::new(),
            messages: 0,
            counted: 0,
        }
    }

    fn fault(&mut self, what: impl Into<String>) {
        self.faults.push(what.into());
    }

    /// The world made this news.
    pub(crate) fn issued(&mut self, news: &News) {
        match news {
            News::Fault(fault) | News::Again(fault) | News::Done(fault) => {
                let (key, at, severity) = (fault.key.text(), fault.at, fault.alert.severity);
                let issued = Issued { key, at, severity, taken: Vec::new() };
                self.issued.entry(place(&fault.alert.key)).or_insert(issued);
            }
            News::Over(over) => self.overs.entry(over.key.text()).or_default().push(over.at),
        }
    }

    /// Whether an incident that was over when this happened may have swallowed it.
    fn may_be_history(&self, table: &Table, issued: &Issued) -> bool {
        let rest = table.rests.get(&issued.key).is_some_and(|rest| issued.at <= rest.value.over_at);
        rest || self.overs.get(&issued.key).is_some_and(|overs| overs.iter().any(|over| issued.at <= *over))
    }

    /// Time passes. What is more urgent than all that ops heard of its service is not kept from them for long.
    pub(crate) fn looks_around(&mut self, table: &Table, world: &World, now: OffsetDateTime) {
        let mut worst: BTreeMap<String, (u8, Severity)> = BTreeMap::new();
        for stored in table.live(None) {
            let incident = stored.value;
            let Some(service) = number_of(&incident) else { continue };
            if incident.phase == Phase::Open && !may_be_silenced(&incident) {
                let worst = worst.entry(incident.key.subject).or_insert((service, incident.severity));
                worst.1 = worst.1.max(incident.severity);
            }
        }
        for (service, worst) in worst.values_mut() {
            if world.runs_nothing(*service).is_some() {
                *worst = Severity::Critical;
            }
        }
        let lives = |subject: &str| {
            let lives: Vec<_> =
                self.lives.values().filter(|life| !life.is_gone && life.last.key.subject == subject).collect();
            lives
        };
        // A digest tells how bad it is by then, and the next comes when the storm is over; Watchkeeper's own rollout explains
        // things for a while; and where all is well by now nothing is overlooked.
        let storm = table.desk().value.storms();
        let is_excused = |service: u8, subject: &str| {
            let in_digest = || storm && lives(subject).iter().any(|life| life.last.voice == Voice::Digest);
            let rollouts = &world.services[usize::from(service)].rollouts;
            let is_rolled_out = rollouts.iter().any(|(began, until)| *began <= now && now <= *until);
            world.is_well(service, now) || service == SILENT || service == IGNORED || is_rolled_out || in_digest()
        };
        worst.retain(|subject, (service, worst)| {
            let told = lives(subject).iter().filter_map(|life| life.told).max();
            told < Some(*worst) && !is_excused(*service, subject)
        });
        self.overlooked.retain(|subject, _| worst.contains_key(subject));
        for (subject, (_, severity)) in worst {
            let since = *self.overlooked.entry(subject.clone()).or_insert(now);
            if now - since > self.rules.hold + self.rules.group_wait + DELAYS {
                self.fault(format!("overlooked: {subject} is {severity:?} since {since}, and nobody is told so"));
                self.overlooked.remove(&subject);
            }
        }
    }

    /// What comes back must be quiet for twice as long each time before it is told to be over, and to be back.
    fn not_again_and_again(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (key, openings) in &self.openings {
            let mut lives = self.lives.values().filter(|life| life.last.key.text() == *key);
            // Another one's voice was in between, or nobody's.
            if lives.any(|life| life.was_spoken_for || may_be_silenced(&life.last) || life.decided.is_empty()) {
                continue;
            }
            // Of a standalone task no service is looked at.
            let is_crash = |life: &Life| life.last.key.text() == *key && life.last.is_crash();
            let is_looked_at = key.starts_with("service#") && self.lives.values().any(is_crash);
            let mut quiet: Duration = if is_looked_at { self.rules.crash_quiet } else { self.rules.hold };
            for pair in openings.windows(2) {
                if pair[1] - pair[0] < quiet {
                    faults.push(format!("a loop: {key} begins at {openings:?}"));
                    break;
                }
                quiet = Duration::min(quiet * 2, self.rules.returns_within);
            }
        }
        faults
    }

    /// These changes are about to be stored.
    pub(crate) fn commit(&mut self, table: &Table, changes: &Changes, world: &World, now: OffsetDateTime) {
        let mut counted_by: HashMap<String, u64> = HashMap::new();
        for (fault, incident) in &changes.seen {
            let Some(mut issued) = self.issued.remove(&place(fault)) else {
                self.fault(format!("{fault:?} is counted, and never was"));
                continue;
            };
            if let Some(id) = incident {
                *counted_by.entry(id.clone()).or_default() += 1;
            } else if !is_ignored(&issued.key) && !self.may_be_history(table, &issued) {
                self.fault(format!("swallowed: {fault:?} is counted by nobody"));
            }
            let by = incident.as_ref().and_then(|id| changes.incidents.iter().find(|change| change.after.id == *id));
            let is_understated = by.is_some_and(|change| change.after.severity < issued.severity);
            if is_understated && !self.may_be_history(table, &issued) {
                self.fault(format!("understated: {fault:?} is {:?}", issued.severity));
            }
            issued.taken.push(incident.clone().unwrap_or_else(|| "nobody".to_owned()));
            if issued.taken.len() > 1 {
                self.fault(format!("counted twice: {fault:?} by {:?}", issued.taken));
            }
            self.issued.insert(place(fault), issued);
        }
        for change in &changes.incidents {
            let counted = counted_by.remove(&change.after.id).unwrap_or_default();
            self.turn(table, change.before.is_none(), &change.after, counted, changes, world, now);
        }
        if let Some((_, desk)) = &changes.desk {
            let before = table.desk().value;
            if desk.storms() && !before.storms() {
                self.storms += 1;
                if desk.spells().any(|spell| spell.storm && spell.digests > 0) {
                    self.fault("unheard: a storm begins under the id of digests that were told before");
                }
            }
            let is_waiting = |line: &Line| {
                let mut waiting = before.spells().flat_map(|spell| &spell.waiting);
                waiting.any(|old| old.incident.id == line.incident.id && old.number == line.number)
            };
            for line in desk.spells().flat_map(|spell| &spell.waiting) {
                if !is_waiting(line) {
                    let decision = Decision {
                        notice: line.notice,
                        alone: false,
                        at: now,
                        count: line.incident.count,
                        severity: line.incident.severity,
                        lines_only: false,
                    };
                    // A line has not all that is known of its incident.
                    let known = self.lives.get(&line.incident.id).map(|life| life.last.clone());
                    self.decide(known.as_ref().unwrap_or(&line.incident), line.number, &decision, world);
                }
            }
            let had_digest = before.spell().is_some_and(|spell| spell.outbox.is_some());
            if let Some(spell) = desk.spell().filter(|_| !had_digest)
                && let Some(digest) = &spell.outbox
            {
                self.digest(table, &spell.id, digest, now);
            }
        }
    }

    /// A digest is decided.
    fn digest(&mut self, table: &Table, spell: &str, digest: &Digest, now: OffsetDateTime) {
        self.digests.push(now);
        // What begins anew in this spell is this one's affair, and no other's any more.
        for line in digest.lines.iter().filter(|line| line.notice == Notice::Opened) {
            for told_of in self.spells.values_mut() {
                told_of.remove(&line.incident.id);
            }
        }
        let lines = digest.lines.iter().filter(|line| !matches!(line.notice, Notice::Resolved | Notice::Done));
        let told_of = self.spells.entry(spell.to_owned()).or_default();
        told_of.extend(lines.map(|line| line.incident.id.clone()));
        if digest.over {
            let is_open = |stored: &&Stored<Incident>| {
                let incident = &stored.value;
                let is_told_of = told_of.contains(&incident.id) && !self.reopened.contains(&incident.id);
                is_told_of && incident.phase != Phase::Closed
            };
            let live = table.live(None);
            let open: Vec<_> = live.iter().filter(is_open).map(|stored| stored.value.key.text()).collect();
            if !open.is_empty() {
                self.fault(format!("too early: a digest says that all is over, and these are open: {open:?}"));
            }
        }
        self.not_too_many(now);
    }

    /// Messages that were decided within the last minute.
    fn not_too_many(&mut self, now: OffsetDateTime) {
        let recent = |at: OffsetDateTime| now - at < Duration::MINUTE && at <= now;
        let decided = self.lives.values().flat_map(|life| life.decided.values());
        let alone = decided.filter(|decided| decided.alone && recent(decided.at)).count();
        let digests = self.digests.iter().filter(|at| recent(**at)).count();
        if alone > self.rules.messages_a_minute || digests > 2 {
            self.fault(format!("too many: {alone} messages and {digests} digests in a minute"));
        }
    }

    /// A service is seen to be well.
    pub(crate) fn is_well(&mut self, service: u8, now: OffsetDateTime) {
        self.well.insert(service, now);
    }

    #[allow(clippy::too_many_arguments, reason = "all that a turn is about")]
    fn turn(
        &mut self,
        table: &Table,
        is_new: bool,
        after: &Incident,
        counted: u64,
        changes: &Changes,
        world: &World,
        now: OffsetDateTime,
    ) {
        let stored = table.incident(&after.key.text()).filter(|stored| stored.value.id == after.id);
        let stored = stored.map(|stored| stored.value).filter(|_| !is_new);
        // One that comes back goes on where it ended.
        let past = table.rests.get(&after.key.text()).and_then(|rest| rest.value.past.as_ref());
        let past = past.filter(|past| past.id == after.id).map_or((0, 0), |past| (past.count, past.messages));
        let (count, messages) = stored.as_ref().map_or(past, |stored| (stored.count, stored.messages));
        let rise = after.count.checked_sub(count);
        if rise.is_none_or(|rise| rise > counted) {
            self.fault(format!("miscounted: {} rises from {count} to {} by {counted} faults", after.id, after.count));
        }
        if rise.is_some_and(|rise| rise < counted) {
            let (rise, key) = (rise.unwrap_or_default(), after.key.text());
            let of = self.issued.values().filter(|issued| issued.taken.contains(&after.id));
            let history = of.filter(|issued| issued.key == key && self.may_be_history(table, issued)).count() as u64;
            if counted - rise > history {
                self.fault(format!("miscounted: {} rises by {rise} only with {counted} faults", after.id));
            }
        }
        self.counted += rise.unwrap_or_default();
        if let Some(stored) = &stored
            && let Voice::Speaker(speaker) = &stored.voice
            && after.voice == Voice::Own
            && has_speaker(table, speaker, after)
        {
            self.fault(format!("interrupts: {} tells what {speaker} speaks for, which lives", after.key.text()));
        }
        if let Voice::Speaker(speaker) = &after.voice
            && stored.as_ref().is_none_or(|stored| stored.voice != after.voice)
        {
            let spoken = changes.incidents.iter().map(|change| &change.after).find(|one| one.id == *speaker);
            let severity = spoken.map(|one| one.severity);
            let severity = severity.or_else(|| Some(find(table, speaker)?.severity));
            if severity.is_some_and(|severity| severity < after.severity) {
                let key = after.key.text();
                self.fault(format!("hushed: {key} is {:?}, and silent behind what is {severity:?}", after.severity));
            }
        }
        if after.phase == Phase::Closed && after.over_at.is_some_and(|over_at| over_at < after.last_at) {
            self.fault(format!("backwards: {} is over since before it happened last", after.key.text()));
        }
        let is_gone = after.phase == Phase::Closed && after.outbox.is_empty();
        let is_new = stored.is_none();
        let life = self.lives.entry(after.id.clone()).or_insert_with(|| Life {
            last: after.clone(),
            is_gone: false,
            was_over_at_once: false,
            was_spoken_for: false,
            told: None,
            decided: BTreeMap::new(),
            ends: BTreeSet::new(),
        });
        life.was_over_at_once |= is_new && after.phase != Phase::Open;
        life.was_spoken_for |= matches!(after.voice, Voice::Speaker(_) | Voice::Rollout { .. });
        if is_gone || matches!(after.voice, Voice::Speaker(_)) {
            life.told = None;
        }
        if is_gone {
            life.ends.insert(after.messages);
        }
        let comes_back = is_new && !life.decided.is_empty();
        life.last = after.clone();
        life.is_gone = is_gone;
        if comes_back {
            // No digest told of it as it is now.
            self.reopened.insert(after.id.clone());
        }
        if is_new
            && after.phase == Phase::Open
            && after.voice == Voice::Own
            && after.heard.is_none()
            && !may_be_silenced(after)
        {
            self.fault(format!("late: {} begins and nothing is decided", after.key.text()));
        }
        match after.messages.checked_sub(messages) {
            Some(0) => {}
            Some(1) => {
                if let Some(sending) = after.outbox.iter().find(|sending| sending.number == after.messages) {
                    let decision = Decision {
                        notice: sending.notice,
                        alone: true,
                        at: sending.at,
                        count: sending.count,
                        severity: after.severity,
                        lines_only: sending.lines_only,
                    };
                    self.decide(after, sending.number, &decision, world);
                } else {
                    let waits = changes.desk.iter().flat_map(|(_, desk)| desk.spells()).any(|spell| {
                        spell.left_out > 0 || spell.waiting.iter().any(|line| line.incident.id == after.id)
                    });
                    if !waits {
                        self.fault(format!("lost: message {} of {} waits nowhere", after.messages, after.id));
                    }
                }
            }
            rise => self.fault(format!("numbers: {} rises by {rise:?} messages at {now}", after.id)),
        }
    }

    fn decide(&mut self, incident: &Incident, number: u32, decision: &Decision, world: &World) {
        let (now, key) = (decision.at, incident.key.text());
        if decision.notice == Notice::Opened && decision.alone {
            // Its end was on its way when it began anew: that is its own affair now, and no digest's.
            self.reopened.insert(incident.id.clone());
        }
        if decision.notice == Notice::Resolved {
            if incident.nature == Nature::Event
                && let Some(service) = number_of(incident)
                && let Some((from, until)) = world.services[usize::from(service)].broken
                && now < until
                && now - from > self.rules.hold + Duration::seconds(15)
            {
                self.fault(format!("too early: {key} is said to be over, and is broken since {from}"));
            }
            if incident.nature == Nature::Event
                && let Some(service) = number_of(incident)
                && self.well.get(&service).is_none_or(|at| now - *at > SIGHT)
            {
                self.fault(format!("unseen: {key} is said to be over, and nobody looked"));
            }
            let newest = |key: &str| {
                let of = self.issued.values().filter(|issued| issued.key == key && !issued.taken.is_empty());
                of.map(|issued| issued.at).max()
            };
            let over = self.overs.get(&key).and_then(|overs| overs.iter().max().copied());
            if incident.nature == Nature::State && newest(&key) > over {
                self.fault(format!("too early: {key} is said to be over, and nobody said so"));
            }
        } else if may_be_silenced(incident) && number_of(incident) == Some(SILENT) {
            let (from, until) = World::silence();
            if from <= now && now < until {
                self.fault(format!("noise: {key} is told while it is silenced"));
            }
        }
        let life = self.lives.entry(incident.id.clone()).or_insert_with(|| Life {
            last: incident.clone(),
            is_gone: true,
            was_over_at_once: true,
            was_spoken_for: false,
            told: None,
            decided: BTreeMap::new(),
            ends: BTreeSet::new(),
        });
        life.told = match decision.notice {
            Notice::Resolved | Notice::Done => None,
            _ => life.told.max(Some(decision.severity)),
        };
        if decision.notice == Notice::Opened && incident.nature == Nature::Event {
            self.openings.entry(key.clone()).or_default().push(now);
        }
        if life.decided.insert(number, decision.clone()).is_some() {
            let what = format!("numbers: message {number} of {key} is decided twice");
            self.fault(what);
        }
        if !decision.alone {
            return;
        }
        self.not_too_many(now);
        let alone = || self.lives.values().flat_map(|life| life.decided.values()).filter(|decided| decided.alone);
        let within = |span: Duration| move |decided: &&Decision| now - decided.at < span && decided.at <= now;
        let openings = alone().filter(|decided| decided.notice == Notice::Opened);
        let openings = openings.filter(within(self.rules.storm_window)).count();
        if decision.notice == Notice::Opened && openings >= self.rules.storm_incidents {
            self.fault(format!("storm: {openings} incidents are told of alone"));
        }
    }

    /// This is published.
    pub(crate) fn published(&mut self, json: &Value, by: usize, is_disturbed: impl Fn(usize) -> bool) {
        self.messages += 1;
        let now = clock::now();
        self.published.push(now);
        let recent = self.published.iter().rev().take_while(|at| now - **at < Duration::SECOND).count();
        if recent > IN_A_SECOND {
            self.fault(format!("too many: {recent} messages in a second"));
        }
        let word = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let number = |value: &Value| value["number"].as_u64().unwrap_or_default();
        let (id, n, state) = (word(json, "incident"), number(json), word(json, "state"));
        let lines: Vec<_> = json["incidents"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|line| (word(line, "incident"), number(line), word(line, "state")))
            .collect();
        if let Some(told) = self.told.get_mut(&(id.clone(), n)) {
            let differs = (told.state != state || told.lines != lines).then(|| format!("{told:?}"));
            let excused = is_disturbed(by) || told.by.iter().any(|earlier| is_disturbed(*earlier));
            told.by.push(by);
            if let Some(told) = differs {
                self.fault(format!("ambiguous: message {n} of {id} is {state} {lines:?}, and was {told}"));
            }
            if !excused {
                self.fault(format!("repeated: message {n} of {id} ({state}) for no reason"));
            }
            return;
        }
        if json["kind"] == "incident" {
            match self.lives.get(&id) {
                None => self.fault(format!("unknown: {id} is told, and is nothing")),
                Some(life) => {
                    let is_decided = life.decided.get(&u32::try_from(n).unwrap()).is_some_and(|decided| decided.alone);
                    let earlier = life
                        .decided
                        .iter()
                        .filter(|(earlier, decided)| u64::from(**earlier) < n && decided.alone && !decided.lines_only);
                    let untold: Vec<_> = earlier
                        .filter(|(earlier, _)| !self.told.contains_key(&(id.clone(), u64::from(**earlier))))
                        .map(|(earlier, _)| *earlier)
                        .collect();
                    if !is_decided {
                        self.fault(format!("undecided: message {n} of {id}"));
                    }
                    if !untold.is_empty() {
                        self.fault(format!("out of order: message {n} of {id} is told before {untold:?}"));
                    }
                }
            }
        }
        self.told.insert((id, n), Told { state, lines, by: vec![by] });
    }

    /// A message to look at an incident later is sent.
    pub(crate) fn looks_again(&mut self, key: &str) {
        *self.looks.entry(key.to_owned()).or_default() += 1;
    }

    /// All is calm.
    pub(crate) fn at_the_end(&mut self, table: &Table, world: &World) {
        let mut faults = Vec::new();
        for (fault, issued) in &self.issued {
            let is_ignored = is_ignored(&issued.key);
            if issued.taken.is_empty() && !is_ignored {
                faults.push(format!("at the end: {fault:?} of {} is not counted", issued.key));
            }
        }
        for stored in table.live(None) {
            let Incident { id, key, phase, voice, outbox, .. } = &stored.value;
            faults.push(format!("at the end: {id} {} lives: {phase:?} {voice:?} {outbox:?}", key.text()));
        }
        if let Some(spell) = table.desk().value.spell() {
            faults.push(format!("at the end: the desk keeps {spell:?}"));
        }
        for (id, life) in &self.lives {
            let found = self.of_life(id, life, world);
            faults.extend(
                found.into_iter().map(|fault| format!("{fault}: {} {id} {:?}", life.last.key.text(), life.decided)),
            );
        }
        for (spell, told_of) in &self.spells {
            let last = self.told.iter().rev().find(|((id, _), _)| id == spell);
            if !told_of.is_empty() && last.is_none_or(|(_, told)| told.state != "resolved") {
                faults.push(format!("at the end: the digests of {spell} are never said to be over"));
            }
        }
        for (key, looks) in &self.looks {
            let openings = |life: &&Life| life.last.key.text() == *key;
            let opened = self.lives.values().filter(openings).flat_map(|life| life.decided.values());
            let opened = opened.filter(|decided| decided.notice == Notice::Opened).count();
            if *looks > opened + self.storms {
                faults.push(format!("busy: {key} is looked at again {looks} times for {opened} openings"));
            }
        }
        faults.extend(self.not_again_and_again());
        self.faults.extend(faults);
    }

    fn of_life(&self, id: &str, life: &Life, world: &World) -> Vec<String> {
        let mut faults = Vec::new();
        let by_digest = |number: u32| {
            self.told.values().any(|told| told.lines.iter().any(|line| line.0 == id && line.1 == u64::from(number)))
        };
        for (number, decided) in &life.decided {
            let is_told = if decided.alone {
                decided.lines_only || self.told.contains_key(&(id.to_owned(), u64::from(*number)))
            } else {
                by_digest(*number)
            };
            if !is_told {
                faults.push(format!("untold: message {number}"));
            }
        }
        if life.decided.is_empty() && !self.is_excused(life, world) {
            faults.push("untold: ops hear nothing".to_owned());
        }
        let (mut is_open, mut alone, mut more, mut before) = (false, false, 0, None::<&Decision>);
        let mut before_number = 0;
        for (number, decided) in &life.decided {
            // Of its end ops hear, unless digests alone told of it.
            if life.ends.range(..number).any(|end| before_number <= *end) {
                if is_open && alone && !life.was_spoken_for {
                    faults.push("unresolved: it was over once and nobody heard so".to_owned());
                }
                is_open = false;
            }
            before_number = *number;
            match decided.notice {
                Notice::Opened => {
                    if is_open && !life.was_spoken_for {
                        faults.push("opened twice".to_owned());
                    }
                    (is_open, alone, more) = (true, decided.alone, 0);
                }
                Notice::More | Notice::Escalated | Notice::Repeated => {
                    if !is_open {
                        faults.push(format!("not open: {:?}", decided.notice));
                    }
                    alone |= decided.alone;
                    more += u32::from(decided.notice == Notice::More);
                    if let Some(before) = before {
                        if before.notice == Notice::Opened
                            && before.alone
                            && decided.at < before.at + self.rules.group_wait
                        {
                            faults.push("hasty: told again within the group wait".to_owned());
                        }
                        let level = |count| self.rules.escalate_at.iter().filter(|at| count >= **at).count();
                        let is_worse = decided.severity > before.severity || level(decided.count) > level(before.count);
                        if decided.notice == Notice::Escalated && !is_worse {
                            faults.push("escalates for nothing".to_owned());
                        }
                        if decided.notice == Notice::Repeated && decided.at < before.at + self.rules.repeat {
                            faults.push("repeats too soon".to_owned());
                        }
                    }
                }
                Notice::Resolved => {
                    if !is_open || !alone {
                        faults.push("resolved, and nobody heard of it".to_owned());
                    }
                    is_open = false;
                }
                Notice::Done => {}
            }
            before = Some(decided);
        }
        if more > 1 {
            faults.push("more than once more".to_owned());
        }
        // What was closed by its speaker, and held back by a silence when that was gone, has no end to be told.
        let was_closed = life.was_spoken_for && life.last.heard.is_none();
        if is_open && alone && !was_closed && life.last.voice == Voice::Own && life.is_gone {
            faults.push("unresolved: it is over and nobody hears so".to_owned());
        }
        faults
    }

    /// Whether it is right that ops heard nothing.
    fn is_excused(&self, life: &Life, world: &World) -> bool {
        match &life.last.voice {
            Voice::Speaker(speaker) => self
                .lives
                .get(speaker)
                .is_some_and(|speaker| !speaker.decided.is_empty() || self.is_excused(speaker, world)),
            Voice::Rollout { .. } => number_of(&life.last).is_some_and(|service| {
                let around = |(began, until): &(OffsetDateTime, OffsetDateTime)| {
                    life.last.last_at >= *began - Duration::minutes(2) && life.last.first_at <= *until
                };
                world.services[usize::from(service)].rollouts.iter().any(around)
            }),
            Voice::Own | Voice::Digest => {
                (life.was_over_at_once && life.last.alert.kind != Kind::Done) || may_be_silenced(&life.last)
            }
        }
    }
}

fn find(table: &Table, id: &str) -> Option<Incident> {
    table.live(None).into_iter().map(|stored| stored.value).find(|incident| incident.id == id)
}

/// Whether one lives that says enough of an incident.
fn has_speaker(table: &Table, speaker: &str, of: &Incident) -> bool {
    let Some(speaker) = find(table, speaker).filter(|speaker| speaker.phase != Phase::Closed) else { return false };
    if let Voice::Speaker(next) = &speaker.voice {
        return has_speaker(table, next, of);
    }
    let is_beyond = of.is_crash() && !speaker.deployments.iter().any(|deployment| of.is_only_of(deployment));
    let is_long_ago = !of.is_crash() && of.touched_at - speaker.last_at > SHORTLY;
    speaker.severity >= of.severity && !is_beyond && !is_long_ago
}

/// The service of which the settings silence everything for a while.
pub(crate) const SILENT: u8 = 12;

fn is_ignored(key: &str) -> bool {
    key.contains(&format!("/s{IGNORED} "))
}

fn number_of(incident: &Incident) -> Option<u8> {
    let service = incident.key.subject.strip_prefix("service#")?;
    service.rsplit("/s").next()?.parse().ok()
}

fn may_be_silenced(incident: &Incident) -> bool {
    match number_of(incident) {
        Some(SILENT) => true,
        Some(HALF_SILENT) => incident.key.cause == "out-of-memory",
        _ => false,
    }
}
