//! What is gathered about a fault, and what is said of what could not be.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crash_alerts::evidence::{
    ContainerSpec, DeploymentSeen, End, Forgotten, LogSpec, Page, Revision, Rollout, ServiceSeen, SteadyRevisions,
    Stream, Suspect, Unseen, Witness, gather, look_again,
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use watchkeeper_alerts::{Evidence, Running};
use watchkeeper_events::{Event, QueueMessage, ServiceArn, TaskDefinitionArn, TaskStateChange};

const TIME: Duration = Duration::from_secs(5);

/// AWS, as each test wants it.
#[derive(Default)]
struct Fake {
    revisions: BTreeMap<String, Result<Revision, Unseen>>,
    streams: BTreeMap<String, Result<Vec<String>, Unseen>>,
    /// Whether logs never answer.
    hangs: bool,
    asked: Mutex<Vec<String>>,
}

impl Witness for Fake {
    async fn revision(&self, arn: &TaskDefinitionArn) -> Result<Arc<Revision>, Unseen> {
        let found = self.revisions.get(arn.revision()).cloned();
        found.unwrap_or_else(|| Err(Unseen::Gone("Unable to describe task definition.".into()))).map(Arc::new)
    }

    async fn log(&self, stream: &Stream, end: End, limit: i32) -> Result<Page, Unseen> {
        self.asked.lock().unwrap().push(format!("{end:?} {} {} {}", stream.region, stream.group, stream.name));
        if self.hangs {
            std::future::pending::<()>().await;
        }
        let gone = || Err(Unseen::Gone("The specified log stream does not exist.".into()));
        let lines = self.streams.get(&stream.name).cloned().unwrap_or_else(gone)?;
        let limit = usize::try_from(limit).unwrap();
        let messages = match end {
            End::First => lines[..limit.min(lines.len())].to_vec(),
            End::Last => lines[lines.len().saturating_sub(limit)..].to_vec(),
        };
        Ok(Page { whole: lines.len() < limit, messages })
    }
}

fn numbered(lines: usize) -> Vec<String> {
    (1..=lines).map(|n| format!("line {n}")).collect()
}

const TASK: &str = "8f1c2e7a9b3d4c5e8f1c2e7a9b3d4c5e";

fn task(change: impl FnOnce(&mut Value)) -> TaskStateChange {
    let path = format!("{}/../../shared/events/tests/samples/task-stopped-exit-1.json", env!("CARGO_MANIFEST_DIR"));
    let mut event: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    change(&mut event["detail"]);
    let QueueMessage::Event(Event::Task(task)) = QueueMessage::parse(&event.to_string()).unwrap() else {
        panic!("not an event of a task");
    };
    *task
}

fn logs(driver: &str, options: &[(&str, &str)]) -> LogSpec {
    let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    LogSpec { driver: driver.to_owned(), options }
}

fn awslogs() -> LogSpec {
    logs("awslogs", &[("awslogs-group", "/ecs/agent"), ("awslogs-stream-prefix", "agent")])
}

fn container(name: &str, logs: impl Into<Option<LogSpec>>) -> ContainerSpec {
    ContainerSpec { name: name.to_owned(), essential: true, logs: logs.into(), ..ContainerSpec::default() }
}

fn revision(number: u32, containers: Vec<ContainerSpec>) -> Revision {
    Revision { name: format!("dbward-agent:{number}"), containers, ..Revision::default() }
}

fn arn(revision: &str) -> TaskDefinitionArn {
    TaskDefinitionArn::parse(&format!("arn:aws:ecs:eu-west-1:123456789012:task-definition/{revision}")).unwrap()
}

fn stream(container: &str) -> String {
    format!("agent/{container}/{TASK}")
}

/// The task's revision has these containers, and this one wrote these lines.
fn fake(containers: Vec<ContainerSpec>, lines: Vec<String>) -> Fake {
    Fake {
        revisions: [("dbward-agent:7".to_owned(), Ok(revision(7, containers)))].into(),
        streams: [(stream("agent"), Ok(lines))].into(),
        ..Fake::default()
    }
}

