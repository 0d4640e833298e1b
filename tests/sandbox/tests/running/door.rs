//! The front door and the event bus.

use std::time::Duration;

use crate::local::{Local, SOON, with_sandbox};
use sandbox::Intervention;
use serde_json::{Value, json};

async fn queue(local: &Local, name: &str) -> (String, String) {
    let aws = local.sandbox.aws();
    let url =
        aws.json("sqs", "AmazonSQS.CreateQueue", &json!({ "QueueName": name })).await.unwrap()["QueueUrl"].clone();
    let request = json!({ "QueueUrl": url, "AttributeNames": ["QueueArn"] });
    let answer = aws.json("sqs", "AmazonSQS.GetQueueAttributes", &request).await.unwrap();
    (url.as_str().unwrap().to_owned(), answer["Attributes"]["QueueArn"].as_str().unwrap().to_owned())
}

async fn messages(local: &Local, url: &str) -> Vec<Value> {
    let request = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"] });
    let mut answer = local.sandbox.aws().json("sqs", "AmazonSQS.ReceiveMessage", &request).await.unwrap();
    answer["Messages"].as_array_mut().map(std::mem::take).unwrap_or_default()
}

async fn rule(local: &Local, name: &str, source: &str, target: Value) {
    let aws = local.sandbox.aws();
    let pattern = json!({ "source": [source] }).to_string();
    aws.json("events", "AWSEvents.PutRule", &json!({ "Name": name, "EventPattern": pattern })).await.unwrap();
    aws.json("events", "AWSEvents.PutTargets", &json!({ "Rule": name, "Targets": [target] })).await.unwrap();
}

#[test]
fn an_event_reaches_the_queues_of_the_rules_that_match_it() {
    with_sandbox(async |local| {
        let (url, arn) = queue(local, "matching").await;
        rule(local, "matching", "tests.matching", json!({ "Id": "1", "Arn": arn })).await;
        let bus = local.sandbox.bus();
        let event = bus.event("tests.matching", "Made By Hand", &["arn:x"], &json!({ "n": 1 }));
        assert_eq!(bus.deliver(&event).await.unwrap(), [arn.as_str()]);
        assert_eq!(bus.deliver(&event).await.unwrap(), [arn.as_str()], "a duplicate");
        let other = bus.event("tests.other", "Made By Hand", &[], &json!({}));
        assert_eq!(bus.deliver(&other).await.unwrap(), Vec::<String>::new());
        let bodies: Vec<Value> = messages(local, &url)
            .await
            .iter()
            .map(|message| serde_json::from_str(message["Body"].as_str().unwrap()).unwrap())
            .collect();
        assert_eq!(bodies, [event.clone(), event]);
    });
}

#[test]
fn an_event_that_a_queue_refuses_goes_to_the_dead_letters() {
    with_sandbox(async |local| {
        let (dead_url, dead_arn) = queue(local, "dead-letters").await;
        let gone = "arn:aws:sqs:eu-west-1:123456789012:no-such-queue";
        let target = json!({ "Id": "1", "Arn": gone, "DeadLetterConfig": { "Arn": dead_arn } });
        rule(local, "refusing", "tests.refusing", target).await;
        let bus = local.sandbox.bus();
        bus.deliver(&bus.event("tests.refusing", "Made By Hand", &[], &json!({}))).await.unwrap();
        let letters = messages(local, &dead_url).await;
        let attributes = &letters[0]["MessageAttributes"];
        assert_eq!(attributes["TARGET_ARN"]["StringValue"], gone);
        assert!(attributes["RULE_ARN"]["StringValue"].as_str().unwrap().ends_with("rule/refusing"), "{attributes}");
        for name in ["ERROR_CODE", "ERROR_MESSAGE"] {
            assert!(attributes[name]["StringValue"].as_str().is_some_and(|text| !text.is_empty()), "{attributes}");
        }
    });
}

#[test]
fn a_target_that_is_not_modelled_is_refused_loudly() {
    with_sandbox(async |local| {
        let (_, arn) = queue(local, "transformed").await;
        let target = json!({ "Id": "1", "Arn": arn, "InputPath": "$.detail" });
        rule(local, "transforming", "tests.transforming", target).await;
        let bus = local.sandbox.bus();
        let event = bus.event("tests.transforming", "Made By Hand", &[], &json!({}));
        assert_eq!(bus.deliver(&event).await.unwrap(), Vec::<String>::new());
        let refused = bus.refused();
        assert!(
            refused.iter().any(|text| text.contains("rule/transforming") && text.contains("InputPath")),
            "{refused:?}"
        );
    });
}

#[test]
fn ecs_events_reach_a_deployed_rule() {
    with_sandbox(async |local| {
        let (url, arn) = queue(local, "of-ecs").await;
        rule(local, "of-ecs", "aws.ecs", json!({ "Id": "1", "Arn": arn })).await;
        local.cluster("told", json!([])).await;
        local.service("told", 1, json!({})).await;
        local.steady("told").await;
        local.sandbox.bus().delivered().await;
        let bodies: Vec<_> = messages(local, &url).await.iter().map(|message| message["Body"].to_string()).collect();
        assert!(bodies.iter().any(|body| body.contains("ECS Task State Change")), "{bodies:?}");
        local.sandbox.aws().json("events", "AWSEvents.DisableRule", &json!({ "Name": "of-ecs" })).await.unwrap();
        local.check_model();
    });
}

