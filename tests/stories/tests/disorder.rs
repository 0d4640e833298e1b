//! The deployed function killed in mid-flight at a chosen call: its message comes again, and ops still get their alert.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use sandbox::disorder::{Added, CallEffect, CallMatch, CallRule, Moment, Plan, Subject};
use sandbox::inbox::Mail;
use sandbox::stage::{FUNCTION, PATIENCE, Stage};
use sandbox::{Intervention, Options, redelivery};
use serde_json::Value;
use stories::messages::{crash, incident, names};

async fn stage() -> Stage {
    let stage = Stage::set(Options::default(), |_| ()).await.unwrap();
    let function = stage.stack.output("CrashAlertsFunctionName").unwrap();
    let queue = stage.stack.output("CrashAlertsQueueUrl").unwrap();
    redelivery::make_quick(stage.sandbox.aws(), function, queue).await.unwrap();
    stage
}

/// The function is killed at its first call of this action, once.
fn kill_at(stage: &Stage, service: &str, action: &str, moment: Moment) -> Added {
    let call =
        CallMatch { caller: FUNCTION.into(), service: service.into(), action: action.into(), ..CallMatch::default() };
    let calls = vec![CallRule::new(call, CallEffect::Kill(moment)).named("kill").nth([1])];
    stage.sandbox.disorder().add(Plan { calls, ..Plan::default() }).unwrap()
}

fn alerts_of(stage: &Stage, task: u32) -> Vec<Mail> {
    stage.inbox.mails().into_iter().filter(|mail| names(&mail.text, task)).collect()
}

/// Sends a crash, waits until the function was killed over it and was invoked again, and checks what is true whenever it
/// was killed: ops know of the crash, that is recorded, and nothing is left in a queue.
async fn comes_right(stage: &Stage, task: u32, kill: Added) {
    let from = stage.sandbox.door().call_count();
    stage.send(&crash(task).to_string()).await.unwrap();
    stage.inbox.wait_for(0, PATIENCE, |mail| names(&mail.text, task)).await.unwrap();
    let subject = format!("task#arn:aws:ecs:eu-west-1:123456789012:task/stories/{task:032x}");
    stage.wait_for_item(&subject, "alert#stopped", |_| true).await.unwrap();
    let sent = |item: &Value| item["state"]["S"].as_str().is_some_and(|state| state.contains("\"outbox\":[]"));
    stage.wait_for_item("incidents", &incident(task), sent).await.unwrap();
    stage.quiet().await.unwrap();

    let report = kill.report();
    assert_eq!((report.done("kill"), &report.faults), (1, &Vec::new()), "{report}");
    let Some(Subject::Call(killed)) = report.subjects("kill").next() else { panic!("{report}") };
    assert!(*killed >= from);
    let again = |call: &sandbox::Call| call.caller == FUNCTION && call.is("dynamodb", "BatchGetItem");
    assert!(!stage.sandbox.door().calls_where(*killed + 1, again).is_empty(), "the message came again");
    let dead_letters = stage.stack.output("CrashAlertsDeadLetterQueueUrl").unwrap();
    assert!(stage.is_empty(dead_letters).await.unwrap());
}

#[tokio::test]
async fn a_function_killed_around_its_publish_loses_no_alert() {
    let stage = stage().await;

    // The intent is written, nothing is said.
    let kill = kill_at(&stage, "sns", "Publish", Moment::Before);
    comes_right(&stage, 301, kill).await;
    let mails = alerts_of(&stage, 301);
    assert_eq!(mails.len(), 1);

    // It is said, and not recorded: said again, under the same id.
    let kill = kill_at(&stage, "sns", "Publish", Moment::After);
    comes_right(&stage, 302, kill).await;
    let mails = alerts_of(&stage, 302);
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].json, mails[1].json, "the same message of the same incident");

    // That the crash was seen takes effect and is not heard.
    let kill = kill_at(&stage, "dynamodb", "TransactWriteItems", Moment::After);
    comes_right(&stage, 303, kill).await;
    assert_eq!(alerts_of(&stage, 303).len(), 1);

    // A test's own hook comes before every rule: what it refuses no rule touches or counts.
    let throttle = CallMatch { service: "sns".into(), action: "CreateTopic".into(), ..CallMatch::default() };
    let calls = vec![CallRule::new(throttle, CallEffect::Throttle).named("throttle")];
    let throttle = stage.sandbox.disorder().add(Plan { calls, ..Plan::default() }).unwrap();
    let create = async || {
        let refused = stage.sandbox.aws().query("sns", "CreateTopic", &[("Name", "another")]).await;
        refused.unwrap_err().code
    };
    stage.sandbox.door().on_call(Box::new(|call| {
        if !call.is("sns", "CreateTopic") {
            return Intervention::Pass;
        }
        Intervention::Fail { status: 400, code: "ByHook".to_owned(), message: "by hook".to_owned() }
    }));
    assert_eq!((create().await.as_str(), throttle.report().rules[0].matched), ("ByHook", 0));
    stage.sandbox.door().clear_hook();
    assert_eq!((create().await.as_str(), throttle.report().rules[0].matched), ("Throttling", 1));

    // The incident is held, and its holder is dead: the message comes again, or the sweep, and it is told.
    let kill = kill_at(&stage, "dynamodb", "UpdateItem", Moment::After);
    comes_right(&stage, 304, kill).await;
    assert_eq!(alerts_of(&stage, 304).len(), 1);
}
