//! What of a run ops are told.

use time::OffsetDateTime;
use watchkeeper_events::{Observation, ObservedState, ServiceArn};
use watchkeeper_ops::{About, Cause, Desk, Open};

use crate::document::Place;
use crate::follow::Done;
use crate::ops::{CHANGED, DOCUMENT, DONE, DRIFT, LOGIN, ROLLOUT, ROTATION, SOURCE};
use crate::state::{Report, Step};
use crate::trouble::Trouble;

/// How many services are named in an alert; an account has more.
const NAMED: usize = 10;

/// Notes how a run ended: what is in trouble, and what is well again.
pub(crate) async fn report(
    desk: &Desk,
    open: &Open,
    target: &Place,
    ended: Result<&Done, &Trouble>,
    now: OffsetDateTime,
) -> Result<(), Trouble> {
    let subject = target.name();
    let about = |cause| About { subject: &subject, cause };
    match ended {
        Ok(done) => {
            for (cause, why) in [(&DOCUMENT, String::new()), (&SOURCE, done.troubles.join("; ")), (&DRIFT, drift(done))]
            {
                if !why.is_empty() {
                    desk.trouble(about(cause), &why, now).await?;
                } else if open.has(about(cause)) {
                    desk.well(about(cause), now).await?;
                }
            }
            // Where nothing was written, nobody has tried to log in.
            if done.is_in_step && open.has(about(&LOGIN)) {
                desk.well(about(&LOGIN), now).await?;
            }
            // Somebody has mended what a piece of work before had left so.
            if !done.is_behind && open.has(about(&ROLLOUT)) {
                desk.well(about(&ROLLOUT), now).await?;
            }
        }
        // It is somebody else's run now, or the next one's.
        Err(Trouble::FencedOff | Trouble::Restless) => {}
        Err(trouble @ Trouble::LogIn(_)) => desk.trouble(about(&LOGIN), &trouble.to_string(), now).await?,
        Err(trouble) => desk.trouble(about(&DOCUMENT), &trouble.to_string(), now).await?,
    }
    Ok(())
}

fn drift(done: &Done) -> String {
    let mut why = Vec::new();
    if !done.left.is_empty() {
        why.push(format!("other values at {}", done.left.join(", ")));
    }
    if !done.stale.is_empty() {
        let names = done.stale.iter().map(ServiceArn::name);
        why.push(format!("tasks that have read older ones: {}", few(names)));
    }
    why.join("; ")
}

/// Whether ops are told, or about to be told, of trouble that only a look can end.
pub(crate) fn is_in_trouble(open: &Open, target: &Place) -> bool {
    let subject = target.name();
    [&DOCUMENT, &LOGIN, &SOURCE, &DRIFT, &ROLLOUT].iter().any(|cause| open.has(About { subject: &subject, cause }))
}

/// A declaration goes: what ops were told of it is over.
pub(crate) async fn gone(desk: &Desk, open: &Open, target: &Place, now: OffsetDateTime) -> Result<(), Trouble> {
    let subject = target.name();
    for cause in [&DOCUMENT, &LOGIN, &SOURCE, &DRIFT, &ROLLOUT] {
        let about = About { subject: &subject, cause };
        if open.has(about) {
            desk.well(about, now).await?;
        }
    }
    Ok(())
}

/// A rotation has ended.
pub(crate) async fn rotation(
    desk: &Desk,
    open: &Open,
    secret: &Place,
    failure: Option<(&str, OffsetDateTime)>,
    now: OffsetDateTime,
) -> Result<(), Trouble> {
    let subject = secret.name();
    let about = About { subject: &subject, cause: &ROTATION };
    match failure {
        // Secrets Manager tries several times: ops are told once, until there is a new version.
        Some(_) if open.is_told(about) => {}
        Some((code, at)) => desk.alert(about, code, at, now).await?,
        None if open.has(about) => desk.well(about, now).await?,
        None => {}
    }
    Ok(())
}

