//! The FIFO topic: each message once and in order, also for a function that was cut off.

use std::time::Duration;

use sandbox::disorder::{CallEffect, CallMatch, CallRule, Moment, Plan};
use sandbox::inbox::Inbox;
use sandbox::stage::{FUNCTION, PATIENCE, by_function};
use sandbox::{Call, Options, redelivery};
use serde_json::{Value, json};
use tokio::time::{interval, timeout};

use crate::scene::Scene;

#[tokio::test]
async fn a_fifo_queue_gets_each_message_once_and_in_order_though_one_was_published_twice() {
    let scene = Scene::set(Options::default().with("FifoTopic", "true").with("CrashQuietMinutes", "0")).await;
    let stack = &scene.stage.stack;
    let (function, queue) = (stack.output("CrashAlertsFunctionName").unwrap(), scene.queue());
    redelivery::make_quick(scene.stage.sandbox.aws(), function, queue).await.unwrap();
    let fifo = Inbox::subscribe(&scene.stage.sandbox, stack.output("FifoTopicArn").unwrap()).await.unwrap();
    scene.lasting("ledger", json!({})).await;

    // The FIFO topic has it, the other one has not, and nobody knows.
    let publish = CallMatch {
        caller: FUNCTION.into(),
        service: "sns".into(),
        action: "Publish".into(),
        resource: ".fifo".into(),
    };
    let calls = vec![CallRule::new(publish, CallEffect::Kill(Moment::After)).named("kill").nth([1])];
    let kill = scene.stage.sandbox.disorder().add(Plan { calls, ..Plan::default() }).unwrap();
    scene.exit("ledger", 9).await;
    fifo.wait_for(0, PATIENCE, |_| true).await.unwrap();
    assert_eq!((kill.report().done("kill"), kill.report().faults), (1, Vec::new()));
    scene.steady("ledger", 1).await;

    let mut each = interval(Duration::from_secs(2));
    let over = async {
        while !fifo.mails().iter().any(|mail| mail.json["action"] == "resolve") {
            each.tick().await;
            scene.sweep().await;
        }
    };
    timeout(2 * PATIENCE, over).await.unwrap();
    let standard = scene.stage.inbox.wait_for(0, PATIENCE, |mail| mail.json["action"] == "resolve").await.unwrap();
    let states = |inbox: &Inbox| {
        let mails = inbox.mails().into_iter().map(|mail| (mail.json["state"].clone(), mail.json["incident"].clone()));
        mails.collect::<Vec<_>>()
    };
    let turn = |state: &str| -> (Value, Value) { (json!(state), standard.json["incident"].clone()) };
    let published = |call: &Call| by_function(call) && call.is("sns", "Publish") && is_fifo(call);
    assert_eq!(scene.stage.sandbox.door().calls_where(0, published).len(), 3, "the first message was published twice");
    assert_eq!(states(&fifo), [turn("opened"), turn("resolved")]);
    assert_eq!(states(&scene.stage.inbox), [turn("opened"), turn("resolved")]);
    scene.ends_well();
}

fn is_fifo(call: &Call) -> bool {
    call.resource.as_ref().is_some_and(|topic| topic.contains(".fifo"))
}
