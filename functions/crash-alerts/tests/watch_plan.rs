//! What is decided of services that nobody told of: limits, grace, and that each fault is followed by one over.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::collections::HashMap;

use crash_alerts::plan::watch::{
    Change, Controller, Decision, Found, Life, Limits, Remembered, Seen, Silent, State, decide,
};
use proptest::prelude::*;
use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::{DeploymentSight, Running, ServiceSight};
use watchkeeper_events::ServiceArn;

const LIMITS: Limits = Limits { below_desired: Duration::minutes(10), deployment_stuck: Duration::minutes(30) };
const NOW: OffsetDateTime = time::macros::datetime!(2026-11-21 12:00 UTC);

fn minute(minute: i64) -> OffsetDateTime {
    NOW + Duration::minutes(minute)
}

fn arn(name: &str) -> ServiceArn {
    ServiceArn::parse(&format!("arn:aws:ecs:eu-west-1:123456789012:service/dbward/{name}")).unwrap()
}

/// A service on which nothing is being deployed.
fn service(name: &str, running: i32, desired: i32) -> Found {
    Found {
        sight: ServiceSight {
            service: arn(name),
            tasks: Running { running, desired, pending: 0 },
            revision: None,
            runs_on: None,
            deployment: Some(deployment("ecs-svc/1", "COMPLETED", minute(-600))),
            said: Vec::new(),
        },
        life: Life::Active,
        controller: Controller::Ecs,
        minimum_healthy: 100,
        breaker: false,
        waits: Duration::ZERO,
        ignored: false,
        owner: None,
        runbook: None,
    }
}

fn deployment(id: &str, rollout: &str, created_at: OffsetDateTime) -> DeploymentSight {
    DeploymentSight {
        id: id.to_owned(),
        created_at: Some(created_at),
        rollout: Some(rollout.to_owned()),
        reason: None,
        failed_tasks: 0,
    }
}

fn deployed(running: i32, desired: i32, id: &str, rollout: &str, created_at: OffsetDateTime) -> Found {
    let mut found = service("server", running, desired);
    found.sight.deployment = Some(deployment(id, rollout, created_at));
    found
}

fn there(found: Found) -> Seen {
    Seen::There(Box::new(found))
}

/// Looks one after the other, with what they remember.
#[derive(Default)]
struct Watch {
    remembered: HashMap<(String, Silent), Remembered>,
    /// What the last look found to be over.
    overs: Vec<(String, Silent)>,
}

/// A finding in short.
#[derive(Debug, Clone, PartialEq, Eq)]
enum News {
    Fault(Silent, String),
    Over(Silent, String),
}

impl Watch {
    fn look(&mut self, seen: &[Seen], now: OffsetDateTime) -> Vec<News> {
        let remembered: Vec<_> = self.remembered.values().cloned().collect();
        let Decision { findings, changes } = decide(seen, &remembered, &LIMITS, now);
        for change in changes {
            match change {
                Change::Remember(one) => {
                    self.remembered.insert((one.service.as_str().to_owned(), one.trouble), one);
                }
                Change::Forget(service, trouble) => {
                    let before = self.remembered.remove(&(service.as_str().to_owned(), trouble));
                    assert!(before.is_some_and(|before| !before.told), "what was told is forgotten");
                }
            }
        }
        let is_over = |state: &State| matches!(state, State::Over { .. });
        let overs = findings.iter().filter(|finding| is_over(&finding.state));
        self.overs = overs.map(|finding| (finding.service.as_str().to_owned(), finding.trouble)).collect();
        let news = findings.into_iter().map(|finding| match finding.state {
            State::Fault { occurrence, .. } => News::Fault(finding.trouble, occurrence),
            State::Over { summary, .. } => News::Over(finding.trouble, summary),
        });
        news.collect()
    }

    /// As when everything that the last look found is dealt with.
    fn settle(&mut self) {
        for over in self.overs.drain(..) {
            self.remembered.remove(&over);
        }
    }
}

fn below(since: OffsetDateTime) -> News {
    News::Fault(Silent::BelowDesired, format!("below-desired#{}", since.unix_timestamp()))
}

fn over(trouble: Silent, summary: &str) -> News {
    News::Over(trouble, summary.to_owned())
}

