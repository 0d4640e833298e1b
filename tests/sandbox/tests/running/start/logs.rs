//! What containers write, in CloudWatch Logs.

use super::{allow, define, file, reason, role, run};
use crate::local::{Local, SOON, network, shell, with_sandbox};
use sandbox::ecs::{Status, StopCode, Task};
use serde_json::{Value, json};

const LOGGER: &str = "ResourceInitializationError: failed to validate logger args: ";
const WRITE: [(&str, &str); 2] = [("logs:CreateLogStream", "*"), ("logs:PutLogEvents", "*")];

async fn logs(local: &Local, action: &str, request: Value) -> Value {
    local.sandbox.aws().json("logs", &format!("Logs_20140328.{action}"), &request).await.unwrap()
}

/// A container `main` that logs to the group.
fn container(local: &Local, script: &str, group: &str, more: &Value) -> Value {
    let region = &local.sandbox.options().region;
    let mut options = json!({ "awslogs-group": group, "awslogs-region": region, "awslogs-stream-prefix": "team" });
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut container = shell("main", script, true);
    container["logConfiguration"] = json!({ "logDriver": "awslogs", "options": options });
    container
}

/// The messages of the task's stream, in order.
async fn messages(local: &Local, group: &str, task: &Task) -> Vec<String> {
    let stream = format!("team/main/{}", task.id);
    let request = json!({ "logGroupName": group, "logStreamName": stream, "startFromHead": true, "limit": 10_000 });
    let answer = logs(local, "GetLogEvents", request).await;
    let events = answer["events"].as_array().unwrap();
    events.iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn all_that_a_container_wrote_is_in_its_stream_in_order_when_it_is_stopped() {
    with_sandbox(async |local| {
        logs(local, "CreateLogGroup", json!({ "logGroupName": "/ordered" })).await;
        let role = role(local, "ordered").await;
        allow(local, &role, &WRITE).await;
        let script = "n=0; while [ $n -lt 3000 ]; do n=$((n+1)); echo $n; done; echo; printf 'last words' >&2; exit 7";
        let more = json!({ "mode": "non-blocking", "max-buffer-size": "25m" });
        define(local, "ordered", Some(&role), json!([container(local, script, "/ordered", &more)])).await;
        let task = run(local, "ordered").await;
        assert_eq!(task.containers[0].exit_code, Some(7));
        let mut expected: Vec<_> = (1..=3000).map(|n: u32| n.to_string()).collect();
        expected.push("last words".to_owned());
        assert_eq!(messages(local, "/ordered", &task).await, expected);
        let written: Vec<_> = file(local, &task, "main.log").lines().map(str::to_owned).collect();
        assert_eq!(written.iter().filter(|line| !line.is_empty()).cloned().collect::<Vec<_>>(), expected);
        assert!(!local.sandbox.ecs().not_modelled().iter().any(|what| what.contains("ordered")));
        local.check_model();
    });
}

#[test]
fn more_than_a_pipe_holds_in_one_line_is_split_and_blocks_nobody() {
    with_sandbox(async |local| {
        let role = role(local, "long-lines").await;
        allow(local, &role, &[("logs:*", "*")]).await;
        let more = json!({ "awslogs-create-group": "true" });
        let script = "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end";
        define(local, "long-lines", Some(&role), json!([container(local, script, "/long-lines", &more)])).await;
        let task = run(local, "long-lines").await;
        let mut messages = messages(local, "/long-lines", &task).await;
        assert_eq!(messages.pop().as_deref(), Some("end"));
        assert!(messages.iter().all(|message| message.len() <= 256 * 1024));
        assert_eq!(messages.iter().map(String::len).sum::<usize>(), 3_000_000);
        local.check_model();
    });
}

/// Each ends as soon as it has spoken.
#[test]
fn the_last_words_of_short_lives_are_not_lost() {
    with_sandbox(async |local| {
        logs(local, "CreateLogGroup", json!({ "logGroupName": "/short" })).await;
        let role = role(local, "short").await;
        allow(local, &role, &WRITE).await;
        define(local, "short", Some(&role), json!([container(local, "echo help; exit 1", "/short", &json!({}))])).await;
        let request = json!({
            "cluster": "short", "taskDefinition": "short", "launchType": "FARGATE", "networkConfiguration": network(),
            "count": 10,
        });
        let answer = local.ecs("RunTask", request).await;
        for task in answer["tasks"].as_array().unwrap() {
            let id = task["taskArn"].as_str().unwrap().rsplit('/').next().unwrap();
            let is_over = |task: &Task| task.status == Status::Stopped;
            let task = local.sandbox.ecs().wait_for_task(id, SOON, is_over).await.unwrap();
            assert_eq!(messages(local, "/short", &task).await, ["help"]);
        }
        local.check_model();
    });
}

/// So much that its delivery takes longer than the task's way from the crash to STOPPED.
#[test]
fn a_task_is_not_stopped_before_its_output_is_delivered() {
    with_sandbox(async |local| {
        logs(local, "CreateLogGroup", json!({ "logGroupName": "/many" })).await;
        let role = role(local, "many-lines").await;
        allow(local, &role, &WRITE).await;
        let script = "yes x | head -n 60000; echo end; exit 1";
        define(local, "many-lines", Some(&role), json!([container(local, script, "/many", &json!({}))])).await;
        let task = run(local, "many-lines").await;
        let stream = format!("team/main/{}", task.id);
        let answer =
            logs(local, "GetLogEvents", json!({ "logGroupName": "/many", "logStreamName": stream, "limit": 1 })).await;
        assert_eq!(answer["events"][0]["message"], "end");
        local.check_model();
    });
}

/// A process that left the container's group holds its output open.
#[test]
fn who_keeps_the_output_open_does_not_keep_the_task() {
    with_sandbox(async |local| {
        logs(local, "CreateLogGroup", json!({ "logGroupName": "/held" })).await;
        let role = role(local, "held").await;
        allow(local, &role, &WRITE).await;
        let script =
            "setsid sh -c 'echo $$ > pid; exec sleep 600' & while [ ! -s pid ]; do sleep 0.01; done; echo bye; exit 3";
        define(local, "held", Some(&role), json!([container(local, script, "/held", &json!({}))])).await;
        let task = run(local, "held").await;
        assert_eq!(messages(local, "/held", &task).await, ["bye"]);
        let pid = file(local, &task, "pid");
        assert!(std::process::Command::new("kill").arg(pid.trim()).status().unwrap().success(), "it was still there");
    });
}

#[test]
fn a_log_group_must_exist_or_be_made() {
    with_sandbox(async |local| {
        let options = local.sandbox.options();
        let role = role(local, "grouped").await;
        allow(local, &role, &WRITE).await;
        let start = async |more: Value| {
            define(local, "grouped", Some(&role), json!([container(local, "echo hello", "/grouped", &more)])).await;
        };
        start(json!({})).await;
        let missing = "create stream has been retried 1 times: failed to create Cloudwatch log stream: \
                       ResourceNotFoundException: The specified log group does not exist. : exit status 1";
        assert_eq!(reason(local, "grouped").await, format!("{LOGGER}{missing}"));

        start(json!({ "awslogs-create-group": "true" })).await;
        let reason = reason(local, "grouped").await;
        let group = format!("arn:aws:logs:{}:{}:log-group:/grouped:log-stream:", options.region, options.account);
        let denied = format!("is not authorized to perform: logs:CreateLogGroup on resource: {group} because no");
        assert!(reason.contains("failed to create Cloudwatch log group: AccessDeniedException: User: "), "{reason}");
        assert!(reason.contains(&denied) && reason.ends_with(" action : exit status 1"), "{reason}");

        allow(local, &role, &[&WRITE[..], &[("logs:CreateLogGroup", "*")]].concat()).await;
        let task = run(local, "grouped").await;
        assert_eq!(messages(local, "/grouped", &task).await, ["hello"]);
        local.check_model();
    });
}

#[test]
fn the_execution_role_must_be_allowed_to_log() {
    with_sandbox(async |local| {
        logs(local, "CreateLogGroup", json!({ "logGroupName": "/unlogged" })).await;
        let role = role(local, "unlogged").await;
        define(local, "unlogged", Some(&role), json!([container(local, "echo hello", "/unlogged", &json!({}))])).await;
        let denied = reason(local, "unlogged").await;
        assert!(
            denied.starts_with(LOGGER) && denied.contains("perform: logs:CreateLogStream on resource: "),
            "{denied}"
        );

        // Who may make the stream but not write to it is not told, on AWS neither.
        allow(local, &role, &WRITE[..1]).await;
        let task = run(local, "unlogged").await;
        assert_eq!(task.stop.as_ref().unwrap().code, StopCode::EssentialContainerExited);
        assert_eq!(messages(local, "/unlogged", &task).await, Vec::<String>::new());
        assert_eq!(file(local, &task, "main.log"), "hello\n");
        local.check_model();
    });
}

#[test]
fn log_settings_that_are_not_modelled_are_named() {
    with_sandbox(async |local| {
        let mut multiline = container(local, "echo hello", "/g", &json!({ "awslogs-multiline-pattern": "^a" }));
        multiline["name"] = "multiline".into();
        let mut routed = shell("routed", "exit 0", false);
        routed["logConfiguration"] = json!({ "logDriver": "awsfirelens" });
        let role = role(local, "not-logged").await;
        define(local, "not-logged", Some(&role), json!([multiline, routed])).await;
        let task = run(local, "not-logged").await;
        assert_eq!(file(local, &task, "multiline.log"), "hello\n");
        let noted = local.sandbox.ecs().not_modelled();
        let noted = |what: &str| noted.iter().any(|noted| noted.contains("/not-logged:") && noted.ends_with(what));
        assert!(noted("container multiline: awslogs-multiline-pattern \"^a\""));
        assert!(noted("container routed: the log driver awsfirelens"));
    });
}
