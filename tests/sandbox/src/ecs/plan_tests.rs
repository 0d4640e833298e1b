//! Tables for the cases that have a name, and a property for all others.

use proptest::prelude::*;

use super::Phase::{Healthy, Leaving, Starting, Unhealthy, Unproven};
use super::*;

fn wish(desired: u32, minimum: u32, maximum: u32) -> Wish {
    Wish {
        desired,
        minimum_healthy_percent: minimum,
        maximum_percent: maximum,
        draining: false,
        may_start: true,
        stalled: false,
    }
}

/// Tasks `0`, `1`, … of zone `a`; `true` is the PRIMARY deployment's.
fn tasks(phases: &[(bool, Phase)]) -> Vec<Present> {
    let task = |(index, (current, phase)): (usize, &(bool, Phase))| Present {
        id: index.to_string(),
        current: *current,
        zone: "a".to_owned(),
        phase: *phase,
    };
    phases.iter().enumerate().map(task).collect()
}

fn ill(id: &str) -> Action {
    Action::StopUnhealthy(id.to_owned())
}

fn stop(id: &str) -> Action {
    Action::Stop(id.to_owned())
}

#[test]
fn the_bounds_are_rounded_as_documented() {
    for (desired, minimum, maximum, floor_is, ceiling_is) in [
        (4, 50, 200, 2, 8),
        (3, 50, 150, 2, 4),
        (1, 100, 200, 1, 2),
        (1, 0, 100, 0, 1),
        (1, 50, 150, 1, 1),
        (0, 100, 200, 0, 0),
        (5, 33, 133, 2, 6),
        (2, 100, 50, 2, 2),
    ] {
        let wish = wish(desired, minimum, maximum);
        assert_eq!((floor(&wish), ceiling(&wish)), (floor_is, ceiling_is), "{wish:?}");
    }
}

#[test]
fn a_service_starts_what_is_missing_and_nothing_more() {
    assert_eq!(plan(&wish(3, 100, 200), &[]), [Action::Start(3)]);
    assert_eq!(plan(&wish(3, 100, 200), &tasks(&[(true, Healthy), (true, Starting)])), [Action::Start(1)]);
    assert_eq!(plan(&wish(2, 100, 200), &tasks(&[(true, Healthy), (true, Healthy)])), []);
    assert_eq!(plan(&wish(2, 100, 200), &tasks(&[(true, Healthy), (true, Leaving)])), [Action::Start(1)]);
}

#[test]
fn starts_held_back_are_not_planned() {
    let wish = Wish { may_start: false, ..wish(3, 100, 200) };
    assert_eq!(plan(&wish, &[]), []);
}

#[test]
fn scale_in_takes_what_does_not_serve_yet_then_the_newest() {
    let present = tasks(&[(true, Healthy), (true, Starting), (true, Healthy), (true, Unproven)]);
    assert_eq!(plan(&wish(3, 100, 200), &present), [stop("1")]);
    assert_eq!(plan(&wish(2, 100, 200), &present), [stop("1"), stop("3")]);
    assert_eq!(plan(&wish(1, 100, 200), &present), [stop("1"), stop("3"), stop("2")]);
    assert_eq!(plan(&wish(0, 100, 200), &present), [stop("1"), stop("3"), stop("2"), stop("0")]);
}

#[test]
fn scale_in_keeps_the_zones_balanced() {
    let mut present = tasks(&[(true, Healthy), (true, Healthy), (true, Healthy)]);
    present[2].zone = "b".to_owned();
    assert_eq!(plan(&wish(2, 100, 200), &present), [stop("1")]);
    assert_eq!(plan(&wish(1, 100, 200), &present), [stop("1"), stop("2")]);
}