#[test]
fn below_its_desired_count_is_told_after_the_limit_and_over_until_it_is_settled() {
    let mut watch = Watch::default();
    let short = [there(service("server", 1, 2))];
    for at in 0..10 {
        assert_eq!(watch.look(&short, minute(at)), [], "minute {at}");
    }
    for at in 10..13 {
        assert_eq!(watch.look(&short, minute(at)), [below(NOW)], "minute {at}");
    }
    let well = [there(service("server", 2, 2))];
    for at in 13..15 {
        assert_eq!(watch.look(&well, minute(at)), [over(Silent::BelowDesired, "all 2 tasks run again")]);
    }
    watch.settle();
    assert_eq!(watch.look(&well, minute(15)), []);
    assert!(watch.remembered.is_empty());
}

#[test]
fn a_short_outage_is_never_told_and_leaves_nothing() {
    let mut watch = Watch::default();
    assert_eq!(watch.look(&[there(service("server", 0, 1))], minute(0)), []);
    assert_eq!(watch.look(&[there(service("server", 1, 1))], minute(1)), []);
    assert!(watch.remembered.is_empty());
}

#[test]
fn what_ends_it() {
    let draining = Found { life: Life::Draining, ..service("server", 0, 1) };
    let ignored = Found { ignored: true, ..service("server", 0, 1) };
    for (then, words) in [
        (there(service("server", 1, 1)), "its task runs again"),
        (there(service("server", 0, 0)), "the service is to run no tasks any more"),
        (there(draining), "the service is being deleted"),
        (there(ignored), "the service is not watched any more: it is tagged so"),
        (Seen::Gone(arn("server")), "the service is gone"),
    ] {
        let mut watch = Watch::default();
        let seen = [there(deployed(0, 1, "ecs-svc/2", "IN_PROGRESS", minute(-31)))];
        watch.look(&seen, minute(0));
        assert_eq!(watch.look(&seen, minute(10)).len(), 2);
        let news = watch.look(std::slice::from_ref(&then), minute(11));
        assert_eq!(news[0], over(Silent::BelowDesired, words));
        let both = words.starts_with("the service");
        let of_deployment = if both { words } else { "another deployment took its place" };
        assert_eq!(news[1], over(Silent::DeploymentStuck, of_deployment));
    }
}

#[test]
fn below_again_before_it_was_settled_is_a_new_occurrence_after_a_new_limit() {
    let mut watch = Watch::default();
    let (short, well) = ([there(service("server", 0, 1))], [there(service("server", 1, 1))]);
    watch.look(&short, minute(0));
    assert_eq!(watch.look(&short, minute(10)), [below(NOW)]);
    assert_eq!(watch.look(&well, minute(11)).len(), 1);
    for at in 12..22 {
        assert_eq!(watch.look(&short, minute(at)), [], "minute {at}");
    }
    assert_eq!(watch.look(&short, minute(22)), [below(minute(12))]);
    // The incident may still be open, so it ends though nothing was told in between.
    watch.look(&well, minute(23));
    watch.look(&short, minute(24));
    assert_eq!(watch.look(&well, minute(25)), [over(Silent::BelowDesired, "its task runs again")]);
}

#[test]
fn a_deployment_may_run_as_few_as_it_was_allowed_until_it_is_stuck() {
    for (running, minimum_healthy, told_at) in [(2, 50, 30), (1, 50, 10), (0, 0, 10), (1, 0, 30), (3, 67, 30)] {
        let found = Found { minimum_healthy, ..deployed(running, 4, "ecs-svc/2", "IN_PROGRESS", NOW) };
        let mut watch = Watch::default();
        let told = (0..40).find(|at| {
            let news = watch.look(&[there(found.clone())], minute(*at));
            news.iter().any(|news| matches!(news, News::Fault(Silent::BelowDesired, _)))
        });
        assert_eq!(told, Some(told_at), "{running} of 4, of which {minimum_healthy} % are kept");
    }
}

#[test]
fn a_first_deployment_that_never_starts_a_task_is_told() {
    let mut watch = Watch::default();
    let seen = [there(deployed(0, 1, "ecs-svc/1", "IN_PROGRESS", NOW))];
    assert_eq!(watch.look(&seen, minute(0)), []);
    assert_eq!(watch.look(&seen, minute(10)), [below(NOW)]);
    let stuck = News::Fault(Silent::DeploymentStuck, "deployment-stuck#ecs-svc/1".to_owned());
    assert_eq!(watch.look(&seen, minute(30)), [below(NOW), stuck]);
}

