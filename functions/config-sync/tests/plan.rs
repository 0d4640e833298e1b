//! What is decided, case by case.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, also in its own functions")]

use std::collections::BTreeMap;

use config_sync::declared::{Declared, Mode, OnDrift, Restart, Source, Value, Way};
use config_sync::document::{self, Allow, Document, Place, Reading, Readings, Version};
use config_sync::plan::{Action, Content, Warning, content, restarts};
use config_sync::service::{Asks, Controller, Deployment, DeploymentId, Progress, Service, Task, TaskId};
use config_sync::state::{InStep, Rollout, Since, State, Step};
use config_sync::values_of;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use watchkeeper_events::ServiceArn;
use watchkeeper_secrets::Hidden;

const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
const PASSWORD: &str = "pl\"an\\ted";

fn declared() -> Declared {
    Declared {
        stack: "agents".to_owned(),
        sources: [("db".to_owned(), Source::Document(place("source")))].into(),
        target: place("target"),
        values: vec![
            value("json:password", "{db.password}"),
            value("json:url > url:password", "{db.password}"),
            value("json:host", "db.internal"),
        ],
        route: None,
        restart: Restart::Readers,
        way: Way::Deployment,
        at_once: 1,
        patience: Duration::minutes(30),
        mode: Mode::Act,
        on_drift: OnDrift::Repair,
    }
}

fn value(address: &str, expression: &str) -> Value {
    Value { address: address.parse().unwrap(), expression: expression.parse().unwrap() }
}

fn place(name: &str) -> Place {
    Place::Secret(name.to_owned())
}

fn version(name: &str) -> Version {
    Version(name.to_owned())
}

fn readings(text: &str) -> Readings {
    let content = document::Content::Text(Hidden::from(text));
    [("db".to_owned(), Reading { version: version("2"), content, kept_in: None, trouble: None, allow: Allow::Unseen })]
        .into()
}

fn in_step(number: &str, declared: &Declared) -> InStep {
    InStep { versions: [("db".to_owned(), version(number))].into(), values: values_of(declared) }
}

fn target(text: &str) -> Document {
    Document { version: version("7"), text: Hidden::from(text), made_at: NOW, changed_at: NOW, allow: Allow::Unseen }
}

fn source() -> String {
    serde_json::json!({"username": "agent", "password": PASSWORD}).to_string()
}

const OLD: &str = r#"{ "url": "postgres://agent:old@h/db",
  "host": "db.internal", "password": "old" }"#;

#[test]
fn only_what_differs_is_written() {
    let Content::Write { text, changed } =
        content(&declared(), &State::default(), &readings(&source()), &target(OLD)).unwrap()
    else {
        panic!("there is something to write")
    };
    assert_eq!(changed, ["json:password", "json:url > url:password"]);
    let expected = r#"{ "url": "postgres://agent:pl%22an%5Cted@h/db",
  "host": "db.internal", "password": "pl\"an\\ted" }"#;
    assert_eq!(text.reveal(), expected);
    let again = content(&declared(), &State::default(), &readings(&source()), &target(expected));
    assert_eq!(again, Ok(Content::InStep));
}

#[test]
fn a_change_by_somebody_else_is_repaired_or_told_as_declared() {
    let tolerant = Declared { on_drift: OnDrift::Report, ..declared() };
    let in_step_with = |number: &str| State { in_step_with: Some(in_step(number, &tolerant)), ..State::default() };
    let plan =
        |declared: &Declared, state: State| content(declared, &state, &readings(&source()), &target(OLD)).unwrap();
    assert!(matches!(plan(&declared(), in_step_with("2")), Content::Write { .. }));
    assert!(matches!(plan(&tolerant, in_step_with("2")), Content::Drifted { changed } if changed.len() == 2));
    assert!(matches!(plan(&tolerant, in_step_with("1")), Content::Write { .. }), "the source is another now");
    let others = Declared { values: vec![value("json:password", "{db.password}")], ..tolerant.clone() };
    assert!(matches!(plan(&others, in_step_with("2")), Content::Write { .. }), "other values are declared now");
    assert!(matches!(plan(&tolerant, State::default()), Content::Write { .. }), "it was never in step");
}

#[test]
fn what_does_not_fit_is_told_with_its_place_and_without_a_value() {
    for (source, target_text, told) in [
        ("{\"user\":\"pl\\\"an\"}", OLD, "json:password"),
        ("no json: planted", OLD, "json:password"),
        ("[\"planted\"]", OLD, "json:password"),
        (&*source(), "{\"password\":\"planted\"}", "url"),
        (&*source(), "password = planted", "json"),
        (&*source(), "{\"password\":{\"planted\":1},\"url\":\"x\",\"host\":\"y\"}", "json:password"),
    ] {
        let fault = content(&declared(), &State::default(), &readings(source), &target(target_text)).unwrap_err();
        let text = fault.to_string();
        assert!(text.contains(told) && !text.contains("plan"), "{text}");
        assert!(!format!("{fault:?}").contains("plan"), "{fault:?}");
    }
}

