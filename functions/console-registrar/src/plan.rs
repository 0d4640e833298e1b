//! What has to be done so that a registry has an entry for each of a service's tasks, and no other of ours: a pure
//! decision.
//!
//! A service that is to have one task has one entry, called as the agent; one that is to have several has numbered ones,
//! the lowest numbers. An entry stays with its task; when that goes, another steady task takes the entry over, first of
//! all one that replaces it. A name that is no longer wanted goes after its task is gone or has another entry.

use std::collections::{BTreeMap, BTreeSet};

use time::{Duration, OffsetDateTime};

use crate::registry::{Address, AgentId, Entry, IfStill, Put};
use crate::slot::{Known, Name, Slot, State, TaskId};
use crate::truth::{Life, Service, Task, Truth};

/// How long after a share of the entries has gone the next one may.
const BETWEEN_SHARES: Duration = Duration::minutes(1);
/// How many changes are told one by one.
const WORDS: usize = 10;

/// What was declared, as far as it decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// What the agent is called.
    pub agent: AgentId,
    /// The mark of its entries: of the stack and the agent, so that a new name in the template changes nothing, and a stack
    /// that has two agents does not confuse them.
    pub mark: String,
    /// The port that each task listens on.
    pub port: u16,
    /// How long an entry outlives its task, if nobody takes its place.
    pub probation: Duration,
    /// How much of the entries may go at once, if nobody said that they should.
    pub removal_percent: u32,
    /// Whether entries without an owner may be taken over.
    pub adopt: bool,
    /// Whether the declaration itself goes.
    pub leaving: bool,
}

/// An entry that stands where ours should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// Its name.
    pub agent: AgentId,
    /// Whose it is, where it says so.
    pub owner: Option<String>,
}

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is to be remembered before anything is done.
    pub state: State,
    /// Entries to make or change; all of this before any removal.
    pub puts: Vec<(Name, Put)>,
    /// Entries to remove.
    pub removals: Vec<(Name, Entry)>,
    /// A name that is needed and that somebody else has.
    pub blocked: Option<Blocked>,
    /// How many tasks are steady and have no address to be registered with.
    pub without_address: usize,
    /// Whether a task runs that may soon be steady, which no event will tell.
    pub awaits_health: bool,
}

impl Plan {
    /// Whether the registry is to be changed.
    #[must_use]
    pub fn touches_registry(&self) -> bool {
        !self.puts.is_empty() || !self.removals.is_empty()
    }

    /// In words, for people.
    #[must_use]
    pub fn words(&self) -> String {
        let puts = self.puts.iter().map(|(_, put)| format!("register {} at {}", put.id, put.address));
        let removals = self.removals.iter().map(|(_, entry)| format!("remove {}", entry.id));
        let all: Vec<String> = puts.chain(removals).collect();
        match all.len() {
            0 => "nothing".to_owned(),
            several if several > WORDS => format!("{}, and {} more", all[..WORDS].join(", "), several - WORDS),
            _ => all.join(", "),
        }
    }
}

/// The plan. Where the registry was not looked at (`listed`), it is taken to be as it is remembered; what such a plan
/// would change in it is to be planned again after a look.
#[must_use]
pub fn plan(declared: &Declared, known: &State, truth: &Truth, listed: Option<&[Entry]>, now: OffsetDateTime) -> Plan {
    let mut state = known.clone();
    let listed: Option<BTreeMap<Name, &Entry>> = listed.map(|entries| {
        entries.iter().filter_map(|entry| Some((Name::find(&declared.agent, &entry.id)?, entry))).collect()
    });
    if let Some(listed) = &listed {
        compare(declared, &mut state, truth, listed);
    }
    let names = names(declared, &truth.service, &state.foreign);
    let holders = assign(&names, &state, truth);
    let puts = puts(declared, &mut state, truth, &holders, listed.as_ref());
    let going = removals(declared, &mut state, truth, &names, &holders, now);
    let removals = going.into_iter().filter_map(|name| entry_to_remove(declared, &mut state, name, listed.as_ref()));
    Plan {
        removals: removals.collect(),
        puts,
        blocked: blocked(declared, truth, &state, listed.as_ref()),
        without_address: truth.tasks.values().filter(|task| task.life == Life::Steady && task.host.is_none()).count(),
        awaits_health: truth.tasks.values().any(|task| task.life == Life::Unready && task.host.is_some()),
        state,
    }
}

/// The only name that is wanted, if somebody else has it.
fn blocked(
    declared: &Declared,
    truth: &Truth,
    state: &State,
    listed: Option<&BTreeMap<Name, &Entry>>,
) -> Option<Blocked> {
    let is_blocked = !declared.leaving && wanted(&truth.service) == 1 && state.foreign.contains(&Name::Alone);
    let owner = || listed?.get(&Name::Alone)?.owner.clone();
    is_blocked.then(|| Blocked { agent: declared.agent.clone(), owner: owner() })
}

