//! The watch's looks at an ECS of several clusters and pages: what they call, where they go on, what a failing call costs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use crash_alerts::Trouble;
use crash_alerts::plan::watch::{Controller, Found, Life, Limits, Remembered, Seen, Silent, State};
use crash_alerts::watch::{CALLS, Cursor, Ecs, Failure, Listed, Look, Memory, Recalled, STOPS, look, settle};
use time::{Duration, OffsetDateTime};
use watchkeeper_alerts::{Running, ServiceSight};
use watchkeeper_events::{ClusterArn, Origin, ServiceArn, TaskArn, TaskStateChange, TaskStatus};

const LIMITS: Limits = Limits { below_desired: Duration::minutes(10), deployment_stuck: Duration::minutes(30) };
const NOW: OffsetDateTime = time::macros::datetime!(2026-11-21 12:00 UTC);
const HOME: &str = "arn:aws:ecs:eu-west-1:123456789012";

fn minute(minute: i64) -> OffsetDateTime {
    NOW + Duration::minutes(minute)
}

#[derive(Default)]
struct Cluster {
    /// Running tasks by service, each of which wants one.
    services: BTreeMap<String, i32>,
    stopped: Vec<TaskStateChange>,
}

/// ECS and the table, in memory.
#[derive(Default)]
struct Fake {
    clusters: Mutex<BTreeMap<String, Cluster>>,
    /// How many a page holds.
    a_page: usize,
    /// Calls that contain the text fail so.
    failing: Mutex<Vec<(&'static str, Failure)>>,
    calls: Mutex<Vec<String>>,
    remembered: Mutex<BTreeMap<(String, Silent), Remembered>>,
    cursor: Mutex<Cursor>,
    /// The table does not write.
    is_read_only: Mutex<bool>,
}

impl Fake {
    fn new(a_page: usize) -> Self {
        Self { a_page, ..Self::default() }
    }

    fn service(&self, cluster: &str, name: &str, running: i32) {
        self.cluster(cluster, |cluster| {
            cluster.services.insert(name.to_owned(), running);
        });
    }

    fn stopped(&self, cluster: &str, id: &str, at: OffsetDateTime) {
        let task = stop(cluster, id, at);
        self.cluster(cluster, |cluster| cluster.stopped.push(task));
    }

    fn cluster(&self, name: &str, change: impl FnOnce(&mut Cluster)) {
        change(self.clusters.lock().unwrap().entry(format!("{HOME}:cluster/{name}")).or_default());
    }

    fn fail(&self, call: &'static str, failure: Failure) {
        self.failing.lock().unwrap().push((call, failure));
    }

    fn well(&self) {
        self.failing.lock().unwrap().clear();
    }

    fn call(&self, call: String) -> Result<(), Failure> {
        let failing = self.failing.lock().unwrap();
        let failure = failing.iter().find(|(text, _)| call.contains(text)).map(|(_, failure)| failure.clone());
        self.calls.lock().unwrap().push(call);
        failure.map_or(Ok(()), Err)
    }

    fn page(&self, items: &[String], token: Option<String>) -> Listed {
        let from = token.map_or(0, |token| token.parse().unwrap());
        let to = items.len().min(from + self.a_page);
        let token = (to < items.len()).then(|| to.to_string());
        Listed { arns: items[from..to].to_vec(), token }
    }

    fn of<T>(&self, cluster: &str, read: impl FnOnce(&Cluster) -> T) -> Result<T, Failure> {
        self.clusters.lock().unwrap().get(cluster).map(read).ok_or(Failure::ClusterGone)
    }

    /// A look, what it found settled.
    async fn look(&self, at: i64) -> Look {
        let look = self.look_only(at).await;
        settle(self, &look).await.unwrap();
        look
    }

    async fn look_only(&self, at: i64) -> Look {
        self.calls.lock().unwrap().clear();
        let look = look(self, self, &LIMITS, minute(at)).await.unwrap();
        let calls = self.calls.lock().unwrap().len();
        assert!(calls <= CALLS, "{calls} calls");
        look
    }

