use serde_json::json;
use time::macros::datetime;
use watchkeeper_alerts::{Alert, AlertKey, Kind, Running};
use watchkeeper_stops::Severity;

use super::*;
use crate::answering::{answering, function};
use crate::plan::incident::{Fault, Heard, Key};

fn log(container: &str, tail: &[&str]) -> LogTail {
    LogTail {
        container: container.to_owned(),
        group: "g".to_owned(),
        stream: "s".to_owned(),
        head: Vec::new(),
        tail: tail.iter().map(|line| (*line).to_owned()).collect(),
        gap: false,
        url: None,
    }
}

#[test]
fn a_second_look_is_told_where_the_last_words_are_others() {
    let told = log("agent", &["starting", "polling"]);
    for (before, now, is_news) in [
        (None, vec![], false),
        (None, vec![log("agent", &["starting"])], true),
        (Some(&told), vec![], false),
        (Some(&told), vec![told.clone()], false),
        // Others came before it, or another container's came too.
        (Some(&told), vec![log("agent", &["older", "starting", "polling"])], false),
        (Some(&told), vec![told.clone(), log("proxy", &["bye"])], false),
        (Some(&told), vec![log("agent", &["starting", "polling", "panicked"])], true),
        // Only the other one's were there.
        (Some(&log("proxy", &["polling"])), vec![told.clone(), log("proxy", &["polling"])], true),
    ] {
        let now = Evidence { logs: now, ..Evidence::default() };
        assert_eq!(last_words_are_news(before, &now), is_news, "{before:?} {now:?}");
    }
}

/// A crash of which nobody was told.
fn untold(at: OffsetDateTime) -> Incident {
    let alert = Alert {
        key: AlertKey { subject: "task#1".to_owned(), occurrence: "stopped".to_owned() },
        kind: Kind::Crash,
        severity: Severity::Error,
        cause: "application-exit".to_owned(),
        about: "agent".to_owned(),
        cluster: None,
        service: Some("agent".to_owned()),
        summary: "exited with code 1".to_owned(),
        facts: Vec::new(),
        next_step: None,
        links: Vec::new(),
    };
    let key = Key::new("service#arn:aws:ecs:eu-west-1:123456789012:service/prod/agent", "application-exit");
    let fault = Fault { key, nature: Nature::Event, at, alert, deployment: None };
    Incident::of(&fault, at)
}

#[test]
fn what_nobody_was_told_of_on_its_own_is_documented_once() {
    let at = datetime!(2026-11-21 01:00 UTC);
    let untold = untold(at);
    let heard = Some(Heard { count: 1, at, repeats: 0, severity: Some(Severity::Error) });
    let spoken_for = Voice::Speaker("another".to_owned());
    let another = |subject: &str| Incident { key: Key::new(subject, "alarm"), ..untold.clone() };
    for (incident, is_due) in [
        (untold.clone(), true),
        (Incident { was_silenced: true, ..untold.clone() }, true),
        (Incident { voice: spoken_for.clone(), ..untold.clone() }, true),
        (Incident { voice: Voice::Rollout { until: at }, ..untold.clone() }, true),
        (Incident { voice: Voice::Digest, heard, ..untold.clone() }, true),
        (another("family#arn:aws:ecs:eu-west-1:123456789012:cluster/prod report"), true),
        (Incident { heard, ..untold.clone() }, false),
        (Incident { voice: spoken_for, heard, ..untold.clone() }, false),
        (Incident { documented_at: Some(at), ..untold.clone() }, false),
        (another("alarm#arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a"), false),
    ] {
        assert_eq!(incident.is_to_be_documented(), is_due, "{incident:?}");
    }
}

#[tokio::test]
async fn how_many_tasks_run_is_looked_at_anew_when_it_is_told_after_a_silence() {
    let incident = untold(datetime!(2026-11-21 01:00 UTC));
    let then = Evidence { running: Some(Running { running: 0, desired: 2, pending: 0 }), ..Evidence::default() };
    let arn = "arn:aws:ecs:eu-west-1:123456789012:service/prod/agent";
    let service = json!({"serviceArn": arn, "status": "ACTIVE", "runningCount": 1, "desiredCount": 2});
    let refused = json!({"__type": "AccessDeniedException", "message": "no"});
    for (answer, running) in [
        ((200, json!({"services": [service], "failures": []})), Some(Running { running: 1, desired: 2, pending: 0 })),
        ((400, refused), None),
    ] {
        let (config, _) = answering(vec![answer]).await;
        let mut evidence = then.clone();
        function(&config).see_now(&incident, &mut evidence).await;
        assert_eq!(evidence.running, running);
    }
}
