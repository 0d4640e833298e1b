//! What a message calls for: a pure decision.

use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::Alert;
use watchkeeper_events::{
    ActionLevel, AlarmArn, AlarmState, AlarmStateChange, DeploymentOutcome, DeploymentStateChange, Event, QueueMessage,
    ServiceAction, ServiceArn, TaskStateChange, TaskStatus,
};
use watchkeeper_stops::{Verdict, judge};

use crate::settings::AlarmChoice;

/// Application Auto Scaling names its own alarms so; they sit in ALARM for weeks.
const TARGET_TRACKING: &str = "TargetTracking-";
/// A sweep that waited longer than this has been overtaken by the next ones.
const SWEEP_LIFE: Duration = Duration::minutes(2);

/// What to do about one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Tell ops, once.
    Alert(Box<Alert>),
    /// Look at the service and, if it is steady, remember its revision.
    RememberSteadyRevision(ServiceArn),
    /// Look whether somebody hears the alerts.
    CheckSubscriptions,
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
            if news_of_alarm(change).is_some() && !never_chosen(change, choice) && !chosen_by_name(change, choice) =>
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
        QueueMessage::Event(Event::Task(task)) => for_task(task),
        QueueMessage::Event(Event::Deployment(deployment)) => for_deployment(deployment),
        QueueMessage::Event(Event::ServiceAction(action)) => for_service_action(action),
        QueueMessage::Event(Event::Alarm(change)) => for_alarm(change, choice, observed),
        QueueMessage::Event(
            Event::SecretLabelUpdated(_)
            | Event::RotationEnded(_)
            | Event::ParameterChanged(_)
            | Event::ObjectCreated(_),
        ) => Plan::Nothing("a source of configuration changed, which is for another function"),
        QueueMessage::Observation(observation) => alert(watchkeeper_alerts::observation(observation)),
        QueueMessage::Recheck(_) => Plan::Nothing("a recheck, which is for another function"),
        QueueMessage::Sweep => match observed.sent_at {
            Some(sent_at) if observed.now - sent_at > SWEEP_LIFE => Plan::Nothing("a sweep that came too late"),
            _ => Plan::CheckSubscriptions,
        },
    }
}

fn alert(alert: Alert) -> Plan {
    Plan::Alert(Box::new(alert))
}

fn for_task(task: &TaskStateChange) -> Plan {
    if task.status != TaskStatus::Stopped {
        return Plan::Nothing("the task has not stopped");
    }
    match judge(task) {
        Verdict::Planned(_) => Plan::Nothing("a planned stop"),
        Verdict::EndedWell => Plan::Nothing("a standalone task that ended well"),
        Verdict::Crashed(crash) => alert(watchkeeper_alerts::crash(task, &crash)),
    }
}

fn for_deployment(deployment: &DeploymentStateChange) -> Plan {
    match deployment.outcome {
        DeploymentOutcome::Failed => alert(watchkeeper_alerts::deployment_failed(deployment)),
        DeploymentOutcome::RollingBack => alert(watchkeeper_alerts::rollback(deployment)),
        DeploymentOutcome::Completed => Plan::RememberSteadyRevision(deployment.service.clone()),
        DeploymentOutcome::InProgress => Plan::Nothing("a deployment that has begun"),
        DeploymentOutcome::Other(_) => Plan::Nothing("news of a deployment that is not known here"),
    }
}

fn for_service_action(action: &ServiceAction) -> Plan {
    match (&action.level, action.name.as_str()) {
        (ActionLevel::Warn | ActionLevel::Error, _) => alert(watchkeeper_alerts::service_action(action)),
        (_, "SERVICE_STEADY_STATE" | "SERVICE_DEPLOYMENT_COMPLETED") => {
            Plan::RememberSteadyRevision(action.service.clone())
        }
        _ => Plan::Nothing("a service action that is no trouble"),
    }
}

fn for_alarm(change: &AlarmStateChange, choice: &AlarmChoice, observed: Observed) -> Plan {
    let Some(news) = news_of_alarm(change) else {
        return Plan::Nothing("an alarm that neither went off nor came back from it");
    };
    if never_chosen(change, choice) {
        return Plan::Nothing("an alarm of target tracking, or our own");
    }
    if !chosen_by_name(change, choice) && !observed.alarm_is_tagged {
        return Plan::Nothing("an alarm that is not chosen");
    }
    alert(news(change))
}

/// The alert that an alarm's change would be.
fn news_of_alarm(change: &AlarmStateChange) -> Option<fn(&AlarmStateChange) -> Alert> {
    match (&change.state, &change.previous) {
        (AlarmState::Alarm, _) => Some(watchkeeper_alerts::alarm),
        (AlarmState::Ok, Some(AlarmState::Alarm)) => Some(watchkeeper_alerts::alarm_ok),
        _ => None,
    }
}

fn never_chosen(change: &AlarmStateChange, choice: &AlarmChoice) -> bool {
    change.name.starts_with(TARGET_TRACKING) || change.name.starts_with(&choice.own_prefix)
}

fn chosen_by_name(change: &AlarmStateChange, choice: &AlarmChoice) -> bool {
    choice.prefix.as_ref().is_some_and(|prefix| change.name.starts_with(prefix))
}