    fn calls(&self, text: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| call.contains(text)).count()
    }
}

fn stop(cluster: &str, id: &str, at: OffsetDateTime) -> TaskStateChange {
    TaskStateChange {
        origin: Origin { event_id: String::new(), account: String::new(), region: String::new(), time: Some(at) },
        task: TaskArn::parse(&format!("{HOME}:task/{cluster}/{id}")).unwrap(),
        cluster: ClusterArn::parse(&format!("{HOME}:cluster/{cluster}")).unwrap(),
        task_definition: None,
        group: None,
        started_by: None,
        status: TaskStatus::Stopped,
        version: 1,
        stop_code: None,
        stopped_reason: None,
        containers: Vec::new(),
        launch_type: None,
        availability_zone: None,
        created_at: None,
        connectivity_at: None,
        pull_started_at: None,
        pull_stopped_at: None,
        started_at: None,
        stopping_at: None,
        execution_stopped_at: None,
        stopped_at: Some(at),
    }
}

fn found(service: ServiceArn, running: i32) -> Found {
    Found {
        ignored: service.name().starts_with("ignored"),
        sight: ServiceSight {
            service,
            tasks: Running { running, desired: 1, pending: 0 },
            revision: None,
            runs_on: None,
            deployment: None,
            said: Vec::new(),
        },
        life: Life::Active,
        controller: Controller::Ecs,
        minimum_healthy: 100,
        breaker: false,
        waits: Duration::ZERO,
        owner: None,
        runbook: None,
    }
}

impl Ecs for Fake {
    async fn list_clusters(&self, token: Option<String>) -> Result<Listed, Failure> {
        self.call("list clusters".to_owned())?;
        Ok(self.page(&self.clusters.lock().unwrap().keys().cloned().collect::<Vec<_>>(), token))
    }

    async fn list_services(&self, cluster: &str, token: Option<String>) -> Result<Listed, Failure> {
        self.call(format!("list services of {cluster}"))?;
        let arn = |name: &String| format!("{}/{name}", cluster.replace(":cluster/", ":service/"));
        let services = self.of(cluster, |cluster| cluster.services.keys().map(arn).collect::<Vec<_>>())?;
        Ok(self.page(&services, token))
    }

    async fn list_stopped(&self, cluster: &str, token: Option<String>) -> Result<Listed, Failure> {
        self.call(format!("list stopped of {cluster}"))?;
        let arns = |cluster: &Cluster| cluster.stopped.iter().map(|task| task.task.to_string()).collect::<Vec<_>>();
        let stopped = self.of(cluster, arns)?;
        Ok(self.page(&stopped, token))
    }

    async fn describe_services(&self, cluster: &str, names: &[String]) -> Result<Vec<Seen>, Failure> {
        assert!((1..=10).contains(&names.len()), "{names:?}");
        self.call(format!("describe services of {cluster}"))?;
        let seen = |name: &String, running: Option<&i32>| {
            let arn = ServiceArn::parse(&format!("{}/{name}", cluster.replace(":cluster/", ":service/"))).unwrap();
            match running {
                Some(running) => Seen::There(Box::new(found(arn, *running))),
                None => Seen::Gone(arn),
            }
        };
        self.of(cluster, |cluster| names.iter().map(|name| seen(name, cluster.services.get(name))).collect())
    }

    async fn describe_tasks(&self, cluster: &str, ids: &[String]) -> Result<Vec<TaskStateChange>, Failure> {
        assert!((1..=100).contains(&ids.len()), "{} tasks", ids.len());
        self.call(format!("describe tasks of {cluster}"))?;
        let chosen = |task: &&TaskStateChange| ids.iter().any(|id| id == task.task.id());
        self.of(cluster, |cluster| cluster.stopped.iter().filter(chosen).cloned().collect())
    }
}

