//! Any history of a service's tasks, with events that come twice, late or not at all, invocations at the same time, cuts at
//! each step, and a registry that is down or is changed by others: at the end its entries are the tasks, and on the way no
//! task that lives loses its entry. Rules that are a little wrong are found out.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, also in its own functions")]

mod console;
mod line;
mod service;
mod world;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use world::{Act, Mutant, World};

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => any::<u8>().prop_map(Act::ServiceMoves),
        2 => (0_u32..5).prop_map(Act::Scale),
        1 => Just(Act::Deploy),
        2 => any::<u8>().prop_map(Act::TaskCrashes),
        1 => any::<u8>().prop_map(Act::TaskGetsUnwell),
        6 => Just(Act::EventArrives),
        3 => Just(Act::Sweep),
        24 => any::<u8>().prop_map(Act::StepGoesWell),
        1 => any::<u8>().prop_map(Act::StepFails),
        2 => any::<u8>().prop_map(Act::AnswerIsLost),
        1 => any::<u8>().prop_map(Act::Cut),
        3 => (1_i64..90).prop_map(Act::TimePasses),
        1 => any::<bool>().prop_map(Act::ConsoleIsDown),
        1 => any::<u8>().prop_map(Act::ConsoleLosesAnEntry),
        1 => (0_u32..4).prop_map(Act::SomebodyRegisters),
    ]
}

fn try_out(mut runner: TestRunner, mutant: Mutant) -> Result<(), String> {
    // Consoles with and without owners and versions; the declaration may go at the end.
    let case = (any::<bool>(), any::<bool>(), vec(act(), 1..160));
    let tried = runner.run(&case, |(plain, leaves, acts)| {
        let mut world = World::new(mutant, plain);
        for act in acts {
            world.act(act);
        }
        world.come_to_rest(leaves);
        let faults = world.faults();
        prop_assert!(faults.is_empty(), "{faults:#?}");
        Ok(())
    });
    tried.map_err(|error| error.to_string())
}

#[test]
fn the_registry_follows_the_tasks_whatever_happens() {
    let runner = TestRunner::new(Config { cases: 1_500, failure_persistence: None, ..Config::default() });
    try_out(runner, Mutant::None).unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn rules_that_are_a_little_wrong_are_found_out() {
    for (mutant, expected) in [
        (Mutant::LeaseIgnored, "overlap"),
        (Mutant::ThrottledIsEmpty, "lives"),
        (Mutant::IntentNotWritten, "at the end"),
        (Mutant::SweepDoesNothing, "at the end"),
        (Mutant::ForeignIsOurs, "foreign"),
    ] {
        // The same cases each time: one of these must not depend on luck.
        let config = Config { cases: 3_000, failure_persistence: None, ..Config::default() };
        let runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let fault = try_out(runner, mutant).expect_err(&format!("{mutant:?}"));
        assert!(fault.contains(expected), "{mutant:?} is found out by another fault: {fault}");
    }
}
