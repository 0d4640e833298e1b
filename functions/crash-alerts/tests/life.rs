//! What becomes of an incident, by stories told in minutes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use crash_alerts::plan::desk::Desk;
use crash_alerts::plan::incident::{Fault, Incident, Key, Nature, News, Over, Phase, Rest, Tags, Voice};
use crash_alerts::plan::life::{self, Health, Outcome, Rollout, Scene, Turn};
use crash_alerts::plan::rules::Rules;
use crash_alerts::plan::silence;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::{Alert, AlertKey, Kind};
use watchkeeper_stops::Severity;

const BEGIN: OffsetDateTime = datetime!(2026-11-21 01:00 UTC);
const AGENT: &str = "service#arn:aws:ecs:eu-west-1:123456789012:service/prod/agent";

/// One incident and what is around it, with a clock that the test moves.
struct Story {
    now: OffsetDateTime,
    rules: Rules,
    incident: Option<Incident>,
    rest: Option<Rest>,
    siblings: Vec<Incident>,
    health: Option<Health>,
    rollout: Option<Rollout>,
    desk: Desk,
    told: Vec<String>,
    tasks: usize,
}

fn key(cause: &str) -> Key {
    Key::new(AGENT, cause)
}

fn health(is_well: bool) -> Health {
    Health { is_well, words: "2 of 2 tasks run".to_owned(), tags: Tags::default() }
}

fn fault(
    kind: Kind,
    cause: &str,
    nature: Nature,
    at: OffsetDateTime,
    occurrence: &str,
    deployment: Option<&str>,
) -> Fault {
    let alert = Alert {
        key: AlertKey { subject: format!("task#{occurrence}"), occurrence: "stopped".to_owned() },
        kind,
        severity: Severity::Error,
        cause: cause.to_owned(),
        about: "agent".to_owned(),
        cluster: Some("prod".to_owned()),
        service: Some("agent".to_owned()),
        summary: "exited with code 1".to_owned(),
        facts: Vec::new(),
        next_step: None,
        links: Vec::new(),
    };
    Fault { key: key(cause), nature, at, alert, deployment: deployment.map(str::to_owned) }
}

fn missing(running: u32, since: OffsetDateTime) -> Fault {
    let mut fault = fault(Kind::TasksMissing, "below-desired", Nature::State, since, &format!("below-{since}"), None);
    fault.alert.severity = if running == 0 { Severity::Critical } else { Severity::Error };
    fault.alert.summary = format!("{running} of its 2 tasks run");
    fault
}

impl Story {
    fn new() -> Self {
        Self {
            now: BEGIN,
            rules: Rules::default(),
            incident: None,
            rest: None,
            siblings: Vec::new(),
            health: None,
            rollout: None,
            desk: Desk::default(),
            told: Vec::new(),
            tasks: 0,
        }
    }

    fn scene<'a>(&'a self, rules: &'a Rules) -> Scene<'a> {
        Scene {
            now: self.now,
            rules,
            service: self.health.as_ref(),
            siblings: &self.siblings,
            rollout: self.rollout.as_ref(),
            storm: self.desk.storms(),
        }
    }

    fn news(&mut self, news: News) {
        let rules = self.rules.clone();
        match life::observe(self.incident.clone(), self.rest.as_ref(), &[news], self.scene(&rules)) {
            Outcome::Nothing => {}
            Outcome::Rest(rest) => self.rest = Some(rest),
            Outcome::Turn(turn) => self.take(*turn),
        }
    }

    fn crash(&mut self) {
        self.crash_of("ecs-svc/1");
    }

    fn crash_of(&mut self, deployment: &str) {
        self.crash_as(deployment, Severity::Error);
    }

    fn crash_as(&mut self, deployment: &str, severity: Severity) {
        self.tasks += 1;
        let occurrence = format!("{deployment}-{}", self.tasks);
        let mut fault = fault(Kind::Crash, "application-exit", Nature::Event, self.now, &occurrence, Some(deployment));
        fault.alert.severity = severity;
        self.news(News::Fault(Box::new(fault)));
    }

