//! How a sandbox ends: nothing of it stays behind, whichever way it went.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sandbox::{Options, Sandbox};
use serde_json::{Value, json};

/// Tells a copy of this test program to be the sandbox that gets killed, and where its folder is.
const FOLDER: &str = "SANDBOX_TO_KILL";

const PATIENCE: Duration = Duration::from_mins(1);

/// A function that never ends by itself, not even when its Runtime API is gone: the worst that can be left behind.
const FUNCTION: &str = r#"#!/usr/bin/env python3
import json, os, time, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    try:
        request = urllib.request.urlopen(api + "next").headers["Lambda-Runtime-Aws-Request-Id"]
        answer = json.dumps({"pid": os.getpid()}).encode()
        urllib.request.urlopen(api + request + "/response", data=answer)
    except Exception:
        time.sleep(0.05)
"#;

/// The processes of a sandbox: tasks, a function, ministack.
async fn busy_sandbox(folder: &Path) -> (Sandbox, Vec<u32>) {
    let sandbox = Sandbox::start(Options { scratch: folder.to_owned(), ..Options::default() }, |_| {}).await.unwrap();
    let ecs = async |action: &str, request: Value| {
        sandbox.aws().json("ecs", &format!("AmazonEC2ContainerServiceV20141113.{action}"), &request).await.unwrap()
    };
    // A task whose process has a child of its own.
    let script = "sleep 1000 & sleep 1000; wait";
    let container = json!({ "name": "job", "image": "busybox:1", "command": ["sh", "-c", script] });
    ecs("CreateCluster", json!({ "clusterName": "end" })).await;
    ecs("RegisterTaskDefinition", json!({ "family": "end", "containerDefinitions": [container] })).await;
    let network = json!({ "awsvpcConfiguration": { "subnets": ["subnet-1"] } });
    ecs("CreateService", json!({
        "cluster": "end", "serviceName": "agent", "taskDefinition": "end", "desiredCount": 2, "launchType": "FARGATE",
        "networkConfiguration": network,
    }))
    .await;
    sandbox.ecs().wait_for_steady_state("end", "agent", PATIENCE).await.unwrap();
    let tasks = sandbox.ecs().running("end", "agent");
    let mut pids: Vec<u32> = tasks.iter().map(|task| sandbox.ecs().pid(&task.id, "job").unwrap()).collect();
    pids.push(function(&sandbox, folder).await);
    for pid in pids.clone() {
        pids.extend(children(pid));
    }
    pids.extend(parents(*pids.get(2).unwrap()));
    (sandbox, pids)
}

/// Creates and invokes the function, and returns its process.
async fn function(sandbox: &Sandbox, folder: &Path) -> u32 {
    let zip = folder.join("function.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&zip).unwrap());
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    writer.start_file("bootstrap", options).unwrap();
    writer.write_all(FUNCTION.as_bytes()).unwrap();
    writer.finish().unwrap();
    let aws = async |arguments: &[&str]| {
        let output = tokio::process::Command::new(sandbox.aws_cli()).args(arguments).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let trust = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole" },
    ] });
    aws(&["iam", "create-role", "--role-name", "f", "--assume-role-policy-document", &trust.to_string()]).await;
    let (role, zip) = ("arn:aws:iam::123456789012:role/f", format!("fileb://{}", zip.display()));
    let create = ["lambda", "create-function", "--function-name", "f", "--runtime", "provided.al2023"];
    aws(&[&create[..], &["--handler", "bootstrap", "--role", role, "--zip-file", &zip]].concat()).await;
    let answer = folder.join("answer.json");
    aws(&["lambda", "invoke", "--function-name", "f", answer.to_str().unwrap()]).await;
    let answer: Value = serde_json::from_str(&std::fs::read_to_string(answer).unwrap()).unwrap();
    u32::try_from(answer["pid"].as_u64().unwrap()).unwrap()
}

fn children(pid: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(|child| child.parse().unwrap()).collect()
}

/// The parent of the function: ministack.
fn parents(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()?;
    (parent != std::process::id()).then_some(parent)
}

/// A process that is there and not just waiting to be collected by its parent.
fn lives(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])))
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_stopped_sandbox_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, pids) = busy_sandbox(folder.path()).await;
    assert!(pids.len() >= 6 && pids.iter().all(|pid| lives(*pid)), "{pids:?}");
    assert_eq!(sandbox.model_faults(), Vec::<String>::new());
    sandbox.stop().await.unwrap();
    until("all processes are gone", || !pids.iter().any(|pid| lives(*pid))).await;
}

#[tokio::test]
async fn a_sandbox_that_is_killed_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "the_sandbox_that_is_killed"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pids_file = folder.path().join("pids.json");
    until("the other sandbox is busy", || pids_file.exists()).await;
    let pids: Vec<u32> = serde_json::from_str(&std::fs::read_to_string(pids_file).unwrap()).unwrap();
    assert!(pids.len() >= 6 && pids.iter().all(|pid| lives(*pid)), "{pids:?}");
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    until("all processes are gone", || !pids.iter().any(|pid| lives(*pid))).await;
}

#[tokio::test]
#[ignore = "is started by a_sandbox_that_is_killed_leaves_no_process"]
async fn the_sandbox_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let (_sandbox, pids) = busy_sandbox(folder).await;
    let (made, named) = (folder.join("pids.tmp"), folder.join("pids.json"));
    std::fs::write(&made, json!(pids).to_string()).unwrap();
    std::fs::rename(made, named).unwrap();
    std::future::pending::<()>().await;
}
