//! Leases in a real table: each step as the pure function says, and many at once with cuts.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sandbox::{Options, Sandbox};
use stories::table::{TABLE, table};
use time::OffsetDateTime;
use watchkeeper_lease::{
    Answer, Budget, Claim, Extended, FENCE, Fence, Flight, FlightError, Holder, IfDirty, Item, Key, Kind, Lease,
    LeaseTable, NOT_FENCED_OFF, Released, Step, Store, claim, extend, release, single_flight, step,
};

/// How many keys are contended for, one after the other: whoever comes last to each must not be forgotten.
const SUBJECTS: usize = 40;
const KIND: Kind = Kind("test");

fn at(milliseconds: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(1_790_000_000_000 + milliseconds)
}

fn holder(name: impl Into<String>) -> Holder {
    Holder(name.into())
}

/// Steps about few instants, few holders and the fences around the newest, so that each condition is met just so, missed by a
/// little, and met.
#[derive(Clone, Debug)]
enum Try {
    Take(u8, i64, i64),
    Mark(i64),
    Free(u64),
    Again(u64, i64),
    Leave(u64),
    Extend(u64, i64),
}

fn tries() -> impl Strategy<Value = Try> {
    let back = || prop_oneof![3 => Just(0_u64), 1 => Just(1_u64)];
    prop_oneof![
        4 => (0..2_u8, 0..4_i64, 1..3_i64).prop_map(|(who, now, long)| Try::Take(who, now, now + long)),
        2 => (0..5_i64).prop_map(Try::Mark),
        1 => back().prop_map(Try::Free),
        1 => (back(), 0..5_i64).prop_map(|(back, until)| Try::Again(back, until)),
        1 => back().prop_map(Try::Leave),
        1 => (back(), 0..5_i64).prop_map(|(back, until)| Try::Extend(back, until)),
    ]
}

fn step_of(tried: &Try, newest: Fence) -> Step {
    let fence = |back: u64| Fence(newest.0 - back);
    match *tried {
        Try::Take(who, now, until) => Step::Take { holder: holder(who.to_string()), now: at(now), until: at(until) },
        Try::Mark(now) => Step::Mark { now: at(now) },
        Try::Free(back) => Step::Free { fence: fence(back) },
        Try::Again(back, until) => Step::Again { fence: fence(back), until: at(until) },
        Try::Leave(back) => Step::Leave { fence: fence(back) },
        Try::Extend(back, until) => Step::Extend { fence: fence(back), until: at(until) },
    }
}

#[tokio::test]
async fn the_expressions_say_what_the_pure_function_says() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let leases = LeaseTable::new(table(&sandbox).await, TABLE);
    let mut runner = TestRunner::default();
    let mut seen = BTreeMap::<(usize, bool), u32>::new();
    for case in 0..60 {
        let key = Key::new(KIND, format!("stack/agent-{case}"));
        let mut item: Option<Item> = None;
        let mut said = Vec::new();
        for tried in vec(tries(), 12).new_tree(&mut runner).unwrap().current() {
            let wanted = step_of(&tried, item.as_ref().map_or(Fence(10), |item| item.fence));
            let expected = step(item.clone(), &wanted);
            let found = leases.step(&key, &wanted).await.unwrap();
            said.push(wanted.clone());
            assert_eq!(found, expected, "after {said:#?}");
            let kind = match wanted {
                Step::Take { .. } => 0,
                Step::Mark { .. } => 1,
                Step::Free { .. } => 2,
                Step::Again { .. } => 3,
                Step::Leave { .. } => 4,
                Step::Extend { .. } => 5,
            };
            *seen.entry((kind, matches!(found, Answer::Done(_)))).or_default() += 1;
            if let Answer::Done(after) = expected {
                item = Some(after);
            }
            if case % 15 == 0 {
                for now in 0..5 {
                    let unattended = leases.unattended(KIND, at(now)).await.unwrap().contains(&key);
                    let expected = item.as_ref().is_some_and(|item| item.is_unattended(at(now)));
                    assert_eq!(unattended, expected, "at {now} after {said:#?}");
                }
            }
        }
    }
    assert_eq!(seen.len(), 12, "each step was done and refused: {seen:?}");
}

/// How many calls of DynamoDB a piece of work makes.
async fn calls<T>(sandbox: &Sandbox, work: impl Future<Output = T>) -> (usize, T) {
    let before = sandbox.door().call_count();
    let done = work.await;
    (sandbox.door().call_count() - before, done)
}