/// Takes over what the registry says of our entries.
fn compare(declared: &Declared, state: &mut State, truth: &Truth, listed: &BTreeMap<Name, &Entry>) {
    let theirs = |(name, entry): &(&Name, &&Entry)| !is_ours(declared, state, **name, entry);
    let foreign: BTreeSet<Name> = listed.iter().filter(theirs).map(|(name, _)| *name).collect();
    state.slots.retain(|name, _| !foreign.contains(name));
    state.foreign = foreign;
    for (name, slot) in &mut state.slots {
        let entry = listed.get(name);
        slot.known = match entry {
            Some(entry) if entry.address.as_ref() == Some(&slot.address) => Known::Registered,
            entry => Known::Intended { before: entry.and_then(|entry| entry.address.clone()) },
        };
    }
    // Ours by its mark, though we do not remember it: the table was restored, or lost.
    for (name, entry) in listed {
        if let (Some(_), Some(address)) = (&entry.owner, &entry.address)
            && !state.slots.contains_key(name)
            && !state.foreign.contains(name)
        {
            let is_there = |task: &Task| task.life != Life::Ended && task.host.as_ref() == Some(&address.host);
            let task = truth.tasks.iter().find(|(_, task)| is_there(task)).map(|(id, _)| id.clone());
            let slot = Slot { task, address: address.clone(), known: Known::Registered, vacant_since: None };
            state.slots.insert(*name, slot);
        }
    }
}

/// Whether an entry is the declaration's to change. Its mark says so; without one, that we wrote it.
fn is_ours(declared: &Declared, state: &State, name: Name, entry: &Entry) -> bool {
    match (&entry.owner, state.slots.get(&name)) {
        (Some(mark), _) => *mark == declared.mark,
        (None, Some(Slot { known: Known::Registered, .. })) => true,
        (None, Some(Slot { known: Known::Intended { before }, address, .. })) => {
            declared.adopt || entry.address.as_ref() == Some(address) || (before.is_some() && entry.address == *before)
        }
        (None, None) => declared.adopt,
    }
}

/// How many tasks there are to be.
fn wanted(service: &Service) -> u32 {
    match service {
        Service::Active { desired, .. } => *desired,
        Service::Deleted | Service::Missing => 0,
    }
}

/// The names that are wanted, lowest first.
fn names(declared: &Declared, service: &Service, foreign: &BTreeSet<Name>) -> Vec<Name> {
    let free = |name: &Name| !foreign.contains(name);
    match wanted(service) {
        _ if declared.leaving => Vec::new(),
        0 => Vec::new(),
        1 => [Name::Alone].into_iter().filter(free).collect(),
        several => (1..).map(Name::Numbered).filter(free).take(several as usize).collect(),
    }
}

/// Who is to have which of the wanted names.
fn assign(names: &[Name], state: &State, truth: &Truth) -> BTreeMap<Name, TaskId> {
    let alive = |id: &TaskId| truth.tasks.get(id).is_some_and(|task| task.life != Life::Ended);
    let holder = |name: &Name| state.slots.get(name)?.task.as_ref().filter(|id| alive(id));
    let mut holders: BTreeMap<Name, &TaskId> = names.iter().filter_map(|name| Some((*name, holder(name)?))).collect();

    // A task that has a name which is not wanted any more comes first, then those of the newest deployment.
    let named_elsewhere = |id: &TaskId| state.slots.iter().find(|(_, slot)| slot.task.as_ref() == Some(id));
    let held: BTreeSet<&TaskId> = holders.values().copied().collect();
    let is_candidate =
        |(id, task): &(&TaskId, &Task)| task.life == Life::Steady && task.host.is_some() && !held.contains(*id);
    let mut candidates: Vec<(&TaskId, &Task)> = truth.tasks.iter().filter(is_candidate).collect();
    candidates.sort_by_key(|(id, task)| {
        let elsewhere = named_elsewhere(id).map(|(name, _)| *name);
        (elsewhere.is_none(), elsewhere, !is_primary(task, truth), task.started_at, *id)
    });
    let mut candidates = candidates.into_iter().peekable();
    for name in names {
        if !holders.contains_key(name)
            && let Some((id, _)) = candidates.next()
        {
            holders.insert(*name, id);
        }
    }
    // All wanted names are taken, and more tasks are steady: they replace those that are on their way out.
    for replaceable in [Life::Leaving, Life::Unready, Life::Steady] {
        for holder in holders.values_mut() {
            let Some(old) = truth.tasks.get(*holder).filter(|old| old.life == replaceable) else { continue };
            let may = |(_, new): &(&TaskId, &Task)| {
                replaceable != Life::Steady || (is_primary(new, truth) && !is_primary(old, truth))
            };
            if let Some((id, _)) = candidates.next_if(may) {
                *holder = id;
            }
        }
    }
    holders.into_iter().map(|(name, id)| (name, id.clone())).collect()
}

