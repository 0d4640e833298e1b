//! What comes together in a digest, and under which id; and that the desk stays small whatever comes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::collections::{BTreeMap, BTreeSet};

use crash_alerts::plan::desk::Desk;
use crash_alerts::plan::incident::{Fault, Incident, Key, Nature};
use crash_alerts::plan::rules::Rules;
use proptest::prelude::*;
use serde_json::json;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::{Alert, AlertKey, Kind, Notice};
use watchkeeper_stops::Severity;

const BEGIN: OffsetDateTime = datetime!(2026-11-16 01:00:00.123456789 UTC);
/// DynamoDB takes 400 KB.
const LARGEST: usize = 300_000;

fn incident(number: usize, text: &str, at: OffsetDateTime) -> Incident {
    let alert = Alert {
        key: AlertKey { subject: format!("task#{number}"), occurrence: "stopped".to_owned() },
        kind: Kind::Crash,
        severity: Severity::Error,
        cause: "application-exit".to_owned(),
        about: format!("service-{number}{text}"),
        cluster: Some(format!("dbward{text}")),
        service: Some(format!("service-{number}{text}")),
        summary: format!("container \"agent\" exited with code 1{text}"),
        facts: Vec::new(),
        next_step: None,
        links: Vec::new(),
    };
    let key = Key::new(format!("service#arn:{number}"), format!("application-exit{text}"));
    let mut incident = Incident::of(&Fault { key, nature: Nature::Event, at, alert, deployment: None }, at);
    incident.tags.owner = Some(format!("team{text}"));
    incident.tags.runbook = Some(format!("https://wiki.example.com/{text}"));
    incident
}

/// A desk, a clock and what ops were told.
struct Office {
    desk: Desk,
    rules: Rules,
    now: OffsetDateTime,
    incidents: usize,
    /// Digests: the spell's id, number, lines, and whether all is over.
    told: Vec<(String, u32, usize, bool)>,
    /// SNS takes nothing.
    is_stuck: bool,
}

impl Office {
    fn new() -> Self {
        let (desk, rules) = (Desk::default(), Rules::default());
        Self { desk, rules, now: BEGIN, incidents: 0, told: Vec::new(), is_stuck: false }
    }

    fn passes(&mut self, time: Duration) {
        self.now += time;
    }

    /// A new incident is told, on its own or not.
    fn opens(&mut self, crowd: bool) -> (Incident, bool) {
        self.incidents += 1;
        let incident = incident(self.incidents, "", self.now);
        let alone = self.desk.admit(&incident, Notice::Opened, 1, crowd, self.now, &self.rules);
        (incident, alone)
    }

    fn again(&mut self, incident: &Incident, notice: Notice) {
        assert!(!self.desk.admit(incident, notice, 2, true, self.now, &self.rules));
    }

    /// So many new incidents, one each second.
    fn storm(&mut self, count: usize) -> Vec<Incident> {
        let open = |office: &mut Self| {
            office.passes(Duration::SECOND);
            office.opens(false).0
        };
        (0..count).map(|_| open(self)).collect()
    }

    /// The sweeps of so many minutes.
    fn minutes(&mut self, minutes: i64) {
        for _ in 0..minutes {
            self.passes(Duration::MINUTE);
            self.look();
        }
    }

    fn look(&mut self) {
        self.desk.look(self.now, &self.rules);
        if self.is_stuck {
            return;
        }
        let Some(spell) = self.desk.spell().cloned() else { return };
        let Some(digest) = spell.outbox else { return };
        self.told.push((spell.id, digest.number, digest.lines.len(), digest.over));
        self.desk.sent(digest.number, self.now);
    }

    /// What was told since the last time, with the spells by their numbers.
    fn told(&mut self) -> Vec<(u32, usize, bool)> {
        self.told.drain(..).map(|(_, number, lines, over)| (number, lines, over)).collect()
    }

    fn bytes(&self) -> usize {
        serde_json::to_string(&self.desk).unwrap().len()
    }
}

