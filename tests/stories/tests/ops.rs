//! What ops are told through crash-alerts' queue, with a real table: trouble that lasts, once, and that it is over.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Config, Credentials, Region};
use sandbox::{Options, Sandbox};
use stories::table::{TABLE, table};
use time::{Duration, OffsetDateTime};
use watchkeeper_events::{Observation, ObservedState, QueueMessage};
use watchkeeper_ops::{About, Cause, Desk, Place};

const NOW: OffsetDateTime = time::macros::datetime!(2026-11-21 12:00 UTC);
const CAUSE: Cause = Cause {
    word: "sync-trouble",
    severity: "warning",
    begun: "is behind its source",
    over: "is as its source",
    next: "Look at the source.",
};
const ABOUT: About<'_> = About { subject: "secret s", cause: &CAUSE };

/// A function that tells, and the queue that it tells to.
struct Told {
    dynamodb: aws_sdk_dynamodb::Client,
    sqs: Client,
    queue: String,
}

impl Told {
    async fn new(sandbox: &Sandbox) -> Self {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .endpoint_url(sandbox.endpoint())
            .region(Region::new(sandbox.options().region.clone()))
            .credentials_provider(Credentials::new("test", "test", None, None, "tests"));
        let sqs = Client::from_conf(config.build());
        let queue = sqs.create_queue().queue_name("crash-alerts").send().await.unwrap().queue_url.unwrap();
        Self { dynamodb: table(sandbox).await, sqs, queue }
    }

    fn desk(&self, from: &'static str, partition: &'static str) -> Desk {
        let place = Place { table: TABLE, partition, queue: &self.queue, from };
        Desk::new(self.dynamodb.clone(), self.sqs.clone(), place)
    }

    /// What has come since the last look.
    async fn news(&self) -> Vec<Observation> {
        let mut news = Vec::new();
        loop {
            let receive = self.sqs.receive_message().queue_url(&self.queue).max_number_of_messages(10);
            let messages = receive.send().await.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return news;
            }
            for message in messages {
                let QueueMessage::Observation(told) = QueueMessage::parse(message.body().unwrap()).unwrap() else {
                    panic!("{message:?}");
                };
                news.push(*told);
                let delete = self.sqs.delete_message().queue_url(&self.queue);
                delete.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
            }
        }
    }
}

fn after(seconds: i64) -> OffsetDateTime {
    NOW + Duration::seconds(seconds)
}

#[tokio::test]
async fn trouble_that_lasts_is_told_once_and_once_that_it_is_over() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let told = Told::new(&sandbox).await;
    let desk = told.desk("config-sync", "sync-trouble");
    // Another function's troubles are its own, though they are called the same.
    let another = told.desk("another", "other-trouble");
    for seconds in [0, 59] {
        desk.trouble(ABOUT, "the source is denied", after(seconds)).await.unwrap();
        assert_eq!(told.news().await, []);
    }
    for seconds in [60, 61, 3_000] {
        desk.trouble(ABOUT, "the source is denied", after(seconds)).await.unwrap();
        another.trouble(ABOUT, "only once", after(seconds)).await.unwrap();
        another.well(ABOUT, after(seconds)).await.unwrap();
    }
    let opened = Observation {
        id: format!("config-sync sync-trouble secret s {} opened", NOW.unix_timestamp()),
        from: "config-sync".to_owned(),
        subject: "secret s".to_owned(),
        cause: "sync-trouble".to_owned(),
        state: ObservedState::Opened,
        severity: "warning".to_owned(),
        summary: "is behind its source".to_owned(),
        detail: Some("the source is denied".to_owned()),
        next: Some("Look at the source.".to_owned()),
        at: Some(after(60)),
    };
    assert_eq!(told.news().await, std::slice::from_ref(&opened));
    for _ in 0..2 {
        desk.well(ABOUT, after(3_100)).await.unwrap();
    }
    let resolved = Observation {
        id: format!("config-sync sync-trouble secret s {} resolved", NOW.unix_timestamp()),
        state: ObservedState::Resolved,
        summary: "is as its source".to_owned(),
        detail: None,
        next: None,
        at: Some(after(3_100)),
        ..opened
    };
    assert_eq!(told.news().await, [resolved]);
    sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn trouble_that_passes_is_not_told_and_what_is_finished_is_told_now() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let told = Told::new(&sandbox).await;
    let desk = told.desk("config-sync", "sync-trouble");
    // It was over before anybody's patience was, or nobody met it for long: what comes then is new.
    for seconds in [0, 30, 431, 490] {
        desk.trouble(ABOUT, "the source is denied", after(seconds)).await.unwrap();
    }
    desk.well(ABOUT, after(495)).await.unwrap();
    desk.trouble(ABOUT, "the source is denied", after(500)).await.unwrap();
    assert_eq!(told.news().await, []);
    let rolled_back = Observation {
        id: "config-sync version 7 rolled-back".to_owned(),
        from: "config-sync".to_owned(),
        subject: "service agent".to_owned(),
        cause: "rolled-back".to_owned(),
        state: ObservedState::Opened,
        severity: "critical".to_owned(),
        summary: "did not start with its new configuration".to_owned(),
        detail: None,
        next: None,
        at: None,
    };
    desk.tell(&rolled_back).await.unwrap();
    assert_eq!(told.news().await, [rolled_back]);
    sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_wait_is_told_at_once_and_once_for_each_time_that_it_began() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let told = Told::new(&sandbox).await;
    let desk = told.desk("config-sync", "sync-trouble");
    assert!(!desk.open().await.unwrap().has(ABOUT));
    for (began, now) in [(0, 5), (0, 65), (100, 130)] {
        desk.alert(ABOUT, "its tasks do not start", after(began), after(now)).await.unwrap();
    }
    let opened = |began: i64| {
        (format!("config-sync sync-trouble secret s {} opened", after(began).unix_timestamp()), ObservedState::Opened)
    };
    let brief = |news: Vec<Observation>| news.into_iter().map(|one| (one.id, one.state)).collect::<Vec<_>>();
    assert_eq!(brief(told.news().await), [opened(0), opened(100)]);
    let open = desk.open().await.unwrap();
    assert!(open.has(ABOUT) && open.is_told(ABOUT) && !open.has(About { subject: "secret t", cause: &CAUSE }));
    desk.well(ABOUT, after(200)).await.unwrap();
    let resolved = (
        format!("config-sync sync-trouble secret s {} resolved", after(100).unix_timestamp()),
        ObservedState::Resolved,
    );
    assert_eq!(brief(told.news().await), [resolved]);
    assert!(!desk.open().await.unwrap().has(ABOUT));
    sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn what_was_noted_and_could_not_be_told_is_not_taken_for_told() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let told = Told::new(&sandbox).await;
    let nowhere =
        Place { table: TABLE, partition: "sync-trouble", queue: &format!("{}-not", told.queue), from: "config-sync" };
    let cut_off = Desk::new(told.dynamodb.clone(), told.sqs.clone(), nowhere);
    cut_off.alert(ABOUT, "its tasks do not start", after(0), after(1)).await.unwrap_err();
    let desk = told.desk("config-sync", "sync-trouble");
    let open = desk.open().await.unwrap();
    assert!(open.has(ABOUT) && !open.is_told(ABOUT));
    desk.alert(ABOUT, "its tasks do not start", after(0), after(2)).await.unwrap();
    assert_eq!(told.news().await.len(), 1);
    assert!(desk.open().await.unwrap().is_told(ABOUT));
    sandbox.stop().await.unwrap();
}