#[tokio::test]
async fn the_calls_are_counted_and_what_an_old_holder_writes_is_refused() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let dynamodb = table(&sandbox).await;
    let leases = LeaseTable::new(dynamodb.clone(), TABLE);
    let key = Key::new(KIND, "stack/agent");
    let long = time::Duration::milliseconds(100);
    let ours = |claim| if let Claim::Ours(lease) = claim { lease } else { panic!("{claim:?}") };

    let (count, first) = calls(&sandbox, claim(&leases, &key, &holder("a"), at(0), long)).await;
    let first = ours(first.unwrap());
    assert_eq!((count, first.until), (1, at(100)));
    let (count, same) = calls(&sandbox, claim(&leases, &key, &holder("a"), at(1), long)).await;
    assert_eq!((count, ours(same.unwrap())), (1, first.clone()), "a claim that is tried again finds itself");
    let (count, busy) = calls(&sandbox, claim(&leases, &key, &holder("b"), at(2), long)).await;
    assert_eq!((count, busy.unwrap()), (2, Claim::Busy));
    let (count, busy) = calls(&sandbox, claim(&leases, &key, &holder("c"), at(3), long)).await;
    assert_eq!((count, busy.unwrap()), (1, Claim::Busy), "it is dirty already");

    let again = IfDirty::Again { until: at(200) };
    let (count, second) = calls(&sandbox, release(&leases, first.clone(), again)).await;
    let Released::Again(second) = second.unwrap() else { panic!("it was marked dirty") };
    assert_eq!((count, second.until, second.fence > first.fence), (2, at(200), true));
    let (count, longer) = calls(&sandbox, extend(&leases, second.clone(), at(300))).await;
    assert_eq!((count, longer.unwrap()), (1, Extended::Ours(Lease { until: at(300), ..second.clone() })));
    let shorter = extend(&leases, second.clone(), at(250)).await.unwrap();
    assert_eq!(shorter, Extended::Ours(Lease { until: at(300), ..second.clone() }), "never for less");

    let third = ours(claim(&leases, &key, &holder("b"), at(300), long).await.unwrap());
    assert!(third.fence > second.fence, "the second's time ran out");
    assert_eq!(extend(&leases, second.clone(), at(900)).await.unwrap(), Extended::Lost);
    let (count, lost) = calls(&sandbox, release(&leases, second.clone(), again)).await;
    assert_eq!((count, lost.unwrap()), (1, Released::Lost));
    assert!(write(&dynamodb, "agent", second.fence, 1).await.unwrap(), "nobody newer wrote yet");
    assert!(write(&dynamodb, "agent", third.fence, 2).await.unwrap());
    assert!(write(&dynamodb, "agent", third.fence, 3).await.unwrap(), "again under the same lease");
    assert!(!write(&dynamodb, "agent", second.fence, 4).await.unwrap(), "the old holder");
    assert_eq!(read(&dynamodb, "agent").await, 3);

    let (count, free) = calls(&sandbox, release(&leases, third.clone(), again)).await;
    assert_eq!((count, free.unwrap()), (1, Released::Free));
    assert_eq!(release(&leases, third, again).await.unwrap(), Released::Free, "a release that is tried again");
    assert_eq!(leases.unattended(KIND, at(9_999)).await.unwrap(), []);

    let fourth = ours(claim(&leases, &key, &holder("d"), at(400), long).await.unwrap());
    assert_eq!(claim(&leases, &key, &holder("e"), at(401), long).await.unwrap(), Claim::Busy);
    let (count, left) = calls(&sandbox, release(&leases, fourth, IfDirty::Leave)).await;
    assert_eq!((count, left.unwrap()), (2, Released::Left));
    assert_eq!(leases.unattended(KIND, at(402)).await.unwrap(), std::slice::from_ref(&key));

    let error = claim(&LeaseTable::new(dynamodb, "no-table"), &key, &holder("f"), at(0), long).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("claiming test#stack/agent: ResourceNotFoundException"), "{text}");
}

