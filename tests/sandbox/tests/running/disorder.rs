//! Disorder on demand. Tests share a sandbox, so every rule here is about resources of its own test.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use crate::local::{Local, SOON, with_sandbox};
use sandbox::disorder::{
    CallEffect, CallMatch, CallRule, EventEffect, EventMatch, EventRule, Moment, Plan, Subject, Texts,
};
use serde_json::{Value, json};
use tokio::process::Command;

fn events(events: Vec<EventRule>) -> Plan {
    Plan { seed: 1, events, calls: Vec::new() }
}

fn calls(calls: Vec<CallRule>) -> Plan {
    Plan { seed: 1, events: Vec::new(), calls }
}

/// A queue that a rule sends the task events of a cluster to.
async fn queue_of_tasks(local: &Local, cluster: &str) -> String {
    let aws = local.sandbox.aws();
    let made = aws.json("sqs", "AmazonSQS.CreateQueue", &json!({ "QueueName": cluster })).await.unwrap();
    let url = made["QueueUrl"].as_str().unwrap().to_owned();
    let cluster_arn = format!("arn:aws:ecs:eu-west-1:123456789012:cluster/{cluster}");
    let pattern = json!({
        "source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": { "clusterArn": [cluster_arn] },
    });
    aws.json("events", "AWSEvents.PutRule", &json!({ "Name": cluster, "EventPattern": pattern.to_string() }))
        .await
        .unwrap();
    let target = json!({ "Id": "1", "Arn": format!("arn:aws:sqs:eu-west-1:123456789012:{cluster}") });
    aws.json("events", "AWSEvents.PutTargets", &json!({ "Rule": cluster, "Targets": [target] })).await.unwrap();
    url
}

/// The events in a queue, in the order in which they came.
async fn received(local: &Local, url: &str) -> Vec<Value> {
    let request = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 1000 });
    let mut events = Vec::new();
    loop {
        let answer = local.sandbox.aws().json("sqs", "AmazonSQS.ReceiveMessage", &request).await.unwrap();
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        if messages.is_empty() {
            return events;
        }
        events.extend(
            messages.iter().map(|message| serde_json::from_str::<Value>(message["Body"].as_str().unwrap()).unwrap()),
        );
    }
}

fn ids(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

fn statuses(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["detail"]["lastStatus"].as_str().unwrap()).collect()
}

/// Task events of a cluster in these states.
fn tasks(cluster: &str, statuses: impl Into<Texts>) -> EventMatch {
    EventMatch {
        detail_type: "ECS Task State Change".into(),
        detail: [("lastStatus".to_owned(), statuses.into())].into(),
        resources: format!(":task/{cluster}/").as_str().into(),
        ..EventMatch::default()
    }
}

/// Runs a task of a new cluster to its end; returns its emitted events once all are delivered.
async fn life_of_a_task(local: &Local, cluster: &str) -> Vec<Value> {
    local.cluster(cluster, json!([{ "name": "EXIT_AFTER_MS", "value": "50" }])).await;
    let run = json!({
        "cluster": cluster, "taskDefinition": cluster, "launchType": "FARGATE",
        "networkConfiguration": crate::local::network(),
    });
    let from = local.sandbox.bus().emitted().len();
    let answer = local.ecs("RunTask", run).await;
    let task = answer["tasks"][0]["taskArn"].as_str().unwrap().to_owned();
    let stopped = |event: &Value| event["resources"][0] == *task && event["detail"]["lastStatus"] == "STOPPED";
    local.sandbox.bus().wait_for(from, SOON, stopped).await.unwrap();
    local.sandbox.bus().delivered().await;
    local.events_about(task.rsplit('/').next().unwrap())
}