impl Fake {
    fn write(&self) -> Result<(), Trouble> {
        let trouble = Trouble::Call { doing: "testing", why: "the table is down".to_owned() };
        if *self.is_read_only.lock().unwrap() { Err(trouble) } else { Ok(()) }
    }
}

impl Memory for Fake {
    async fn recall(&self) -> Result<Recalled, Trouble> {
        let remembered = self.remembered.lock().unwrap().values().cloned().collect();
        Ok(Recalled { remembered, cursor: self.cursor.lock().unwrap().clone() })
    }

    async fn remember(&self, one: &Remembered) -> Result<(), Trouble> {
        self.write()?;
        self.remembered.lock().unwrap().insert((one.service.as_str().to_owned(), one.trouble), one.clone());
        Ok(())
    }

    async fn forget(
        &self,
        service: &ServiceArn,
        trouble: Silent,
        over_at: Option<OffsetDateTime>,
    ) -> Result<(), Trouble> {
        self.write()?;
        let mut remembered = self.remembered.lock().unwrap();
        let key = (service.as_str().to_owned(), trouble);
        if remembered.get(&key).is_some_and(|one| if over_at.is_some() { one.over_at == over_at } else { !one.told }) {
            remembered.remove(&key);
        }
        Ok(())
    }

    async fn keep(&self, cursor: &Cursor) -> Result<(), Trouble> {
        self.write()?;
        *self.cursor.lock().unwrap() = cursor.clone();
        Ok(())
    }
}

/// What was found, in short: `!` is a fault.
fn words(look: &Look) -> Vec<String> {
    let words = look.findings.iter().map(|finding| match &finding.state {
        State::Fault { .. } => format!("! {}", finding.service.name()),
        State::Over { summary, .. } => format!("{}: {summary}", finding.service.name()),
    });
    words.collect()
}

fn ids(look: &Look) -> Vec<&str> {
    look.stopped.iter().map(|task| task.task.id()).collect()
}

fn refused() -> Failure {
    Failure::Refused("AccessDeniedException: no".to_owned())
}

fn throttled() -> Failure {
    Failure::Throttled("ThrottlingException: Rate exceeded".to_owned())
}

#[tokio::test]
async fn a_small_account_is_gone_round_in_every_look() {
    let ecs = Fake::new(100);
    ecs.service("dbward", "server", 0);
    ecs.service("dbward", "agent", 1);
    ecs.service("flue", "ignored-web", 0);
    ecs.stopped("flue", "late", minute(-5));
    ecs.stopped("flue", "early", minute(-8));
    let first = ecs.look(0).await;
    assert!(first.complete && first.troubles.is_empty(), "{first:?}");
    assert_eq!((words(&first), ids(&first)), (vec![], vec!["early", "late"]));
    assert_eq!(first.ignored.iter().map(ServiceArn::name).collect::<Vec<_>>(), ["ignored-web"]);
    // The clusters; of each its services and stopped tasks; two looks at services, one at tasks.
    assert_eq!(ecs.calls(""), 8);
    for at in 1..10 {
        assert_eq!(words(&ecs.look(at).await), Vec::<String>::new(), "minute {at}");
    }
    assert_eq!(words(&ecs.look(10).await), ["! server"]);
    ecs.service("dbward", "server", 1);
    assert_eq!(words(&ecs.look(11).await), ["server: its task runs again"]);
    assert_eq!(words(&ecs.look(12).await), Vec::<String>::new());
}

