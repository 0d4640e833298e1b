//! AWS for invocations side by side: the real table, and a topic that keeps what it is told.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use crash_alerts::evidence::{ServiceSeen, SteadyRevisions};
use crash_alerts::plan::desk::Desk;
use crash_alerts::plan::incident::{Incident, Key};
use crash_alerts::plan::rules::Rules;
use crash_alerts::plan::watch::Limits;
use crash_alerts::{
    AlarmChoice, Alarms, Changes, Clients, Committed, DeadLetters, Function, Invocation, Known, Later, Look, Seen,
    Services, Settings, Sights, Store, Stored, Subscriptions, Topic, Trouble,
};
use sandbox::Sandbox;
use serde_json::json;
use stories::table::TABLE;
use time::OffsetDateTime;
use watchkeeper_alerts::{AlertKey, Evidence, Rendered};
use watchkeeper_events::{AlarmArn, ClusterArn, RolloutBegun, ServiceArn, TaskDefinitionArn, TaskStateChange};
use watchkeeper_lease as lease;

pub(crate) const MINUTE: time::Duration = time::Duration::MINUTE;

/// How far the clock was put forward, in seconds.
static FORWARD: AtomicI64 = AtomicI64::new(0);
static INVOCATIONS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn clock() -> OffsetDateTime {
    OffsetDateTime::now_utc() + time::Duration::seconds(FORWARD.load(Ordering::SeqCst))
}

pub(crate) fn passes(span: time::Duration) {
    FORWARD.fetch_add(span.whole_seconds(), Ordering::SeqCst);
}

pub(crate) fn settings() -> Settings {
    Settings {
        table: TABLE.to_owned(),
        topic: "t".to_owned(),
        fifo_topic: None,
        log_lines_in_email: true,
        dead_letter_queue: "q".to_owned(),
        stack: "s".to_owned(),
        queue: "q".to_owned(),
        alarms: AlarmChoice { prefix: None, own_prefix: "s-".to_owned() },
        // No digests: each message is told alone.
        rules: Rules { storm_incidents: 1_000, messages_a_minute: 1_000, crowd: 1_000, ..Rules::default() },
        limits: Limits::from_env(|_| Some("10".to_owned())).unwrap(),
    }
}

