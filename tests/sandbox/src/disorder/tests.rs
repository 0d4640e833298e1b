use proptest::prelude::*;
use serde_json::json;

use super::*;

fn event(n: usize, source: &str) -> Value {
    json!({ "id": n.to_string(), "source": source })
}

fn about(source: &str) -> EventMatch {
    EventMatch { source: source.into(), ..EventMatch::default() }
}

fn plan(events: Vec<EventRule>) -> Plan {
    Plan { seed: 3, events, calls: Vec::new() }
}

proptest! {
    /// The same sequence of matches has the same decisions, whatever else comes in between.
    #[test]
    fn others_in_between_change_no_decision(others in prop::collection::vec(0_usize..4, 30), seed: u64) {
        let rules = || Plan { seed, ..plan(vec![
            EventRule::new(about("ours"), EventEffect::Drop).share(0.3).times(6),
            EventRule::new(about("ours"), EventEffect::Duplicate(1)).share(0.5),
            EventRule::new(about("others"), EventEffect::Drop).share(0.5),
        ]) };
        let (alone, among) = (Disorder::default(), Disorder::default());
        alone.set(rules()).unwrap();
        among.set(rules()).unwrap();
        for (n, others) in others.into_iter().enumerate() {
            for _ in 0..others {
                among.about_event(&event(n, "others"));
            }
            prop_assert_eq!(alone.about_event(&event(n, "ours")), among.about_event(&event(n, "ours")));
        }
        prop_assert!(alone.report().unwrap().rules[0].done <= 6);
    }
}

#[test]
fn the_first_rule_that_acts_has_its_way_and_all_count() {
    let disorder = Disorder::default();
    disorder
        .set(plan(vec![
            EventRule::new(EventMatch::default(), EventEffect::Drop).named("second").nth([2]),
            EventRule::new(EventMatch::default(), EventEffect::Duplicate(1)).named("twice").times(2),
        ]))
        .unwrap();
    let effects: Vec<_> = (0..4).map(|n| disorder.about_event(&event(n, "s"))).collect();
    let copy = Some(EventEffect::Duplicate(1));
    assert_eq!(effects, [copy, Some(EventEffect::Drop), None, None], "the overruled one is one of its two times");
    let report = disorder.report().unwrap();
    let tally = |rule: &str, done, overruled| Tally { rule: rule.to_owned(), matched: 4, done, overruled };
    assert_eq!(report.rules, [tally("second", 1, 0), tally("twice", 1, 1)]);
    assert_eq!(report.subjects("second").collect::<Vec<_>>(), [&Subject::Event("1".to_owned())]);
    let shown = format!("{report:#}");
    assert!(shown.contains("second: matched 4, done 1\n") && shown.contains("event 1: Drop (second)"), "{shown}");
}

#[test]
fn plans_stand_beside_each_other_and_end_by_themselves() {
    let disorder = Disorder::default();
    disorder.set(plan(vec![EventRule::new(about("a"), EventEffect::Drop)])).unwrap();
    let added = disorder.add(plan(vec![EventRule::new(about("b"), EventEffect::Drop).named("b")])).unwrap();
    let dropped = |source: &str| disorder.about_event(&event(0, source)).is_some();
    assert!(dropped("a") && dropped("b") && !dropped("c"));
    disorder.set(plan(vec![EventRule::new(about("c"), EventEffect::Drop)])).unwrap();
    assert!(!dropped("a") && dropped("b") && dropped("c"), "a plan set replaces the one set before, and no other");
    assert_eq!(disorder.in_force().len(), 2);
    assert_eq!(disorder.clear().unwrap().rules[0].done, 1);
    assert!(disorder.clear().is_none() && !dropped("c") && dropped("b"));
    assert_eq!(added.report().done("b"), 3);
    drop(added);
    assert!(!dropped("b"));
    let wrong = disorder.add(plan(vec![EventRule::new(about("a"), EventEffect::Drop).share(2.0)]));
    assert!(wrong.is_err_and(|error| error.to_string().contains("share = 2")));
}

#[test]
fn a_call_has_its_effect_and_faults_are_kept() {
    let disorder = Disorder::default();
    let publish = CallMatch { service: "sns".into(), ..CallMatch::default() };
    let calls = vec![CallRule::new(publish, CallEffect::Throttle).nth([1])];
    let added = disorder.add(Plan { calls, ..plan(vec![EventRule::new(about("a"), EventEffect::Drop)]) }).unwrap();
    let call = Call {
        index: 12,
        at: crate::clock::now(),
        caller: "f".to_owned(),
        service: "sns".to_owned(),
        action: "Publish".to_owned(),
        resource: None,
        outcome: None,
    };
    let (effect, by) = disorder.about_call(&call).unwrap();
    assert_eq!(effect, CallEffect::Throttle);
    assert!(disorder.about_call(&call).is_none());
    by.fault("made up".to_owned());
    let report = added.report();
    assert_eq!((report.done("calls 1"), report.done("events 1")), (1, 0));
    assert_eq!(report.subjects("calls 1").collect::<Vec<_>>(), [&Subject::Call(12)]);
    assert_eq!(report.faults, ["made up"]);
}