#[test]
fn a_storm_days_after_a_small_digest_is_told_as_a_beginning_of_its_own_and_both_end() {
    let mut office = Office::new();
    let old = office.opens(true).0;
    office.minutes(3);
    assert_eq!(office.told.len(), 1);
    let first = office.told[0].0.clone();
    assert_eq!(office.told(), [(1, 1, false)]);

    office.passes(Duration::days(3));
    let storm = office.storm(31);
    office.passes(office.rules.group_wait);
    office.look();
    let second = office.told[0].0.clone();
    assert_ne!(first, second);
    assert_eq!(office.told(), [(1, 22, false)]);

    for incident in &storm {
        office.desk.let_go(&incident.id);
    }
    office.minutes(10);
    assert_eq!(office.told, [(second, 2, 0, true)]);
    office.told.clear();
    office.desk.let_go(&old.id);
    office.minutes(3);
    assert_eq!(office.told, [(first, 2, 0, true)]);
    assert_eq!(office.desk.spell(), None);
}

#[test]
fn what_begins_after_a_quiet_time_is_a_beginning_and_what_is_told_again_is_not() {
    let mut office = Office::new();
    let old = office.opens(true).0;
    office.look();
    office.minutes(2);
    // Soon after: more of it.
    office.opens(true);
    office.minutes(1);
    assert_eq!(office.told(), [(1, 1, false), (2, 1, false)]);
    office.minutes(240);
    office.again(&old, Notice::Repeated);
    office.minutes(1);
    assert_eq!(office.told(), [(3, 1, false)]);
    office.minutes(240);
    // What waits with it is told as a beginning with it.
    office.again(&old, Notice::Repeated);
    office.opens(true);
    office.minutes(1);
    assert_eq!(office.told(), [(1, 2, false)]);
}

#[test]
fn after_its_end_an_id_is_not_used_again() {
    let mut office = Office::new();
    let first = office.opens(true).0;
    office.look();
    office.desk.let_go(&first.id);
    office.passes(Duration::MINUTE);
    // Its end is decided, and cannot be sent.
    office.is_stuck = true;
    office.look();
    assert!(office.desk.spell().unwrap().outbox.as_ref().unwrap().over);
    office.opens(true);
    office.is_stuck = false;
    office.minutes(2);
    let ids: BTreeSet<_> = office.told.iter().map(|(id, ..)| id.clone()).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(office.told(), [(1, 1, false), (2, 0, true), (1, 1, false)]);
}

#[test]
fn what_a_storm_finds_waiting_is_told_with_it() {
    let mut office = Office::new();
    let old = office.opens(true).0;
    office.look();
    assert_eq!(office.told(), [(1, 1, false)]);
    // Within the minute in which there is no other digest: two wait, then the storm begins.
    let waiting = office.opens(true).0;
    office.again(&old, Notice::Escalated);
    office.storm(20);
    office.passes(office.rules.group_wait);
    office.look();
    let all = office.desk.spells().map(|spell| spell.open.len()).collect::<Vec<_>>();
    assert_eq!(office.told(), [(1, 15, false)]);
    // The first spell waits for its own incident alone.
    assert_eq!(all, [15, 1]);
    assert!(office.desk.spell().unwrap().open.contains(&waiting.id));
}

#[test]
fn there_is_one_digest_a_minute_besides_a_storms_first() {
    let mut office = Office::new();
    office.rules.storm_incidents = 1_000;
    let mut at = Vec::new();
    let mut look = |office: &mut Office| {
        let before = office.told.len();
        office.look();
        at.extend(office.told[before..].iter().map(|(_, number, ..)| (office.now, *number)));
    };
    let mut open = Vec::new();
    for round in 0..60 {
        let (incident, _) = office.opens(true);
        open.push(incident.id);
        if round % 3 == 0 {
            for id in open.drain(..) {
                office.desk.let_go(&id);
            }
        }
        office.passes(Duration::seconds(7));
        look(&mut office);
    }
    assert!(at.len() > 5 && at.windows(2).all(|two| two[1].0 - two[0].0 >= Duration::MINUTE), "{at:?}");
}

