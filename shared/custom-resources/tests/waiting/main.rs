//! Requests that wait for the sweep: cut off wherever it may be, repeated and at once, there is one answer to each, and in time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

mod world;

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{advance, timeout};
use watchkeeper_custom_resources::Mode;
use world::{World, cut, invocation, request};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: u64 = 3600;

/// A minute later, the scheduler's sweep.
async fn a_minute_later(world: &Arc<World>) {
    advance(MINUTE).await;
    world.frame().sweep(&invocation()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_yet_is_tried_again_and_answered_once() {
    let world = World::new();
    world.state().not_yet = 3;
    world.frame().handle(&request("Create", "a", HOUR), &invocation()).await.unwrap();
    for _ in 0..2 {
        a_minute_later(&world).await;
        assert_eq!(world.answers("Create-a"), [] as [Value; 0]);
        assert!(world.state().there, "what is begun is not undone");
    }
    // As a schedule sends it.
    advance(MINUTE).await;
    world.frame().handle(&json!({"watchkeeper": "sweep"}), &invocation()).await.unwrap();
    assert_eq!(world.answers("Create-a")[0]["Status"], "SUCCESS");
    a_minute_later(&world).await;
    assert_eq!(world.state().heard.len(), 1);
    assert!(world.state().waiting.is_empty(), "secrets are left");
}

#[tokio::test(start_paused = true)]
async fn at_last_it_is_given_up_in_time_and_undone() {
    for (seconds, said, sweeps) in
        [(HOUR, "gave up after 58 min: ", 58), (200, "gave up after 120 s: ", 2), (1, "gave up after 0 s: ", 0)]
    {
        let world = World::new();
        world.state().not_yet = sweeps + 1;
        world.frame().handle(&request("Create", "a", seconds), &invocation()).await.unwrap();
        for _ in 0..sweeps {
            assert_eq!(world.answers("Create-a"), [] as [Value; 0]);
            a_minute_later(&world).await;
        }
        let answers = world.answers("Create-a");
        let said = said.replace("120 s", "2 min");
        assert_eq!(
            (&answers[0]["Status"], &answers[0]["Reason"]),
            (&json!("FAILED"), &json!(format!("{said}it is not there yet")))
        );
        assert!(!world.state().there, "an earlier try made it");
        assert!(world.state().waiting.is_empty(), "secrets are left");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_for_good_ends_the_waiting() {
    let world = World::new();
    world.state().not_yet = 1;
    world.state().fails = true;
    world.frame().handle(&request("Update", "a", HOUR), &invocation()).await.unwrap();
    a_minute_later(&world).await;
    assert_eq!(
        world.answers("Update-a")[0]["Reason"],
        "it fails on purpose (and what was made of thing is not taken away: it fails on purpose)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deletion_waits_too_and_says_at_last_what_is_left() {
    let world = World::new();
    world.state().not_yet = 2;
    world.state().there = true;
    world.frame().handle(&request("Delete", "a", HOUR), &invocation()).await.unwrap();
    assert_eq!(world.answers("Delete-a"), [] as [Value; 0]);
    a_minute_later(&world).await;
    a_minute_later(&world).await;
    assert_eq!((&world.answers("Delete-a")[0]["Status"], world.state().there), (&json!("SUCCESS"), false));

    world.state().not_yet = 100;
    world.state().there = true;
    world.frame().handle(&request("Delete", "b", 200), &invocation()).await.unwrap();
    a_minute_later(&world).await;
    a_minute_later(&world).await;
    assert_eq!(
        world.answers("Delete-b")[0]["Reason"],
        "gave up after 2 min: it is not there yet (so thing may be left)"
    );
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_waits_sees_its_deletion_and_leaves_what_is_newer() {
    let world = World::new();
    world.state().not_yet = 1;
    world.frame().handle(&request("Create", "a", HOUR), &invocation()).await.unwrap();
    advance(MINUTE / 3).await;
    world.frame().handle(&request("Delete", "a", HOUR), &invocation()).await.unwrap();
    assert_eq!((&world.answers("Delete-a")[0]["Status"], world.state().there), (&json!("SUCCESS"), false));
    // The same thing is declared once more before the sweep comes.
    advance(MINUTE / 3).await;
    world.frame().handle(&request("Create", "b", HOUR), &invocation()).await.unwrap();
    a_minute_later(&world).await;
    assert!(world.answers("Create-a")[0]["Reason"].as_str().unwrap().contains("deleted while it was being created"));
    assert_eq!((&world.answers("Create-b")[0]["Status"], world.state().there), (&json!("SUCCESS"), true));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_noted_is_answered_at_once() {
    let world = World::new();
    world.state().not_yet = 1;
    world.state().lost_notes = 1;
    world.frame().handle(&request("Create", "a", HOUR), &invocation()).await.unwrap();
    let reason = world.answers("Create-a")[0]["Reason"].clone();
    assert!(reason.as_str().unwrap().contains("does not take a note"), "{reason}");
    assert!(!world.state().there);
}

#[tokio::test(start_paused = true)]
async fn who_takes_all_the_time_does_not_keep_the_others_waiting() {
    let world = World::new();
    world.state().not_yet = 3;
    for name in ["a", "b", "c"] {
        world.frame().handle(&request("Create", name, HOUR), &invocation()).await.unwrap();
        advance(Duration::from_secs(1)).await;
    }
    world.state().slow = Some("a");
    world.state().tried.clear();
    a_minute_later(&world).await;
    assert_eq!(world.state().tried, ["a", "b", "c"], "the oldest first");
    let ends: Vec<_> = ["a", "b", "c"].map(|name| world.answers(&format!("Create-{name}"))[0]["Status"].clone()).into();
    assert_eq!(ends, ["FAILED", "SUCCESS", "SUCCESS"]);
}

#[tokio::test(start_paused = true)]
async fn who_kills_the_function_has_its_turn_last_and_an_answer_at_the_end() {
    let world = World::new();
    world.state().not_yet = 2;
    for name in ["a", "b"] {
        world.frame().handle(&request("Create", name, 300), &invocation()).await.unwrap();
        advance(Duration::from_secs(1)).await;
    }
    world.state().slow = Some("a");
    // Each sweep dies while it works on the first one, whose next turn then comes after the others'.
    for _ in 0..2 {
        advance(MINUTE).await;
        timeout(Duration::from_secs(1), world.frame().sweep(&invocation())).await.unwrap_err();
    }
    assert_eq!(world.answers("Create-b")[0]["Status"], "SUCCESS");
    assert_eq!(world.answers("Create-a"), [] as [Value; 0]);
    a_minute_later(&world).await;
    let reason = world.answers("Create-a")[0]["Reason"].clone();
    assert_eq!(reason, "gave up after 3 min: the function ended without an answer; its log says why");
}

#[tokio::test(start_paused = true)]
async fn what_cloudformation_has_given_up_is_not_done() {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let ago = |seconds: u64| {
        let date = (OffsetDateTime::now_utc() - Duration::from_secs(seconds)).format(format).unwrap();
        let mut event = request("Create", "a", HOUR);
        event["ResponseURL"] = json!(format!("http://ear/?X-Amz-Date={date}"));
        event
    };
    let world = World::new();
    world.frame().handle(&ago(HOUR + 5), &invocation()).await.unwrap();
    let died = json!({"requestPayload": ago(HOUR + 5)}).to_string();
    let batch = json!({"Records": [{"messageId": "m", "body": died}]});
    assert_eq!(world.frame().handle(&batch, &invocation()).await.unwrap(), json!({"batchItemFailures": []}));
    assert!(!world.state().there);
    assert!(world.state().heard.is_empty());
    // Delivered late, but not too late.
    world.state().not_yet = 1;
    world.frame().handle(&ago(HOUR - 100), &invocation()).await.unwrap();
    assert_eq!(world.answers("Create-a")[0]["Status"], "FAILED");
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_only_observes_changes_nothing() {
    let world = World::new();
    let frame = world.frame_in(Mode::Observe);
    frame.handle(&request("Create", "a", HOUR), &invocation()).await.unwrap();
    assert_eq!((&world.answers("Create-a")[0]["Data"]["Decision"], world.state().there), (&json!("create"), false));
    world.state().there = true;
    frame.handle(&request("Update", "a", HOUR), &invocation()).await.unwrap();
    assert_eq!(world.answers("Update-a")[0]["Data"]["Decision"], "replace");
    frame.handle(&request("Delete", "a", HOUR), &invocation()).await.unwrap();
    assert_eq!((&world.answers("Delete-a")[0]["Status"], world.state().there), (&json!("SUCCESS"), true));
    assert_eq!(world.state().tried, [] as [&str; 0]);
}

/// What happens to a request.
#[derive(Debug, Clone)]
enum Act {
    /// Lambda brings it, also once more; cut off after so many steps.
    Invoke(usize),
    Sweep(usize),
    TwoSweeps(usize, usize),
    /// Lambda gave its tries up.
    Unanswered(usize),
    Pass(u64),
    Refuse(u32),
    LoseNotes(u32),
}

fn steps() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1_usize..40, 1 => Just(usize::MAX)]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => steps().prop_map(Act::Invoke),
        4 => steps().prop_map(Act::Sweep),
        3 => (steps(), steps()).prop_map(|(one, other)| Act::TwoSweeps(one, other)),
        1 => steps().prop_map(Act::Unanswered),
        4 => (1_u64..90).prop_map(Act::Pass),
        1 => (1_u32..30).prop_map(Act::Refuse),
        1 => Just(Act::LoseNotes(1)),
    ]
}

/// Does all of it, then lets the time pass as it should: a retry of Lambda, and a sweep each minute.
async fn play(kind: &'static str, not_yet: u32, fails: bool, acts: &[Act]) -> Arc<World> {
    let world = World::new();
    world.state().not_yet = not_yet;
    world.state().fails = fails;
    let frame = world.frame();
    let event = request(kind, "a", HOUR);
    let died = json!({"requestPayload": event, "requestContext": {"condition": "RetriesExhausted"}}).to_string();
    let died = json!({"Records": [{"messageId": "m", "body": died}]});
    let ours = invocation;
    // Once an invocation has ended well, Lambda does not bring it again.
    let mut is_done = false;
    for act in acts {
        match act {
            Act::Invoke(steps) => {
                is_done |= cut(frame.handle(&event, &ours()), *steps).await.is_some_and(|end| end.is_ok());
            }
            Act::Sweep(steps) => drop(cut(frame.sweep(&ours()), *steps).await),
            Act::TwoSweeps(one, other) => {
                let (one_ours, other_ours) = (ours(), ours());
                let _ = tokio::join!(cut(frame.sweep(&one_ours), *one), cut(frame.sweep(&other_ours), *other));
            }
            Act::Unanswered(steps) => {
                let end = cut(frame.handle(&died, &ours()), *steps).await;
                is_done |= end == Some(Ok(json!({"batchItemFailures": []})));
            }
            Act::Pass(seconds) => advance(Duration::from_secs(*seconds)).await,
            Act::Refuse(count) => world.state().refusals = *count,
            Act::LoseNotes(count) => world.state().lost_notes = *count,
        }
    }
    world.state().refusals = 0;
    while !is_done && frame.handle(&event, &ours()).await.is_err() {
        advance(MINUTE).await;
    }
    let began = world.state().began.unwrap();
    while world.passed() < began + Duration::from_secs(HOUR + 300) {
        advance(MINUTE).await;
        frame.sweep(&ours()).await.unwrap();
    }
    world
}

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn there_is_one_answer_and_it_comes_in_time(
        kind in prop_oneof![Just("Create"), Just("Update"), Just("Delete")],
        not_yet in prop_oneof![0_u32..6, Just(1_000)],
        fails in any::<bool>(),
        acts in prop::collection::vec(act(), 0..20),
    ) {
        let world = paused().block_on(play(kind, not_yet, fails, &acts));
        let state = world.state();
        prop_assert_eq!(state.noted.len(), 1, "noted: {:?}", state.noted);
        prop_assert!(!state.heard.is_empty(), "never answered");
        for (answer, at) in &state.heard {
            prop_assert_eq!(answer.to_string(), serde_json::from_str::<Value>(&state.noted[0].1).unwrap().to_string());
            prop_assert!(*at < state.began.unwrap() + Duration::from_secs(HOUR), "after CloudFormation's time: {:?}", at);
        }
        prop_assert!(state.waiting.is_empty(), "secrets are left");
        let undisturbed = !acts.iter().any(|act| matches!(act, Act::Unanswered(_) | Act::LoseNotes(_)));
        if undisturbed && !fails && not_yet < 1_000 {
            prop_assert_eq!(&state.heard[0].0["Status"], "SUCCESS");
        }
    }
}
