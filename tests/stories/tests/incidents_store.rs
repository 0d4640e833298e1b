//! The store of incidents in a real table: each transaction and each read as the simulation's model says, and invocations side by side
//! with cuts.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

#[path = "incidents_store/aws.rs"]
mod aws;
#[allow(dead_code, reason = "these are the simulation's")]
#[path = "../../../functions/crash-alerts/tests/simulation/mutant.rs"]
mod mutant;
#[allow(dead_code, reason = "as above")]
#[path = "../../../functions/crash-alerts/tests/simulation/table.rs"]
mod table;

use std::collections::{BTreeMap, BTreeSet};

use aws::{Aws, MINUTE, clients, clock, settings};
use crash_alerts::plan::desk::Desk;
use crash_alerts::plan::incident::{Fault, Incident, Key, Nature, Phase, Rest, Sending};
use crash_alerts::{Change, Changes, Clients, Committed, Function, Store};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sandbox::{Options, Sandbox};
use serde_json::json;
use table::Table;
use time::OffsetDateTime;
use watchkeeper_alerts::{Alert, AlertKey, Kind, Notice};
use watchkeeper_events::{Observation, ObservedState, RolloutBegun, ServiceArn};
use watchkeeper_stops::Severity;

fn at(seconds: u32) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(1_790_000_000 + i64::from(seconds))
}

fn service() -> ServiceArn {
    ServiceArn::parse("arn:aws:ecs:eu-west-1:123456789012:service/dbward/agent").unwrap()
}

/// A few incidents' keys, of which one begins with another.
fn key(case: usize, number: u8) -> Key {
    let subject = ["agent", "agent-2", "agent"][usize::from(number % 3)];
    Key::new(format!("service#{case}/{subject}"), ["exit", "exit", "memory"][usize::from(number % 3)])
}

fn fault(case: usize, number: u8) -> Fault {
    let key = key(case, number);
    let alert = Alert {
        key: AlertKey { subject: format!("task#{case} {number}"), occurrence: "stopped".to_owned() },
        kind: Kind::Crash,
        severity: Severity::Error,
        cause: key.cause.clone(),
        about: "agent".to_owned(),
        cluster: None,
        service: None,
        summary: "it \"stopped\" – at once".to_owned(),
        facts: Vec::new(),
        next_step: None,
        links: Vec::new(),
    };
    Fault { key, nature: Nature::Event, at: at(u32::from(number)), alert, deployment: None }
}

/// A commit. Versions and ids are near those that are stored, so that each condition holds and does not.
#[derive(Debug, Clone)]
struct Try {
    faults: Vec<u8>,
    incident: Option<(u8, IncidentTry)>,
    /// The rest of another incident, and how far its version is off.
    rest: Option<(u8, u64)>,
    rest_off: u64,
    desk_off: Option<u64>,
    fence: Option<u64>,
}

#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a condition that holds or not")]
struct IncidentTry {
    known: bool,
    version_off: u64,
    other_id: bool,
    closes: bool,
    says: bool,
}

fn seldom<T: Clone + std::fmt::Debug + 'static>(usual: T, other: T) -> impl Strategy<Value = T> {
    prop_oneof![7 => Just(usual), 1 => Just(other)]
}

fn tries() -> impl Strategy<Value = Try> {
    let incident = (seldom(true, false), seldom(0, 1), seldom(false, true), any::<bool>(), any::<bool>());
    let incident = incident.prop_map(|(known, version_off, other_id, closes, says)| IncidentTry {
        known,
        version_off,
        other_id,
        closes,
        says,
    });
    let faults = vec(0..12_u8, 0..3);
    let incident = proptest::option::weighted(0.8, (0..3_u8, incident));
    let rest = proptest::option::weighted(0.3, (0..3_u8, seldom(0, 1)));
    let desk = proptest::option::weighted(0.3, seldom(0, 1));
    let fence = proptest::option::weighted(0.3, 1..4_u64);
    (faults, incident, rest, seldom(0, 1), desk, fence).prop_map(
        |(faults, incident, rest, rest_off, desk_off, fence)| Try { faults, incident, rest, rest_off, desk_off, fence },
    )
}