#[tokio::test]
async fn a_large_account_is_gone_round_in_several_looks_and_nothing_is_left_out() {
    let ecs = Fake::new(7);
    for cluster in 0..9 {
        for service in 0..25 {
            ecs.service(&format!("c{cluster}"), &format!("s{service}"), i32::from(service != 3));
        }
        for task in 0..20 {
            ecs.stopped(&format!("c{cluster}"), &format!("t{cluster}-{task}"), minute(-2));
        }
    }
    let mut stopped = BTreeSet::new();
    let mut looks = 0;
    loop {
        let look = ecs.look(0).await;
        stopped.extend(ids(&look).into_iter().map(str::to_owned));
        looks += 1;
        if look.complete {
            break;
        }
        assert!(looks < 30, "it does not end");
    }
    assert!(looks > 2, "{looks} looks");
    assert_eq!(stopped.len(), 180);
    assert_eq!(ecs.remembered.lock().unwrap().len(), 9);
    // What is remembered is looked at in every look, wherever the round is.
    assert_eq!(words(&ecs.look(10).await).len(), 8);
    let second = words(&ecs.look(11).await);
    assert_eq!(second.len(), 8);
    assert!(second.contains(&"! s3".to_owned()));
}

#[tokio::test]
async fn what_was_not_settled_is_found_again() {
    let ecs = Fake::new(100);
    ecs.service("dbward", "server", 0);
    ecs.stopped("dbward", "task", minute(-5));
    ecs.look_only(0).await;
    for at in [10, 11] {
        let look = ecs.look_only(at).await;
        assert_eq!((words(&look), ids(&look)), (vec!["! server".to_owned()], vec!["task"]));
    }
    ecs.service("dbward", "server", 1);
    for at in [12, 13] {
        assert_eq!(words(&ecs.look_only(at).await), ["server: its task runs again"]);
    }
    assert_eq!(words(&ecs.look(14).await), ["server: its task runs again"]);
    let last = ecs.look(15).await;
    assert_eq!((words(&last), ids(&last)), (vec![], vec![]));
}

#[tokio::test]
async fn stops_are_left_to_their_events_for_a_minute_and_brought_for_a_few() {
    let ecs = Fake::new(100);
    ecs.stopped("dbward", "task", minute(0));
    let mut brought = Vec::new();
    for at in 0..10 {
        brought.extend(ids(&ecs.look(at).await).into_iter().map(|_| at));
    }
    assert_eq!(brought, [1, 2, 3, 4]);
    // One that is late in the list.
    ecs.stopped("dbward", "hidden", minute(7));
    assert_eq!(ids(&ecs.look(9).await), ["hidden"]);
}

#[tokio::test]
async fn a_look_brings_so_many_stops_and_the_next_one_the_others() {
    let ecs = Fake::new(100);
    for task in 0..1_234 {
        ecs.stopped("batch", &format!("t{task}"), minute(-5));
    }
    let mut sizes = Vec::new();
    let mut brought = BTreeSet::new();
    for _ in 0..3 {
        let look = ecs.look(0).await;
        assert!(look.stopped.len() <= STOPS);
        sizes.push(look.stopped.len());
        brought.extend(ids(&look).into_iter().map(str::to_owned));
    }
    assert_eq!((sizes, brought.len()), (vec![500, 500, 234], 1_234));
}

#[tokio::test]
async fn a_cluster_that_cannot_be_read_costs_a_warning() {
    for call in ["list services of", "describe services of", "list stopped of", "describe tasks of"] {
        let ecs = Fake::new(100);
        for cluster in ["a", "b", "c"] {
            ecs.service(cluster, &format!("{cluster}-server"), 0);
            ecs.stopped(cluster, &format!("{cluster}-task"), minute(-5));
        }
        let call: &'static str = format!("{call} {HOME}:cluster/b").leak();
        ecs.fail(call, refused());
        let look = ecs.look(0).await;
        assert!(!look.complete, "{call}");
        assert_eq!(look.troubles.len(), 1, "{call}");
        assert!(ids(&look).starts_with(&["a-task"]) && ids(&look).ends_with(&["c-task"]), "{call}: {look:?}");
        ecs.well();
        // The round had faults, so its stops come again, with the one that was missed.
        assert_eq!(ids(&ecs.look(4).await), ["a-task", "b-task", "c-task"]);
    }
}