#[test]
fn spells_that_never_end_are_bounded_and_the_newest_are_kept() {
    let mut office = Office::new();
    let mut stuck = Vec::new();
    for _ in 0..30 {
        stuck.push(office.opens(true).0);
        office.minutes(10);
    }
    let ids: Vec<_> = office.told.drain(..).map(|(id, ..)| id).collect();
    assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (30, 30), "each has an id of its own");
    for incident in &stuck {
        office.desk.let_go(&incident.id);
    }
    office.minutes(40);
    let ended: BTreeSet<_> = office.told.iter().filter(|told| told.3).map(|told| told.0.clone()).collect();
    // 20 that were ending, and the one that was not.
    assert_eq!(ended, ids[9..].iter().cloned().collect());
    assert_eq!(office.desk.spell(), None);
}

#[test]
fn of_several_sweeps_that_waited_the_first_does_the_work() {
    let mut desk = Desk::default();
    let seconds = |seconds| BEGIN + Duration::seconds(seconds);
    for (at, begins) in [(0, true), (1, false), (29, false), (30, true), (31, false), (90, true), (60, true)] {
        assert_eq!(desk.sweep_begins(seconds(at), true), begins, "{at}");
        desk = serde_json::from_value(serde_json::to_value(&desk).unwrap()).unwrap();
    }
    assert!(desk.sweep_begins(seconds(61), false), "one that did not wait always does its work");
}

#[test]
fn a_desk_that_was_stored_with_whole_incidents_is_read() {
    let incident = serde_json::to_value(incident(1, "", BEGIN)).unwrap();
    let line = json!({"incident": incident, "notice": "opened", "number": 3});
    let stored = json!({
        "opened": ["2026-11-16T01:00:00Z"],
        "messages": [],
        "spell": {
            "id": "spell", "began": "2026-11-16T01:00:00Z", "digests": 1, "storm": false, "next_at": "2026-11-16T01:01:00Z",
            "severity": "error", "waiting": [line], "left_out": 0, "open": ["a"], "told_of_any": true,
            "outbox": {"number": 1, "lines": [line], "left_out": 0, "over": false, "storm": false}
        }
    });
    let desk: Desk = serde_json::from_value(stored).unwrap();
    let line = &desk.spell().unwrap().waiting[0];
    assert_eq!((line.number, line.incident.alert.about.as_str()), (3, "service-1"));
    assert_eq!(line.incident.tags.owner.as_deref(), Some("team"));
    let again: Desk = serde_json::from_value(serde_json::to_value(&desk).unwrap()).unwrap();
    assert_eq!(again, desk);
}

#[test]
fn two_hundred_usual_incidents_are_named_and_the_others_counted() {
    let mut office = Office::new();
    office.is_stuck = true;
    office.storm(300);
    office.minutes(5);
    office.storm(300);
    let spell = office.desk.spell().unwrap();
    let digest = spell.outbox.as_ref().unwrap();
    assert_eq!((digest.lines.len(), digest.left_out), (200, 91));
    assert_eq!((spell.waiting.len(), spell.left_out), (200, 100));
    assert!(office.bytes() < LARGEST, "{} bytes", office.bytes());
}

#[test]
fn the_worst_of_everything_fits() {
    let mut office = Office::new();
    (office.rules.storm_incidents, office.rules.messages_a_minute) = (usize::MAX, usize::MAX);
    office.is_stuck = true;
    let open = |office: &mut Office, count: usize, crowd: bool| {
        for _ in 0..count {
            office.incidents += 1;
            let incident = incident(office.incidents, &text(3), office.now);
            office.desk.admit(&incident, Notice::Opened, 1, crowd, office.now, &office.rules);
        }
    };
    // Spells that wait for one incident each, one whose digest SNS does not take, and a storm of thousands.
    office.is_stuck = false;
    for _ in 0..25 {
        open(&mut office, 1, true);
        office.minutes(10);
    }
    office.is_stuck = true;
    open(&mut office, 300, true);
    office.minutes(1);
    open(&mut office, 3_000, false);
    let spells: Vec<_> = office.desk.spells().map(|spell| (spell.waiting.len(), spell.open.len())).collect();
    // The storm's own are remembered rather than those of the digest that is being sent.
    assert_eq!(spells[0].1, 1_000, "{spells:?}");
    assert!(office.desk.storms() && spells.len() > 1 && spells[0].0 >= 20, "{spells:?}");
    assert_eq!(spells.iter().map(|(_, open)| open).sum::<usize>(), 1_000, "{spells:?}");
    assert!((200_000..LARGEST).contains(&office.bytes()), "{} bytes", office.bytes());
}