    /// From outside it is seen that so many of its two tasks run, since `since`.
    fn missing(&mut self, running: u32, since: OffsetDateTime) {
        let fault = missing(running, since);
        // As the table would know it.
        let is_known = self.incident.is_some();
        if !is_known {
            self.news(News::Fault(Box::new(fault)));
        } else if self.incident.as_ref().unwrap().follows(&fault, self.now) {
            self.news(News::Again(Box::new(fault)));
        }
    }

    fn alarm(&mut self, at: OffsetDateTime) {
        let fault = fault(Kind::Alarm, "alarm", Nature::State, at, &format!("alarm-{at}"), None);
        self.news(News::Fault(Box::new(fault)));
    }

    fn alarm_over(&mut self, at: OffsetDateTime) {
        self.news(News::Over(Over { key: key("alarm"), at, words: "the alarm is back in OK".to_owned() }));
    }

    fn take(&mut self, mut turn: Turn) {
        let (notice, count) = (turn.notice, turn.incident.count);
        let rules = self.rules.clone();
        let mut desk = self.desk.clone();
        life::place(&mut turn, &mut desk, false, self.scene(&rules));
        self.desk = desk;
        self.siblings.retain(|sibling| turn.taken.iter().all(|taken| taken.id != sibling.id));
        self.siblings.extend(turn.taken.clone());
        if let Some(notice) = notice {
            let minutes = (self.now - BEGIN).whole_seconds() / 60;
            let how = if turn.incident.outbox.is_empty() { " by digest" } else { "" };
            self.told.push(format!("{minutes} {notice:?} {count}{how}"));
        }
        turn.incident.outbox.clear();
        if turn.incident.phase == Phase::Closed {
            self.rest = Some(turn.incident.rest());
            self.incident = None;
        } else {
            self.incident = Some(turn.incident);
        }
    }

    /// Time passes, with a look each minute.
    fn minutes(&mut self, minutes: u32) {
        for _ in 0..minutes {
            self.now += Duration::MINUTE;
            self.look();
        }
    }

    fn seconds(&mut self, seconds: i64) {
        self.now += Duration::seconds(seconds);
        self.look();
    }

    fn look(&mut self) {
        let rules = self.rules.clone();
        if let Some(incident) = self.incident.clone() {
            let turn = life::look(incident, self.scene(&rules));
            self.take(turn);
        }
        let now = self.now;
        if self.desk.look(now, &rules) {
            let digest = self.desk.spell().unwrap().outbox.clone().unwrap();
            self.desk.sent(digest.number, now);
        }
    }

    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }
}

#[test]
fn one_crash_is_told_at_once_and_its_end_when_the_service_ran_ten_minutes() {
    let mut story = Story::new();
    story.crash();
    assert_eq!(story.told(), ["0 Opened 1"]);
    story.health = Some(health(false));
    story.minutes(5);
    story.health = Some(health(true));
    story.minutes(10);
    assert_eq!(story.told(), [""; 0], "well since the sixth minute");
    story.minutes(1);
    assert_eq!(story.told(), ["16 Resolved 1"]);
    story.minutes(600);
    assert_eq!(story.told(), [""; 0]);
}

#[test]
fn what_follows_within_ten_seconds_is_gathered_and_told_once() {
    let mut story = Story::new();
    story.crash();
    story.crash();
    story.seconds(9);
    assert_eq!(story.told(), ["0 Opened 1"]);
    story.seconds(1);
    assert_eq!(story.told(), ["0 More 2"]);
    story.seconds(10);
    assert_eq!(story.told(), [""; 0]);
}