#[test]
fn a_rolling_update_starts_first_when_there_is_room() {
    let wish = wish(2, 100, 200);
    let old = [(false, Healthy), (false, Healthy)];
    assert_eq!(plan(&wish, &tasks(&old)), [Action::Start(2)]);
    let replaced_by = |phase| tasks(&[old[0], old[1], (true, phase), (true, Starting)]);
    assert_eq!(plan(&wish, &replaced_by(Starting)), []);
    assert_eq!(plan(&wish, &replaced_by(Unproven)), []);
    assert_eq!(plan(&wish, &replaced_by(Healthy)), [stop("1")]);
}

#[test]
fn a_rolling_update_stops_first_when_there_is_none() {
    let wish = wish(1, 0, 100);
    assert_eq!(plan(&wish, &tasks(&[(false, Healthy)])), [stop("0")]);
    assert_eq!(plan(&wish, &tasks(&[(false, Leaving)])), []);
    assert_eq!(plan(&wish, &[]), [Action::Start(1)]);
}

#[test]
fn old_tasks_that_serve_wait_for_their_replacements_to_prove_themselves() {
    let wish = wish(1, 100, 200);
    assert_eq!(plan(&wish, &tasks(&[(false, Unproven), (true, Unproven)])), []);
    assert_eq!(plan(&wish, &tasks(&[(false, Unproven), (true, Healthy)])), [stop("0")]);
    assert_eq!(plan(&wish, &tasks(&[(false, Starting), (true, Starting)])), [stop("0")]);
}

#[test]
fn a_deleted_service_stops_everything() {
    let wish = Wish { draining: true, ..wish(2, 100, 200) };
    let present = tasks(&[(true, Healthy), (false, Starting), (true, Leaving)]);
    assert_eq!(plan(&wish, &present), [stop("0"), stop("1")]);
}

#[test]
fn an_unhealthy_task_goes_when_its_replacement_is_healthy() {
    let wish = wish(1, 100, 200);
    assert_eq!(plan(&wish, &tasks(&[(true, Unhealthy)])), [Action::Start(1)]);
    assert_eq!(plan(&wish, &tasks(&[(true, Unhealthy), (true, Starting)])), []);
    assert_eq!(plan(&wish, &tasks(&[(true, Unhealthy), (true, Unproven)])), []);
    assert_eq!(plan(&wish, &tasks(&[(true, Unhealthy), (true, Healthy)])), [ill("0")]);
}

#[test]
fn a_scale_in_of_unhealthy_tasks_is_a_scale_in() {
    let present = tasks(&[(true, Unhealthy), (true, Unhealthy), (true, Unhealthy)]);
    assert_eq!(
        plan(&wish(1, 100, 200), &present),
        [stop("0"), ill("1")],
        "two may be there, and one is too sick for two"
    );
    assert_eq!(plan(&wish(0, 100, 200), &present), [stop("0"), stop("1"), stop("2")]);
    let draining = Wish { draining: true, ..wish(3, 100, 200) };
    assert_eq!(plan(&draining, &present), [stop("0"), stop("1"), stop("2")]);
}

#[test]
fn without_room_unhealthy_tasks_go_one_by_one() {
    let wish = wish(2, 50, 100);
    assert_eq!(plan(&wish, &tasks(&[(true, Unhealthy), (true, Unhealthy)])), [ill("0")]);
    assert_eq!(plan(&wish, &tasks(&[(true, Leaving), (true, Unhealthy)])), []);
    assert_eq!(plan(&wish, &tasks(&[(true, Unhealthy)])), [Action::Start(1)]);
    assert_eq!(plan(&wish, &tasks(&[(true, Unhealthy), (true, Starting)])), []);
    assert_eq!(plan(&wish, &tasks(&[(true, Unhealthy), (true, Healthy)])), [ill("0")]);
}

