//! Any history of crashes, failed deployments, alarms and observations, with events that come twice, late, in any order or not at
//! all, two invocations side by side, and calls that fail, come late, are not answered or are the last of their invocation: each
//! fault counts once, ops hear of each incident, of how bad it gets and of its end, not again and again of what comes back again and
//! again, and nothing is left. Rules that are a little wrong are found out.
//!
//! A history is made of its seed alone; `SIMULATION_SEED=…` plays one of them and tells it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, also in its own functions")]

mod clock;
mod judge;
mod line;
mod mutant;
mod queue;
mod sim;
mod story;
mod table;
mod world;

use mutant::Mutant;
use sim::run;
use story::Story;

/// How many histories there are, unless `SIMULATION_HISTORIES=…` says so.
const HISTORIES: u64 = 2_000;
/// In how many at most a mutant must be found out.
const PATIENCE: u64 = 1_500;

/// The same with as few acts as it takes to fail.
fn shortest(mut story: Story, mutant: Mutant) -> Story {
    let mut place = 0;
    while place < story.acts.len() {
        let mut shorter = story.clone();
        shorter.acts.remove(place);
        if run(&shorter, mutant, false).faults.is_empty() {
            place += 1;
        } else {
            story = shorter;
        }
    }
    story
}

fn fail(story: &Story) -> ! {
    let seed = story.seed;
    let first = run(story, Mutant::None, false).faults;
    let story = shortest(story.clone(), Mutant::None);
    let outcome = run(&story, Mutant::None, true);
    let log = outcome.log.join("\n");
    panic!(
        "the history of SIMULATION_SEED={seed} fails: {first:#?}\n\nin short, with {:#?}\n{log}\n\n{:#?}",
        story.rules, outcome.faults
    );
}

/// A number that the environment gives.
fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|number| number.parse().ok())
}

/// Plays some histories, or the one that is asked for.
fn play(first: u64) {
    if let Some(seed) = given("SIMULATION_SEED") {
        let story = Story::of(seed);
        let outcome = run(&story, Mutant::None, true);
        println!("{:#?}\n{}", story.rules, outcome.log.join("\n"));
        assert!(outcome.faults.is_empty(), "{:#?}", outcome.faults);
        return;
    }
    let (mut histories, mut messages, mut counted) = (0, 0, 0);
    for seed in (first..given("SIMULATION_HISTORIES").unwrap_or(HISTORIES)).step_by(2) {
        let story = Story::of(seed);
        let outcome = run(&story, Mutant::None, false);
        if !outcome.faults.is_empty() {
            fail(&story);
        }
        histories += 1;
        messages += outcome.messages;
        counted += outcome.counted;
    }
    println!("{histories} histories: {counted} faults, {messages} messages");
}

#[test]
fn each_fault_counts_once_and_ops_hear_of_each_incident_and_of_its_end_whatever_happens() {
    play(0);
}

/// The other half of the histories, on another processor.
#[test]
fn also_in_the_other_half_of_the_histories() {
    play(1);
}

#[test]
fn rules_that_are_a_little_wrong_are_found_out() {
    for (mutant, expected) in [
        (Mutant::Forgetful, &["counted twice"][..]),
        (Mutant::LeaseIgnored, &["repeated"]),
        (
            Mutant::StaleWrite,
            &["miscounted", "untold", "numbers", "ambiguous", "lost", "undecided", "repeated", "at the end"],
        ),
        (Mutant::SuccessForgotten, &["repeated", "at the end"]),
        (Mutant::OutboxCleared, &["untold"]),
        (Mutant::DeskApart, &["untold", "lost", "storm"]),
        (Mutant::FaultsApart, &["not counted"]),
        (Mutant::RestUnwatched, &["at the end"]),
        (Mutant::SpeakersLookUrgent, &["hushed", "overlooked"]),
        (Mutant::HeardTheWorst, &["overlooked"]),
        (Mutant::PastForgotten, &["a loop"]),
        (Mutant::SweepDoesNothing, &["at the end"]),
    ] {
        let found = (0..PATIENCE).find_map(|seed| {
            let faults = run(&Story::of(seed), mutant, false).faults;
            (!faults.is_empty()).then_some((seed, faults))
        });
        let (seed, faults) = found.unwrap_or_else(|| panic!("{mutant:?} is not found out"));
        let is_expected = |fault: &String| expected.iter().any(|one| fault.contains(one));
        assert!(faults.iter().any(is_expected), "{mutant:?} is found out by another fault: {faults:#?}");
        println!("{mutant:?}: history {seed}: {}", faults[0]);
    }
}
