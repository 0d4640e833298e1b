//! Repeat, reorder, fail and cut off at every call: each crash is told at least once, never after its
//! success was recorded, and nothing is lost.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use crash_alerts::{
    AlarmChoice, Alarms, Claim, DeadLetters, Function, Hold, Invocation, Ledger, Services, Settings, Subscriptions,
    Topic, Trouble,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use time::OffsetDateTime;
use watchkeeper_alerts::{AlertKey, AsOf};
use watchkeeper_events::{AlarmArn, ServiceArn, TaskDefinitionArn};

/// AWS in memory, which can be made to fail from a call on, as a function that is killed sees it.
#[derive(Default)]
struct Fake {
    calls: Mutex<usize>,
    /// Calls with these numbers fail.
    failing: Mutex<Vec<usize>>,
    /// Publish never answers.
    hangs: Mutex<bool>,
    /// The call with this number is carried out, but neither it nor any later one is answered.
    cut_at: Mutex<Option<usize>>,
    alerts: Mutex<HashMap<(String, String), (bool, OffsetDateTime)>>,
    newest: Mutex<HashMap<(String, String), OffsetDateTime>>,
    published: Mutex<Vec<String>>,
    dead: Mutex<Vec<(String, String)>>,
    steady: Mutex<Vec<String>>,
}

impl Fake {
    /// Runs `effect` unless this call fails before it.
    fn call<T>(&self, effect: impl FnOnce() -> T) -> Result<T, Trouble> {
        let number = {
            let mut calls = self.calls.lock().unwrap();
            *calls += 1;
            *calls
        };
        let trouble = || Trouble::Call { doing: "testing", why: format!("call {number}") };
        let cut = *self.cut_at.lock().unwrap();
        if self.failing.lock().unwrap().contains(&number) || cut.is_some_and(|cut| number > cut) {
            return Err(trouble());
        }
        let result = effect();
        if cut == Some(number) { Err(trouble()) } else { Ok(result) }
    }

    /// The holders' time runs out, and AWS is well again.
    fn later(&self) {
        *self.calls.lock().unwrap() = 0;
        self.failing.lock().unwrap().clear();
        *self.cut_at.lock().unwrap() = None;
        for (_, until) in self.alerts.lock().unwrap().values_mut() {
            *until = OffsetDateTime::UNIX_EPOCH;
        }
    }
}

impl Ledger for &Fake {
    async fn claim(&self, key: &AlertKey, hold: &Hold) -> Result<Claim, Trouble> {
        let (now, until) = (hold.from, hold.until);
        self.call(|| {
            let mut alerts = self.alerts.lock().unwrap();
            let key = (key.subject.clone(), key.occurrence.clone());
            match alerts.get(&key) {
                None => {
                    alerts.insert(key, (false, until));
                    Claim::Ours
                }
                Some((true, _)) => Claim::Sent,
                Some((false, until_then)) if *until_then < now => {
                    alerts.insert(key, (false, until));
                    Claim::OursAgain
                }
                Some(_) => Claim::InFlight,
            }
        })
    }

    async fn is_newest(&self, news: &AsOf) -> Result<bool, Trouble> {
        self.call(|| {
            let mut newest = self.newest.lock().unwrap();
            let known = newest.entry((news.subject.clone(), news.aspect.clone())).or_insert(news.at);
            let is_newest = news.at >= *known;
            *known = news.at.max(*known);
            is_newest
        })
    }

    async fn record(&self, key: &AlertKey, _: &str, _: OffsetDateTime) -> Result<(), Trouble> {
        self.call(|| {
            let key = (key.subject.clone(), key.occurrence.clone());
            self.alerts.lock().unwrap().get_mut(&key).unwrap().0 = true;
        })
    }

    async fn remember_steady(
        &self,
        service: &ServiceArn,
        _: &TaskDefinitionArn,
        _: OffsetDateTime,
    ) -> Result<(), Trouble> {
        self.call(|| self.steady.lock().unwrap().push(service.name().to_owned()))
    }
}

impl Topic for &Fake {
    async fn publish(&self, subject: &str, body: &str) -> Result<String, Trouble> {
        if *self.hangs.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        self.call(|| {
            self.published.lock().unwrap().push(format!("{subject}\n{body}"));
            "m-1".to_owned()
        })
    }

