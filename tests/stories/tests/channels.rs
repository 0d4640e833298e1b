//! One publish for every channel, as the function's SDK sends it and SNS delivers it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_sqs::config::Credentials;
use crash_alerts::plan::rules::Rules;
use crash_alerts::plan::watch::Limits;
use crash_alerts::{AlarmChoice, Clients, Settings, Topic};
use sandbox::inbox::Inbox;
use sandbox::{Options, Sandbox};
use time::OffsetDateTime;
use time::macros::datetime;
use watchkeeper_alerts::{Message, Notice, Rendered, Report, Wording, render};
use watchkeeper_events::QueueMessage;
use watchkeeper_stops::Severity;

const PATIENCE: Duration = Duration::from_secs(20);
const FIRST: OffsetDateTime = datetime!(2026-11-20 10:00:00 UTC);

async fn clients(sandbox: &Sandbox, topic: &str, fifo_topic: &str, dead_letters: &str) -> Clients {
    let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .endpoint_url(sandbox.endpoint())
        .region(Region::new(sandbox.options().region.clone()))
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"));
    let settings = Settings {
        table: "unused".to_owned(),
        topic: topic.to_owned(),
        fifo_topic: Some(fifo_topic.to_owned()),
        log_lines_in_email: true,
        dead_letter_queue: dead_letters.to_owned(),
        stack: "stories".to_owned(),
        queue: "unused".to_owned(),
        rules: Rules::default(),
        limits: Limits { below_desired: time::Duration::MINUTE, deployment_stuck: time::Duration::HOUR },
        alarms: AlarmChoice { prefix: None, own_prefix: "watchkeeper-stories-".to_owned() },
    };
    Clients::new(&config.load().await, &settings)
}

async fn topic(sandbox: &Sandbox, parameters: &[(&str, &str)]) -> String {
    let made = sandbox.aws().query("sns", "CreateTopic", parameters).await.unwrap();
    made.split_once("<TopicArn>").unwrap().1.split_once("</TopicArn>").unwrap().0.to_owned()
}

/// Hostile text in every place that is from outside.
fn report(number: u32, notice: Notice) -> Report {
    let message = r#"{
        "watchkeeper": "observation", "id": "o-1", "from": "config-sync", "subject": "secret \"ägent\" & <b>",
        "cause": "login-failed", "state": "opened", "severity": "critical", "summary": "it says \"no\"\n\u0007 🔥 % + =",
        "detail": "```\n<!channel> @here", "at": "2026-11-20T10:00:00Z"
    }"#;
    let QueueMessage::Observation(observation) = QueueMessage::parse(message).unwrap() else { panic!() };
    let alert = watchkeeper_alerts::observation(&observation);
    Report {
        incident: "2f6f0d1c-5a0e-5b8e-9c47-6f2a54d1c9b3".to_owned(),
        number,
        notice,
        severity: alert.severity,
        alert,
        count: 1,
        first_at: FIRST,
        last_at: FIRST + time::Duration::minutes(5),
        owner: Some("zahlungen & söhne".to_owned()),
        runbook: Some(String::new()),
        evidence: None,
        notes: Vec::new(),
        speaks_for: Vec::new(),
    }
}

fn rendered(message: &Message) -> Rendered {
    render(message, &Wording { log_lines_in_email: true })
}