pub(crate) fn clients(sandbox: &Sandbox) -> Clients {
    let credentials = Credentials::new("test", "test", None, None, "tests");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(sandbox.endpoint())
        .region(Region::new(sandbox.options().region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    Clients::new(&config, &settings())
}

fn batch(bodies: &[String]) -> SqsEvent {
    let mut event = SqsEvent::default();
    for (number, body) in bodies.iter().enumerate() {
        let mut message = SqsMessage::default();
        message.message_id = Some(number.to_string());
        message.body = Some(body.clone());
        event.records.push(message);
    }
    event
}

fn one() -> Invocation {
    let number = INVOCATIONS.fetch_add(1, Ordering::SeqCst);
    Invocation { request_id: number.to_string(), deadline: clock() + time::Duration::seconds(30) }
}

/// One invocation, cut off after so many milliseconds: what comes again, and whether it was.
pub(crate) async fn invocation(aws: Aws, bodies: Vec<String>, cut: Option<u64>) -> (Vec<String>, bool) {
    let function = Function::new(aws, settings()).by_clock(clock);
    let invocation = one();
    let flight = Box::pin(function.batch(batch(&bodies), &invocation));
    let answer = match cut {
        Some(cut) => tokio::time::timeout(std::time::Duration::from_millis(cut), flight).await.ok(),
        None => Some(flight.await),
    };
    match answer {
        None => (bodies, true),
        Some(answer) => {
            let failed = answer.batch_item_failures.iter();
            let failed = failed.map(|failure| bodies[failure.item_identifier.parse::<usize>().unwrap()].clone());
            (failed.collect(), false)
        }
    }
}

pub(crate) async fn sweep(function: &Function<Aws>) {
    let (sweep, invocation) = (batch(&[json!({"watchkeeper": "sweep"}).to_string()]), one());
    let answer = Box::pin(function.batch(sweep, &invocation)).await;
    assert!(answer.batch_item_failures.is_empty());
}

/// What was told: incident, number and state.
pub(crate) type Told = Arc<Mutex<Vec<(String, u64, String)>>>;

#[derive(Clone)]
pub(crate) struct Aws {
    pub(crate) clients: Clients,
    pub(crate) told: Told,
}

impl Store for Aws {
    async fn read(&self, key: &Key, faults: &[AlertKey], service: Option<&ServiceArn>) -> Result<Known, Trouble> {
        self.clients.read(key, faults, service).await
    }

    async fn commit(&self, changes: &Changes, now: OffsetDateTime) -> Result<Committed, Trouble> {
        self.clients.commit(changes, now).await
    }

    async fn incident(&self, key: &str) -> Result<Option<Stored<Incident>>, Trouble> {
        self.clients.incident(key).await
    }

    async fn live(&self, subject: Option<&str>) -> Result<Vec<Stored<Incident>>, Trouble> {
        self.clients.live(subject).await
    }

    async fn desk(&self) -> Result<Stored<Desk>, Trouble> {
        self.clients.desk().await
    }

    async fn evidence(&self, incident: &str) -> Result<Option<Evidence>, Trouble> {
        self.clients.evidence(incident).await
    }

    async fn keep_evidence(&self, incident: &str, evidence: &Evidence, now: OffsetDateTime) -> Result<(), Trouble> {
        self.clients.keep_evidence(incident, evidence, now).await
    }

    async fn remember_rollout(&self, rollout: &RolloutBegun) -> Result<(), Trouble> {
        self.clients.remember_rollout(rollout).await
    }

    async fn remember_steady(
        &self,
        subject: &str,
        revision: &TaskDefinitionArn,
        seen_at: OffsetDateTime,
    ) -> Result<(), Trouble> {
        self.clients.remember_steady(subject, revision, seen_at).await
    }

    async fn last_steady(&self, subject: &str) -> Result<Option<SteadyRevisions>, Trouble> {
        self.clients.last_steady(subject).await
    }
}

impl lease::Store for Aws {
    async fn step(&self, key: &lease::Key, step: &lease::Step) -> Result<lease::Answer, lease::Trouble> {
        lease::Store::step(&self.clients, key, step).await
    }

    async fn unattended(&self, kind: lease::Kind, now: OffsetDateTime) -> Result<Vec<lease::Key>, lease::Trouble> {
        lease::Store::unattended(&self.clients, kind, now).await
    }
}

impl Topic for Aws {
    async fn publish(&self, rendered: &Rendered) -> Result<String, Trouble> {
        let json = &rendered.json;
        let word = |name: &str| json[name].as_str().unwrap().to_owned();
        let told = (word("incident"), json["number"].as_u64().unwrap(), word("state"));
        self.told.lock().unwrap().push(told);
        Ok("sns".to_owned())
    }

    async fn subscriptions(&self) -> Result<Subscriptions, Trouble> {
        Ok(Subscriptions { confirmed: 1, pending: 0 })
    }
}

impl Sights for Aws {
    async fn services(&self, _: &[ServiceArn]) -> Result<HashMap<ServiceArn, Seen>, Trouble> {
        Ok(HashMap::new())
    }

    async fn gather(&self, _: &Incident, _: Option<&TaskStateChange>, _: Option<Evidence>) -> Evidence {
        Evidence::default()
    }

    async fn look(&self, _: OffsetDateTime) -> Result<Look, Trouble> {
        Ok(Look::default())
    }

    async fn settle(&self, _: &Look) -> Result<(), Trouble> {
        Ok(())
    }
}

impl Services for Aws {
    async fn describe(&self, _: &ClusterArn, _: &[ServiceArn]) -> Result<Vec<ServiceSeen>, Trouble> {
        Ok(Vec::new())
    }
}

impl Alarms for Aws {
    async fn is_tagged(&self, _: &AlarmArn) -> Result<bool, Trouble> {
        Ok(true)
    }
}

impl DeadLetters for Aws {
    async fn put(&self, body: &str, reason: &str, _: &str) -> Result<(), Trouble> {
        unreachable!("{reason}: {body}")
    }
}

impl Later for Aws {
    async fn look_again(&self, _: &str, _: std::time::Duration) -> Result<(), Trouble> {
        Ok(())
    }
}