    async fn subscriptions(&self) -> Result<Subscriptions, Trouble> {
        self.call(|| Subscriptions { confirmed: 1, pending: 0 })
    }
}

impl DeadLetters for &Fake {
    async fn put(&self, body: &str, reason: &str, _: &str) -> Result<(), Trouble> {
        self.call(|| self.dead.lock().unwrap().push((body.to_owned(), reason.to_owned())))
    }
}

impl Services for &Fake {
    async fn steady_revision(&self, _: &ServiceArn) -> Result<Option<TaskDefinitionArn>, Trouble> {
        self.call(|| TaskDefinitionArn::parse("arn:aws:ecs:eu-west-1:123456789012:task-definition/agent:7").ok())
    }
}

impl Alarms for &Fake {
    async fn is_tagged(&self, _: &AlarmArn) -> Result<bool, Trouble> {
        self.call(|| true)
    }
}

fn function(fake: &Fake) -> Function<&Fake> {
    let settings = Settings {
        table: "t".to_owned(),
        topic: "t".to_owned(),
        dead_letter_queue: "q".to_owned(),
        stack: "s".to_owned(),
        alarms: AlarmChoice { prefix: None, own_prefix: "s-".to_owned() },
    };
    Function::new(fake, settings)
}

fn sample(name: &str) -> Value {
    let path = format!("{}/../../shared/events/tests/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn crash_of(task: usize) -> String {
    let mut event = sample("task-stopped-exit-1");
    event["detail"]["taskArn"] = json!(format!("arn:aws:ecs:eu-west-1:123456789012:task/dbward/{task:032x}"));
    event.to_string()
}

fn batch(bodies: &[String]) -> SqsEvent {
    let mut event = SqsEvent::default();
    for (n, body) in bodies.iter().enumerate() {
        let mut message = SqsMessage::default();
        message.message_id = Some(format!("m{n}"));
        message.body = Some(body.clone());
        event.records.push(message);
    }
    event
}

fn invocation(seconds: u64) -> Invocation {
    Invocation { request_id: "r".to_owned(), deadline: SystemTime::now() + Duration::from_secs(seconds) }
}

/// Delivers until nothing fails, as SQS does; time passes between the deliveries.
async fn deliver(fake: &Fake, bodies: &[String]) {
    let function = function(fake);
    let mut left = bodies.to_vec();
    for _ in 0..5 {
        let answer = function.batch(batch(&left), &invocation(30)).await;
        let again: Vec<usize> =
            answer.batch_item_failures.iter().map(|failure| failure.item_identifier[1..].parse().unwrap()).collect();
        left = again.into_iter().map(|n| left[n].clone()).collect();
        if left.is_empty() {
            return;
        }
        fake.later();
    }
    panic!("{} messages are never done", left.len());
}

fn times_told(fake: &Fake, task: usize) -> usize {
    let id = format!("{task:032x}");
    fake.published.lock().unwrap().iter().filter(|text| text.contains(&format!("Task       {id}"))).count()
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_is_silent_and_a_poisoned_message_hurts_no_other() {
    let fake = Fake::default();
    let mut foreign = sample("deployment-failed");
    foreign["source"] = json!("aws.s3");
    let bodies = [crash_of(1), "{".to_owned(), crash_of(1), foreign.to_string(), crash_of(2)];
    deliver(&fake, &bodies).await;
    assert_eq!((times_told(&fake, 1), times_told(&fake, 2)), (1, 1));
    let dead = fake.dead.lock().unwrap();
    assert_eq!(
        dead[0],
        ("{".to_owned(), "the message is not JSON: it breaks off or goes wrong at line 1, column 1".to_owned())
    );
    assert!(dead[1].1.contains("nothing handles") && dead[1].1.contains("aws.s3"), "{}", dead[1].1);
    assert_eq!(dead.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_kill_between_publish_and_record_repeats_under_the_same_id() {
    let fake = Fake::default();
    *fake.cut_at.lock().unwrap() = Some(2);
    deliver(&fake, &[crash_of(1)]).await;
    let published = fake.published.lock().unwrap();
    let id = |text: &str| text.split("alert ").last().unwrap()[..36].to_owned();
    assert_eq!(published.len(), 2);
    assert_eq!(id(&published[0]), id(&published[1]));
    assert!(!published[0].contains("may be a repeat") && published[1].contains("may be a repeat"));
}

#[tokio::test(start_paused = true)]
async fn without_time_left_nothing_is_begun() {
    let fake = Fake::default();
    let answer = function(&fake).batch(batch(&[crash_of(1), crash_of(2)]), &invocation(1)).await;
    assert_eq!((answer.batch_item_failures.len(), *fake.calls.lock().unwrap()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_given_up_in_time_to_say_so() {
    let fake = Fake::default();
    *fake.hangs.lock().unwrap() = true;
    let begin = tokio::time::Instant::now();
    let answer = function(&fake).batch(batch(&[crash_of(1)]), &invocation(30)).await;
    assert_eq!(answer.batch_item_failures.len(), 1);
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_sweep_or_a_steady_state_that_fails_holds_nothing_up() {
    let fake = Fake::default();
    *fake.failing.lock().unwrap() = vec![1, 2];
    let mut steady = sample("deployment-failed");
    steady["detail"]["eventName"] = json!("SERVICE_DEPLOYMENT_COMPLETED");
    let bodies = [r#"{"watchkeeper":"sweep"}"#.to_owned(), steady.to_string(), crash_of(1)];
    let answer = function(&fake).batch(batch(&bodies), &invocation(30)).await;
    assert!(answer.batch_item_failures.is_empty());
    assert_eq!((fake.steady.lock().unwrap().len(), times_told(&fake, 1)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn publishing_is_paced() {
    let fake = Fake::default();
    let begin = tokio::time::Instant::now();
    deliver(&fake, &(0..9).map(crash_of).collect::<Vec<_>>()).await;
    // Two such functions at once stay below ten a second.
    assert!(begin.elapsed() >= 8 * crash_alerts::BETWEEN_PUBLISHES, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_is_over_already_is_not_told_after_its_end() {
    let change = |state: &str, previous: &str, at: &str| {
        let mut event = sample("alarm-unhealthy-hosts");
        event["detail"]["state"] = json!({"value": state, "timestamp": at});
        event["detail"]["previousState"]["value"] = json!(previous);
        event.to_string()
    };
    let (off, over) = (change("ALARM", "OK", "2026-11-20T10:00:00Z"), change("OK", "ALARM", "2026-11-20T10:05:00Z"));
    let subjects = |fake: &Fake| -> Vec<String> {
        fake.published.lock().unwrap().iter().map(|text| text.split(' ').next().unwrap().to_owned()).collect()
    };
    let in_order = Fake::default();
    deliver(&in_order, &[off.clone(), over.clone(), off.clone(), over.clone()]).await;
    assert_eq!(subjects(&in_order), ["ALARM", "RESOLVED"]);
    let reordered = Fake::default();
    deliver(&reordered, &[over, off]).await;
    assert_eq!(subjects(&reordered), ["RESOLVED"], "the last word is the last state");
}

#[tokio::test(start_paused = true)]
async fn steady_states_are_remembered() {
    let fake = Fake::default();
    let mut event = sample("deployment-failed");
    event["detail"]["eventName"] = json!("SERVICE_DEPLOYMENT_COMPLETED");
    deliver(&fake, &[event.to_string()]).await;
    assert_eq!(*fake.steady.lock().unwrap(), ["server"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn whatever_fails_or_is_cut_off_each_crash_is_told_and_after_its_record_never_again(
        tasks in proptest::collection::vec(0_usize..4, 1..8),
        failing in proptest::collection::vec(1_usize..30, 0..6),
        cut_at in proptest::option::of(1_usize..30),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let fake = Fake::default();
        let faults = failing.len() + usize::from(cut_at.is_some());
        *fake.failing.lock().unwrap() = failing;
        *fake.cut_at.lock().unwrap() = cut_at;
        let bodies: Vec<String> = tasks.iter().map(|task| crash_of(*task)).collect();
        runtime.block_on(deliver(&fake, &bodies));
        for task in &tasks {
            let told = times_told(&fake, *task);
            prop_assert!(told >= 1 && told <= 1 + faults, "task {task} was told {told} times");
        }
        prop_assert!(fake.alerts.lock().unwrap().values().all(|(sent, _)| *sent));
        // All of it once more: not a word.
        let before = fake.published.lock().unwrap().len();
        runtime.block_on(deliver(&fake, &bodies));
        prop_assert_eq!(fake.published.lock().unwrap().len(), before);
    }
}
