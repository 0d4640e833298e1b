//! The state table in memory: what `src/table.rs` says in DynamoDB's expressions, said again.

use std::collections::{BTreeMap, HashMap, HashSet};

use crash_alerts::plan::desk::Desk;
use crash_alerts::plan::incident::{Incident, Key, Phase, Rest};
use crash_alerts::plan::life::Rollout;
use crash_alerts::{Change, Changes, Committed, Known, Stored};
use watchkeeper_alerts::{AlertKey, Evidence};
use watchkeeper_events::{RolloutBegun, ServiceArn};
use watchkeeper_stops::Severity;

use crate::mutant::Mutant;

/// An incident's item.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) stored: Stored<Incident>,
    pub(crate) fence: Option<u64>,
}

/// A transaction takes so many items.
const MOST: usize = 100;

#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) mutant: Mutant,
    pub(crate) seen: HashMap<(String, String), Option<String>>,
    pub(crate) incidents: BTreeMap<String, Row>,
    pub(crate) rests: HashMap<String, Stored<Rest>>,
    pub(crate) desk: Option<Stored<Desk>>,
    pub(crate) evidence: HashMap<String, Evidence>,
    pub(crate) rollouts: HashMap<String, Rollout>,
}

pub(crate) fn place(fault: &AlertKey) -> (String, String) {
    (fault.subject.clone(), fault.occurrence.clone())
}

fn goes(incident: &Incident) -> bool {
    incident.phase == Phase::Closed && incident.outbox.is_empty()
}

impl Table {
    pub(crate) fn read(&self, key: &Key, faults: &[AlertKey], service: Option<&ServiceArn>) -> Known {
        let is_seen = |fault: &&AlertKey| self.mutant != Mutant::Forgetful && self.seen.contains_key(&place(fault));
        Known {
            incident: self.incident(&key.text()),
            rest: self.rests.get(&key.text()).cloned(),
            seen: faults.iter().filter(is_seen).cloned().collect(),
            desk: self.desk.clone(),
            rollout: service.and_then(|service| self.rollouts.get(service.as_str()).cloned()),
        }
    }

    pub(crate) fn incident(&self, key: &str) -> Option<Stored<Incident>> {
        self.incidents.get(key).map(|row| row.stored.clone())
    }

    pub(crate) fn live(&self, subject: Option<&str>) -> Vec<Stored<Incident>> {
        let prefix = subject.map(|subject| format!("{subject} ")).unwrap_or_default();
        let rows = self.incidents.iter().filter(|(key, _)| key.starts_with(&prefix));
        let mut live: Vec<_> = rows.map(|(_, row)| row.stored.clone()).collect();
        if self.mutant == Mutant::SpeakersLookUrgent && subject.is_some() {
            for stored in &mut live {
                stored.value.severity = Severity::Critical;
            }
        }
        live
    }

    pub(crate) fn desk(&self) -> Stored<Desk> {
        self.desk.clone().unwrap_or(Stored { value: Desk::default(), version: 0 })
    }

    pub(crate) fn remember_rollout(&mut self, begun: &RolloutBegun) {
        let known = self.rollouts.get(begun.service.as_str());
        if known.is_none_or(|known| known.began <= begun.began) {
            let rollout = Rollout { deployment: begun.deployment.clone(), began: begun.began, until: begun.until };
            self.rollouts.insert(begun.service.as_str().to_owned(), rollout);
        }
    }

    /// Whether the transaction would go through; an error where DynamoDB takes it for none.
    pub(crate) fn would(&self, changes: &Changes) -> Result<Committed, String> {
        let mut places = Vec::new();
        places.extend(changes.seen.iter().map(|(fault, _)| format!("{} {}", fault.subject, fault.occurrence)));
        for change in &changes.incidents {
            let key = change.after.key.text();
            if goes(&change.after) || change.before.is_none() {
                places.push(format!("rest#{key}"));
            }
            if change.before.is_some() || !goes(&change.after) {
                places.push(format!("incident#{key}"));
            }
        }
        if let Some((key, _)) = &changes.rest {
            places.extend([format!("rest#{}", key.text()), format!("incident#{}", key.text())]);
        }
        places.extend(changes.desk.iter().map(|_| "desk".to_owned()));
        let distinct: HashSet<&String> = places.iter().collect();
        if places.is_empty() || places.len() > MOST || distinct.len() < places.len() {
            return Err(format!("ValidationException: {places:?}"));
        }
        let is_new = changes.seen.iter().all(|(fault, _)| !self.seen.contains_key(&place(fault)));
        let is_new = is_new || self.mutant == Mutant::Forgetful;
        let is_as_read = changes.incidents.iter().all(|change| self.is_as_read(change, changes));
        let rest_is_as_read = changes.rest.as_ref().is_none_or(|(key, _)| {
            let key = key.text();
            !self.incidents.contains_key(&key) && self.rest_is_as_read(&key, changes)
        });
        let is_as_read = is_as_read && rest_is_as_read;
        let desk = self.desk.as_ref().map(|desk| desk.version);
        let desk_is_as_read = self.mutant == Mutant::DeskApart
            || changes.desk.as_ref().is_none_or(|(version, _)| desk.is_none_or(|found| found == *version));
        Ok(if is_new && is_as_read && desk_is_as_read { Committed::Done } else { Committed::Overtaken })
    }

    fn rest_is_as_read(&self, key: &str, changes: &Changes) -> bool {
        self.mutant == Mutant::RestUnwatched
            || self.rests.get(key).map_or(0, |rest| rest.version) == changes.rest_version
    }

    fn is_as_read(&self, change: &Change, changes: &Changes) -> bool {
        let fence = changes.fence;
        let key = change.after.key.text();
        let found = self.incidents.get(&key);
        let Some((id, version)) = &change.before else {
            return (goes(&change.after) || found.is_none()) && self.rest_is_as_read(&key, changes);
        };
        let Some(row) = found else { return false };
        let is_fenced_off = fence.is_some_and(|fence| row.fence.is_some_and(|found| found > fence));
        let is_stale = row.stored.value.id != *id || row.stored.version != *version;
        !is_fenced_off && (!is_stale || self.mutant == Mutant::StaleWrite)
    }

    /// Stores what [`Table::would`] lets through.
    pub(crate) fn apply(&mut self, changes: &Changes) {
        for (fault, incident) in &changes.seen {
            self.seen.insert(place(fault), incident.clone());
        }
        for change in &changes.incidents {
            let key = change.after.key.text();
            if goes(&change.after) {
                if change.before.is_some() {
                    self.incidents.remove(&key);
                }
                self.rest(key, change.after.rest());
                continue;
            }
            let before = self.incidents.get(&key);
            let fence = changes.fence.or(before.and_then(|row| row.fence));
            let version = change.before.as_ref().map_or_else(|| changes.first_version(), |(_, version)| version + 1);
            let stored = Stored { value: change.after.clone(), version };
            self.incidents.insert(key, Row { stored, fence });
        }
        if let Some((key, rest)) = &changes.rest {
            self.rest(key.text(), rest.clone());
        }
        if let Some((version, desk)) = &changes.desk
            && self.desk.as_ref().is_none_or(|found| found.version == *version)
        {
            self.desk = Some(Stored { value: desk.clone(), version: version + 1 });
        }
    }

    fn rest(&mut self, key: String, mut value: Rest) {
        value.past = value.past.filter(|_| self.mutant != Mutant::PastForgotten);
        let version = self.rests.get(&key).map_or(0, |rest| rest.version) + 1;
        self.rests.insert(key, Stored { value, version });
    }
}