#[test]
fn a_stuck_deployment_ends_by_its_outcome() {
    for (then, words) in [
        (deployed(2, 2, "ecs-svc/2", "COMPLETED", NOW), "the deployment is done"),
        (deployed(2, 2, "ecs-svc/2", "FAILED", NOW), "the deployment failed, and ECS has ended it"),
        (deployed(2, 2, "ecs-svc/3", "IN_PROGRESS", minute(30)), "another deployment took its place"),
        (deployed(2, 2, "ecs-svc/3", "COMPLETED", minute(30)), "another deployment took its place"),
    ] {
        let mut watch = Watch::default();
        let stuck = [there(deployed(2, 2, "ecs-svc/2", "IN_PROGRESS", NOW))];
        assert_eq!(watch.look(&stuck, minute(29)), []);
        let fault = News::Fault(Silent::DeploymentStuck, "deployment-stuck#ecs-svc/2".to_owned());
        assert_eq!(watch.look(&stuck, minute(30)), std::slice::from_ref(&fault));
        assert_eq!(watch.look(&stuck, minute(31)), [fault]);
        let over = [over(Silent::DeploymentStuck, words)];
        assert_eq!(watch.look(&[there(then.clone())], minute(32)), over);
        assert_eq!(watch.look(&[there(then.clone())], minute(33)), over);
        watch.settle();
        assert_eq!(watch.look(&[there(then)], minute(34)), []);
    }
}

#[test]
fn a_stuck_deployment_that_another_stuck_one_follows_is_the_same_trouble_under_a_new_occurrence() {
    let mut watch = Watch::default();
    watch.look(&[there(deployed(2, 2, "ecs-svc/2", "IN_PROGRESS", NOW))], minute(30));
    let news = watch.look(&[there(deployed(2, 2, "ecs-svc/3", "IN_PROGRESS", minute(31)))], minute(90));
    assert_eq!(news, [News::Fault(Silent::DeploymentStuck, "deployment-stuck#ecs-svc/3".to_owned())]);
}

#[test]
fn waits_that_were_asked_for_and_deployments_of_others_are_not_stuck() {
    let baking = Found { waits: Duration::minutes(15), ..deployed(2, 2, "ecs-svc/2", "IN_PROGRESS", NOW) };
    let other = Found { controller: Controller::Other, ..baking.clone() };
    let mut silent = baking.clone();
    silent.sight.deployment.as_mut().unwrap().rollout = None;
    let told = |found: &Found, at| Watch::default().look(&[there(found.clone())], minute(at)).len();
    assert_eq!((told(&baking, 44), told(&baking, 45)), (0, 1));
    assert_eq!((told(&other, 600), told(&silent, 600)), (0, 0));
}

#[test]
fn what_nobody_watched_does_not_count() {
    let mut watch = Watch::default();
    let short = [there(service("server", 0, 1))];
    watch.look(&short, minute(0));
    assert_eq!(watch.look(&short, minute(60)), []);
    assert_eq!(watch.look(&short, minute(70)), [below(minute(60))]);
    // What was told is open, watched or not.
    assert_eq!(watch.look(&short, minute(600)), [below(minute(60))]);
}

#[test]
fn what_was_not_seen_stays_as_it_was() {
    let mut watch = Watch::default();
    watch.look(&[there(service("server", 0, 1))], minute(0));
    let before = watch.remembered.clone();
    assert_eq!(watch.look(&[there(service("agent", 1, 1))], minute(20)), []);
    assert_eq!(watch.remembered, before);
}

#[test]
fn little_is_written_while_nothing_changes() {
    let mut watch = Watch::default();
    let short = [there(service("server", 0, 1))];
    let mut written = 0;
    for at in 0..120 {
        let remembered: Vec<_> = watch.remembered.values().cloned().collect();
        written += decide(&short, &remembered, &LIMITS, minute(at)).changes.len();
        watch.look(&short, minute(at));
    }
    // When it began and when it was told.
    assert_eq!(written, 2);
}

/// When it is told first that too few run, where each minute the counts (running, desired, pending) are so.
fn told_at(looks: impl IntoIterator<Item = (i32, i32, i32)>) -> Option<i64> {
    let mut watch = Watch::default();
    (0..).zip(looks).find_map(|(at, (running, desired, pending))| {
        let mut found = service("server", running, desired);
        found.sight.tasks.pending = pending;
        let news = watch.look(&[there(found)], minute(at));
        news.iter().any(|news| matches!(news, News::Fault(Silent::BelowDesired, _))).then_some(at)
    })
}