#[test]
fn a_stalled_service_only_gives_up_what_is_too_much() {
    let stalled = |desired| Wish { stalled: true, ..wish(desired, 100, 200) };
    let present = tasks(&[(false, Healthy), (false, Healthy), (true, Unhealthy)]);
    assert_eq!(plan(&stalled(2), &present), []);
    assert_eq!(plan(&stalled(3), &tasks(&[(false, Healthy)])), []);
    assert_eq!(plan(&stalled(1), &present), [stop("2")]);
    assert_eq!(plan(&stalled(0), &present), [stop("2"), stop("1"), stop("0")]);
}

/// What befalls the service from outside between two plans.
#[derive(Clone, Debug)]
enum Fate {
    Advance(usize),
    Crash(usize),
    FailChecks(usize),
    Deploy,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        6 => (0_usize..40).prop_map(Fate::Advance),
        1 => (0_usize..40).prop_map(Fate::Crash),
        1 => (0_usize..40).prop_map(Fate::FailChecks),
        1 => Just(Fate::Deploy),
    ];
    prop::collection::vec(fate, 1..120)
}

fn advance(present: &mut Vec<Present>, at: usize) {
    if at < present.len() {
        match present[at].phase {
            Starting => present[at].phase = Unproven,
            Unproven => present[at].phase = Healthy,
            Healthy | Unhealthy => {}
            Leaving => drop(present.remove(at)),
        }
    }
}

/// Does what the plan says, after checking it against the bounds.
fn apply(wish: &Wish, present: &mut Vec<Present>, next_id: &mut u32) -> Result<bool, TestCaseError> {
    let healthy = |present: &[Present]| count(present.iter().filter(|task| task.phase == Healthy).count());
    let (healthy_before, there_before) = (healthy(present), count(present.len()));
    let actions = plan(wish, present);
    for action in &actions {
        match action {
            Action::Stop(id) | Action::StopUnhealthy(id) => {
                let task = present.iter_mut().find(|task| task.id == *id);
                let task = task.ok_or_else(|| TestCaseError::fail(format!("{id} is not there")))?;
                prop_assert_ne!(task.phase, Leaving, "{} is stopped twice", id);
                task.phase = Leaving;
            }
            Action::Start(number) => present.extend((0..*number).map(|_| {
                *next_id += 1;
                let zone = if next_id.is_multiple_of(2) { "a" } else { "b" };
                Present { id: next_id.to_string(), current: true, zone: zone.to_owned(), phase: Starting }
            })),
        }
    }
    prop_assert!(count(present.len()) <= ceiling(wish).max(there_before), "above the maximum: {:?}", present);
    prop_assert!(healthy(present) >= floor(wish).min(healthy_before), "below the minimum: {:?}", present);
    Ok(actions.is_empty())
}

proptest! {
    #[test]
    fn no_bound_is_broken_by_our_own_doing_and_every_rollout_ends(
        desired in 0_u32..8,
        minimum in 0_u32..=100,
        maximum in 100_u32..=200,
        fates in fates(),
    ) {
        let wish = wish(desired, minimum, maximum);
        let (mut present, mut next_id) = (Vec::new(), 0);
        for fate in fates {
            match fate {
                Fate::Advance(at) => advance(&mut present, at),
                Fate::Crash(at) if at < present.len() => present[at].phase = Leaving,
                Fate::FailChecks(at) if at < present.len() && matches!(present[at].phase, Unproven | Healthy) => {
                    present[at].phase = Unhealthy;
                }
                Fate::Crash(_) | Fate::FailChecks(_) => {}
                Fate::Deploy => present.iter_mut().for_each(|task| task.current = false),
            }
            apply(&wish, &mut present, &mut next_id)?;
        }
        // Left alone it settles, unless the bounds leave no room to replace anything.
        for _ in 0..200 {
            for at in (0..present.len()).rev() {
                advance(&mut present, at);
            }
            apply(&wish, &mut present, &mut next_id)?;
        }
        if floor(&wish) < ceiling(&wish) || desired == 0 {
            prop_assert_eq!(count(present.len()), desired);
            prop_assert!(present.iter().all(|task| task.current && task.phase == Healthy), "{:?}", present);
        }
    }
}