/// Writes the item that the work is about, under a fence; false if a newer one wrote it.
async fn write(dynamodb: &Client, subject: &str, fence: Fence, value: u64) -> Result<bool, SdkError<PutItemError>> {
    let put = dynamodb
        .put_item()
        .table_name(TABLE)
        .item("pk", AttributeValue::S(subject.to_owned()))
        .item("sk", AttributeValue::S("done".to_owned()))
        .item("value", AttributeValue::N(value.to_string()))
        .item(FENCE, fence.value())
        .condition_expression(NOT_FENCED_OFF)
        .expression_attribute_values(":fence", fence.value());
    match put.send().await {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

async fn read(dynamodb: &Client, subject: &str) -> u64 {
    let get = dynamodb
        .get_item()
        .table_name(TABLE)
        .consistent_read(true)
        .key("pk", AttributeValue::S(subject.to_owned()))
        .key("sk", AttributeValue::S("done".to_owned()));
    let item = get.send().await.unwrap().item.unwrap();
    item["value"].as_n().unwrap().parse().unwrap()
}

/// What is asked for of one key, and what is known of the runs on it.
struct Subject {
    key: Key,
    asked: AtomicU64,
    /// The most that was asked for by one whose message does not come again.
    acknowledged: AtomicU64,
    fences: std::sync::Mutex<Vec<Fence>>,
}

/// A clock that goes on whenever somebody looks at it, so that leases run out however busy this machine is.
static CLOCK: AtomicI64 = AtomicI64::new(0);

fn clock() -> OffsetDateTime {
    at(CLOCK.fetch_add(5, Ordering::SeqCst))
}

fn budget() -> Budget {
    let deadline = clock() + time::Duration::milliseconds(150);
    Budget { deadline, for_a_run: time::Duration::milliseconds(20) }
}

/// A call that takes its time and changes nothing.
async fn look(dynamodb: &Client, subject: &Subject) {
    LeaseTable::new(dynamodb.clone(), TABLE).step(&subject.key, &Step::Free { fence: Fence(0) }).await.unwrap();
}

/// One invocation: what is asked for so far is written down, under the lease.
async fn invocation(
    dynamodb: &Client,
    subject: &Subject,
    holder: Holder,
) -> Result<Flight<()>, FlightError<&'static str>> {
    let leases = LeaseTable::new(dynamodb.clone(), TABLE);
    let work = |lease: Lease| async move {
        let asked = subject.asked.load(Ordering::SeqCst);
        subject.fences.lock().unwrap().push(lease.fence);
        look(dynamodb, subject).await;
        match write(dynamodb, lease.key.subject(), lease.fence, asked).await {
            Ok(true) => Ok(()),
            Ok(false) => Err("fenced off"),
            Err(_) => Err("not written"),
        }
    };
    single_flight(&leases, &subject.key, &holder, clock, budget(), work).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_with_cuts_do_all_that_is_asked_for() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let dynamodb = table(&sandbox).await;
    let subject = |number| Subject {
        key: Key::new(KIND, format!("agent-{number}")),
        asked: AtomicU64::new(0),
        acknowledged: AtomicU64::new(0),
        fences: std::sync::Mutex::default(),
    };
    let subjects: &'static [Subject] = Vec::leak((0..SUBJECTS).map(subject).collect());
    let mut runner = TestRunner::default();
    let mut tasks = tokio::task::JoinSet::new();
    let together = std::sync::Arc::new(tokio::sync::Barrier::new(12));
    for task in 0..12 {
        let together = together.clone();
        // Microseconds until the invocation is cut off; most are not.
        let cuts = vec(prop_oneof![1 => (0..12_000_u64).prop_map(Some), 9 => Just(None)], SUBJECTS);
        let cuts = cuts.new_tree(&mut runner).unwrap().current();
        let dynamodb = dynamodb.clone();
        tasks.spawn(async move {
            let (mut busy, mut cut_off) = (0, 0);
            for (turn, cut) in cuts.into_iter().enumerate() {
                let subject = &subjects[turn];
                // All together at each key, but not all at once: some ask while others are at work.
                together.wait().await;
                for _ in 0..task / 2 {
                    look(&dynamodb, subject).await;
                }
                let asked = subject.asked.fetch_add(1, Ordering::SeqCst) + 1;
                let flight = invocation(&dynamodb, subject, holder(format!("{task} {turn}")));
                let ending = match cut {
                    Some(cut) => tokio::time::timeout(Duration::from_micros(cut), flight).await.ok(),
                    None => Some(flight.await),
                };
                match ending {
                    Some(Ok(flight)) => {
                        busy += u32::from(flight == Flight::Busy);
                        subject.acknowledged.fetch_max(asked, Ordering::SeqCst);
                    }
                    Some(Err(_)) => {}
                    None => cut_off += 1,
                }
            }
            (busy, cut_off)
        });
    }
    let (mut busy, mut cut_off) = (0, 0);
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.unwrap();
        busy += ended.0;
        cut_off += ended.1;
    }
    assert!(busy > 0 && cut_off > 0, "there was no contention: {busy} busy, {cut_off} cut off");

    // The sweep alone makes up for all that was cut off.
    CLOCK.fetch_add(1_000_000, Ordering::SeqCst);
    let leases = LeaseTable::new(dynamodb.clone(), TABLE);
    for round in 0.. {
        let unattended = leases.unattended(KIND, clock()).await.unwrap();
        if unattended.is_empty() {
            break;
        }
        assert!(round < 20, "the sweep does not come to an end: {unattended:?}");
        for subject in subjects.iter().filter(|subject| unattended.contains(&subject.key)) {
            let flight = invocation(&dynamodb, subject, holder(format!("sweep {round}"))).await;
            assert!(matches!(flight, Ok(Flight::Busy | Flight::Ran { .. })), "{flight:?}");
        }
        // What was cut off may still be on its way to the table.
        CLOCK.fetch_add(1_000, Ordering::SeqCst);
    }
    for subject in subjects {
        let done = read(&dynamodb, subject.key.subject()).await;
        let acknowledged = subject.acknowledged.load(Ordering::SeqCst);
        assert!(done >= acknowledged, "{}: {acknowledged} asked for and acknowledged, {done} done", subject.key);
        let mut fences = subject.fences.lock().unwrap().clone();
        let runs = fences.len();
        fences.sort_unstable();
        fences.dedup();
        assert_eq!(fences.len(), runs, "{}: each run has its own fence", subject.key);
    }
}