#[test]
fn events_are_dropped_doubled_delayed_and_reordered_as_the_plan_says() {
    with_sandbox(async |local| {
        let url = queue_of_tasks(local, "disordered").await;
        // Later than a busy machine delivers what comes after it.
        let late = Duration::from_secs(3);
        let plan = events(vec![
            EventRule::new(tasks("disordered", "ACTIVATING"), EventEffect::Drop).named("dropped"),
            EventRule::new(tasks("disordered", "PENDING"), EventEffect::Duplicate(2)).named("doubled"),
            // Nothing comes after the last event of a task but by chance, so only the bound lets it go.
            EventRule::new(
                tasks("disordered", "STOPPED"),
                EventEffect::Reorder { after: 1_000_000, within: Duration::from_millis(300) },
            )
            .named("last"),
            EventRule::new(tasks("disordered", "PROVISIONING"), EventEffect::Delay(late)).named("late"),
            EventRule::new(
                tasks("disordered", "RUNNING"),
                EventEffect::Reorder { after: 1, within: Duration::from_secs(20) },
            )
            .named("behind")
            .nth([1]),
        ]);
        let disorder = local.sandbox.disorder().add(plan).unwrap();
        let emitted = life_of_a_task(local, "disordered").await;
        let report = disorder.report();
        for rule in ["dropped", "doubled", "last", "late", "behind"] {
            assert_eq!(report.done(rule), 1, "{report}");
        }

        let got = received(local, &url).await;
        let mut counts = BTreeMap::<String, usize>::new();
        for id in ids(&got) {
            *counts.entry(id).or_default() += 1;
        }
        for event in &emitted {
            let expected = match event["detail"]["lastStatus"].as_str().unwrap() {
                "ACTIVATING" => None,
                "PENDING" => Some(3),
                _ => Some(1),
            };
            assert_eq!(counts.remove(event["id"].as_str().unwrap()), expected, "{:?}", statuses(&got));
        }
        assert!(counts.is_empty(), "{counts:?}");
        let place = |status: &str| statuses(&got).iter().position(|seen| *seen == status).unwrap();
        assert!(place("PENDING") < place("PROVISIONING"), "{:?}", statuses(&got));

        // What the plan no longer says happens no longer.
        drop(disorder);
        let emitted = life_of_a_task(local, "disordered").await;
        assert_eq!(ids(&received(local, &url).await), ids(&emitted));
        local.check_model();
    });
}

#[test]
fn without_drops_nothing_is_lost() {
    with_sandbox(async |local| {
        let url = queue_of_tasks(local, "shaken").await;
        let all = || EventMatch { resources: ":task/shaken/".into(), ..EventMatch::default() };
        let within = Duration::from_millis(200);
        let plan = events(vec![
            EventRule::new(all(), EventEffect::Duplicate(1)).share(0.3),
            EventRule::new(all(), EventEffect::Reorder { after: 2, within }).share(0.5),
            EventRule::new(all(), EventEffect::Delay(within)).share(0.5),
        ]);
        let disorder = local.sandbox.disorder().add(plan).unwrap();
        let mut emitted = Vec::new();
        for _ in 0..3 {
            emitted.extend(ids(&life_of_a_task(local, "shaken").await));
        }
        let report = disorder.report();
        let mut got = ids(&received(local, &url).await);
        assert_ne!(got, emitted, "{report}");
        assert_eq!(u64::try_from(got.len() - emitted.len()).unwrap(), report.done("events 1"));
        got.sort();
        got.dedup();
        emitted.sort();
        assert_eq!(got, emitted);
        local.check_model();
    });
}

#[test]
fn calls_are_throttled_failed_and_slowed_as_the_plan_says() {
    with_sandbox(async |local| {
        let (door, aws) = (local.sandbox.door(), local.sandbox.aws());
        let about = |service: &str, action: &str, resource: &str| CallMatch {
            service: service.into(),
            action: action.into(),
            resource: resource.into(),
            ..CallMatch::default()
        };
        let fail = CallEffect::Fail { status: 503, code: "ServiceUnavailable".into(), message: "a bad day".into() };
        let plan = calls(vec![
            CallRule::new(about("sqs", "CreateQueue", "bad-day"), CallEffect::Throttle).named("sqs").times(1),
            CallRule::new(about("ecs", "DescribeServices", "bad-day"), CallEffect::Throttle).named("ecs").nth([1]),
            CallRule::new(about("sns", "CreateTopic", "bad-day"), fail).named("sns").nth([2]),
            CallRule::new(about("sns", "CreateTopic", "bad-day"), CallEffect::Slow(Duration::from_millis(300)))
                .named("slow")
                .nth([3]),
        ]);
        let disorder = local.sandbox.disorder().add(plan).unwrap();
        let from = door.call_count();

        let make = json!({ "QueueName": "bad-day" });
        let refused = aws.json("sqs", "AmazonSQS.CreateQueue", &make).await.unwrap_err();
        assert_eq!((refused.code.as_str(), refused.status), ("RequestThrottled", 400));
        aws.json("sqs", "AmazonSQS.CreateQueue", &make).await.unwrap();
        let look = json!({ "cluster": "bad-day", "services": ["bad-day"] });
        let refused = local.try_ecs("DescribeServices", look.clone()).await.unwrap_err();
        assert_eq!((refused.code.as_str(), refused.message.as_str()), ("ThrottlingException", "Rate exceeded"));
        assert_eq!(local.try_ecs("DescribeServices", look).await.unwrap_err().code, "ClusterNotFoundException");
        let topic = [("Name", "bad-day")];
        aws.query("sns", "CreateTopic", &topic).await.unwrap();
        let refused = aws.query("sns", "CreateTopic", &topic).await.unwrap_err();
        assert_eq!((refused.code.as_str(), refused.status), ("ServiceUnavailable", 503));
        aws.query("sns", "CreateTopic", &topic).await.unwrap();
        let slow = door.calls_where(from, |call| call.is("sns", "CreateTopic")).pop().unwrap();
        assert!(slow.outcome.unwrap().took >= Duration::from_millis(300));

        let report = disorder.report();
        for rule in ["sqs", "ecs", "sns", "slow"] {
            assert_eq!(report.done(rule), 1, "{report}");
        }
        let Some(Subject::Call(index)) = report.subjects("ecs").next() else { panic!("{report}") };
        assert!(door.calls_since(*index)[0].is("ecs", "DescribeServices"));
    });
}