fn suspect(task: TaskStateChange) -> Suspect {
    let at = task.stopped_at.unwrap();
    Suspect {
        task: Some(task),
        container: Some("agent".into()),
        steady: Some(steady("dbward-agent:7", at - time::Duration::days(30))),
        ..Suspect::at(at)
    }
}

fn steady(revision: &str, since: OffsetDateTime) -> SteadyRevisions {
    SteadyRevisions::first(arn(revision), since)
}

/// At no time that matters.
fn nothing() -> Suspect {
    Suspect::at(OffsetDateTime::UNIX_EPOCH)
}

async fn gathered(fake: &Fake, suspect: &Suspect) -> Evidence {
    any_thread(gather(fake, suspect, TIME)).await
}

/// Whoever gathers may do so on any thread.
fn any_thread<F: Future + Send>(future: F) -> F {
    future
}

#[tokio::test]
async fn the_last_lines_are_shown_without_secrets_and_colours() {
    let mut lines = numbered(40);
    lines.push("\u{1b}[31mERROR\u{1b}[0m cannot connect to postgres://u:s3cr3t@db/x\n  retrying\n".into());
    let fake = fake(vec![container("agent", awslogs())], lines);
    let evidence = gathered(&fake, &suspect(task(|_| {}))).await;
    let [log] = &evidence.logs[..] else { panic!("{evidence:?}") };
    assert_eq!((log.container.as_str(), log.group.as_str()), ("agent", "/ecs/agent"));
    assert_eq!(log.stream, stream("agent"));
    assert_eq!(log.tail.len(), 20);
    assert_eq!(log.tail[18..], ["ERROR cannot connect to postgres://u:[redacted]@db/x", "  retrying"]);
    assert_eq!((log.head.len(), log.gap), (0, true), "it ran for minutes");
    assert!(
        log.url.as_deref().unwrap().ends_with(&format!("$252Fecs$252Fagent/log-events/agent$252Fagent$252F{TASK}"))
    );
    assert_eq!(evidence.gaps, Vec::<String>::new());
    assert_eq!(*fake.asked.lock().unwrap(), [format!("Last eu-west-1 /ecs/agent {}", stream("agent"))]);
    assert!(evidence.steady_since.is_some() && evidence.compared_with.is_none(), "it ran for a month");
}

#[tokio::test]
async fn a_crash_soon_after_the_start_shows_the_first_lines_too() {
    let soon = |detail: &mut Value| detail["stoppingAt"] = json!("2026-11-20T09:58:30Z");
    for (lines, head, tail, gap) in [
        (5, None, (1, 5), false),
        (20, None, (1, 20), false),
        (25, Some((1, 5)), (6, 25), false),
        (30, Some((1, 10)), (11, 30), false),
        (31, Some((1, 10)), (12, 31), true),
        (1_000, Some((1, 10)), (981, 1_000), true),
    ] {
        let fake = fake(vec![container("agent", awslogs())], numbered(lines));
        let evidence = gathered(&fake, &suspect(task(soon))).await;
        let log = &evidence.logs[0];
        let between = |(from, to): (usize, usize)| (from..=to).map(|n| format!("line {n}")).collect::<Vec<_>>();
        assert_eq!(log.head, head.map(between).unwrap_or_default(), "{lines}");
        assert_eq!(log.tail, between(tail), "{lines}");
        assert_eq!(log.gap, gap, "{lines}");
    }
    // One that never ran, but wrote.
    let never = |detail: &mut Value| detail["startedAt"] = Value::Null;
    let fake = fake(vec![container("agent", awslogs())], numbered(100));
    assert_eq!(gathered(&fake, &suspect(task(never))).await.logs[0].head.len(), 10);
}

