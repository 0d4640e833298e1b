//! How services are restarted, and which are left alone.

use std::time::Duration;

use sandbox::Call;
use sandbox::ecs::StopCode;
use sandbox::stage::PATIENCE;
use serde_json::{Value, json};
use stories::agents::{CLUSTER, IMAGE};
use time::OffsetDateTime;
use tokio::time::{interval, timeout};

use crate::plain::{Plain, output, service_arn, until, with};

/// What the source says first, and after it was changed.
const OLD: &str = "planted-old-1";
const NEW: &str = "planted-new-2'\"%";
/// An image that is named by its digest.
const DIGEST: &str = "watchkeeper/sample-agent@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
/// What ops read when all is done.
const ALL_RUN: &str = "has changed, and every service that reads it runs on that";

/// A secret, another one that follows it, and a declaration of that.
async fn documents(scene: &Plain) -> (String, String, Value) {
    let source = scene.secret("source", OLD).await;
    let target = scene.secret("target", OLD).await;
    let declared = json!({"Sources": {"word": {"Secret": source}}, "Target": {"Secret": target},
        "Values": [{"At": "text", "Is": "{word}"}]});
    (source, target, declared)
}

/// When our function asked for something of that service of AWS, and got it.
fn asked_at(scene: &Plain, action: &str) -> Vec<OffsetDateTime> {
    let of_it = |call: &Call| {
        scene.is_by_it(call)
            && call.is("ecs", action)
            && call.outcome.as_ref().is_some_and(|outcome| outcome.status == 200)
    };
    scene.stage.sandbox.door().calls_where(0, of_it).iter().map(|call| call.at).collect()
}

#[tokio::test]
async fn each_service_is_restarted_once_and_never_more_at_once_than_declared() {
    let scene = Plain::set().await;
    let (source, target, declared) = documents(&scene).await;
    scene.reader("a", &[&target]).await;
    for name in ["b", "c"] {
        scene.begin_reader(name, &[&target], DIGEST, json!({})).await;
    }
    scene.steady("b", 1).await;
    scene.steady("c", 1).await;
    let stack = scene.stack("agent", with(declared, json!({"RestartAtOnce": 1}))).await;
    let described = stack.comes_to("CREATE_COMPLETE").await;
    assert_eq!(output(&described, "Plan"), "nothing to do");
    let warned = output(&described, "Warnings");
    assert!(warned.contains(&format!("a new deployment of a may run another image, as {IMAGE} is a tag")), "{warned}");
    assert!(!warned.contains("deployment of b") && !warned.contains("deployment of c"), "{warned}");
    scene.quiet().await;
    assert!(scene.changes().is_empty());

    let mails = scene.mail_count();
    scene.put(&source, NEW).await;
    scene.says(&target, NEW).await;
    for name in ["a", "b", "c"] {
        scene.runs_on(name, NEW).await;
    }
    let told = scene.told(mails, &[ALL_RUN, "changed text; running on it: a, b, c"]).await;
    scene.sweep().await;
    let asked = asked_at(&scene, "UpdateService");
    assert_eq!(asked.len(), 3, "each once: {told:?}");
    // Each began when the one before was over.
    let ecs = scene.stage.sandbox.ecs();
    let mut deployments: Vec<_> = ["a", "b", "c"]
        .map(|name| ecs.service(CLUSTER, name).unwrap().deployments[0].clone())
        .into_iter()
        .map(|deployment| (deployment.created, deployment.updated))
        .collect();
    deployments.sort();
    assert!(deployments.windows(2).all(|two| two[0].1 <= two[1].0), "{deployments:?}");
    let count = scene.stage.inbox.mails().iter().skip(mails).filter(|mail| mail.subject.contains(ALL_RUN)).count();
    assert_eq!(count, 1, "told once");
    scene.ends_well(&[OLD, NEW]).await;
}