#[tokio::test]
async fn what_is_rendered_is_what_each_channel_gets() {
    let sandbox = Sandbox::start(Options::default(), |text| eprintln!("sandbox: {text}")).await.unwrap();
    let standard = topic(&sandbox, &[("Name", "alerts")]).await;
    let fifo = [("Name", "alerts.fifo"), ("Attributes.entry.1.key", "FifoTopic"), ("Attributes.entry.1.value", "true")];
    let fifo = topic(&sandbox, &fifo).await;
    let inbox = Inbox::subscribe(&sandbox, &standard).await.unwrap();
    let fifo_inbox = Inbox::subscribe(&sandbox, &fifo).await.unwrap();
    let clients = clients(&sandbox, &standard, &fifo, "unused").await;

    let opened = rendered(&Message::One(Box::new(report(1, Notice::Opened))));
    clients.publish(&opened).await.unwrap();
    let mail = inbox.wait_for(0, PATIENCE, |_| true).await.unwrap();
    assert_eq!((&mail.subject, &mail.text, &mail.sms), (&opened.subject, &opened.email, &opened.sms));
    assert_eq!((&mail.https, &mail.json), (&opened.https, &opened.json));
    let told: Vec<_> = mail.attributes.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let mut sent: Vec<_> = opened.attributes.iter().map(|(name, value)| (*name, value.string_value())).collect();
    sent.sort();
    assert_eq!(told, sent);

    // Told again after a cut, and over: each queue of the FIFO topic gets what is new, and that once.
    clients.publish(&opened).await.unwrap();
    clients.publish(&rendered(&Message::One(Box::new(report(2, Notice::Resolved))))).await.unwrap();
    fifo_inbox.wait_for(0, PATIENCE, |mail| mail.json["action"] == "resolve").await.unwrap();
    let actions: Vec<_> = fifo_inbox.mails().into_iter().map(|mail| mail.json["action"].clone()).collect();
    assert_eq!(actions, ["trigger", "resolve"]);
    inbox.wait_for(0, PATIENCE, |mail| mail.json["action"] == "resolve").await.unwrap();
    assert_eq!(inbox.mails().len(), 3, "a standard topic drops nothing");

    let many: Vec<_> = (0..100_u32)
        .map(|n| {
            let mut report = report(1, Notice::Opened);
            report.alert.cluster = Some(format!("cluster {n} \"ä\""));
            report
        })
        .collect();
    let digest = Message::Digest {
        id: "7d0f6c1e-96ad-5c3f-8f4b-0a4f2f1e7c55".to_owned(),
        number: 1,
        why: "100 new incidents in 5 minutes".to_owned(),
        over: false,
        storm: true,
        severity: Severity::Error,
        since: FIRST,
        reports: many,
    };
    let digest = rendered(&digest);
    clients.publish(&digest).await.unwrap();
    let mail = inbox.wait_for(3, PATIENCE, |_| true).await.unwrap();
    assert_eq!((&mail.text, &mail.json), (&digest.email, &digest.json));
    assert!(mail.attributes["cluster"].starts_with(r#"["cluster 0 "#), "{:?}", mail.attributes);

    drop((inbox, fifo_inbox));
    sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn people_hear_of_it_also_where_the_fifo_topic_is_gone() {
    let sandbox = Sandbox::start(Options::default(), |text| eprintln!("sandbox: {text}")).await.unwrap();
    let standard = topic(&sandbox, &[("Name", "alerts")]).await;
    let inbox = Inbox::subscribe(&sandbox, &standard).await.unwrap();
    let made = sandbox.aws().query("sqs", "CreateQueue", &[("QueueName", "dead-letters")]).await.unwrap();
    let dead_letters = made.split_once("<QueueUrl>").unwrap().1.split_once("</QueueUrl>").unwrap().0.to_owned();
    let clients = clients(&sandbox, &standard, &format!("{standard}-gone.fifo"), &dead_letters).await;

    let opened = rendered(&Message::One(Box::new(report(1, Notice::Opened))));
    clients.publish(&opened).await.unwrap();
    inbox.wait_for(0, PATIENCE, |mail| mail.subject == opened.subject).await.unwrap();
    let receive = [("QueueUrl", dead_letters.as_str()), ("MessageAttributeName.1", "All")];
    let kept = sandbox.aws().query("sqs", "ReceiveMessage", &receive).await.unwrap();
    assert!(kept.contains("2f6f0d1c-5a0e-5b8e-9c47-6f2a54d1c9b3"), "{kept}");
    assert!(kept.contains("publishing the alert to the FIFO topic"), "{kept}");

    drop(inbox);
    sandbox.stop().await.unwrap();
}