#[test]
fn a_crash_loop_is_told_at_three_ten_and_fifty_then_each_four_hours_six_times() {
    let mut story = Story::new();
    story.health = Some(health(false));
    for _ in 0..60 {
        story.crash();
        story.minutes(1);
    }
    assert_eq!(story.told(), ["0 Opened 1", "2 Escalated 3", "9 Escalated 10", "49 Escalated 50"]);
    assert_eq!(story.incident.as_ref().unwrap().severity, Severity::Critical);
    story.minutes(5 * 24 * 60);
    let told = story.told();
    assert_eq!(told.len(), 6, "{told:?}");
    assert_eq!(told[0], "289 Repeated 60");
    story.health = Some(health(true));
    story.minutes(11);
    assert_eq!(story.told().len(), 1);
}

#[test]
fn what_comes_back_while_it_is_watched_goes_on_as_the_same_incident() {
    let mut story = Story::new();
    story.crash();
    story.health = Some(health(true));
    story.minutes(8);
    let id = story.incident.as_ref().unwrap().id.clone();
    story.crash();
    story.minutes(9);
    assert_eq!(story.incident.as_ref().unwrap().id, id);
    assert_eq!(story.told(), ["0 Opened 1"], "one message for both");
    story.minutes(2);
    assert_eq!(story.told(), ["19 Resolved 2"]);
}

#[test]
fn an_alarm_is_as_its_newest_news_say_whatever_their_order() {
    let (off, over) = (BEGIN - Duration::minutes(5), BEGIN - Duration::minutes(1));
    let mut story = Story::new();
    story.alarm(off);
    story.alarm_over(over);
    story.minutes(2);
    assert_eq!(story.told(), ["0 Opened 1", "1 Resolved 1"]);
    let mut story = Story::new();
    story.alarm_over(over);
    story.alarm(off);
    story.minutes(5);
    assert_eq!(story.told(), [""; 0], "it was over before we heard of it");
    story.alarm(story.now);
    assert_eq!(story.told(), ["5 Opened 1"]);
}

#[test]
fn an_alarm_that_flaps_within_the_hold_is_told_once() {
    let mut story = Story::new();
    story.alarm(story.now);
    for _ in 0..10 {
        story.seconds(20);
        story.alarm_over(story.now);
        story.seconds(20);
        story.alarm(story.now);
    }
    assert_eq!(story.told(), ["0 Opened 1"]);
    story.minutes(2);
    assert_eq!(story.incident.as_ref().unwrap().count, 11);
}

#[test]
fn a_failed_deployment_speaks_for_its_tasks() {
    let mut crashes = Story::new();
    crashes.crash_of("ecs-svc/9");
    crashes.crash_of("ecs-svc/9");
    let crash = crashes.incident.unwrap();

    let mut story = Story::new();
    story.siblings = vec![crash.clone()];
    let failed = fault(Kind::DeploymentFailed, "deployment-failed", Nature::Event, BEGIN, "d", Some("ecs-svc/9"));
    story.news(News::Fault(Box::new(failed)));
    let deployment = story.incident.clone().unwrap();
    assert_eq!(story.told(), ["0 Opened 1"]);
    assert_eq!(deployment.speaks_for[0].id, crash.id);
    assert_eq!(story.siblings[0].voice, Voice::Speaker(deployment.id.clone()));

    // Those to come are silent from the beginning; those of another deployment are not.
    for (of, told) in [("ecs-svc/9", 0), ("ecs-svc/8", 1)] {
        let mut later = Story::new();
        later.siblings = vec![deployment.clone()];
        later.crash_of(of);
        assert_eq!(later.told().len(), told, "{of}");
    }

    // Nor is the one that was spoken for, once it happens to another deployment.
    let mut mixed = Story::new();
    mixed.incident = Some(story.siblings[0].clone());
    mixed.siblings = vec![deployment.clone()];
    mixed.crash_of("ecs-svc/9");
    assert_eq!(mixed.told(), [""; 0]);
    mixed.crash_of("ecs-svc/8");
    assert_eq!(mixed.told(), ["0 Opened 4"], "the deployment before crashes as well");

    // The one that was spoken for ends in silence, and is told if it outlives its speaker.
    let mut silent = Story::new();
    silent.incident = Some(story.siblings[0].clone());
    silent.siblings = vec![deployment];
    silent.health = Some(health(false));
    silent.minutes(300);
    assert_eq!(silent.told(), [""; 0]);
    silent.siblings.clear();
    silent.minutes(1);
    assert_eq!(silent.told().len(), 1, "the service is not well, and nobody speaks for this any more");
}