#[tokio::test]
async fn another_region_and_a_stream_without_a_prefix() {
    let options = [("awslogs-group", "g"), ("awslogs-region", "us-east-1"), ("awslogs-stream-prefix", "agent")];
    let elsewhere = fake(vec![container("agent", logs("awslogs", &options))], numbered(1));
    let evidence = gathered(&elsewhere, &suspect(task(|_| {}))).await;
    assert!(evidence.logs[0].url.as_deref().unwrap().starts_with("https://us-east-1.console.aws.amazon.com/"));
    assert_eq!(*elsewhere.asked.lock().unwrap(), [format!("Last us-east-1 g {}", stream("agent"))]);

    let without = fake(vec![container("agent", logs("awslogs", &[("awslogs-group", "g")]))], vec![]);
    gathered(&without, &suspect(task(|_| {}))).await;
    assert_eq!(*without.asked.lock().unwrap(), [format!("Last eu-west-1 g {TASK}-265927825")]);
    let unknown = |detail: &mut Value| detail["containers"][0]["runtimeId"] = Value::Null;
    let evidence = gathered(&without, &suspect(task(unknown))).await;
    assert_eq!(
        evidence.gaps,
        ["The log stream of the container \"agent\" in g is not known: its definition sets no awslogs-stream-prefix."]
    );
}

#[tokio::test]
async fn containers_that_failed_are_shown_after_the_one_that_began_it() {
    let several = |detail: &mut Value| {
        let seen = |name: &str, code: i64| json!({"name": name, "exitCode": code});
        detail["containers"] =
            json!([seen("proxy", 1), seen("fine", 0), seen("agent", 137), seen("side", 1), seen("a", 2), seen("b", 2)]);
    };
    let mut side = container("side", awslogs());
    side.essential = false;
    let names = ["proxy", "fine", "agent", "a", "b"];
    let mut containers: Vec<ContainerSpec> = names.iter().map(|name| container(name, awslogs())).collect();
    containers.insert(3, side);
    let mut fake = fake(containers, numbered(1));
    for name in names {
        fake.streams.insert(stream(name), Ok(numbered(1)));
    }
    let shown = |evidence: &Evidence| evidence.logs.iter().map(|log| log.container.clone()).collect::<Vec<_>>();
    let mut suspect = suspect(task(several));
    assert_eq!(shown(&gathered(&fake, &suspect).await), ["agent", "proxy", "a"]);
    suspect.container = None;
    assert_eq!(shown(&gathered(&fake, &suspect).await), ["proxy", "agent", "a"]);
}