#[test]
fn calls_are_recorded_and_tests_can_step_in() {
    with_sandbox(async |local| {
        let (door, aws) = (local.sandbox.door(), local.sandbox.aws());
        let topic = aws.query("sns", "CreateTopic", &[("Name", "stepped-in")]).await.unwrap();
        let topic = topic.split_once("<TopicArn>").unwrap().1.split_once("</TopicArn>").unwrap().0.to_owned();
        let (held_topic, publish) = (topic.clone(), [("TopicArn", topic.as_str()), ("Message", "a b&c")]);

        door.on_call(Box::new(move |call| {
            if call.resource.as_deref() == Some(held_topic.as_str()) && call.is("sns", "Publish") {
                return Intervention::Fail { status: 400, code: "Throttled".into(), message: "Rate exceeded".into() };
            }
            Intervention::Pass
        }));
        let from = door.call_count();
        let error = aws.query("sns", "Publish", &publish).await.unwrap_err();
        assert_eq!((error.code.as_str(), error.message.as_str(), error.status), ("Throttled", "Rate exceeded", 400));

        let held_topic = topic.clone();
        door.on_call(Box::new(move |call| {
            if call.resource.as_deref() == Some(held_topic.as_str()) { Intervention::Hold } else { Intervention::Pass }
        }));
        let held = tokio::spawn({
            let (aws, topic) = (aws.clone(), topic.clone());
            async move { aws.query("sns", "Publish", &[("TopicArn", &topic), ("Message", "held")]).await }
        });
        let is_held = |call: &sandbox::Call| call.outcome.as_ref().is_some_and(|outcome| outcome.held);
        let call = door.wait_for_call(from, SOON, is_held).await.unwrap();
        assert_eq!((call.caller.as_str(), call.outcome.unwrap().status), ("root", 200), "it took effect");
        door.clear_hook();
        let passes = tokio::time::timeout(Duration::from_secs(5), aws.query("sns", "Publish", &publish)).await;
        assert!(passes.unwrap().is_ok(), "others pass while one is held");
        assert!(!held.is_finished());
        door.release_held();
        assert!(held.await.unwrap().is_ok());

        let calls = door.calls_where(from, |call| call.is("sns", "Publish"));
        let errors: Vec<_> = calls.iter().map(|call| call.outcome.as_ref().unwrap().error.as_deref()).collect();
        assert_eq!(errors, [Some("Throttled"), None, None]);
    });
}

#[test]
fn the_aws_cli_reaches_the_sandbox_signed_and_recorded() {
    with_sandbox(async |local| {
        let from = local.sandbox.door().call_count();
        let calls = [&["sqs", "list-queues"][..], &["ecs", "list-account-settings"], &["s3api", "list-buckets"]];
        for arguments in calls {
            let output = tokio::process::Command::new(local.sandbox.aws_cli()).args(arguments).output().await.unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.success(), arguments[0] != "ecs", "{text}");
            assert_eq!(text.contains("does not model ListAccountSettings"), arguments[0] == "ecs", "{text}");
        }
        let expected = ["ListQueues", "ListAccountSettings", "GET /"];
        let ours = |call: &sandbox::Call| call.caller == "cli" && expected.contains(&call.action.as_str());
        let actions: Vec<_> =
            local.sandbox.door().calls_where(from, ours).into_iter().map(|call| call.action).collect();
        assert_eq!(actions, expected);
    });
}

/// A caller whose signature is checked, and who may describe tasks but not stop them: ministack judges our own calls too.
#[test]
fn permissions_hold_for_the_calls_that_the_sandbox_answers_itself() {
    with_sandbox(async |local| {
        let cli = async |arguments: &[&str], key: Option<(&str, &str)>| {
            let endpoint = local.sandbox.endpoint();
            let script = std::fs::read_to_string(local.sandbox.aws_cli()).unwrap();
            let (id, secret) = key.unwrap_or(("test", "test"));
            let script = script
                .replace("AWS_ACCESS_KEY_ID=test", &format!("AWS_ACCESS_KEY_ID={id}"))
                .replace("AWS_SECRET_ACCESS_KEY=test", &format!("AWS_SECRET_ACCESS_KEY={secret}"));
            assert!(script.contains(endpoint));
            let shell = tokio::process::Command::new("sh").args(["-c", &script, "aws"]).args(arguments).output();
            let output = shell.await.unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
        };
        cli(&["iam", "create-user", "--user-name", "reader"], None).await.unwrap();
        let policy = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": ["ecs:ListTasks", "ecs:DescribeTasks"], "Resource": "*" },
        ] });
        let (put, policy) =
            (["iam", "put-user-policy", "--user-name", "reader", "--policy-name", "p"], policy.to_string());
        cli(&[&put[..], &["--policy-document", &policy]].concat(), None).await.unwrap();
        let key = cli(&["iam", "create-access-key", "--user-name", "reader"], None).await.unwrap();
        let key: Value = serde_json::from_str(&key).unwrap();
        let member = |name: &str| key["AccessKey"][name].as_str().unwrap();
        let key = Some((member("AccessKeyId"), member("SecretAccessKey")));

        local.cluster("guarded", json!([])).await;
        local.service("guarded", 1, json!({})).await;
        let task = local.steady("guarded").await.remove(0);
        let described =
            cli(&["ecs", "describe-tasks", "--cluster", "guarded", "--tasks", &task.arn], key).await.unwrap();
        assert!(described.contains("RUNNING"), "{described}");
        let refused = cli(&["ecs", "stop-task", "--cluster", "guarded", "--task", &task.arn], key).await.unwrap_err();
        assert!(refused.contains("AccessDenied"), "{refused}");
        assert!(local.sandbox.ecs().task(&task.id).unwrap().is_wanted());
        let forged = cli(&["ecs", "list-tasks"], key.map(|(id, _)| (id, "wrong"))).await.unwrap_err();
        assert!(forged.contains("Signature"), "{forged}");
        local.check_model();
    });
}