#[test]
fn what_was_spoken_for_ends_in_silence_with_its_speaker() {
    let mut story = Story::new();
    story.crash();
    let speaker = Voice::Speaker("gone".to_owned());
    story.incident.as_mut().unwrap().voice = speaker;
    story.told();
    story.look();
    story.health = Some(health(true));
    story.minutes(30);
    assert_eq!((story.told(), story.incident.is_none()), (Vec::new(), true));
}

#[test]
fn what_outlives_our_own_rollout_is_told() {
    let mut story = Story::new();
    let until = BEGIN + Duration::minutes(30);
    story.rollout = Some(Rollout { deployment: None, began: BEGIN, until });
    story.crash();
    story.rollout = None;
    story.health = Some(health(false));
    story.minutes(30);
    assert_eq!(story.told(), [""; 0]);
    story.minutes(1);
    assert_eq!(story.told(), ["31 Opened 1"]);
}

#[test]
fn what_comes_of_our_own_rollout_is_no_incident_for_ops() {
    let rollout =
        Rollout { deployment: Some("ecs-svc/new".to_owned()), began: BEGIN, until: BEGIN + Duration::minutes(30) };
    let mut old = Story::new();
    old.rollout = Some(rollout.clone());
    old.crash_of("ecs-svc/old");
    old.health = Some(health(true));
    old.minutes(30);
    assert_eq!(old.told(), [""; 0]);
    let mut new = Story::new();
    new.rollout = Some(rollout);
    new.crash_of("ecs-svc/new");
    assert_eq!(new.told(), ["0 Opened 1"]);
}

#[test]
fn a_silence_holds_back_and_what_is_still_so_is_told_at_its_end() {
    let mut story = Story::new();
    story.rules.silences = silence::read("01:00-01:30 service=agent").0;
    story.health = Some(health(false));
    story.crash();
    story.minutes(29);
    assert_eq!(story.told(), [""; 0]);
    story.minutes(1);
    assert_eq!(story.told(), ["30 Opened 1"]);

    let mut over = Story::new();
    over.rules.silences = silence::read("01:00-01:30").0;
    over.crash();
    over.health = Some(health(true));
    over.minutes(60);
    assert_eq!(over.told(), [""; 0], "it came and went in the silence");
}

#[test]
fn a_late_fault_of_what_is_over_is_history_and_a_new_one_is_told() {
    let mut story = Story::new();
    story.crash();
    story.health = Some(health(true));
    story.minutes(12);
    let within = fault(Kind::Crash, "application-exit", Nature::Event, BEGIN + Duration::minutes(1), "late", None);
    story.news(News::Fault(Box::new(within)));
    assert_eq!(story.told().len(), 2);
    story.crash();
    assert_eq!(story.told(), ["12 Opened 2"]);
}

/// What a service's other incident is when this one begins.
fn beside(other: &Story, fault: Fault, now: OffsetDateTime) -> Story {
    let mut story = Story::new();
    story.now = now;
    story.siblings = other.incident.iter().cloned().collect();
    story.news(News::Fault(Box::new(fault)));
    story
}

#[test]
fn a_crash_speaks_for_what_is_seen_from_outside_only_if_it_is_as_urgent_and_was_shortly_before() {
    for (crash, ago, running, told) in [
        (Severity::Error, 10, 1, 0),
        (Severity::Error, 10, 0, 1),
        (Severity::Critical, 10, 0, 0),
        (Severity::Warning, 10, 1, 1),
        (Severity::Error, 30, 1, 0),
        (Severity::Error, 31, 1, 1),
    ] {
        let mut crashes = Story::new();
        crashes.crash_as("ecs-svc/1", crash);
        let now = BEGIN + Duration::minutes(ago);
        let mut story = beside(&crashes, missing(running, BEGIN), now);
        assert_eq!(story.told().len(), told, "{crash} {ago} minutes before {running} of 2 run");
    }
}