fn is_primary(task: &Task, truth: &Truth) -> bool {
    match &truth.service {
        Service::Active { primary: Some(primary), .. } => task.deployment.as_ref() == Some(primary),
        _ => false,
    }
}

/// Entries that are not as their holders are.
fn puts(
    declared: &Declared,
    state: &mut State,
    truth: &Truth,
    holders: &BTreeMap<Name, TaskId>,
    listed: Option<&BTreeMap<Name, &Entry>>,
) -> Vec<(Name, Put)> {
    let mut puts = Vec::new();
    for (name, id) in holders {
        let Some(task) = truth.tasks.get(id) else { continue };
        let slot = state.slots.get_mut(name);
        let is_right = slot.as_ref().is_some_and(|slot| {
            let Slot { task: holder, address, known, .. } = slot;
            holder.as_ref() == Some(id) && *known == Known::Registered && is_at(address, declared, task)
        });
        if is_right {
            if let Some(slot) = slot {
                slot.vacant_since = None;
            }
            continue;
        }
        // A task that leaves gets no new entry; the one it has stays until another task takes it.
        let Some(host) = task.host.clone().filter(|_| task.life != Life::Leaving) else { continue };
        let address = Address { host, port: declared.port };
        let entry = listed.and_then(|listed| listed.get(name));
        let before = match (entry, &slot) {
            (Some(entry), _) => entry.address.clone(),
            (None, Some(slot)) => Some(slot.address.clone()),
            (None, None) => None,
        };
        let known = Known::Intended { before };
        state.slots.insert(*name, Slot { task: Some(id.clone()), address: address.clone(), known, vacant_since: None });
        let if_still = entry.map_or(IfStill::Absent, |entry| IfStill::Present(entry.version.clone()));
        let owner = declared.mark.clone();
        puts.push((*name, Put { id: name.of(&declared.agent), address, owner, if_still }));
    }
    puts
}

fn is_at(address: &Address, declared: &Declared, task: &Task) -> bool {
    address.port == declared.port && task.host.as_ref().is_none_or(|host| *host == address.host)
}

/// Names whose entries are to go.
fn removals(
    declared: &Declared,
    state: &mut State,
    truth: &Truth,
    names: &[Name],
    holders: &BTreeMap<Name, TaskId>,
    now: OffsetDateTime,
) -> Vec<Name> {
    let names: BTreeSet<Name> = names.iter().copied().collect();
    let registered: BTreeSet<(Name, TaskId)> = state
        .slots
        .iter()
        .filter(|(_, slot)| slot.known == Known::Registered)
        .filter_map(|(name, slot)| Some((*name, slot.task.clone()?)))
        .collect();
    let has_another =
        |id: &TaskId| holders.iter().any(|(name, held)| held == id && registered.contains(&(*name, id.clone())));
    let count = state.slots.len();
    let mut told = Vec::new();
    let mut untold = Vec::new();
    for (name, slot) in state.slots.iter_mut().filter(|(name, _)| !holders.contains_key(name)) {
        let life = slot.task.as_ref().and_then(|id| truth.tasks.get(id)).map(|task| task.life);
        let lives = life.is_some_and(|life| life != Life::Ended);
        if declared.leaving {
            told.push(*name);
        } else if lives {
            if slot.task.as_ref().is_some_and(has_another) {
                told.push(*name);
            }
        } else if !names.contains(name) && truth.service != Service::Missing {
            // The service is to have fewer tasks.
            told.push(*name);
        } else {
            let since = *slot.vacant_since.get_or_insert(now);
            if since + declared.probation <= now {
                untold.push(*name);
            }
        }
    }
    let share = (count * declared.removal_percent as usize / 100).max(1);
    let may = state.removed_at.is_none_or(|last| last + BETWEEN_SHARES <= now);
    if may && !untold.is_empty() {
        state.removed_at = Some(now);
        // The highest first.
        told.extend(untold.into_iter().rev().take(share));
    }
    told
}

/// What is to be removed under a name. What the registry does not have is only forgotten.
fn entry_to_remove(
    declared: &Declared,
    state: &mut State,
    name: Name,
    listed: Option<&BTreeMap<Name, &Entry>>,
) -> Option<(Name, Entry)> {
    let id = name.of(&declared.agent);
    let Some(listed) = listed else {
        let address = state.slots.get(&name).map(|slot| slot.address.clone());
        return Some((name, Entry { id, address, owner: None, version: None }));
    };
    let entry = listed.get(&name).map(|entry| (name, (*entry).clone()));
    if entry.is_none() {
        state.slots.remove(&name);
    }
    entry
}