#[test]
fn a_service_that_grows_in_steps_is_getting_there() {
    // From 10 to 30 tasks, two more are wanted every other minute, and a task needs four minutes to start.
    let wanted = |at: i32| (10 + at.max(0) / 2 * 2).min(30);
    let looks = (0..40).map(|at| (wanted(at - 4), wanted(at), wanted(at) - wanted(at - 4)));
    assert_eq!(looks.clone().filter(|(running, desired, _)| running < desired).count(), 22);
    assert_eq!(told_at(looks), None);
    // All at once, by tasks that start one after the other.
    assert_eq!(told_at((0..40).map(|at| ((10 + at / 2).min(30), 30, 0))), None);
}

#[test]
fn a_service_whose_tasks_come_and_go_is_well() {
    // At each look one of 200 is being replaced.
    assert_eq!(told_at((0..100).map(|_| (199, 200, 1))), None);
    // ECS has not begun with that yet at most of the looks.
    assert_eq!(told_at((0..100).map(|at| (199, 200, i32::from(at % 9 == 0)))), None);
    // A whole zone's spot tasks are taken, again and again, and come back.
    assert_eq!(told_at((0..200).map(|at| ([180, 150, 149, 165][at % 4], 200, 0))), None);
    assert_eq!(told_at((0..200).map(|at| (1 + i32::from(at % 9 == 0), 4, 0))), None);
}

#[test]
fn what_is_stuck_is_told_whatever_is_wanted_meanwhile() {
    for (name, looks, at) in [
        ("one of many that ECS cannot place", vec![(199, 200, 0); 20], Some(10)),
        ("more than a few on their way", vec![(180, 200, 20); 20], Some(10)),
        ("one of few on its way", vec![(18, 19, 1); 20], Some(10)),
        ("one of twenty on its way", vec![(19, 20, 1); 60], None),
        ("none, on their way", vec![(0, 40, 40); 20], Some(10)),
        ("more is wanted each minute", (0..20).map(|at| (5, 10 + at, 0)).collect(), Some(10)),
        ("none runs, and more is wanted", (0..20).map(|at| (0, 1 + at, 1)).collect(), Some(10)),
        ("less is wanted", (0..20).map(|at| (5, 30 - at, 0)).collect(), Some(10)),
        ("it loses one after the other", (0..30).map(|at| (30 - at, 30, 0)).collect(), Some(11)),
        ("it grows, and then no more", (0..40).map(|at| (at.min(8), 10, 0)).collect(), Some(18)),
        ("the last of them goes", (0..40).map(|at| (i32::from(at < 5), 3, 0)).collect(), Some(10)),
    ] {
        assert_eq!(told_at(looks), at, "{name}");
    }
}

#[test]
fn what_was_told_is_the_same_until_all_run_or_are_on_their_way() {
    let mut watch = Watch::default();
    let mut look = |running, pending, at| {
        let mut found = service("server", running, 40);
        found.sight.tasks.pending = pending;
        watch.look(&[there(found)], minute(at))
    };
    look(20, 0, 0);
    for (at, running) in (10..).zip([20, 25, 38, 30, 39]) {
        assert_eq!(look(running, 0, at), [below(NOW)], "minute {at}");
    }
    let words = "39 of 40 tasks run again, and the others are on their way";
    assert_eq!(look(39, 1, 15), [over(Silent::BelowDesired, words)]);
}

fn any_seen(name: &'static str) -> impl Strategy<Value = Option<Seen>> {
    let found = (0..4, 0..4, 0..3, any::<bool>(), 0..4_u8, 0..90_i64).prop_map(
        move |(running, desired, id, busy, odd, age)| {
            let rollout = if busy { "IN_PROGRESS" } else { "COMPLETED" };
            let mut found = service(name, running, desired);
            found.sight.deployment = Some(deployment(&format!("ecs-svc/{id}"), rollout, minute(-age)));
            found.ignored = odd == 1;
            found.life = if odd == 2 { Life::Draining } else { Life::Active };
            Some(there(found))
        },
    );
    prop_oneof![8 => found, 1 => Just(None), 1 => Just(Some(Seen::Gone(arn(name))))]
}