#[test]
fn a_placement_that_fails_is_told_whatever_warning_was_told_before() {
    let mut reclaimed = Story::new();
    reclaimed.crash_as("ecs-svc/1", Severity::Warning);
    let fault = fault(Kind::Service, "service-task-placement-failure", Nature::Event, BEGIN, "p", None);
    assert_eq!(beside(&reclaimed, fault, BEGIN).told(), ["0 Opened 1"]);
}

#[test]
fn a_lesser_crash_takes_nothing_over_and_a_failed_deployment_becomes_as_urgent_as_its_crashes() {
    let mut silent = Story::new();
    silent.missing(1, BEGIN);
    for (severity, taken) in [(Severity::Warning, 0), (Severity::Error, 1)] {
        let mut crash = fault(Kind::Crash, "spot", Nature::Event, BEGIN, "c", Some("ecs-svc/1"));
        crash.alert.severity = severity;
        let story = beside(&silent, crash, BEGIN);
        let incident = story.incident.unwrap();
        assert_eq!((incident.speaks_for.len(), incident.severity), (taken, severity));
        assert_eq!(story.siblings[0].voice == Voice::Own, taken == 0);
    }

    let mut crashes = Story::new();
    (0..10).for_each(|_| crashes.crash_of("ecs-svc/9"));
    let mut none = Story::new();
    none.missing(0, BEGIN);
    let mut story = Story::new();
    story.siblings = vec![none.incident.unwrap(), crashes.incident.unwrap()];
    let failed = fault(Kind::DeploymentFailed, "deployment-failed", Nature::Event, BEGIN, "d", Some("ecs-svc/9"));
    story.news(News::Fault(Box::new(failed)));
    let incident = story.incident.unwrap();
    assert_eq!((incident.severity, incident.speaks_for.len()), (Severity::Critical, 2));
}

#[test]
fn what_becomes_more_urgent_than_its_speaker_speaks_for_itself() {
    let mut crashes = Story::new();
    crashes.crash();
    let mut story = beside(&crashes, missing(1, BEGIN), BEGIN + Duration::MINUTE);
    story.health = Some(health(false));
    story.minutes(2);
    assert_eq!(story.told(), [""; 0]);
    story.missing(0, BEGIN);
    assert_eq!(story.told(), ["3 Opened 1"]);

    // So do the crashes of a failed deployment that become a loop.
    let failed = fault(Kind::DeploymentFailed, "deployment-failed", Nature::Event, BEGIN, "d", Some("ecs-svc/1"));
    let deployment = beside(&crashes, failed, BEGIN);
    let mut many = Story::new();
    many.incident = Some(deployment.siblings[0].clone());
    many.siblings.extend(deployment.incident);
    (0..8).for_each(|_| many.crash());
    assert_eq!(many.told(), [""; 0]);
    many.crash();
    assert_eq!(many.told(), ["0 Opened 10"]);

    // The speaker of a speaker speaks for both, for as long as it says enough.
    let failed = fault(Kind::DeploymentFailed, "deployment-failed", Nature::Event, BEGIN, "d", Some("ecs-svc/1"));
    let deployment = beside(&crashes, failed, BEGIN);
    let mut story = beside(&crashes, missing(1, BEGIN), BEGIN);
    story.siblings = vec![deployment.incident.clone().unwrap(), deployment.siblings[0].clone()];
    story.health = Some(health(false));
    story.minutes(2);
    assert_eq!(story.told(), [""; 0]);
    story.siblings.remove(0);
    story.minutes(1);
    assert_eq!(story.told(), ["3 Opened 1"]);
}