fn arn(name: &str) -> ServiceArn {
    ServiceArn::parse(&format!("arn:aws:ecs:eu-west-1:123456789012:service/demo/{name}")).unwrap()
}

fn id(name: &str) -> DeploymentId {
    DeploymentId(name.to_owned())
}

fn deployment(name: &str, minutes: i64, progress: Progress) -> Deployment {
    Deployment {
        id: id(name),
        made_at: NOW + Duration::minutes(minutes),
        progress,
        evidence: Some("exit code 1".into()),
        back_after: None,
    }
}

fn task(name: &str, minutes: i64, deployment: &str) -> Task {
    let made_at = NOW + Duration::minutes(minutes);
    Task { id: TaskId(name.to_owned()), made_at, deployment: id(deployment), is_steady: true }
}

/// One that has run for an hour, and whose target changed ten minutes ago.
fn service() -> Service {
    Service {
        reads: [(place("target"), Asks::Current)].into(),
        controller: Controller::Ecs,
        desired: 2,
        deployments: vec![deployment("old", -60, Progress::Completed)],
        tasks: vec![task("t1", -60, "old"), task("t2", -50, "old")],
        mutable_images: Vec::new(),
        allow: Some("agents".to_owned()),
    }
}

fn since() -> BTreeMap<Place, Since> {
    [(place("target"), Since { version: version("8"), at: NOW - Duration::minutes(10) })].into()
}

fn known(step: Step, versions: &str, began: i64) -> BTreeMap<String, Rollout> {
    let versions = [(place("target"), version(versions))].into();
    let began = NOW + Duration::minutes(began);
    [(arn("a").as_str().to_owned(), Rollout { versions, began, step })].into()
}

fn following(name: &str, minutes: i64) -> Step {
    Step::Following { deployment: id(name), made_at: NOW + Duration::minutes(minutes) }
}

/// The step that service `a` is in after the plan, and what is done about it.
fn planned(declared: &Declared, known: &BTreeMap<String, Rollout>, service: Service) -> (Step, Vec<Action>) {
    let plan = restarts(declared, &since(), known, &[(arn("a"), Some(service))], NOW);
    (plan.rollouts[arn("a").as_str()].step.clone(), plan.actions)
}

#[test]
fn a_service_that_has_read_the_old_version_is_deployed_once() {
    let asked = Step::Asked { over: Some(id("old")), back_after: None };
    let none = BTreeMap::new();
    assert_eq!(planned(&declared(), &none, service()), (asked.clone(), vec![Action::Deploy(arn("a"))]));
    // Cut off before the call: another deployment is not there yet.
    let again = known(asked.clone(), "8", -1);
    assert_eq!(planned(&declared(), &again, service()), (asked, vec![Action::Deploy(arn("a"))]));
    // Cut off after it.
    let mut begun = service();
    begun.deployments.insert(0, deployment("new", -1, Progress::InProgress));
    assert_eq!(planned(&declared(), &again, begun.clone()), (following("new", -1), vec![]));
    let follows = known(following("new", -1), "8", -1);
    assert_eq!(planned(&declared(), &follows, begun), (following("new", -1), vec![]));
    let mut done = service();
    done.deployments = vec![deployment("new", -1, Progress::Completed)];
    done.tasks = vec![task("t3", 0, "new"), task("t4", 0, "new")];
    let by_ours = Step::Done { by: Some(id("new")) };
    assert_eq!(planned(&declared(), &follows, done.clone()), (by_ours.clone(), vec![]));
    assert_eq!(
        planned(&declared(), &none, done),
        (Step::Done { by: None }, vec![]),
        "who finds it so has nothing to do"
    );
}

#[test]
fn who_finds_the_same_deployment_wanted_again_does_not_ask_for_another() {
    let asked = |back_after: Option<&str>| Step::Asked { over: Some(id("old")), back_after: back_after.map(id) };
    let back = |after: &str, progress| {
        let mut service = service();
        service.deployments = vec![Deployment { back_after: Some(id(after)), ..deployment("old", -60, progress) }];
        service
    };
    for progress in [Progress::InProgress, Progress::Completed] {
        for before in [None, Some("older")] {
            let (step, actions) = planned(&declared(), &known(asked(before), "8", -5), back("new", progress));
            let expected = "its deployment was rolled back: exit code 1";
            assert!(matches!(step, Step::Failed { ref why } if why == expected) && actions.is_empty(), "{step:?}");
        }
    }
    // Its failure is not told yet.
    let mut unknown = service();
    unknown.deployments = vec![deployment("old", -60, Progress::InProgress)];
    assert_eq!(planned(&declared(), &known(asked(None), "8", -5), unknown), (asked(None), vec![]));
    // It was rolled back to before: the call never arrived.
    let before = back("older", Progress::Completed);
    let expected = (asked(Some("older")), vec![Action::Deploy(arn("a"))]);
    assert_eq!(planned(&declared(), &BTreeMap::new(), before.clone()), expected);
    assert_eq!(planned(&declared(), &known(asked(Some("older")), "8", -5), before), expected);
}