/// A piece of work has ended.
pub(crate) async fn work(desk: &Desk, target: &Place, report: &Report) -> Result<(), Trouble> {
    let subject = target.name();
    let about = About { subject: &subject, cause: &ROLLOUT };
    let detail = words(report);
    if report.services.values().any(|step| matches!(step, Step::Failed { .. } | Step::LeftAlone { .. })) {
        return Ok(desk.alert(about, &detail, report.began, report.ended).await?);
    }
    desk.well(about, report.ended).await?;
    let is_everywhere = !report.services.values().any(|step| *step == Step::Unasked);
    let Cause { word, severity, over, .. } = if is_everywhere { DONE } else { CHANGED };
    Ok(desk
        .tell(&Observation {
            id: format!("config-sync {word} {subject} {}", report.began.unix_timestamp_nanos()),
            from: "config-sync".to_owned(),
            subject,
            cause: word.to_owned(),
            state: ObservedState::Done,
            severity: severity.to_owned(),
            summary: over.to_owned(),
            detail: Some(detail),
            next: None,
            at: Some(report.ended),
        })
        .await?)
}

/// What changed, which services, how long, what failed.
fn words(report: &Report) -> String {
    let mut words = Vec::new();
    if !report.changed.is_empty() {
        words.push(format!("changed {}", report.changed.join(", ")));
    }
    let named = |wanted: fn(&Step) -> bool| {
        let of = report.services.iter().filter(|(_, step)| wanted(step));
        let names: Vec<_> = of.map(|(service, _)| name(service)).collect();
        (!names.is_empty()).then(|| few(names.into_iter()))
    };
    if let Some(names) = named(|step| matches!(step, Step::Done { .. })) {
        words.push(format!("running on it: {names}"));
    }
    for (service, step) in &report.services {
        if let Step::Failed { why } | Step::LeftAlone { why } = step {
            words.push(format!("not {}: {why}", name(service)));
        }
    }
    if let Some(names) = named(|step| *step == Step::Unasked) {
        words.push(format!("not restarted, as declared: {names}"));
    }
    if report.services.is_empty() {
        words.push("no service reads it".to_owned());
    }
    words.push(format!("took {}", duration(report.ended - report.began)));
    words.extend(report.warnings.iter().cloned());
    words.join("; ")
}

fn name(service: &str) -> &str {
    service.rsplit('/').next().unwrap_or(service)
}

fn few<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(NAMED);
    let text = names.take(NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

fn duration(took: time::Duration) -> String {
    match took.whole_seconds() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use time::Duration;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn one_text_says_what_changed_who_runs_on_it_what_failed_and_how_long_it_took() {
        let arn = |name: &str| format!("arn:aws:ecs:eu-west-1:123456789012:service/demo/{name}");
        let began = datetime!(2026-11-21 12:00 UTC);
        let report = |services: &[(&str, Step)], warnings: &[&str]| Report {
            began,
            ended: began + Duration::seconds(135),
            changed: vec!["pkl:agent.datastore.postgres.password".to_owned()],
            services: services.iter().map(|(name, step)| (arn(name), step.clone())).collect(),
            warnings: warnings.iter().map(|one| (*one).to_owned()).collect(),
        };
        let failed = Step::Failed { why: "its deployment failed: exit code 1".to_owned() };
        assert_eq!(
            words(&report(
                &[("a", Step::Done { by: None }), ("b", failed), ("c", Step::Unasked), ("d", Step::Done { by: None })],
                &["mind the tag"]
            )),
            "changed pkl:agent.datastore.postgres.password; running on it: a, d; not b: its deployment failed: exit code 1; not \
             restarted, as declared: c; took 2 min 15 s; mind the tag"
        );
        let nobody = Report { changed: Vec::new(), services: BTreeMap::new(), ..report(&[], &[]) };
        assert_eq!(words(&nobody), "no service reads it; took 2 min 15 s");
        assert_eq!(few(["x"; 12].into_iter()), format!("{} and 2 more", ["x"; 10].join(", ")));
    }
}
