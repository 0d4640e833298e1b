//! Any interleaving of several holders, with clocks that differ, crashes at each step, calls that come twice, late or not at
//! all, and answers that are lost: what must hold does, and rules that are a little wrong are found out.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, also in its own functions")]

mod mutants;
mod network;
mod world;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use world::{Act, Rule, World};

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => any::<u8>().prop_map(Act::Ask),
        8 => any::<u8>().prop_map(Act::CallGoesWell),
        4 => any::<u8>().prop_map(Act::CallArrives),
        4 => any::<u8>().prop_map(Act::AnswerArrives),
        1 => any::<u8>().prop_map(Act::CallFails),
        1 => any::<u8>().prop_map(Act::Crash),
        1 => (1_i64..40).prop_map(Act::TimePasses),
        1 => Just(Act::TimePasses(200)),
        1 => any::<u8>().prop_map(Act::Sweep),
        1 => Just(Act::ItemAgesAway),
    ]
}

fn try_out(mut runner: TestRunner, rule: Rule) -> Result<(), String> {
    let tried = runner.run(&vec(act(), 1..120), |acts| {
        let mut world = World::new(rule);
        for act in acts {
            world.act(act);
        }
        world.come_to_rest();
        let faults = world.faults();
        prop_assert!(faults.is_empty(), "{faults:#?}");
        Ok(())
    });
    tried.map_err(|error| error.to_string())
}

#[test]
fn nothing_is_done_twice_at_once_and_nothing_asked_for_is_lost() {
    let runner = TestRunner::new(Config { cases: 1_000, failure_persistence: None, ..Config::default() });
    try_out(runner, watchkeeper_lease::step).unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn rules_that_are_a_little_wrong_are_found_out() {
    for (name, rule, expected) in mutants::ALL {
        // The same cases each time: one of these must not depend on luck.
        let config = Config { cases: 5_000, failure_persistence: None, ..Config::default() };
        let runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let fault = try_out(runner, *rule).expect_err(name);
        assert!(fault.contains(expected), "{name} is found out by another fault: {fault}");
    }
}
