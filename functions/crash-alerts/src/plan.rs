//! What a message calls for, and what becomes of incidents: pure decisions.
//!
//! This file makes news of messages; [`life`] makes of news what is stored and told; [`desk`] decides what is told on its own.

pub mod desk;
pub mod incident;
pub mod life;
pub mod rules;
pub mod silence;
pub mod watch;

use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::Alert;
use watchkeeper_events::{
    ActionLevel, AlarmArn, AlarmState, AlarmStateChange, DeploymentOutcome, DeploymentStateChange, Event, Observation,
    ObservedState, QueueMessage, RolloutBegun, ServiceAction, ServiceArn, TaskDefinitionArn, TaskStateChange,
    TaskStatus,
};
use watchkeeper_stops::{Verdict, judge};

use crate::settings::AlarmChoice;
use incident::{Fault, Key, Nature, News, Over};

/// Application Auto Scaling names its own alarms so; they sit in ALARM for weeks.
const TARGET_TRACKING: &str = "TargetTracking-";
/// A sweep that waited longer than this may have been overtaken by the next ones.
const SWEEP_LIFE: Duration = Duration::minutes(2);

/// What to do about one message.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// It is news of an incident. What stopped comes with it: it is evidence.
    Observe(Box<News>, Option<Box<TaskStateChange>>),
    /// Look at the service and, if it is steady, remember its revision.
    RememberSteadyRevision(ServiceArn),
    /// Watchkeeper itself began a rollout: remember it, for what comes of it.
    RememberRollout(Box<RolloutBegun>),
    /// Look at one incident again, by its key's text.
    Look(String),
    /// Time passes: look at everything.
    Sweep {
        /// Whether it waited so long that another one may have begun since.
        is_late: bool,
    },
    /// Nothing, and why.
    Nothing(&'static str),
}

/// What was looked up for the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// Now.
    pub now: OffsetDateTime,
    /// When the message was put into the queue, where SQS says so.
    pub sent_at: Option<OffsetDateTime>,
    /// Whether the alarm of [`alarm_to_look_up`] is tagged for alerts.
    pub alarm_is_tagged: bool,
}

/// The alarm whose tags decide; none where its name does already, or where it would not alert anyway.
#[must_use]
pub fn alarm_to_look_up<'a>(message: &'a QueueMessage, choice: &AlarmChoice) -> Option<&'a AlarmArn> {
    match message {
        QueueMessage::Event(Event::Alarm(change))
            if is_news_of_alarm(change) && !never_chosen(change, choice) && !chosen_by_name(change, choice) =>
        {
            Some(&change.alarm)
        }
        _ => None,
    }
}

/// What a message calls for.
#[must_use]
pub fn plan(message: &QueueMessage, choice: &AlarmChoice, observed: Observed) -> Plan {
    match message {
        QueueMessage::Event(Event::Task(task)) => for_task(task, observed.now),
        QueueMessage::Event(Event::Deployment(deployment)) => for_deployment(deployment, observed.now),
        QueueMessage::Event(Event::ServiceAction(action)) => for_service_action(action, observed.now),
        QueueMessage::Event(Event::Alarm(change)) => for_alarm(change, choice, observed),
        QueueMessage::Event(
            Event::SecretLabelUpdated(_)
            | Event::RotationEnded(_)
            | Event::ParameterChanged(_)
            | Event::ObjectCreated(_),
        ) => Plan::Nothing("a source of configuration changed, which is for another function"),
        QueueMessage::Observation(observation) => for_observation(observation, observed.now),
        QueueMessage::Recheck(_) => Plan::Nothing("a recheck, which is for another function"),
        QueueMessage::Sweep => {
            Plan::Sweep { is_late: observed.sent_at.is_some_and(|sent_at| observed.now - sent_at > SWEEP_LIFE) }
        }
        QueueMessage::Look(incident) => Plan::Look(incident.clone()),
        QueueMessage::Rollout(rollout) => Plan::RememberRollout(rollout.clone()),
    }
}

fn observe(news: News) -> Plan {
    Plan::Observe(Box::new(news), None)
}

fn event(key: Key, at: OffsetDateTime, alert: Alert, deployment: Option<String>) -> News {
    News::Fault(Box::new(Fault { key, nature: Nature::Event, at, alert, deployment }))
}

fn for_task(task: &TaskStateChange, now: OffsetDateTime) -> Plan {
    if task.status != TaskStatus::Stopped {
        return Plan::Nothing("the task has not stopped");
    }
    match judge(task) {
        Verdict::Planned(_) => Plan::Nothing("a planned stop"),
        Verdict::EndedWell => Plan::Nothing("a standalone task that ended well"),
        Verdict::Crashed(_) => crashed(task, now)
            .map_or(Plan::Nothing("no crash"), |news| Plan::Observe(Box::new(news), Some(Box::new(task.clone())))),
    }
}

/// The news of a task that should not have stopped.
#[must_use]
pub fn crashed(task: &TaskStateChange, now: OffsetDateTime) -> Option<News> {
    let Verdict::Crashed(crash) = judge(task) else { return None };
    let key = Key::new(subject_of(task), crash.cause.id());
    let at = task.stopped_at.or(task.origin.time).unwrap_or(now);
    let deployment = task.started_by.clone().filter(|by| by.starts_with("ecs-svc/"));
    Some(event(key, at, watchkeeper_alerts::crash(task, &crash), deployment))
}