#[test]
fn nothing_starts_over_a_deployment_that_is_on_its_way() {
    let mut before = service();
    before.deployments.insert(0, deployment("theirs", -20, Progress::InProgress));
    assert_eq!(planned(&declared(), &BTreeMap::new(), before.clone()), (Step::Waiting, vec![]));
    let late = known(Step::Waiting, "8", -31);
    let (step, actions) = planned(&declared(), &late, before);
    assert!(
        matches!(step, Step::Failed { ref why } if why.contains("30 min") && why.contains("exit code 1")),
        "{step:?}"
    );
    assert!(actions.is_empty());
    let mut since = service();
    since.deployments.insert(0, deployment("theirs", -5, Progress::InProgress));
    let taken_for_ours = planned(&declared(), &BTreeMap::new(), since);
    assert_eq!(taken_for_ours, (following("theirs", -5), vec![]), "its tasks read the new version all the same");
}

#[test]
fn a_deployment_that_fails_is_told_and_not_repeated_for_this_version() {
    let follows = known(following("new", -5), "8", -5);
    let mut failed = service();
    failed.deployments.insert(0, deployment("new", -5, Progress::Failed));
    let (step, actions) = planned(&declared(), &follows, failed.clone());
    assert!(matches!(step, Step::Failed { ref why } if why.contains("exit code 1")) && actions.is_empty());
    // Rolled back: it is not there any more.
    let (rolled_back, actions) = planned(&declared(), &follows, service());
    assert!(matches!(rolled_back, Step::Failed { ref why } if why.contains("rolled back")) && actions.is_empty());
    let remembered = known(step.clone(), "8", -5);
    assert_eq!(planned(&declared(), &remembered, failed.clone()), (step.clone(), vec![]));
    // A new version is another chance.
    let older = known(step.clone(), "7", -5);
    assert_eq!(planned(&declared(), &older, failed).1, [Action::Deploy(arn("a"))]);
    // Somebody has mended it.
    let mut mended = service();
    mended.deployments = vec![deployment("theirs", -2, Progress::Completed)];
    mended.tasks = vec![task("t5", -2, "theirs"), task("t6", -2, "theirs")];
    assert_eq!(planned(&declared(), &remembered, mended), (Step::Done { by: None }, vec![]));
}

#[test]
fn tasks_are_replaced_one_by_one_when_all_run_well() {
    let replacing = Declared { way: Way::ReplaceTasks, ..declared() };
    let first = planned(&replacing, &BTreeMap::new(), service());
    assert_eq!(first, (Step::Replacing, vec![Action::Stop(arn("a"), TaskId("t1".into()))]));
    let begun = known(Step::Replacing, "8", -1);
    let mut one_short = service();
    one_short.tasks.remove(0);
    assert_eq!(planned(&replacing, &begun, one_short.clone()), (Step::Replacing, vec![]));
    one_short.tasks.push(task("t3", 0, "old"));
    let second = planned(&replacing, &begun, one_short.clone());
    assert_eq!(second, (Step::Replacing, vec![Action::Stop(arn("a"), TaskId("t2".into()))]));
    one_short.tasks = vec![task("t3", 0, "old"), task("t4", 0, "old")];
    assert_eq!(planned(&replacing, &begun, one_short), (Step::Done { by: None }, vec![]));
}

#[test]
fn what_is_not_ours_to_restart_is_left_alone_and_told() {
    let mut blue_green = service();
    blue_green.controller = Controller::Other("CODE_DEPLOY".to_owned());
    let (step, actions) = planned(&declared(), &BTreeMap::new(), blue_green);
    assert!(matches!(step, Step::LeftAlone { ref why } if why.contains("CODE_DEPLOY")) && actions.is_empty());
    for declared in [
        Declared { mode: Mode::Observe, ..declared() },
        Declared { restart: Restart::None, ..declared() },
        Declared { restart: Restart::These([arn("b").as_str().to_owned()].into()), ..declared() },
    ] {
        let (step, actions) = planned(&declared, &BTreeMap::new(), service());
        assert!(step == Step::Unasked && actions.is_empty());
    }
    let mut theirs = service();
    theirs.allow = Some("others".to_owned());
    let (step, actions) = planned(&declared(), &BTreeMap::new(), theirs);
    assert!(matches!(step, Step::LeftAlone { ref why } if why.contains("watchkeeper:allow")) && actions.is_empty());
    let allowed = known(step, "8", -1);
    assert_eq!(
        planned(&declared(), &allowed, service()).1,
        [Action::Deploy(arn("a"))],
        "its owner has tagged it since"
    );
    let these = Declared { restart: Restart::These([arn("a").as_str().to_owned()].into()), ..declared() };
    assert_eq!(planned(&these, &BTreeMap::new(), service()).1, [Action::Deploy(arn("a"))]);
}