#[tokio::test]
async fn throttling_ends_the_look_and_the_next_one_goes_on_there() {
    let ecs = Fake::new(100);
    for cluster in ["a", "b", "c"] {
        ecs.service(cluster, "server", 0);
    }
    ecs.fail("list stopped of arn:aws:ecs:eu-west-1:123456789012:cluster/b", throttled());
    let look = ecs.look(0).await;
    assert_eq!((look.complete, look.troubles.len()), (false, 1));
    let before = ecs.calls("");
    ecs.well();
    let look = ecs.look(1).await;
    assert!(look.complete && ecs.calls("list clusters") == 0, "it began anew");
    assert!(before > 0);
}

#[tokio::test]
async fn a_second_call_that_hangs_ends_the_look() {
    let ecs = Fake::new(100);
    for cluster in ["a", "b", "c", "d"] {
        ecs.service(cluster, "server", 1);
    }
    ecs.fail("list services", Failure::Unanswered("timed out".to_owned()));
    ecs.look(0).await;
    assert_eq!(ecs.calls("list services"), 2);
}

#[tokio::test]
async fn gone_is_only_what_ecs_says_is_gone() {
    for (failing, failure) in [
        ("list clusters", throttled()),
        ("list clusters", refused()),
        ("list services", throttled()),
        ("list services", refused()),
        ("describe services", throttled()),
        ("describe services", refused()),
        ("describe services", Failure::Unanswered("timed out".to_owned())),
    ] {
        let ecs = Fake::new(100);
        ecs.service("dbward", "server", 0);
        ecs.look(0).await;
        assert_eq!(words(&ecs.look(10).await), ["! server"]);
        ecs.fail(failing, failure);
        let still = words(&ecs.look(11).await);
        let expected = if failing.starts_with("list") { vec!["! server"] } else { vec![] };
        assert_eq!(still, expected, "{failing}");
        assert_eq!(ecs.remembered.lock().unwrap().len(), 1);
        ecs.well();
        ecs.cluster("dbward", |cluster| cluster.services.clear());
        assert_eq!(words(&ecs.look(12).await), ["server: the service is gone"]);
        assert!(ecs.remembered.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_cluster_that_is_gone_takes_its_services_along() {
    let ecs = Fake::new(100);
    ecs.service("dbward", "server", 0);
    ecs.look(0).await;
    ecs.look(10).await;
    ecs.clusters.lock().unwrap().clear();
    let look = ecs.look(11).await;
    assert_eq!(words(&look), ["server: the service is gone"]);
    assert!(look.complete && look.troubles.is_empty(), "{look:?}");
}

#[tokio::test]
async fn nothing_is_told_that_could_not_be_remembered() {
    let ecs = Fake::new(100);
    ecs.service("dbward", "server", 0);
    ecs.look(0).await;
    *ecs.is_read_only.lock().unwrap() = true;
    assert!(look(&ecs, &ecs, &LIMITS, minute(10)).await.is_err());
    *ecs.is_read_only.lock().unwrap() = false;
    assert_eq!(words(&ecs.look(11).await), ["! server"]);
}

#[tokio::test]
async fn many_that_are_remembered_are_looked_at_in_turn() {
    let ecs = Fake::new(100);
    for service in 0..200 {
        ecs.service("big", &format!("s{service:03}"), 0);
    }
    for _ in 0..3 {
        ecs.look(0).await;
    }
    assert_eq!(ecs.remembered.lock().unwrap().len(), 200);
    // The round finds none of them, so that it is their turn alone that does.
    ecs.fail("list clusters", refused());
    let mut told = BTreeSet::new();
    for at in 10..13 {
        told.extend(words(&ecs.look(at).await));
    }
    assert_eq!(told.len(), 200);
}

#[tokio::test]
async fn what_was_looked_at_already_is_not_looked_at_twice() {
    let ecs = Fake::new(100);
    ecs.service("dbward", "server", 0);
    for at in 0..2 {
        ecs.look(at).await;
        assert_eq!(ecs.calls("describe services"), 1, "minute {at}");
    }
}