/// A function that makes one call, whatever comes: a queue of the name that it is invoked with.
const FUNCTION: &str = r#"#!/usr/bin/env python3
import json, os, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    invocation = urllib.request.urlopen(api + "next")
    name = json.load(invocation)
    headers = {
        "content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.CreateQueue", "user-agent": "app/mortal",
        "authorization": "AWS4-HMAC-SHA256 Credential=test/20261120/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0",
    }
    body = json.dumps({"QueueName": name}).encode()
    urllib.request.urlopen(urllib.request.Request(os.environ["AWS_ENDPOINT_URL"] + "/", body, headers)).read()
    path = invocation.headers["Lambda-Runtime-Aws-Request-Id"] + "/response"
    urllib.request.urlopen(api + path, data=b'"alive"')
"#;

async fn aws_cli(local: &Local, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(local.sandbox.aws_cli()).args(arguments).output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

async fn create_function(local: &Local) {
    let folder = tempfile::tempdir().unwrap();
    let zip = folder.path().join("function.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&zip).unwrap());
    writer.start_file("bootstrap", zip::write::SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
    writer.write_all(FUNCTION.as_bytes()).unwrap();
    writer.finish().unwrap();
    let trust = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole" },
    ] });
    let role = ["iam", "create-role", "--role-name", "mortal", "--assume-role-policy-document", &trust.to_string()];
    aws_cli(local, &role).await.unwrap();
    let (role, zip) = ("arn:aws:iam::123456789012:role/mortal", format!("fileb://{}", zip.display()));
    let create = ["lambda", "create-function", "--function-name", "mortal", "--runtime", "provided.al2023"];
    aws_cli(local, &[&create[..], &["--handler", "bootstrap", "--role", role, "--zip-file", &zip]].concat())
        .await
        .unwrap();
}

