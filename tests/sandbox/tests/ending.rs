//! How a sandbox ends: nothing of it stays behind, whichever way it went.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use sandbox::Aws;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_mins(3);

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

/// `cargo sandbox --no-play`, once it is up, the `aws` CLI that it made, and the address of its Console's `ScriptRunner`.
async fn start() -> (Child, PathBuf, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sandbox"))
        .arg("--no-play")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told = async {
        let mut script_runner = None;
        while let Some(line) = lines.next_line().await.unwrap() {
            let word = |part: &str| line.split_whitespace().find(|word| word.contains(part)).map(str::to_owned);
            script_runner = script_runner.or(word("/console/ScriptRunner"));
            if let Some(path) = word("/aws-") {
                return (PathBuf::from(path), script_runner.unwrap());
            }
        }
        panic!("the sandbox ended before it was up");
    };
    let (aws_cli, script_runner) = tokio::time::timeout(PATIENCE, told).await.unwrap();
    // It goes on printing, so somebody must go on reading.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, aws_cli, script_runner)
}

/// Leaves a script running that never ends, and waits until its interpreter is there.
async fn run_endless_script(script_runner: &str, sandbox: u32) {
    let before = descendants(sandbox).len();
    let form = "user=admin&password=test-password&script=while+1+%7B%7D";
    let request = reqwest::Client::new().post(script_runner).body(form);
    tokio::spawn(async move { request.send().await });
    until("an interpreter runs the script", || descendants(sandbox).len() > before).await;
}

/// Makes it run tasks, whose processes have children of their own, and a function.
async fn make_busy(aws_cli: &Path) {
    let port = aws_cli.to_str().unwrap().rsplit('-').next().unwrap();
    let aws = Aws::new(format!("http://127.0.0.1:{port}"), "eu-west-1", "root");
    let ecs = async |action: &str, request: Value| {
        aws.json("ecs", &format!("AmazonEC2ContainerServiceV20141113.{action}"), &request).await.unwrap()
    };
    let script = "sleep 1000 & sleep 1000; wait";
    let container = json!({ "name": "job", "image": "busybox:1", "command": ["sh", "-c", script] });
    ecs("CreateCluster", json!({ "clusterName": "end" })).await;
    let definition = json!({
        "family": "end", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": [container],
    });
    ecs("RegisterTaskDefinition", definition).await;
    let network = json!({ "awsvpcConfiguration": { "subnets": ["subnet-1"] } });
    let service = json!({
        "cluster": "end", "serviceName": "agent", "taskDefinition": "end", "desiredCount": 2, "launchType": "FARGATE",
        "networkConfiguration": network,
    });
    ecs("CreateService", service).await;
    let deadline = Instant::now() + PATIENCE;
    while ecs("DescribeServices", json!({ "cluster": "end", "services": ["agent"] })).await["services"][0]["runningCount"]
        != 2
    {
        assert!(Instant::now() < deadline, "the service does not get its two tasks");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    invoke_function(aws_cli).await;
}

/// Creates and invokes a function, so that a process of it stays.
async fn invoke_function(aws_cli: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let zip = folder.path().join("function.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&zip).unwrap());
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    writer.start_file("bootstrap", options).unwrap();
    writer.write_all(FUNCTION.as_bytes()).unwrap();
    writer.finish().unwrap();
    let aws = async |arguments: &[&str]| {
        let output = Command::new(aws_cli).args(arguments).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let trust = json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole" },
    ] });
    aws(&["iam", "create-role", "--role-name", "f", "--assume-role-policy-document", &trust.to_string()]).await;
    let (role, zip) = ("arn:aws:iam::123456789012:role/f", format!("fileb://{}", zip.display()));
    let create = ["lambda", "create-function", "--function-name", "f", "--runtime", "provided.al2023"];
    aws(&[&create[..], &["--handler", "bootstrap", "--role", role, "--zip-file", &zip]].concat()).await;
    aws(&["lambda", "invoke", "--function-name", "f", "/dev/null"]).await;
}

/// Every process below this one, children first.
fn descendants(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    let children = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok());
    let children: Vec<u32> = children
        .flat_map(|text| text.split_whitespace().map(|child| child.parse().unwrap()).collect::<Vec<_>>())
        .collect();
    let below: Vec<u32> = children.iter().flat_map(|child| descendants(*child)).collect();
    [children, below].concat()
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

/// Sends the signal to a busy sandbox and checks that all it had started is gone.
async fn leaves_no_process(signal: &str) {
    let (mut child, aws_cli, script_runner) = start().await;
    make_busy(&aws_cli).await;
    let pid = child.id().unwrap();
    run_endless_script(&script_runner, pid).await;
    let pids = descendants(pid);
    // ministack and its watcher, two tasks with two children each, two functions, an interpreter.
    assert!(pids.len() >= 10, "{pids:?}");
    let sent = Command::new("kill").args(["-s", signal, &pid.to_string()]).status().await.unwrap();
    assert!(sent.success());
    child.wait().await.unwrap();
    until("all processes are gone", || !pids.iter().any(|pid| lives(*pid))).await;
}

/// Where the test below, run by itself, is to start a database.
const DATABASE: &str = "ENDING_TEST_DATABASE";

#[tokio::test]
async fn a_database_ends_with_who_started_it() {
    if let Some(folder) = std::env::var_os(DATABASE) {
        let database = sandbox::Postgres::start(Path::new(&folder), |_| ()).await.unwrap();
        let _client = database.administer().await.unwrap();
        println!("\n{DATABASE} is up");
        std::future::pending::<()>().await;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for signal in ["KILL", "TERM", "INT"] {
        // Who is started in the background ignores Ctrl-C, and all that it starts.
        let mut child = Command::new("env")
            .arg("--default-signal=INT")
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "a_database_ends_with_who_started_it", "--nocapture"])
            .env(DATABASE, folder.path().join(signal))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let up = async { while lines.next_line().await.unwrap().unwrap() != format!("{DATABASE} is up") {} };
        tokio::time::timeout(PATIENCE, up).await.unwrap();
        let pid = child.id().unwrap();
        let pids = descendants(pid);
        // The server, its own helpers, and the client's process.
        assert!(pids.len() >= 4, "{pids:?}");
        let sent = Command::new("kill").args(["-s", signal, &pid.to_string()]).status().await.unwrap();
        assert!(sent.success());
        tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap();
        until("the database is gone", || !pids.iter().any(|pid| lives(*pid))).await;
    }
}

#[tokio::test]
async fn after_ctrl_c() {
    leaves_no_process("INT").await;
}

#[tokio::test]
async fn after_sigterm() {
    leaves_no_process("TERM").await;
}

#[tokio::test]
async fn after_kill_9() {
    leaves_no_process("KILL").await;
}