/// What may happen at the desk.
#[derive(Debug, Clone)]
enum Act {
    /// So many new incidents come, one each so many milliseconds.
    Open { count: usize, each: i64, crowd: bool, text: usize },
    /// Of so many it is told again.
    Again(usize, Notice),
    /// So many are over.
    End(usize),
    /// Sweeps, each minute.
    Minutes(i64),
    /// SNS takes nothing from now on, or again.
    Stuck(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let count = prop_oneof![4 => 1..15_usize, 1 => 15..600_usize];
    let open = (count, 0..3_000_i64, prop::bool::weighted(0.3), 0..4_usize);
    let notice = prop_oneof![Just(Notice::Repeated), Just(Notice::Escalated), Just(Notice::Resolved)];
    prop_oneof![
        5 => open.prop_map(|(count, each, crowd, text)| Act::Open { count, each, crowd, text }),
        2 => (1..20_usize, notice).prop_map(|(count, notice)| Act::Again(count, notice)),
        2 => (1..700_usize).prop_map(Act::End),
        4 => (1..12_i64).prop_map(Act::Minutes),
        1 => any::<bool>().prop_map(Act::Stuck),
    ]
}

/// Nothing, what is usual, and what takes most room as JSON.
fn text(kind: usize) -> String {
    ["", "-of-the-payments-department", "ü", "\u{1}\"\\"][kind].repeat([1, 1, 500, 300][kind])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_desk_stays_small_and_reads_as_it_was_written_and_each_digest_has_its_end(
        acts in prop::collection::vec(act(), 1..40),
        (storm_incidents, messages_a_minute) in prop_oneof![Just((10, 30)), Just((1_000, 300)), Just((usize::MAX, usize::MAX))]
    ) {
        let mut office = Office::new();
        (office.rules.storm_incidents, office.rules.messages_a_minute) = (storm_incidents, messages_a_minute);
        let mut open = Vec::new();
        for act in acts {
            match act {
                Act::Open { count, each, crowd, text: kind } => for _ in 0..count {
                    office.passes(Duration::milliseconds(each));
                    office.incidents += 1;
                    let incident = incident(office.incidents, &text(kind), office.now);
                    office.desk.admit(&incident, Notice::Opened, 1, crowd, office.now, &office.rules);
                    open.push(incident);
                },
                Act::Again(count, notice) => for incident in open.iter().take(count).cloned().collect::<Vec<_>>() {
                    office.desk.admit(&incident, notice, 2, true, office.now, &office.rules);
                },
                Act::End(count) => for incident in open.drain(..count.min(open.len())) {
                    office.desk.let_go(&incident.id);
                },
                Act::Minutes(minutes) => office.minutes(minutes),
                Act::Stuck(is_stuck) => office.is_stuck = is_stuck,
            }
            prop_assert!(office.bytes() < LARGEST, "{} bytes", office.bytes());
            let read: Desk = serde_json::from_str(&serde_json::to_string(&office.desk).unwrap()).unwrap();
            prop_assert_eq!(&read, &office.desk);
        }
        let few = office.incidents < 1_000;
        office.is_stuck = false;
        for incident in &open {
            office.desk.let_go(&incident.id);
        }
        office.minutes(60);
        prop_assert_eq!(office.desk.spell(), None);
        // Numbers rise by one from 1 under each id, and the last one says that all is over.
        let mut spells: BTreeMap<String, Vec<(u32, bool)>> = BTreeMap::new();
        for (id, number, _, over) in &office.told {
            spells.entry(id.clone()).or_default().push((*number, *over));
        }
        for digests in spells.values() {
            prop_assert!(digests.iter().zip(1_u32..).all(|((number, _), expected)| *number == expected), "{digests:?}");
            let overs = digests.iter().filter(|(_, over)| *over).count();
            prop_assert!(!few || (overs == 1 && digests.last().unwrap().1), "{digests:?}");
        }
    }
}
