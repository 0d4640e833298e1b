//! What came of a storm, counted where it shows: in the table, at the topic, at the front door.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context;
use sandbox::Call;
use sandbox::stage::by_function;
use serde_json::Value;
use tokio::time::timeout;

use super::events::{Incident, Storm};
use super::mapping::{HandedOut, Mapping};
use super::place::Place;

/// How long what was published may be on its way to the inbox.
const ARRIVAL: Duration = Duration::from_secs(30);

/// What came of a storm.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Tasks that stopped.
    pub stops: usize,
    /// Messages that told of one again.
    pub duplicates: usize,
    /// Services that stopped tasks are of.
    pub services: usize,
    /// Messages in a batch at most.
    pub batch_size: usize,
    /// What was handed out.
    pub handed_out: HandedOut,
    /// Messages to ops about one incident.
    pub alone: usize,
    /// Messages to ops about many.
    pub digests: usize,
    /// The function's calls by their names until all was taken in, those of sweeps and looks among them.
    pub calls: BTreeMap<String, usize>,
    /// Its calls while it waited for the last digests.
    pub calls_afterwards: usize,
    /// Writes that somebody else was quicker with, and refused calls of other kinds.
    pub overtaken: usize,
    /// How long it took until all was taken in.
    pub took: Duration,
    /// For how long of that an instance waited for its AWS.
    pub waited: Duration,
    /// CPU time of both instances.
    pub cpu: Duration,
    /// The most memory that an instance ever had resident.
    pub peak_mib: f64,
    /// Incidents whose count is not how many tasks stopped, in words; none, if all is right.
    pub wrong: Vec<String>,
}

impl Outcome {
    /// The calls until all was taken in.
    #[must_use]
    pub fn all_calls(&self) -> usize {
        self.calls.values().sum()
    }

    /// The messages in all.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.alone + self.digests
    }
}

/// What is known when all is taken in, which took `took`.
pub(super) fn of_storm(storm: &Storm, place: &Place, mapping: &Mapping, took: Duration) -> anyhow::Result<Outcome> {
    let calls = place.sandbox.door().calls_where(0, by_function);
    Ok(Outcome {
        stops: storm.stopped(),
        duplicates: storm.duplicates,
        services: storm.stops.keys().map(|(service, _)| service).collect::<BTreeSet<_>>().len(),
        batch_size: mapping.batch_size(),
        handed_out: mapping.handed_out(),
        calls: by_name(&calls),
        overtaken: calls.iter().filter(|call| status(call) == 400).count(),
        took,
        waited: calls.iter().filter_map(|call| call.outcome.as_ref()).map(|outcome| outcome.took).sum(),
        cpu: mapping.cpu()?,
        ..Outcome::default()
    })
}

/// What is known once the last digest has come.
pub(super) async fn in_the_end(outcome: Outcome, place: &Place, mapping: &Mapping) -> anyhow::Result<Outcome> {
    let calls = place.sandbox.door().calls_where(0, by_function);
    let published = calls.iter().filter(|call| call.is("sns", "Publish") && status(call) == 200).count();
    if published > 0 {
        timeout(ARRIVAL, place.inbox.next(published - 1)).await.context("not all that was published has arrived")??;
    }
    let mails = place.inbox.mails();
    let digests = mails.iter().filter(|mail| mail.json["kind"] == "digest").count();
    Ok(Outcome {
        alone: mails.len() - digests,
        digests,
        calls_afterwards: calls.len() - outcome.all_calls(),
        peak_mib: mapping.peak_mib()?,
        ..outcome
    })
}

fn status(call: &Call) -> u16 {
    call.outcome.as_ref().map_or(0, |outcome| outcome.status)
}

fn by_name(calls: &[Call]) -> BTreeMap<String, usize> {
    let mut by_name = BTreeMap::new();
    for call in calls {
        *by_name.entry(format!("{}:{}", call.service, call.action)).or_default() += 1;
    }
    by_name
}

/// Which causes the table calls what is not known here; so the counts of a service's incidents are compared without their names.
pub(super) fn wrong(stops: &BTreeMap<Incident, u64>, incidents: &[Value]) -> Vec<String> {
    let mut wanted: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for ((service, _), count) in stops {
        wanted.entry(service).or_default().push(*count);
    }
    let mut counted: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for incident in incidents {
        let subject = incident["key"]["subject"].as_str().unwrap_or_default();
        let counts = counted.entry(subject.trim_start_matches("service#")).or_default();
        counts.push(incident["count"].as_u64().unwrap_or_default());
    }
    for counts in wanted.values_mut().chain(counted.values_mut()) {
        counts.sort_unstable();
    }
    let subjects: BTreeSet<&str> = wanted.keys().chain(counted.keys()).copied().collect();
    let differ = subjects.into_iter().filter(|subject| wanted.get(subject) != counted.get(subject));
    let words = |subject: &str| {
        let none = Vec::new();
        let (of, is) = (wanted.get(subject).unwrap_or(&none), counted.get(subject).unwrap_or(&none));
        format!("{subject}: {of:?} tasks stopped, {is:?} were counted")
    };
    differ.map(words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_count_that_is_one_too_many_or_missing_is_told() {
        let stops = BTreeMap::from([(("a".to_owned(), 0), 3), (("a".to_owned(), 1), 5), (("b".to_owned(), 0), 1)]);
        let incident =
            |service: &str, count: u64| json!({"key": {"subject": format!("service#{service}")}, "count": count});
        let right = [incident("a", 5), incident("b", 1), incident("a", 3)];
        assert_eq!(wrong(&stops, &right), Vec::<String>::new());
        let words = wrong(&stops, &[incident("a", 5), incident("a", 4)]);
        assert_eq!(words.len(), 2, "{words:?}");
        assert!(words[0].contains("[3, 5] tasks stopped, [4, 5]") && words[1].starts_with("b: [1]"), "{words:?}");
    }
}
