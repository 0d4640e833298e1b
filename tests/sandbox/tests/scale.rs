//! How much one sandbox carries: two hundred idle agents, each a process of its own. It prints what that takes
//! (`cargo test --package sandbox --test scale -- --nocapture`).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};
use sandbox::ecs::Task;
use sandbox::{Options, Pace, Sandbox};
use serde_json::{Value, json};

const TASKS: u32 = 200;
/// Two hundred processes on a machine that also builds.
const WITHIN: Duration = Duration::from_mins(3);

async fn ecs(sandbox: &Sandbox, action: &str, request: Value) -> Value {
    sandbox.aws().json("ecs", &format!("AmazonEC2ContainerServiceV20141113.{action}"), &request).await.unwrap()
}

/// Resident memory in MiB, from `/proc/PID/status`.
fn resident(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or_default();
    kib / 1024.0
}

fn pids(tasks: &[Task]) -> Vec<u32> {
    tasks.iter().filter_map(|task| task.containers[0].pid).collect()
}

fn is_alive(pid: u32) -> bool {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    test_kill_process(pid).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_idle_agents_run_side_by_side_and_end_with_the_sandbox() {
    let begin = Instant::now();
    let pace = Pace { healthy_after: Duration::from_millis(100), ..Pace::default() };
    let sandbox = Sandbox::start(Options { pace, ..Options::default() }, |_| {}).await.unwrap();
    let up = begin.elapsed();
    let alone = resident(std::process::id());

    ecs(&sandbox, "CreateCluster", json!({ "clusterName": "many" })).await;
    let definition = json!({
        "family": "many", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": [{ "name": "agent", "image": "sample-agent:1", "essential": true }],
    });
    ecs(&sandbox, "RegisterTaskDefinition", definition).await;
    let service = json!({
        "cluster": "many", "serviceName": "agent", "taskDefinition": "many", "desiredCount": TASKS, "launchType": "FARGATE",
        "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } },
    });
    let begin = Instant::now();
    ecs(&sandbox, "CreateService", service).await;
    sandbox.ecs().wait_for_steady_state("many", "agent", WITHIN).await.unwrap();
    let steady = begin.elapsed();

    let tasks = sandbox.ecs().running("many", "agent");
    let addresses: HashSet<_> = tasks.iter().filter_map(Task::address).collect();
    assert_eq!((tasks.len(), addresses.len()), (TASKS as usize, TASKS as usize));
    let processes = pids(&tasks);
    assert!(processes.len() == TASKS as usize && processes.iter().all(|pid| is_alive(*pid)));
    let agents: f64 = processes.iter().map(|pid| resident(*pid)).sum();
    let own = resident(std::process::id());

    let begin = Instant::now();
    sandbox.stop().await.unwrap();
    let down = begin.elapsed();
    assert!(processes.iter().all(|pid| !is_alive(*pid)), "a task outlived the sandbox");
    println!(
        "started in {:.1} s; {TASKS} agents steady after {:.1} s, {agents:.0} MiB together; the sandbox itself {alone:.0} MiB, \
         with them {own:.0} MiB; all stopped in {:.1} s",
        up.as_secs_f64(),
        steady.as_secs_f64(),
        down.as_secs_f64()
    );
}