fn changes(case: usize, step: u8, tried: &Try, model: &Table) -> Changes {
    let mut changes = Changes { fence: tried.fence, ..Changes::default() };
    let faults: BTreeSet<u8> = tried.faults.iter().copied().collect();
    changes.seen = faults.iter().map(|number| (fault(case, *number).alert.key, Some(format!("{number}")))).collect();
    if let Some((number, tried)) = &tried.incident {
        let found = model.incident(&key(case, *number).text());
        let mut after = found
            .as_ref()
            .map_or_else(|| Incident::of(&fault(case, *number), at(step.into())), |found| found.value.clone());
        let before = found.filter(|_| tried.known).map(|found| {
            let id = if tried.other_id { "another".to_owned() } else { found.value.id.clone() };
            (id, found.version.saturating_sub(tried.version_off))
        });
        after.count += 1;
        after.phase = if tried.closes { Phase::Closed } else { Phase::Open };
        after.outbox.clear();
        if tried.says {
            let sending =
                Sending { number: 1, notice: Notice::Opened, count: 1, at: at(step.into()), lines_only: false };
            after.outbox.push(sending);
            after.messages += 1;
        }
        changes.incidents.push(Change { before, after });
    }
    let rest_version = |number| model.rests.get(&key(case, number).text()).map_or(0, |rest| rest.version);
    if let Some((number, off)) = tried.rest {
        let rest = Rest { over_at: at(step.into()), first_at: None, past: None };
        changes.rest = Some((key(case, number), rest));
        changes.rest_version = rest_version(number) + off;
    } else if let Some((number, _)) = tried.incident {
        changes.rest_version = rest_version(number) + tried.rest_off;
    }
    if let Some(off) = tried.desk_off {
        changes.desk = Some((model.desk().version.saturating_sub(off), Desk::default()));
    }
    changes
}

async fn read_alike(clients: &Clients, model: &Table, case: usize, said: &[Changes]) {
    let faults: Vec<_> = (0..12).map(|number| fault(case, number).alert.key).collect();
    for number in 0..3 {
        let key = key(case, number);
        let known = clients.read(&key, &faults, Some(&service())).await.unwrap();
        assert_eq!(known, model.read(&key, &faults, Some(&service())), "after {said:#?}");
        assert_eq!(clients.incident(&key.text()).await.unwrap(), model.incident(&key.text()), "after {said:#?}");
        let live = clients.live(Some(&key.subject)).await.unwrap();
        assert_eq!(live, model.live(Some(&key.subject)), "after {said:#?}");
    }
    assert_eq!(clients.live(None).await.unwrap(), model.live(None), "after {said:#?}");
    assert_eq!(clients.desk().await.unwrap(), model.desk(), "after {said:#?}");
}

#[tokio::test]
async fn each_transaction_and_each_read_is_as_the_model_says() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    stories::table::table(&sandbox).await;
    let clients = clients(&sandbox);
    let mut model = Table::default();
    let mut runner = TestRunner::default();
    let (mut done, mut overtaken) = (0, 0);
    for case in 0..60 {
        let mut said = Vec::new();
        for (step, tried) in (1_u8..).zip(vec(tries(), 12).new_tree(&mut runner).unwrap().current()) {
            let changes = changes(case, step, &tried, &model);
            // What is no transaction at all is not asked for.
            let Ok(expected) = model.would(&changes) else { continue };
            said.push(changes.clone());
            let found = clients.commit(&changes, at(step.into())).await.unwrap();
            assert_eq!(found, expected, "after {said:#?}");
            if expected == Committed::Done {
                model.apply(&changes);
                done += 1;
            } else {
                overtaken += 1;
            }
        }
        let began = at(u32::try_from(case).unwrap() * 7 % 50);
        let rollout = RolloutBegun { service: service(), deployment: None, began, until: began + MINUTE };
        clients.remember_rollout(&rollout).await.unwrap();
        model.remember_rollout(&rollout);
        read_alike(&clients, &model, case, &said).await;
    }
    assert!(done > 100 && overtaken > 100, "{done} are stored, {overtaken} overtaken");
}

#[tokio::test]
async fn who_writes_late_what_was_read_of_an_incident_changes_nothing_once_it_has_come_back() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    stories::table::table(&sandbox).await;
    let clients = clients(&sandbox);
    let incident = Incident { messages: 1, ..Incident::of(&fault(0, 1), at(1)) };
    let begins = |rest_version| Changes {
        incidents: vec![Change { before: None, after: incident.clone() }],
        rest_version,
        ..Changes::default()
    };
    assert_eq!(clients.commit(&begins(0), at(1)).await.unwrap(), Committed::Done);
    let read = clients.incident(&incident.key.text()).await.unwrap().unwrap();
    let writes = |phase: Phase| {
        let after = Incident { phase, ..incident.clone() };
        let before = Some((incident.id.clone(), read.version));
        Changes { incidents: vec![Change { before, after }], ..Changes::default() }
    };
    assert_eq!(clients.commit(&writes(Phase::Closed), at(2)).await.unwrap(), Committed::Done);
    let rest = clients.read(&incident.key, &[], None).await.unwrap().rest.unwrap();
    assert_eq!(rest.value.past.unwrap().id, incident.id);
    assert_eq!(clients.commit(&begins(rest.version), at(3)).await.unwrap(), Committed::Done);
    assert_eq!(clients.commit(&writes(Phase::Open), at(4)).await.unwrap(), Committed::Overtaken);
}