/// Whether fewer tasks run than anybody wants.
fn is_short(seen: &Seen) -> bool {
    match seen {
        Seen::Gone(_) => false,
        Seen::There(found) => {
            let tasks = found.sight.tasks;
            found.life == Life::Active && !found.ignored && tasks.running < tasks.desired
        }
    }
}

proptest! {
    #[test]
    fn told_is_what_had_too_few_all_the_time_and_never_got_more(
        looks in prop::collection::vec((0..4_i32, 0..3_i32, 1..12_usize), 1..12)
    ) {
        // Each state lasts for some minutes.
        let looks: Vec<_> = looks.into_iter().flat_map(|(running, more, lasts)| {
            vec![(running, running + more); lasts]
        }).collect();
        let at = told_at(looks.iter().map(|(running, desired)| (*running, *desired, 0)));
        let is_stuck = |at: &usize| {
            let span = &looks[at.saturating_sub(10)..=*at];
            let (last, _) = looks[*at];
            let has_shrunk = span.windows(2).all(|two| two[1].0 <= two[0].0);
            span.len() == 11 && has_shrunk && span.iter().all(|(running, desired)| running < desired && last < *desired)
        };
        let stuck = (0..looks.len()).find(is_stuck).map(|at| i64::try_from(at).unwrap());
        prop_assert_eq!(at, stuck);
    }

    #[test]
    fn faults_keep_the_limit_and_overs_follow_them_once(
        // Whether a service is short, and whether the look is settled, minute by minute.
        life in prop::collection::vec((prop::bool::weighted(0.9), any::<bool>()), 1..120)
    ) {
        let mut watch = Watch::default();
        let (mut short_since, mut is_open) = (None, false);
        for (at, (short, settles)) in (0_i64..).zip(life) {
            let now = minute(at);
            let news = watch.look(&[there(service("server", i32::from(!short), 1))], now);
            if short {
                let since = *short_since.get_or_insert(now);
                let due = now - since >= LIMITS.below_desired;
                prop_assert_eq!(news, if due { vec![below(since)] } else { vec![] });
                is_open |= due;
            } else {
                short_since = None;
                let told = if is_open { vec![over(Silent::BelowDesired, "its task runs again")] } else { vec![] };
                prop_assert_eq!(news, told);
                is_open &= !settles;
            }
            if settles {
                watch.settle();
            }
        }
    }

    #[test]
    fn any_life_of_several_services_ends_without_a_trace(
        looks in prop::collection::vec((any_seen("a"), any_seen("b"), any_seen("c"), any::<bool>()), 1..40)
    ) {
        let mut watch = Watch::default();
        let mut open: HashMap<(String, Silent), bool> = HashMap::new();
        for (at, (a, b, c, settles)) in (0_i64..).map(|at| at * 4).zip(looks) {
            let seen: Vec<_> = [a, b, c].into_iter().flatten().collect();
            let remembered: Vec<_> = watch.remembered.values().cloned().collect();
            let decided = decide(&seen, &remembered, &LIMITS, minute(at));
            let turned: Vec<_> = seen.iter().rev().cloned().collect();
            prop_assert_eq!(&decide(&turned, &remembered, &LIMITS, minute(at)), &decided);
            for finding in &decided.findings {
                let key = (finding.service.as_str().to_owned(), finding.trouble);
                let one = seen.iter().find(|seen| seen.service() == &finding.service).unwrap();
                match &finding.state {
                    State::Fault { since, .. } => {
                        if finding.trouble == Silent::BelowDesired {
                            prop_assert!(is_short(one));
                            prop_assert!(minute(at) - *since >= LIMITS.below_desired);
                        }
                        open.insert(key, true);
                    }
                    State::Over { .. } => prop_assert!(open.contains_key(&key), "an over of what was never told"),
                }
            }
            watch.look(&seen, minute(at));
            if settles {
                watch.settle();
                let overs = decided.findings.iter().filter(|finding| matches!(finding.state, State::Over { .. }));
                for finding in overs {
                    open.remove(&(finding.service.as_str().to_owned(), finding.trouble));
                }
            }
        }
        let gone: Vec<_> = ["a", "b", "c"].map(|name| Seen::Gone(arn(name))).into();
        let overs = watch.look(&gone, minute(1000));
        prop_assert_eq!(overs.len(), open.len());
        watch.settle();
        prop_assert!(watch.remembered.is_empty());
        prop_assert_eq!(watch.look(&gone, minute(1001)), vec![]);
    }
}