#[test]
fn a_function_is_killed_at_a_chosen_call_and_nobody_else() {
    with_sandbox(async |local| {
        create_function(local).await;
        let invoke = async |queue: &str| {
            let body = json!(queue).to_string().into_bytes();
            local.sandbox.aws().rest("lambda", "POST", "/2015-03-31/functions/mortal/invocations", body).await.unwrap()
        };
        let is_there = async |queue: &str| {
            let look = json!({ "QueueName": queue });
            local.sandbox.aws().json("sqs", "AmazonSQS.GetQueueUrl", &look).await.is_ok()
        };
        let kill = |caller: &str, moment: Moment| {
            let call = CallMatch { caller: caller.into(), action: "CreateQueue".into(), ..CallMatch::default() };
            let rule = CallRule::new(CallMatch { resource: "mortal-".into(), ..call }, CallEffect::Kill(moment));
            local.sandbox.disorder().add(calls(vec![rule.named("kill")])).unwrap()
        };
        assert_eq!(invoke("mortal-0").await, "\"alive\"");

        let disorder = kill("mortal", Moment::Before);
        let answer = invoke("mortal-1").await;
        assert!(answer.contains("Runtime.ExitError"), "{answer}");
        assert!(!is_there("mortal-1").await, "killed before the call took effect");
        assert_eq!((disorder.report().done("kill"), disorder.report().faults), (1, Vec::new()));
        drop(disorder);
        assert_eq!(invoke("mortal-2").await, "\"alive\"", "the next invocation has a process of its own");

        let disorder = kill("mortal", Moment::After);
        let answer = invoke("mortal-3").await;
        assert!(answer.contains("Runtime.ExitError"), "{answer}");
        assert!(is_there("mortal-3").await, "killed after the call took effect");
        assert_eq!((disorder.report().done("kill"), disorder.report().faults), (1, Vec::new()));
        drop(disorder);

        // The CLI and this test are no functions: they live, and hear that the plan cannot be done.
        let disorder = kill("cli", Moment::Before);
        let refused = aws_cli(local, &["sqs", "create-queue", "--queue-name", "mortal-4"]).await.unwrap_err();
        assert!(refused.contains("DisorderFailed") && refused.contains("no function of this sandbox"), "{refused}");
        drop(disorder);
        let disorder = kill("root", Moment::Before);
        let make = json!({ "QueueName": "mortal-5" });
        let refused = local.sandbox.aws().json("sqs", "AmazonSQS.CreateQueue", &make).await.unwrap_err();
        assert_eq!(refused.code, "DisorderFailed");
        assert!(disorder.report().faults[0].contains("sqs:CreateQueue of root"), "{:?}", disorder.report().faults);
        assert!(!is_there("mortal-5").await);
    });
}

/// `cargo sandbox disorder …`; its output, or its words of refusal.
async fn command(arguments: &[&str], target: Option<&std::path::Path>) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    command.arg("disorder").args(arguments);
    if let Some(target) = target {
        command.env("CARGO_TARGET_DIR", target);
    }
    let output = command.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[test]
fn the_command_reaches_a_running_sandbox() {
    with_sandbox(async |local| {
        let (endpoint, folder) = (local.sandbox.endpoint(), tempfile::tempdir().unwrap());
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let plan = file(
            "plan.toml",
            "[[calls]]\nname = 'by command'\nmatch = { action = 'CreateTopic', resource = 'by-command' }\ndo = 'throttle'\n",
        );
        // As a sandbox leaves it in target/sandbox.
        let target = folder.path();
        let port = endpoint.rsplit(':').next().unwrap();
        std::fs::create_dir(target.join("sandbox")).unwrap();
        let nobody = command(&["show"], Some(target)).await.unwrap_err();
        assert!(nobody.contains("no sandbox of this workspace runs: start one with `cargo sandbox`"), "{nobody}");
        std::fs::write(target.join(format!("sandbox/aws-{port}")), "").unwrap();
        let set = command(&["set", &plan], Some(target)).await.unwrap();
        assert!(set.contains(&format!("is in force at {endpoint}")), "{set}");

        let topic = [("Name", "by-command")];
        let refused = local.sandbox.aws().query("sns", "CreateTopic", &topic).await.unwrap_err();
        assert_eq!(refused.code, "Throttling");
        let show = command(&["show", "--endpoint", endpoint], None).await.unwrap();
        assert!(show.contains("name = \"by command\"") && show.contains("by command: matched 1, done 1"), "{show}");
        let clear = command(&["clear", "--endpoint", endpoint], None).await.unwrap();
        assert!(clear.contains("by command: matched 1, done 1"), "{clear}");
        local.sandbox.aws().query("sns", "CreateTopic", &topic).await.unwrap();
        assert!(command(&["clear", "--endpoint", endpoint], None).await.unwrap().contains("no plan was set"));

        let unknown = file("unknown.toml", "seed = 1\n[[events]]\ndo = 'drop'\nchance = 1\n");
        for (arguments, words) in [
            (["set", "no/such.toml"], "no/such.toml cannot be read"),
            (["set", &unknown], "unknown field `chance`"),
            (["show", "--endpoint=http://127.0.0.1:1"], "no sandbox answers there"),
        ] {
            let refused = command(&arguments, None).await.unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
        let start = Command::new(env!("CARGO_BIN_EXE_sandbox")).args(["--once", "--disorder", &unknown]).output();
        let refused = String::from_utf8(start.await.unwrap().stderr).unwrap();
        assert!(refused.contains("unknown.toml") && refused.contains("line 4"), "{refused}");
    });
}