#[test]
fn a_state_that_gets_worse_is_told_at_once_and_counts_once() {
    let mut story = Story::new();
    story.health = Some(health(false));
    story.missing(1, BEGIN);
    story.seconds(20);
    story.missing(0, BEGIN);
    assert_eq!(story.told(), ["0 Opened 1", "0 Escalated 1"]);
    let incident = story.incident.clone().unwrap();
    assert_eq!((incident.severity, incident.alert.summary.as_str()), (Severity::Critical, "0 of its 2 tasks run"));
    // Better again, but not well: no news, and a repeat does not say the worst for ever.
    for _ in 0..5 * 60 {
        story.minutes(1);
        story.missing(1, BEGIN);
    }
    let incident = story.incident.clone().unwrap();
    assert_eq!(story.told(), ["240 Repeated 1"]);
    assert_eq!((incident.severity, incident.alert.summary.as_str()), (Severity::Critical, "1 of its 2 tasks run"));
    assert_eq!(incident.count, 1);
}

#[test]
fn the_words_of_a_state_follow_what_is_seen_every_few_minutes() {
    let mut story = Story::new();
    let stuck = |minutes: i64| {
        let mut fault = fault(Kind::DeploymentStuck, "deployment-stuck", Nature::State, BEGIN, "stuck", None);
        fault.alert.summary = format!("under way for {minutes} min");
        fault
    };
    story.news(News::Fault(Box::new(stuck(0))));
    let mut writes = 0;
    for minute in 1..=242 {
        story.minutes(1);
        let fault = stuck(minute);
        if story.incident.as_ref().unwrap().follows(&fault, story.now) {
            story.news(News::Again(Box::new(fault)));
            writes += 1;
        }
    }
    assert_eq!(story.told(), ["0 Opened 1", "240 Repeated 1"]);
    assert_eq!((writes, story.incident.unwrap().alert.summary.as_str()), (48, "under way for 240 min"));
}

#[test]
fn an_alarm_is_not_said_to_be_what_it_was_before() {
    let mut story = Story::new();
    story.alarm(BEGIN + Duration::MINUTE);
    let incident = story.incident.clone().unwrap();
    let mut older = fault(Kind::Alarm, "alarm", Nature::State, BEGIN, "older", None);
    older.alert.severity = Severity::Critical;
    assert!(!incident.follows(&older, BEGIN + Duration::HOUR), "it is older than what is known");
    older.at = BEGIN + Duration::MINUTE;
    assert!(incident.follows(&older, BEGIN + Duration::HOUR));
    story.alarm_over(BEGIN + Duration::minutes(2));
    assert!(!story.incident.unwrap().follows(&older, BEGIN + Duration::HOUR), "it is over");
}

/// A crash each so many minutes, and a service that is well in between.
fn slow_loop(crashes: u32, minutes: u32) -> Story {
    let mut story = Story::new();
    story.health = Some(health(true));
    for _ in 0..crashes {
        story.crash();
        story.minutes(minutes);
    }
    story
}

#[test]
fn a_slow_crash_loop_is_one_incident_that_comes_back() {
    let mut story = slow_loop(32, 15);
    let id = story.incident.as_ref().unwrap().id.clone();
    assert_eq!(
        story.told(),
        ["0 Opened 1", "11 Resolved 1", "15 Opened 2", "30 Escalated 3", "135 Escalated 10", "375 Repeated 26"]
    );
    assert_eq!(story.incident.as_ref().unwrap().notes, ["It is back for the 1st time since 01:00 UTC."]);
    assert_eq!(story.incident.as_ref().unwrap().severity, Severity::Critical);
    story.minutes(30);
    assert_eq!(story.told(), ["486 Resolved 32"]);
    let past = story.rest.clone().unwrap().past.unwrap();
    assert_eq!((past.id, past.count, past.messages, past.returns), (id, 32, 7, 1));
}