/// Whether a standalone task did its work.
#[must_use]
pub fn ended_well(task: &TaskStateChange) -> bool {
    task.status == TaskStatus::Stopped && judge(task) == Verdict::EndedWell
}

/// What a task's incidents are about: its service; of a standalone one its family.
#[must_use]
pub fn subject_of(task: &TaskStateChange) -> String {
    if let Some(service) = task.service_arn() {
        return about_service(&service);
    }
    let family = task.task_definition.as_ref().map(TaskDefinitionArn::family);
    let group = task.group.as_deref().and_then(|group| group.strip_prefix("family:"));
    format!("family#{} {}", task.cluster, family.or(group).unwrap_or(task.task.id()))
}

/// What a service's incidents are about.
#[must_use]
pub fn about_service(service: &ServiceArn) -> String {
    format!("service#{service}")
}

fn for_deployment(deployment: &DeploymentStateChange, now: OffsetDateTime) -> Plan {
    let at = deployment.updated_at.or(deployment.origin.time).unwrap_or(now);
    let fault = |alert: Alert| {
        let key = Key::new(about_service(&deployment.service), alert.cause.clone());
        observe(event(key, at, alert, deployment.deployment_id.clone()))
    };
    match deployment.outcome {
        DeploymentOutcome::Failed => fault(watchkeeper_alerts::deployment_failed(deployment)),
        DeploymentOutcome::RollingBack => fault(watchkeeper_alerts::rollback(deployment)),
        DeploymentOutcome::Completed => Plan::RememberSteadyRevision(deployment.service.clone()),
        DeploymentOutcome::InProgress => Plan::Nothing("a deployment that has begun"),
        DeploymentOutcome::Other(_) => Plan::Nothing("news of a deployment that is not known here"),
    }
}

fn for_service_action(action: &ServiceAction, now: OffsetDateTime) -> Plan {
    match (&action.level, action.name.as_str()) {
        (ActionLevel::Warn | ActionLevel::Error, _) => {
            let alert = watchkeeper_alerts::service_action(action);
            let key = Key::new(about_service(&action.service), alert.cause.clone());
            let at = action.created_at.or(action.origin.time).unwrap_or(now);
            observe(event(key, at, alert, action.deployment_id.clone()))
        }
        (_, "SERVICE_STEADY_STATE" | "SERVICE_DEPLOYMENT_COMPLETED") => {
            Plan::RememberSteadyRevision(action.service.clone())
        }
        _ => Plan::Nothing("a service action that is no trouble"),
    }
}

fn for_observation(observation: &Observation, now: OffsetDateTime) -> Plan {
    let alert = watchkeeper_alerts::observation(observation);
    let subject = format!("observation#{}", observation.subject);
    let at = observation.at.unwrap_or(now);
    let fault = |key: Key, alert: Alert| Box::new(Fault { key, nature: Nature::State, at, alert, deployment: None });
    observe(match observation.state {
        ObservedState::Opened => News::Fault(fault(Key::new(subject, &observation.cause), alert)),
        ObservedState::Resolved => {
            News::Over(Over { key: Key::new(subject, &observation.cause), at, words: observation.summary.clone() })
        }
        // Each is told: what is done is no state that could repeat.
        ObservedState::Done => {
            News::Done(fault(Key::new(subject, format!("{} {}", observation.cause, observation.id)), alert))
        }
    })
}

fn for_alarm(change: &AlarmStateChange, choice: &AlarmChoice, observed: Observed) -> Plan {
    if !is_news_of_alarm(change) {
        return Plan::Nothing("an alarm that neither went off nor came back from it");
    }
    if never_chosen(change, choice) {
        return Plan::Nothing("an alarm of target tracking, or our own");
    }
    if !chosen_by_name(change, choice) && !observed.alarm_is_tagged {
        return Plan::Nothing("an alarm that is not chosen");
    }
    let key = Key::new(format!("alarm#{}", change.alarm), "alarm");
    let at = change.since.or(change.origin.time).unwrap_or(observed.now);
    observe(if change.state == AlarmState::Alarm {
        let alert = watchkeeper_alerts::alarm(change);
        News::Fault(Box::new(Fault { key, nature: Nature::State, at, alert, deployment: None }))
    } else {
        News::Over(Over { key, at, words: "the alarm is back in OK".to_owned() })
    })
}

/// Each OK counts: one that comes by way of `INSUFFICIENT_DATA` ends an alarm, too.
fn is_news_of_alarm(change: &AlarmStateChange) -> bool {
    matches!(change.state, AlarmState::Alarm | AlarmState::Ok)
}

fn never_chosen(change: &AlarmStateChange, choice: &AlarmChoice) -> bool {
    change.name.starts_with(TARGET_TRACKING) || change.name.starts_with(&choice.own_prefix)
}

fn chosen_by_name(change: &AlarmStateChange, choice: &AlarmChoice) -> bool {
    choice.prefix.as_ref().is_some_and(|prefix| change.name.starts_with(prefix))
}