#[tokio::test]
async fn tasks_are_replaced_one_by_one_where_the_image_must_stay() {
    let scene = Plain::set().await;
    let (source, target, declared) = documents(&scene).await;
    let two = json!({"desiredCount": 2, "propagateTags": "SERVICE"});
    scene.begin_reader("propagates", &[&target], IMAGE, two).await;
    scene.steady("propagates", 2).await;
    let stack = scene.stack("agent", with(declared, json!({"RestartBy": "replace-tasks"}))).await;
    let described = stack.comes_to("CREATE_COMPLETE").await;
    assert_eq!(output(&described, "Warnings"), "", "the image stays");
    let before: Vec<String> = scene.tasks("propagates").into_iter().map(|task| task.id).collect();
    let mails = scene.mail_count();
    scene.put(&source, NEW).await;
    scene.says(&target, NEW).await;
    // Tasks that start are no deployment, so nobody wakes the function: the sweep does.
    until("both tasks are replaced", async || {
        scene.sweep().await;
        let read = scene.read_by("propagates");
        read.len() == 2 && read.iter().all(|read| read == NEW)
    })
    .await;
    scene.sweep().await;
    scene.told(mails, &[ALL_RUN, "running on it: propagates"]).await;
    assert_eq!((asked_at(&scene, "UpdateService").len(), scene.restarts("propagates")), (0, 0));
    // Where the moment of the change is only known to the second, tasks that began in that second are replaced once more.
    let stops = asked_at(&scene, "StopTask");
    assert!((2..=6).contains(&stops.len()), "{stops:?}");
    let tasks = scene.stage.sandbox.ecs().tasks();
    let of_before = tasks.iter().filter(|task| before.contains(&task.id));
    let stopped = of_before.filter(|task| task.stop.as_ref().is_some_and(|stop| stop.code == StopCode::UserInitiated));
    assert_eq!(stopped.count(), 2);
    let started: Vec<_> = tasks.iter().filter_map(|task| task.times.started).collect();
    let has_successor = |two: &[OffsetDateTime]| started.iter().any(|at| two[0] < *at && *at < two[1]);
    assert!(
        stops.windows(2).all(has_successor),
        "the next goes when the one before has a successor: {started:?} {stops:?}"
    );
    scene.ends_well(&[OLD, NEW]).await;

    // Tasks without the tag cannot be stopped, and ops are told what to do.
    scene.begin_reader("unpropagated", &[&target], IMAGE, json!({})).await;
    scene.steady("unpropagated", 1).await;
    let mails = scene.mail_count();
    scene.put(&source, OLD).await;
    scene.says(&target, OLD).await;
    until("the other service's tasks are replaced", async || {
        scene.sweep().await;
        scene.read_by("propagates").iter().all(|read| read == OLD)
    })
    .await;
    let told = async {
        let mut poll = interval(Duration::from_secs(5));
        while !scene.stage.inbox.mails().iter().skip(mails).any(|mail| mail.text.contains("PropagateTags:")) {
            poll.tick().await;
            scene.sweep().await;
        }
    };
    timeout(3 * PATIENCE, told).await.unwrap();
    assert_eq!(scene.read_by("unpropagated"), [NEW]);
    crate::scene::keeps_secrets(&scene, &[OLD, NEW]).await;
}

#[tokio::test]
async fn who_did_not_allow_it_is_left_alone_and_told_until_it_is_allowed() {
    let scene = Plain::set().await;
    let (source, target, declared) = documents(&scene).await;
    scene.begin_reader("untagged", &[&target], IMAGE, json!({"tags": null})).await;
    scene.reader("tagged", &[&target]).await;
    scene.steady("untagged", 1).await;
    let stack = scene.stack("agent", declared).await;
    stack.comes_to("CREATE_COMPLETE").await;
    let mails = scene.mail_count();
    scene.put(&source, NEW).await;
    scene.runs_on("tagged", NEW).await;
    let why = "not untagged: the stack agent may not use the service";
    scene
        .told(
            mails,
            &[
                "not every service that reads it runs on that",
                "running on it: tagged",
                why,
                "watchkeeper:allow = agent",
            ],
        )
        .await;
    scene.sweep().await;
    assert_eq!((scene.read_by("untagged"), scene.restarts("untagged")), (vec![OLD.to_owned()], 0));

    let mails = scene.mail_count();
    let tag = json!({"resourceArn": service_arn("untagged"), "tags": [{"key": "watchkeeper:allow", "value": "agent"}]});
    scene.stage.ecs("TagResource", tag).await.unwrap();
    scene.sweep().await;
    scene.runs_on("untagged", NEW).await;
    scene.told(mails, &["is what every service that reads it runs on"]).await;
    assert_eq!(asked_at(&scene, "UpdateService").len(), 2);
    scene.ends_well(&[OLD, NEW]).await;
}