#[test]
fn a_pinned_version_is_told_and_its_service_is_not_restarted_for_it() {
    let mut pinned = service();
    pinned.reads = [(place("target"), Asks::Pinned(version("3")))].into();
    let plan = restarts(&declared(), &since(), &BTreeMap::new(), &[(arn("a"), Some(pinned)), (arn("b"), None)], NOW);
    let told = Warning::Pinned { service: arn("a"), place: place("target"), version: version("3") };
    assert_eq!(plan.warnings, [told]);
    assert!(plan.rollouts.is_empty() && plan.actions.is_empty());
}

#[test]
fn a_mutable_tag_is_told_where_a_deployment_would_resolve_it_anew() {
    let mut mutable = service();
    mutable.mutable_images = vec!["agent:latest".to_owned()];
    let warnings = |declared: &Declared| {
        restarts(declared, &since(), &BTreeMap::new(), &[(arn("a"), Some(mutable.clone()))], NOW).warnings
    };
    let told = Warning::MutableImage { service: arn("a"), image: "agent:latest".to_owned() };
    assert_eq!(warnings(&declared()), [told]);
    assert_eq!(warnings(&Declared { way: Way::ReplaceTasks, ..declared() }), []);
    assert_eq!(warnings(&Declared { restart: Restart::None, ..declared() }), []);
}

#[test]
fn services_take_turns() {
    let services: Vec<_> = ["a", "b", "c"].map(|name| (arn(name), Some(service()))).into();
    let plan = |at_once, known: &BTreeMap<String, Rollout>, services: &[(ServiceArn, Option<Service>)]| {
        restarts(&Declared { at_once, ..declared() }, &since(), known, services, NOW)
    };
    let first = plan(2, &BTreeMap::new(), &services);
    assert_eq!(first.actions, [Action::Deploy(arn("a")), Action::Deploy(arn("b"))]);
    assert_eq!(first.rollouts[arn("c").as_str()].step, Step::Waiting);
    assert!(!first.is_over());
    // One that is on its way to the version before still takes a place.
    let mut services = services;
    services[0].1.as_mut().unwrap().deployments.insert(0, deployment("before", -20, Progress::InProgress));
    let second = plan(1, &known(following("before", -20), "7", -20), &services);
    assert!(second.actions.is_empty(), "{:?}", second.actions);
}

#[test]
fn who_waits_begins_in_the_look_that_finds_the_one_before_it_done() {
    let mut done = service();
    done.deployments.insert(0, deployment("new", -2, Progress::Completed));
    done.tasks = vec![task("t2", -2, "new")];
    let services = [(arn("a"), Some(done)), (arn("b"), Some(service()))];
    let plan = restarts(&declared(), &since(), &known(following("new", -2), "8", -2), &services, NOW);
    assert_eq!(plan.rollouts[arn("a").as_str()].step, Step::Done { by: Some(DeploymentId("new".to_owned())) });
    assert_eq!(plan.actions, [Action::Deploy(arn("b"))]);
}

#[test]
fn a_deployment_that_ecs_does_not_show_yet_is_no_rollback() {
    let planned_at = |made_at| planned(&declared(), &known(following("new", made_at), "8", made_at), service()).0;
    assert_eq!(planned_at(-1), following("new", -1));
    assert!(matches!(planned_at(-3), Step::Failed { ref why } if why.contains("rolled back")));
}

#[test]
fn waiting_for_a_place_takes_nothing_of_a_services_time() {
    let waiting = known(Step::Waiting, "8", -29);
    let plan = restarts(&declared(), &since(), &waiting, &[(arn("a"), Some(service()))], NOW);
    assert_eq!(plan.actions, [Action::Deploy(arn("a"))]);
    assert_eq!(plan.rollouts[arn("a").as_str()].began, NOW);
}

#[test]
fn who_reads_a_source_only_and_allows_nothing_is_not_meant() {
    let since = [(place("source"), Since { version: version("8"), at: NOW })].into();
    let mut theirs = service();
    theirs.reads = [(place("source"), Asks::Current)].into();
    theirs.allow = None;
    let plan = restarts(&declared(), &since, &BTreeMap::new(), &[(arn("a"), Some(theirs))], NOW);
    assert_eq!(plan.rollouts[arn("a").as_str()].step, Step::Unasked);
    assert!(plan.actions.is_empty());
}
