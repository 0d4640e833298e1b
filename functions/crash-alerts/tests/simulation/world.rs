//! Services, standalone tasks, alarms and what other functions observe, with the messages that these make.

use std::collections::HashMap;
use std::sync::LazyLock;

use crash_alerts::plan::about_service;
use crash_alerts::plan::incident::{Fault, Key, Nature, News, Over, Tags};
use crash_alerts::plan::life::Health;
use crash_alerts::{Look, Seen};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::{Alert, AlertKey, Kind};
use watchkeeper_events::{Event, Observation, ObservedState, QueueMessage, RolloutBegun, ServiceArn, TaskStateChange};
use watchkeeper_stops::Severity;

use crate::clock::BEGINNING;

pub(crate) const SERVICES: u8 = 16;
/// Nobody wants to hear of it.
pub(crate) const IGNORED: u8 = 14;
/// Its tag silences one cause.
pub(crate) const HALF_SILENT: u8 = 13;

static CRASH: LazyLock<Value> = LazyLock::new(|| sample("task-stopped-exit-1"));
static FAILURE: LazyLock<Value> = LazyLock::new(|| sample("deployment-failed"));
static ALARM: LazyLock<Value> = LazyLock::new(|| sample("alarm-unhealthy-hosts"));

fn sample(name: &str) -> Value {
    let path = format!("{}/../../shared/events/tests/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub(crate) fn service(number: u8) -> ServiceArn {
    ServiceArn::parse(&format!("arn:aws:ecs:eu-west-1:123456789012:service/dbward/s{number}")).unwrap()
}

pub(crate) fn number_of(service: &ServiceArn) -> u8 {
    service.name()[1..].parse().unwrap()
}

fn text(moment: OffsetDateTime) -> String {
    moment.format(&Rfc3339).unwrap()
}

#[derive(Debug, Default)]
pub(crate) struct Service {
    /// It is unwell between these.
    pub(crate) broken: Option<(OffsetDateTime, OffsetDateTime)>,
    deployment: u32,
    pub(crate) rollouts: Vec<(OffsetDateTime, OffsetDateTime)>,
}

impl Service {
    fn is_well(&self, now: OffsetDateTime) -> bool {
        self.broken.is_none_or(|(from, until)| now < from || now >= until)
    }
}

/// A service that is seen to run too little.
#[derive(Debug, Clone, Copy)]
struct Below {
    since: OffsetDateTime,
    number: u64,
    /// Since when it runs nothing at all.
    nothing: Option<OffsetDateTime>,
}

pub(crate) struct World {
    pub(crate) services: Vec<Service>,
    alarms: [bool; 4],
    opened: [bool; 4],
    below: Vec<Option<Below>>,
    stops: Vec<TaskStateChange>,
    /// The look gives them again and again, until they are dealt with.
    news: Vec<News>,
    numbers: u64,
}

/// When it was so, of a fault.
fn at(news: &News) -> Option<OffsetDateTime> {
    match news {
        News::Fault(fault) => Some(fault.at),
        _ => None,
    }
}

impl Below {
    fn news(self, number: u8) -> News {
        let key = Key::new(about_service(&service(number)), "below-desired");
        let (severity, summary) = match self.nothing {
            Some(_) => (Severity::Critical, "runs nothing"),
            None => (Severity::Error, "runs less than it should"),
        };
        let alert = Alert {
            key: AlertKey { subject: key.subject.clone(), occurrence: format!("below-desired#{}", self.number) },
            kind: Kind::TasksMissing,
            severity,
            cause: "below-desired".to_owned(),
            about: format!("s{number}"),
            cluster: Some("dbward".to_owned()),
            service: Some(format!("s{number}")),
            summary: summary.to_owned(),
            facts: Vec::new(),
            next_step: None,
            links: Vec::new(),
        };
        News::Fault(Box::new(Fault { key, nature: Nature::State, at: self.since, alert, deployment: None }))
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let services = (0..SERVICES).map(|_| Service::default()).collect();
        let below = vec![None; usize::from(SERVICES)];
        let (stops, news) = (Vec::new(), Vec::new());
        Self { services, alarms: [false; 4], opened: [false; 4], below, stops, news, numbers: 0 }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(crate) fn is_well(&self, service: u8, now: OffsetDateTime) -> bool {
        self.services[usize::from(service)].is_well(now) && self.below[usize::from(service)].is_none()
    }

    /// Since when it runs nothing at all.
    pub(crate) fn runs_nothing(&self, service: u8) -> Option<OffsetDateTime> {
        self.below[usize::from(service)]?.nothing
    }

    /// It is unwell from now on.
    pub(crate) fn breaks(&mut self, service: u8, now: OffsetDateTime, how_long: Duration) {
        let broken = &mut self.services[usize::from(service)].broken;
        *broken = match *broken {
            Some((from, until)) if until >= now => Some((from, until.max(now + how_long))),
            _ => Some((now, now + how_long)),
        };
    }

    /// A task of a service stopped that should not have: of its newest deployment, or of the one before.
    pub(crate) fn crash(&mut self, service: u8, of_before: bool, by_memory: bool, now: OffsetDateTime) -> String {
        let deployment = self.services[usize::from(service)].deployment
            - u32::from(of_before).min(self.services[usize::from(service)].deployment);
        let event = self.stop(
            &format!("service:s{service}"),
            &format!("ecs-svc/{service}{deployment:06}"),
            if by_memory { 137 } else { 1 },
            now,
        );
        self.stopped(&event)
    }

    /// A standalone task stopped.
    pub(crate) fn standalone(&mut self, family: u8, ends_well: bool, now: OffsetDateTime) -> String {
        let event = self.stop(&format!("family:f{family}"), "somebody", i32::from(!ends_well), now);
        self.stopped(&event)
    }

    fn stop(&mut self, group: &str, by: &str, exit_code: i32, now: OffsetDateTime) -> Value {
        let mut event = CRASH.clone();
        let number = self.number();
        event["id"] = json!(format!("event-{number}"));
        event["time"] = json!(text(now));
        let detail = &mut event["detail"];
        detail["taskArn"] = json!(format!("arn:aws:ecs:eu-west-1:123456789012:task/dbward/{number:032x}"));
        detail["group"] = json!(group);
        detail["startedBy"] = json!(by);
        if let Some(family) = group.strip_prefix("family:") {
            detail["taskDefinitionArn"] =
                json!(format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/{family}:1"));
        }
        detail["containers"][0]["exitCode"] = json!(exit_code);
        if exit_code == 137 {
            let reason = "OutOfMemoryError: Container killed due to memory usage";
            detail["containers"][0]["reason"] = json!(reason);
        }
        detail["createdAt"] = json!(text(now - Duration::minutes(9)));
        detail["startedAt"] = json!(text(now - Duration::minutes(8)));
        detail["stoppingAt"] = json!(text(now - Duration::seconds(20)));
        detail["stoppedAt"] = json!(text(now));
        event
    }

    fn stopped(&mut self, event: &Value) -> String {
        let body = event.to_string();
        if let Ok(QueueMessage::Event(Event::Task(task))) = QueueMessage::parse(&body) {
            self.stops.push(*task);
        }
        body
    }

    /// A deployment is made.
    pub(crate) fn deploys(&mut self, service: u8) {
        self.services[usize::from(service)].deployment += 1;
    }

    /// The newest deployment failed, or is rolled back.
    pub(crate) fn deployment_news(&mut self, service_number: u8, rolls_back: bool, now: OffsetDateTime) -> String {
        let mut event = FAILURE.clone();
        let number = self.number();
        event["id"] = json!(format!("event-{number}"));
        event["time"] = json!(text(now));
        event["resources"] = json!([service(service_number).as_str()]);
        let deployment = self.services[usize::from(service_number)].deployment;
        event["detail"]["deploymentId"] = json!(format!("ecs-svc/{service_number}{deployment:06}"));
        event["detail"]["updatedAt"] = json!(text(now));
        if rolls_back {
            event["detail"]["eventName"] = json!("SERVICE_DEPLOYMENT_IN_PROGRESS");
            event["detail"]["reason"] =
                json!("ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.");
        }
        event.to_string()
    }

    /// Watchkeeper itself makes a deployment.
    pub(crate) fn rolls_out(&mut self, number: u8, now: OffsetDateTime) -> String {
        self.deploys(number);
        let until = now + Duration::minutes(5);
        let of = &mut self.services[usize::from(number)];
        of.rollouts.push((now, until));
        let deployment = Some(format!("ecs-svc/{number}{:06}", of.deployment));
        RolloutBegun { service: service(number), deployment, began: now, until }.message().to_string()
    }

    /// An alarm goes off, or comes back; none if it is so already.
    pub(crate) fn alarm(&mut self, number: u8, goes_off: bool, now: OffsetDateTime) -> Option<String> {
        let is_off = &mut self.alarms[usize::from(number) % 4];
        if *is_off == goes_off {
            return None;
        }
        *is_off = goes_off;
        let number = number % 4;
        let mut event = ALARM.clone();
        let states = if goes_off { ("ALARM", "OK") } else { ("OK", "ALARM") };
        event["time"] = json!(text(now));
        event["resources"] = json!([format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a{number}")]);
        event["detail"]["alarmName"] = json!(format!("a{number}"));
        event["detail"]["state"]["value"] = json!(states.0);
        event["detail"]["state"]["timestamp"] = json!(text(now));
        event["detail"]["previousState"]["value"] = json!(states.1);
        Some(event.to_string())
    }

    /// Another function observes something; none if it is so already.
    pub(crate) fn observed(&mut self, number: u8, state: ObservedState, now: OffsetDateTime) -> Option<String> {
        let number = number % 4;
        let is_open = &mut self.opened[usize::from(number)];
        match state {
            ObservedState::Opened if !*is_open => *is_open = true,
            ObservedState::Resolved if *is_open => *is_open = false,
            ObservedState::Done => {}
            _ => return None,
        }
        let id = self.number();
        let observation = Observation {
            id: format!("observation {id}"),
            from: "config-sync".to_owned(),
            subject: format!("secret {number}"),
            cause: "login-failed".to_owned(),
            state,
            severity: "error".to_owned(),
            summary: "the database takes its password no more".to_owned(),
            detail: None,
            next: None,
            at: Some(now),
        };
        Some(observation.message().to_string())
    }

    /// From outside a service is seen to run too little, or enough again.
    pub(crate) fn below(&mut self, number: u8, is_below: bool, now: OffsetDateTime) -> Option<News> {
        if self.below[usize::from(number)].is_some() == is_below {
            return None;
        }
        let news = if is_below {
            let below = Below { since: now, number: self.number(), nothing: None };
            self.below[usize::from(number)] = Some(below);
            below.news(number)
        } else {
            self.below[usize::from(number)] = None;
            let key = Key::new(about_service(&service(number)), "below-desired");
            News::Over(Over { key, at: now, words: "it runs all it should".to_owned() })
        };
        self.news.push(news.clone());
        Some(news)
    }

    /// What runs too little runs nothing at all, or something again.
    pub(crate) fn worsens(&mut self, number: u8, to_nothing: bool, now: OffsetDateTime) {
        if let Some(below) = &mut self.below[usize::from(number)] {
            below.nothing = to_nothing.then(|| below.nothing.unwrap_or(now));
        }
    }

    /// All is well from now on; the messages that say so.
    pub(crate) fn calms(&mut self, now: OffsetDateTime) -> Vec<String> {
        for service in &mut self.services {
            if let Some((_, until)) = &mut service.broken {
                *until = now.min(*until);
            }
        }
        let mut messages = Vec::new();
        for number in 0..4 {
            messages.extend(self.alarm(number, false, now));
            messages.extend(self.observed(number, ObservedState::Resolved, now));
        }
        messages
    }

    pub(crate) fn see(&self, services: &[ServiceArn]) -> HashMap<ServiceArn, Seen> {
        let now = crate::clock::now();
        let see = |arn: &ServiceArn| {
            let number = number_of(arn);
            let is_well = self.is_well(number, now);
            let words = if is_well { "2 of 2 tasks run." } else { "1 of 2 tasks run." }.to_owned();
            let silence = (number == HALF_SILENT).then(|| "always cause=out-of-memory".to_owned());
            let health = Health { is_well, words, tags: Tags { silence, ..Tags::default() } };
            (arn.clone(), Seen { health, is_ignored: number == IGNORED })
        };
        services.iter().map(see).collect()
    }

    pub(crate) fn look(&self) -> Look {
        let (mut news, stopped) = (self.news.clone(), self.stops.clone());
        // What lasts is seen by every look, as it is by then.
        let lasting = (0..).zip(&self.below).filter_map(|(number, below)| Some(below.as_ref()?.news(number)));
        let lasting: Vec<_> = lasting.collect();
        let lasts = |news: &News| lasting.iter().any(|one| one.key() == news.key() && at(one) == at(news));
        news.retain(|news| !lasts(news));
        news.extend(lasting);
        Look { news, stopped, ignored: vec![service(IGNORED)], watched: None }
    }

    /// What was dealt with is not given again.
    pub(crate) fn settle(&mut self, look: &Look) {
        self.news.retain(|kept| !look.news.contains(kept));
        self.stops.retain(|kept| !look.stopped.contains(kept));
    }

    /// A time at which the silence of the settings is on.
    pub(crate) fn silence() -> (OffsetDateTime, OffsetDateTime) {
        (BEGINNING + Duration::minutes(5), BEGINNING + Duration::minutes(20))
    }
}