/// What one function observes of several subjects, again and again.
fn observation(subject: usize, number: usize) -> String {
    let observation = Observation {
        id: format!("{subject} {number}"),
        from: "config-sync".to_owned(),
        subject: format!("secret {subject}"),
        cause: "login-failed".to_owned(),
        state: ObservedState::Opened,
        severity: "error".to_owned(),
        summary: "the database takes its password no more".to_owned(),
        detail: None,
        next: None,
        at: Some(at(u32::try_from(number).unwrap())),
    };
    observation.message().to_string()
}

fn over(subject: usize) -> String {
    let mut message: serde_json::Value = serde_json::from_str(&observation(subject, 0)).unwrap();
    message["state"] = json!("resolved");
    message["at"] = json!("2027-01-01T00:00:00Z");
    message.to_string()
}

const SUBJECTS: usize = 8;
const FAULTS: usize = 9;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn side_by_side_and_with_cuts_each_fault_counts_once_and_each_message_is_sent() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    stories::table::table(&sandbox).await;
    let clients = clients(&sandbox);
    let told = std::sync::Arc::default();
    let aws = Aws { clients: clients.clone(), told: std::sync::Arc::clone(&told) };
    let mut runner = TestRunner::default();
    // Every fault comes to two invocations; a message that fails or is cut off comes again.
    let mut left: Vec<String> = (0..SUBJECTS)
        .flat_map(|subject| (0..FAULTS).map(move |number| observation(subject, number)))
        .flat_map(|body| [body.clone(), body])
        .collect();
    let (mut cut_off, mut rounds) = (0, 0);
    while !left.is_empty() {
        rounds += 1;
        assert!(rounds < 20, "{} messages are never dealt with", left.len());
        let order = Just(left).prop_shuffle();
        let shuffled = order.new_tree(&mut runner).unwrap().current();
        let cuts = vec(prop_oneof![1 => (0..60_u64).prop_map(Some), 2 => Just(None)], shuffled.len());
        let cuts = cuts.new_tree(&mut runner).unwrap().current();
        let mut flights = tokio::task::JoinSet::new();
        for (bodies, cut) in shuffled.chunks(6).zip(cuts) {
            let (bodies, aws) = (bodies.to_vec(), aws.clone());
            flights.spawn(async move { aws::invocation(aws, bodies, cut.filter(|_| rounds < 5)).await });
        }
        left = Vec::new();
        while let Some(ended) = flights.join_next().await {
            let (failed, was_cut) = ended.unwrap();
            left.extend(failed);
            cut_off += u32::from(was_cut);
        }
    }
    assert!(cut_off > 0, "nothing was cut off");
    let live = clients.live(None).await.unwrap();
    let counts: Vec<_> = live.iter().map(|stored| stored.value.count).collect();
    assert_eq!(counts, [u64::try_from(FAULTS).unwrap(); SUBJECTS], "each fault counts once");

    // It is over, at the same time as somebody hears of it for the first time.
    let overs: Vec<String> = (0..SUBJECTS + 4).map(over).collect();
    let late: Vec<String> = (SUBJECTS..SUBJECTS + 4).map(|subject| observation(subject, 1)).collect();
    let both = tokio::join!(aws::invocation(aws.clone(), overs, None), aws::invocation(aws.clone(), late, None));
    assert_eq!(both, ((Vec::new(), false), (Vec::new(), false)));
    for _ in 0..30 {
        let function = Function::new(aws.clone(), settings()).by_clock(clock);
        aws::sweep(&function).await;
        aws::passes(5 * MINUTE);
        let desk = clients.desk().await.unwrap().value;
        if clients.live(None).await.unwrap().is_empty() && desk.spell().is_none() {
            break;
        }
    }
    assert_eq!(clients.live(None).await.unwrap(), []);
    assert_eq!(clients.desk().await.unwrap().value.spell(), None);
    // All are told, each message that was numbered, and of an end nobody hears twice under different numbers.
    let told = told.lock().unwrap();
    let mut ends: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut opened = BTreeSet::new();
    for (incident, number, state) in told.iter() {
        match state.as_str() {
            "opened" => drop(opened.insert(incident.clone())),
            "resolved" => drop(ends.entry(incident.clone()).or_default().insert(*number)),
            _ => {}
        }
    }
    assert!(opened.len() >= SUBJECTS, "{told:?}");
    assert!(ends.iter().all(|(incident, numbers)| numbers.len() == 1 && opened.contains(incident)), "{told:?}");
    for incident in &opened {
        let numbers: BTreeSet<_> = told.iter().filter(|told| told.0 == *incident).map(|told| told.1).collect();
        let last = *numbers.last().unwrap();
        assert!(numbers.into_iter().eq(1..=last), "{incident} has gaps: {told:?}");
    }
}