#[tokio::test]
async fn only_who_is_named_is_restarted_and_nobody_where_none_is_said() {
    let scene = Plain::set().await;
    let (source, target, declared) = documents(&scene).await;
    let other = scene.secret("other", OLD).await;
    let to_other = with(declared.clone(), json!({"Target": {"Secret": other}, "Restart": "none"}));
    for (name, documents) in [
        ("named", vec![target.as_str()]),
        ("not-named", vec![&target]),
        ("reads-nothing", vec![]),
        ("of-other", vec![&other]),
    ] {
        scene.begin_reader(name, &documents, IMAGE, json!({})).await;
    }
    let described = scene.manager("DescribeSecret", json!({"SecretId": target})).await;
    let version = described["VersionIdsToStages"].as_object().unwrap().keys().next().unwrap().clone();
    scene.begin_reader("pinned", &[&format!("{target}:::{version}")], IMAGE, json!({})).await;
    for name in ["named", "not-named", "reads-nothing", "of-other", "pinned"] {
        scene.steady(name, 1).await;
    }
    let these = json!({"Restart": [service_arn("named"), service_arn("reads-nothing"), service_arn("pinned")]});
    let stack = scene.stack("agent", with(declared, these)).await;
    let none = scene.stack("none", to_other).await;
    let described = stack.comes_to("CREATE_COMPLETE").await;
    none.comes_to("CREATE_COMPLETE").await;
    let warned = output(&described, "Warnings");
    assert!(warned.contains(&format!("pinned always reads the version {version} of the secret target-")), "{warned}");
    let mails = scene.mail_count();
    scene.put(&source, NEW).await;
    scene.runs_on("named", NEW).await;
    scene
        .told(
            mails,
            &["running on it: named", "reads-nothing", "not restarted, as declared: not-named", "pinned always reads"],
        )
        .await;
    let told = scene.told(mails, &["About secret other-", "not restarted, as declared: of-other"]).await;
    assert!(!told.subject.contains(ALL_RUN), "not all run on it: {told:?}");
    scene.sweep().await;
    assert_eq!(scene.text(&other).await, NEW);
    for (name, restarts) in [("named", 1), ("reads-nothing", 1), ("not-named", 0), ("of-other", 0), ("pinned", 0)] {
        assert_eq!(scene.restarts(name), restarts, "{name}");
    }
    scene.ends_well(&[OLD, NEW]).await;
}

#[tokio::test]
async fn a_deployment_on_its_way_is_waited_for_and_one_begun_since_counts() {
    let scene = Plain::set().await;
    let (source, target, declared) = documents(&scene).await;
    for name in ["busy", "deleted"] {
        scene.reader(name, &[&target]).await;
        let definition = |image: &str| {
            let found = scene.stage.sandbox.ecs().service(CLUSTER, name).unwrap();
            (found.deployments[0].definition_arn.clone(), image.to_owned())
        };
        // A deployment that is never done: there is no such image.
        let (arn, image) = definition("no-such-agent:1");
        let described = scene.stage.ecs("DescribeTaskDefinition", json!({"taskDefinition": arn})).await.unwrap();
        let mut next = json!({});
        for member in [
            "family",
            "networkMode",
            "requiresCompatibilities",
            "cpu",
            "memory",
            "executionRoleArn",
            "containerDefinitions",
        ] {
            next[member] = described["taskDefinition"][member].clone();
        }
        next["containerDefinitions"][0]["image"] = image.into();
        scene.stage.ecs("RegisterTaskDefinition", next).await.unwrap();
        scene.update(name, json!({"taskDefinition": name})).await;
    }
    let stack = scene.stack("agent", declared).await;
    stack.comes_to("CREATE_COMPLETE").await;
    let mails = scene.mail_count();
    scene.put(&source, NEW).await;
    scene.says(&target, NEW).await;
    scene.sweep().await;
    scene.sweep().await;
    assert!(asked_at(&scene, "UpdateService").is_empty(), "no deployment over another");
    assert_eq!(scene.read_by("busy"), [OLD]);

    let delete = json!({"cluster": CLUSTER, "service": "deleted", "force": true});
    scene.stage.ecs("DeleteService", delete).await.unwrap();
    scene.update("busy", json!({"taskDefinition": "busy:1"})).await;
    scene.runs_on("busy", NEW).await;
    until("ops are told", async || {
        scene.sweep().await;
        scene.mail_count() > mails
    })
    .await;
    let told = scene.told(mails, &[ALL_RUN, "running on it: busy"]).await;
    assert!(!told.text.contains("deleted"), "{told:?}");
    assert!(asked_at(&scene, "UpdateService").is_empty(), "the person's deployment reads the new version");
    scene.ends_well(&[OLD, NEW]).await;
}