#[tokio::test]
async fn other_drivers_and_none_are_said() {
    for (spec, gap) in [
        (None, "The container \"agent\" has no log configuration, so its lines are on its host, if anywhere."),
        (Some(logs("none", &[])), "The container \"agent\" keeps no lines: its log driver is none."),
        (Some(logs("splunk", &[])), "The container \"agent\" logs through splunk; its lines are not read here."),
        (
            Some(logs("splunk", &[("splunk-url", "https://u:s3cr3t@splunk.internal:8088")])),
            "The container \"agent\" logs through splunk to https://u:[redacted]@splunk.internal:8088; its lines are not read here.",
        ),
        (
            Some(logs("fluentd", &[("fluentd-address", "fluentd.internal:24224")])),
            "The container \"agent\" logs through fluentd to fluentd.internal:24224; its lines are not read here.",
        ),
        (
            Some(logs("gelf", &[("gelf-address", "udp://graylog.internal:12201")])),
            "The container \"agent\" logs through gelf to udp://graylog.internal:12201; its lines are not read here.",
        ),
        (
            Some(logs("syslog", &[("syslog-address", "tcp+tls://syslog.internal:6514")])),
            "The container \"agent\" logs through syslog to tcp+tls://syslog.internal:6514; its lines are not read here.",
        ),
        (
            Some(logs("journald", &[])),
            "The container \"agent\" logs through journald: its lines are on the host that it ran on.",
        ),
        (
            Some(logs("json-file", &[])),
            "The container \"agent\" logs through json-file: its lines are on the host that it ran on.",
        ),
        (
            Some(logs(
                "awsfirelens",
                &[("Name", "cloudwatch_logs"), ("region", "eu-west-1"), ("log_group_name", "/a/b")],
            )),
            "The container \"agent\" logs through FireLens to cloudwatch_logs, group /a/b, region eu-west-1; its lines are \
             not read here.",
        ),
        (
            Some(logs("awslogs", &[("awslogs-stream-prefix", "agent")])),
            "The container \"agent\" writes to CloudWatch Logs, but its definition names no log group.",
        ),
    ] {
        let fake = fake(vec![container("agent", spec)], vec![]);
        let evidence = gathered(&fake, &suspect(task(|_| {}))).await;
        assert_eq!(evidence.gaps, [gap]);
        assert!(fake.asked.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_fails_costs_a_sentence() {
    let name = stream("agent");
    let never = |detail: &mut Value| detail["startedAt"] = Value::Null;
    for (unseen, ran, gap) in [
        (
            Unseen::Denied,
            true,
            "The lines of \"agent\" could not be read: the function's role lacks logs:GetLogEvents on /ecs/agent in eu-west-1."
                .to_owned(),
        ),
        (
            Unseen::Gone("The specified log group does not exist.".into()),
            true,
            "The log group /ecs/agent of the container \"agent\" does not exist in eu-west-1.".to_owned(),
        ),
        (
            Unseen::Gone("The specified log stream does not exist.".into()),
            true,
            format!(
                "The log stream {name} in /ecs/agent does not exist: the container \"agent\" wrote nothing, or its lines are \
                 not there yet."
            ),
        ),
        (
            Unseen::Gone("The specified log stream does not exist.".into()),
            false,
            "The container \"agent\" wrote nothing to /ecs/agent: it did not start.".to_owned(),
        ),
        (
            Unseen::Deeper,
            true,
            format!(
                "No line of \"agent\" was found within 3 pages of the log stream {name} in /ecs/agent, and there are more; look \
                 there: https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups/log-group/\
                 $252Fecs$252Fagent/log-events/agent$252Fagent$252F{TASK}"
            ),
        ),
        (
            Unseen::Throttled,
            true,
            "The lines of \"agent\" could not be read from /ecs/agent: AWS throttled the call.".to_owned(),
        ),
        (
            Unseen::Other("InternalFailure: oops.".into()),
            true,
            "The lines of \"agent\" could not be read from /ecs/agent: InternalFailure: oops.".to_owned(),
        ),
    ] {
        let mut fake = fake(vec![container("agent", awslogs())], vec![]);
        fake.streams.insert(name.clone(), Err(unseen));
        let task = if ran { task(|_| {}) } else { task(never) };
        let evidence = gathered(&fake, &suspect(task)).await;
        assert_eq!((evidence.gaps, evidence.logs), (vec![gap], vec![]));
        assert!(!evidence.timeline.is_empty());
    }
    let empty = fake(vec![container("agent", awslogs())], vec![]);
    let evidence = gathered(&empty, &suspect(task(|_| {}))).await;
    assert_eq!(evidence.gaps, ["The container \"agent\" wrote nothing to /ecs/agent."]);
}

#[tokio::test]
async fn revisions_that_cannot_be_read_cost_a_sentence() {
    let mut broken = fake(vec![container("agent", awslogs())], numbered(1));
    broken.revisions.insert("dbward-agent:6".into(), Err(Unseen::Denied));
    let mut suspect = suspect(task(|_| {}));
    suspect.steady = Some(steady("dbward-agent:6", suspect.at));
    let evidence = gathered(&broken, &suspect).await;
    assert_eq!(
        evidence.gaps,
        ["The revision dbward-agent:6 could not be read: the function's role lacks ecs:DescribeTaskDefinition."]
    );
    assert_eq!((evidence.logs.len(), evidence.compared_with), (1, None));

    let evidence = gathered(&Fake::default(), &suspect).await;
    let gone = |revision| format!("The revision dbward-agent:{revision} does not exist any more.");
    assert_eq!(evidence.gaps, [gone(7), gone(6)]);

    suspect.steady = None;
    let evidence = gathered(&fake(vec![container("agent", awslogs())], numbered(1)), &suspect).await;
    assert_eq!(
        evidence.gaps,
        ["No other revision was seen steady before, so there is nothing to compare this one with."]
    );

    let standalone = |detail: &mut Value| {
        detail["group"] = json!("family:dbward-agent");
        detail["startedBy"] = Value::Null;
    };
    suspect.task = Some(task(standalone));
    let evidence = gathered(&fake(vec![container("agent", awslogs())], numbered(1)), &suspect).await;
    assert_eq!(
        evidence.gaps,
        [
            "No task of another revision of its family was seen to end well, so there is nothing to compare this one with."
        ]
    );

    suspect.task = Some(task(|detail| detail["taskDefinitionArn"] = Value::Null));
    let evidence = gathered(&broken, &suspect).await;
    assert_eq!(evidence.gaps, ["Which revision the task ran is not known, so neither are its logs nor what changed."]);
}

#[tokio::test(start_paused = true)]
async fn nothing_waits_for_an_answer_that_does_not_come() {
    let mut fake = fake(vec![container("agent", awslogs())], numbered(1));
    fake.hangs = true;
    let before = tokio::time::Instant::now();
    let evidence = gathered(&fake, &suspect(task(|_| {}))).await;
    assert_eq!(before.elapsed().as_secs(), 2);
    assert_eq!(
        evidence.gaps,
        ["The lines of \"agent\" could not be read from /ecs/agent: there was no answer in time."]
    );
    let before = tokio::time::Instant::now();
    gather(&fake, &suspect(task(|_| {})), Duration::from_millis(500)).await;
    assert!(before.elapsed() < Duration::from_millis(600));
}

#[tokio::test]
async fn the_timeline_is_in_the_order_of_time() {
    let pulled = |detail: &mut Value| {
        detail["pullStartedAt"] = json!("2026-11-20T09:57:50Z");
        detail["pullStoppedAt"] = json!("2026-11-20T09:57:53Z");
        detail["executionStoppedAt"] = json!("2026-11-20T10:04:29Z");
        detail["containers"][0]["healthStatus"] = json!("UNHEALTHY");
    };
    let fake = fake(vec![container("agent", awslogs())], numbered(1));
    let evidence = gathered(&fake, &suspect(task(pulled))).await;
    let said: Vec<String> = evidence
        .timeline
        .iter()
        .map(|moment| {
            format!("{:02}:{:02}:{:02} {}", moment.at.hour(), moment.at.minute(), moment.at.second(), moment.what)
        })
        .collect();
    assert_eq!(
        said,
        [
            "09:57:44 created",
            "09:57:48 network attached",
            "09:57:53 image pulled in 3 s",
            "09:58:02 started",
            "10:04:10 stopping, after it ran for 6 min 7 s",
            "10:04:10 health last seen: agent UNHEALTHY",
            "10:04:29 containers ended (agent exit 1)",
            "10:04:30 stopped",
        ]
    );
}

#[tokio::test]
async fn health_is_told_where_ecs_checks_it() {
    let checked = || {
        let mut container = container("agent", awslogs());
        container.settings.insert("health check", "CMD true".into());
        container
    };
    for (status, container, told) in [
        ("HEALTHY", checked(), Some("health last seen: agent HEALTHY")),
        ("UNKNOWN", checked(), Some("health last seen: agent UNKNOWN")),
        ("UNKNOWN", container("agent", awslogs()), None),
        ("HEALTHY", container("agent", awslogs()), None),
    ] {
        let fake = fake(vec![container], numbered(1));
        let task = task(|detail| detail["containers"][0]["healthStatus"] = json!(status));
        let evidence = gathered(&fake, &suspect(task)).await;
        let health = evidence.timeline.iter().find(|moment| moment.what.contains("health"));
        assert_eq!(health.map(|moment| moment.what.as_str()), told, "{status}");
    }
}

fn service(rollout: Option<Rollout>, failed: i32, breaker: bool) -> ServiceSeen {
    let at = OffsetDateTime::parse("2026-11-20T10:02:00Z", &Rfc3339).unwrap();
    ServiceSeen {
        service: ServiceArn::parse("arn:aws:ecs:eu-west-1:123456789012:service/dbward/agent").unwrap(),
        status: "ACTIVE".into(),
        running: 1,
        desired: 2,
        pending: 1,
        created_at: None,
        circuit_breaker: breaker,
        rolls_back: false,
        owner: None,
        runbook: None,
        silence: None,
        ignored: false,
        deployments: vec![DeploymentSeen {
            id: "ecs-svc/123".into(),
            status: "PRIMARY".into(),
            rollout,
            rollout_reason: Some("tasks failed to start, token=s3cr3t".into()),
            created_at: Some(at),
            updated_at: None,
            task_definition: Some(arn("dbward-agent:8")),
            running: 1,
            desired: 2,
            pending: 1,
            failed_tasks: failed,
        }],
    }
}

#[tokio::test]
async fn the_deployment_under_way_is_said_and_tasks_are_counted() {
    for (service, words) in [
        (
            service(Some(Rollout::InProgress), 3, true),
            "ecs-svc/123 of revision dbward-agent:8: in progress since 2026-11-20 10:02 UTC, 1 of 2 running, 3 failed tasks",
        ),
        (
            service(Some(Rollout::Failed), 1, true),
            "ecs-svc/123 of revision dbward-agent:8: failed, begun 2026-11-20 10:02 UTC, 1 of 2 running, 1 failed task: tasks \
             failed to start, token=[redacted]",
        ),
        (
            service(Some(Rollout::InProgress), 0, false),
            "ecs-svc/123 of revision dbward-agent:8: in progress since 2026-11-20 10:02 UTC, 1 of 2 running; no circuit \
             breaker ends it",
        ),
    ] {
        let suspect = Suspect { service: Some(service), ..nothing() };
        let evidence = gathered(&Fake::default(), &suspect).await;
        assert_eq!(evidence.deployment.as_deref(), Some(words));
        assert_eq!(evidence.running, Some(Running { running: 1, desired: 2, pending: 1 }));
    }
    let suspect = Suspect { service: Some(service(Some(Rollout::Completed), 0, true)), ..nothing() };
    assert_eq!(gathered(&Fake::default(), &suspect).await.deployment, None);
}

#[tokio::test]
async fn what_is_being_deployed_is_compared_without_a_task() {
    let image = |tag: &str| {
        let mut container = container("agent", awslogs());
        container.settings.insert("image", format!("agent:{tag}"));
        vec![container]
    };
    let fake = Fake {
        revisions: [
            ("dbward-agent:7".to_owned(), Ok(revision(7, image("v1")))),
            ("dbward-agent:8".to_owned(), Ok(revision(8, image("v2")))),
        ]
        .into(),
        ..Fake::default()
    };
    let seen = Some(service(Some(Rollout::InProgress), 0, true));
    let suspect =
        Suspect { service: seen, steady: Some(steady("dbward-agent:7", OffsetDateTime::UNIX_EPOCH)), ..nothing() };
    let evidence = gathered(&fake, &suspect).await;
    assert_eq!(evidence.compared_with.as_deref(), Some("dbward-agent:7"));
    assert_eq!(evidence.changes, ["image agent:v1 -> agent:v2"]);
    assert_eq!((evidence.gaps, evidence.logs), (vec![], vec![]));
}

#[tokio::test]
async fn a_revision_that_was_steady_for_minutes_is_compared_with_the_one_before() {
    let image = |number: u32| {
        let mut container = container("agent", awslogs());
        container.settings.insert("image", format!("agent:v{number}"));
        (format!("dbward-agent:{number}"), Ok(revision(number, vec![container])))
    };
    let fake = Fake {
        revisions: [image(6), image(7)].into(),
        streams: [(stream("agent"), Ok(numbered(1)))].into(),
        ..Fake::default()
    };
    let mut suspect = suspect(task(|_| {}));
    let (long_ago, just_now) = (suspect.at - time::Duration::days(20), suspect.at - time::Duration::minutes(3));
    suspect.steady = steady("dbward-agent:6", long_ago).after(&arn("dbward-agent:7"), just_now);
    let evidence = gathered(&fake, &suspect).await;
    assert_eq!(evidence.changes, ["image agent:v6 -> agent:v7"]);
    assert_eq!(evidence.compared_with.as_deref(), Some("dbward-agent:6"));
    assert_eq!((evidence.compared_with_since, evidence.steady_since), (Some(long_ago), Some(just_now)));

    // A day later what changed then is not what broke it.
    suspect.at += time::Duration::days(1);
    let evidence = gathered(&fake, &suspect).await;
    assert_eq!((evidence.changes, evidence.compared_with, evidence.gaps), (vec![], None, vec![]));
    assert_eq!((evidence.compared_with_since, evidence.steady_since), (None, Some(just_now)));

    // Of one that could not be read nobody says that nothing changed.
    suspect.at -= time::Duration::days(1);
    let without = Fake { revisions: [image(7)].into(), ..Fake::default() };
    let evidence = gathered(&without, &suspect).await;
    assert_eq!((&evidence.compared_with, evidence.steady_since), (&None, None));
    assert!(evidence.gaps.contains(&"The revision dbward-agent:6 does not exist any more.".to_owned()), "{evidence:?}");
}

#[tokio::test]
async fn what_failed_is_shown_above_a_long_trace() {
    let mut lines = numbered(50);
    lines.push("java.lang.IllegalStateException: no pool".into());
    lines.extend((1..=60).map(|n| format!("\tat io.agent.Pool.step{n}(Pool.java:{n})")));
    let fake = fake(vec![container("agent", awslogs())], lines);
    let evidence = gathered(&fake, &suspect(task(|_| {}))).await;
    let log = &evidence.logs[0];
    assert!(log.tail.contains(&"java.lang.IllegalStateException: no pool".into()), "{:#?}", log.tail);
    assert_eq!((log.tail.len(), log.gap), (20, true));
}

#[tokio::test]
async fn lines_of_a_task_that_ecs_has_forgotten_are_found_by_its_id() {
    let mut fake = fake(vec![container("agent", awslogs())], numbered(300));
    let forgotten = Forgotten { task: task(|_| {}).task, revision: Some(arn("dbward-agent:7")) };
    let suspect = Suspect { forgotten: Some(forgotten), container: Some("agent".into()), ..nothing() };
    let evidence = gathered(&fake, &suspect).await;
    let log = &evidence.logs[0];
    assert_eq!((log.stream.clone(), log.head.len(), log.tail.len()), (stream("agent"), 10, 20));
    assert!(evidence.timeline.is_empty());
    // Whether it ran nobody knows any more.
    fake.streams.clear();
    let evidence = gathered(&fake, &suspect).await;
    assert!(evidence.gaps[0].ends_with("wrote nothing, or its lines are not there yet."), "{evidence:?}");
}

#[tokio::test]
async fn late_lines_are_found_by_a_second_look() {
    let mut fake = fake(vec![container("agent", awslogs())], numbered(2));
    let late = fake.streams.remove(&stream("agent")).unwrap();
    let suspect = suspect(task(|_| {}));
    let mut evidence = gathered(&fake, &suspect).await;
    assert!(evidence.logs.is_empty() && evidence.gaps.len() == 1);
    assert!(!look_again(&fake, &suspect, &mut evidence, TIME).await);
    fake.streams.insert(stream("agent"), late);
    assert!(look_again(&fake, &suspect, &mut evidence, TIME).await);
    assert_eq!((evidence.logs[0].tail.len(), evidence.gaps.len()), (2, 0));
    assert!(!look_again(&fake, &suspect, &mut evidence, TIME).await, "nothing new");
    fake.streams.insert(stream("agent"), Err(Unseen::Throttled));
    assert!(!look_again(&fake, &suspect, &mut evidence, TIME).await, "what was seen stays");
    assert_eq!(evidence.logs.len(), 1);
}

#[tokio::test]
async fn however_much_is_written_evidence_stays_small() {
    let huge: Vec<String> = (0..30).map(|n| if n % 2 == 0 { "ñ" } else { "\"" }.repeat(100_000)).collect();
    let several = |detail: &mut Value| {
        detail["stoppingAt"] = json!("2026-11-20T09:58:30Z");
        detail["containers"] = ["agent", "a", "b"].iter().map(|name| json!({"name": name, "exitCode": 1})).collect();
    };
    let containers = ["agent", "a", "b"].iter().map(|name| container(name, awslogs())).collect();
    let mut fake = fake(containers, huge.clone());
    for name in ["a", "b"] {
        fake.streams.insert(stream(name), Ok(huge.clone()));
    }
    let evidence = gathered(&fake, &suspect(task(several))).await;
    let bytes = serde_json::to_string(&evidence).unwrap().len();
    assert!(bytes < 30_000, "{bytes}");
    assert!(evidence.logs[0].tail[0].ends_with("more bytes]") && evidence.logs[0].gap);
}