#[test]
fn however_slow_a_loop_is_it_is_a_handful_of_messages() {
    for minutes in [11, 12, 20, 25, 45, 90, 200, 350] {
        let told = slow_loop(24 * 60 / minutes, minutes).told();
        let openings = told.iter().filter(|told| told.contains("Opened")).count();
        assert!(openings <= 6, "each {minutes} minutes: {told:?}");
        assert!(told.len() <= 18, "each {minutes} minutes: {told:?}");
    }
}

#[test]
fn what_happens_again_the_next_day_is_another_incident() {
    for (hours, id_is_the_same) in [(1, true), (5, true), (7, false), (24, false)] {
        let mut story = slow_loop(1, 60 * hours);
        let first = story.rest.clone().unwrap().past.unwrap();
        story.crash();
        let incident = story.incident.unwrap();
        assert_eq!(incident.id == first.id, id_is_the_same, "{hours} hours later");
        assert_eq!((incident.returns, incident.count), if id_is_the_same { (1, 2) } else { (0, 1) });
    }
}

#[test]
fn what_ops_never_heard_of_does_not_come_back() {
    let mut story = Story::new();
    story.rules.silences = silence::read("01:00-01:30").0;
    story.health = Some(health(true));
    story.crash();
    story.minutes(60);
    story.crash();
    assert_eq!(story.told(), ["60 Opened 1"]);
    assert_eq!(story.incident.unwrap().notes, [""; 0]);
}

#[test]
fn what_comes_back_while_its_end_is_told_comes_back_as_well() {
    let mut story = slow_loop(1, 5);
    let incident = story.incident.as_mut().unwrap();
    (incident.phase, incident.over_at) = (Phase::Closed, Some(story.now));
    story.now += Duration::SECOND;
    story.told();
    story.crash();
    assert_eq!(story.told(), ["5 Opened 2"]);
    let incident = story.incident.unwrap();
    assert_eq!((incident.returns, incident.notes.len(), incident.count), (1, 1, 2));
}

#[test]
fn what_was_stored_before_is_read() {
    let mut story = Story::new();
    story.crash();
    let mut stored = serde_json::to_value(story.incident.unwrap()).unwrap();
    stored.as_object_mut().unwrap().remove("returns");
    stored["heard"].as_object_mut().unwrap().remove("severity");
    let incident: Incident = serde_json::from_value(stored).unwrap();
    assert_eq!((incident.returns, incident.heard.unwrap().severity), (0, None));
    let rest = r#"{"over_at": "2026-11-21T01:00:00Z", "first_at": null}"#;
    assert_eq!(serde_json::from_str::<Rest>(rest).unwrap().past, None);
}

#[test]
fn ten_incidents_in_five_minutes_are_a_storm_and_its_end_is_told_once() {
    let (mut desk, rules) = (Desk::default(), Rules::default());
    let mut alone = 0;
    let mut digests = Vec::new();
    let mut now = BEGIN;
    let mut incidents = Vec::new();
    for number in 0..50 {
        let fault = fault(Kind::Crash, &format!("cause-{number}"), Nature::Event, now, &format!("t{number}"), None);
        let mut story = Story::new();
        (story.now, story.desk) = (now, desk);
        story.news(News::Fault(Box::new(fault)));
        alone += usize::from(!story.told[0].ends_with("by digest"));
        desk = story.desk;
        incidents.push(story.incident.unwrap());
        now += Duration::seconds(2);
    }
    assert_eq!(alone, 9);
    let mut look = |desk: &mut Desk, now: OffsetDateTime| {
        if desk.look(now, &rules)
            && let Some(digest) = desk.spell().and_then(|spell| spell.outbox.clone())
        {
            desk.sent(digest.number, now);
            digests.push((digest.lines.len(), digest.over));
        }
    };
    for _ in 0..30 {
        now += Duration::MINUTE;
        look(&mut desk, now);
    }
    assert!(!desk.storms());
    for incident in &incidents {
        desk.let_go(&incident.id);
    }
    for _ in 0..3 {
        now += Duration::MINUTE;
        look(&mut desk, now);
    }
    assert_eq!(digests, [(41, false), (0, true)]);
    assert_eq!(desk.spell(), None);
}
