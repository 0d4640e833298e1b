//! The index of readers, against the sandbox's ECS and a real table.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

mod ecs_local;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use config_sync::document::Place;
use config_sync::readers::{CALLS_A_SWEEP, Readers};
use ecs_local::{LASTS, Local, PARAMETER, SECRET, TABLE, container};
use sandbox::{Call, Intervention};
use time::{Duration, OffsetDateTime};

const CLUSTERS: [&str; 3] = ["agents", "more", "others"];
/// In each of them.
const SERVICES: usize = 12;

fn readers(local: &Local) -> Readers {
    Readers::new(local.dynamodb.clone(), TABLE, local.ecs.clone())
}

/// The readers' names with their clusters', in order.
async fn of(readers: &Readers, place: &Place) -> Vec<String> {
    let found = readers.of(&BTreeSet::from([place.clone()])).await.unwrap();
    let mut names: Vec<_> = found.iter().map(|arn| format!("{}/{}", arn.cluster_name().unwrap(), arn.name())).collect();
    names.sort_unstable();
    names
}

fn secret() -> Place {
    Place::Secret(SECRET.to_owned())
}

fn parameter() -> Place {
    Place::Parameter(PARAMETER.to_owned())
}

async fn fill(readers: &Readers) -> bool {
    readers.fill(OffsetDateTime::now_utc() + Duration::minutes(2)).await.unwrap()
}

/// Three clusters of twelve services without tasks: some read the secret, by one of its ARNs, some the parameter, some nothing.
async fn inhabit(local: &Local) {
    let role = local.execution_role().await;
    let partial = SECRET.rsplit_once('-').unwrap().0;
    for (family, values_from) in [
        ("whole", &[&*format!("{SECRET}:password::")] as &[_]),
        ("partial", &[partial]),
        ("pinned", &[&format!("{SECRET}::AWSPREVIOUS:")]),
        ("by-name", &["/team/token"]),
        ("both", &[PARAMETER, SECRET]),
        ("nothing", &[]),
    ] {
        local.define(family, Some(&role), container(LASTS, values_from).build()).await;
    }
    for cluster in CLUSTERS {
        local.cluster(cluster).await;
        for number in 0..SERVICES {
            let (name, family) = match number {
                0 => ("whole".to_owned(), "whole"),
                1 => ("partial".to_owned(), "partial"),
                2 => ("pinned".to_owned(), "pinned"),
                3 => ("by-name".to_owned(), "by-name"),
                4 => ("both".to_owned(), "both"),
                _ => (format!("nothing-{number}"), "nothing"),
            };
            local.service(cluster, &name, family, 0).send().await.unwrap();
        }
    }
}

fn in_all(names: &[&str]) -> Vec<String> {
    let in_one = |cluster| names.iter().map(move |name| format!("{cluster}/{name}"));
    CLUSTERS.into_iter().flat_map(in_one).collect()
}

const OF_SECRET: [&str; 4] = ["both", "partial", "pinned", "whole"];
const OF_PARAMETER: [&str; 2] = ["both", "by-name"];

async fn is_whole(readers: &Readers) -> bool {
    of(readers, &secret()).await == in_all(&OF_SECRET) && of(readers, &parameter()).await == in_all(&OF_PARAMETER)
}

#[tokio::test]
async fn it_is_filled_once() {
    let local = Local::start().await;
    inhabit(&local).await;
    let readers = readers(&local);
    assert_eq!(of(&readers, &secret()).await, [""; 0]);

    let before = local.sandbox.door().call_count();
    let soon = OffsetDateTime::now_utc() + Duration::milliseconds(1_200);
    assert!(!readers.fill(soon).await.unwrap(), "there was no time");
    assert!(!is_whole(&readers).await);
    let calls = local.ecs_calls_since(before);
    assert!(calls.len() <= 12, "ten a second: {calls:?}");
    assert!(fill(&readers).await);
    assert!(is_whole(&readers).await);
    // Nothing is done twice, but for the look at those whose task definitions were not read yet.
    let calls = local.ecs_calls_since(before).len();
    assert!((16..=17).contains(&calls), "{calls}");

    let before = local.sandbox.door().call_count();
    assert!(fill(&readers).await);
    assert_eq!(local.ecs_calls_since(before), [""; 0], "it is whole and young");
    let before = local.sandbox.door().call_count();
    assert!(is_whole(&readers).await);
    let looks: Vec<_> = local.sandbox.door().calls_since(before).into_iter().map(|call| call.action).collect();
    assert_eq!(looks, ["Query", "Query"], "one for each question");

    // Later it is old; nothing of the task definitions is asked for again.
    let later = self::readers(&local).with_clock(|| OffsetDateTime::now_utc() + Duration::hours(4));
    let before = local.sandbox.door().call_count();
    assert!(later.fill(OffsetDateTime::now_utc() + Duration::hours(5)).await.unwrap());
    let calls = local.ecs_calls_since(before);
    assert_eq!(calls.len(), 1 + 3 + 3 * 2, "{calls:?}");

    let other = Place::Secret(SECRET.replace("AbCdEf", "GhIjKl"));
    assert_eq!(of(&readers, &other).await, in_all(&["partial"]), "which of them it means, ECS knows");
    let too_late = self::readers(&local).with_clock(|| OffsetDateTime::now_utc() + Duration::days(4));
    assert_eq!(of(&too_late, &secret()).await, [""; 0], "what was not seen for days is no more");
    only_what_is_granted(&local);
    local.sandbox.stop().await.unwrap();
}

/// The template grants no more.
fn only_what_is_granted(local: &Local) {
    let granted = ["GetItem", "Query", "UpdateItem", "DeleteItem", "CreateTable"];
    let is_not = |call: &Call| call.service == "dynamodb" && !granted.contains(&&*call.action);
    assert_eq!(local.sandbox.door().calls_where(0, is_not).len(), 0);
}

#[tokio::test]
async fn an_event_brings_a_service_up_to_date() {
    let local = Local::start().await;
    local.cluster("agents").await;
    let role = local.execution_role().await;
    local.define("with", Some(&role), container(LASTS, &[SECRET]).build()).await;
    local.define("without", None, container(LASTS, &[]).build()).await;
    local.service("agents", "agent", "with", 0).send().await.unwrap();
    let arn = local.arn("agents", "agent");
    let readers = readers(&local);

    readers.seen(&arn).await.unwrap();
    let before = local.sandbox.door().call_count();
    readers.seen(&arn).await.unwrap();
    assert_eq!(local.ecs_calls_since(before), ["DescribeServices"]);
    assert_eq!(of(&readers, &secret()).await, ["agents/agent"]);

    local.ecs.update_service().cluster("agents").service("agent").task_definition("without").send().await.unwrap();
    assert_eq!(of(&readers, &secret()).await, ["agents/agent"], "nobody has told of it");
    // Somebody who looked earlier and writes only now leaves what was seen later.
    let earlier = self::readers(&local).with_clock(|| OffsetDateTime::now_utc() - Duration::minutes(1));
    earlier.seen(&arn).await.unwrap();
    assert_eq!(of(&readers, &secret()).await, ["agents/agent"]);
    readers.seen(&arn).await.unwrap();
    assert_eq!(of(&readers, &secret()).await, [""; 0]);

    local.ecs.update_service().cluster("agents").service("agent").task_definition("with").send().await.unwrap();
    readers.seen(&arn).await.unwrap();
    assert_eq!(of(&readers, &secret()).await, ["agents/agent"]);
    local.ecs.delete_service().cluster("agents").service("agent").force(true).send().await.unwrap();
    earlier.seen(&arn).await.unwrap();
    assert_eq!(of(&readers, &secret()).await, ["agents/agent"], "it was seen since");
    for _ in 0..2 {
        readers.seen(&arn).await.unwrap();
        assert_eq!(of(&readers, &secret()).await, [""; 0]);
    }
    readers.seen(&local.arn("nowhere", "agent")).await.unwrap();
    only_what_is_granted(&local);
    local.sandbox.stop().await.unwrap();
}

/// One sweep, and how many calls of ECS it made.
async fn sweep(local: &Local, readers: &Readers) -> usize {
    let before = local.sandbox.door().call_count();
    readers.sweep().await.unwrap();
    let calls = local.ecs_calls_since(before).len();
    assert!(calls <= CALLS_A_SWEEP, "{calls}");
    calls
}

#[tokio::test]
async fn the_sweep_finds_what_is_new_and_what_is_gone() {
    let local = Local::start().await;
    inhabit(&local).await;
    let readers = readers(&local);
    assert_eq!(sweep(&local, &readers).await, 1 + 3 + 3 * 2 + 6, "clusters, services, their pages, task definitions");
    assert!(is_whole(&readers).await);
    assert_eq!(sweep(&local, &readers).await, 1 + 3 + 3 * 2, "nothing is new");

    local.ecs.update_service().cluster("more").service("nothing-7").task_definition("whole").send().await.unwrap();
    local.ecs.delete_service().cluster("agents").service("whole").force(true).send().await.unwrap();
    assert_eq!(sweep(&local, &readers).await, 1 + 3 + 3 * 2, "what its new revision reads is known of others");
    let mut expected = in_all(&OF_SECRET);
    expected.push("more/nothing-7".to_owned());
    expected.sort_unstable();
    assert_eq!(of(&readers, &secret()).await, expected, "one that is gone stays for some hours");

    let later = self::readers(&local).with_clock(|| OffsetDateTime::now_utc() + Duration::hours(5));
    assert_eq!(sweep(&local, &later).await, 1 + 1 + 3 + 3 * 2, "one call for those that no round has met");
    assert_eq!(sweep(&local, &later).await, 1 + 1 + 3 + 3 * 2, "it is the only one");
    assert_eq!(sweep(&local, &later).await, 1 + 3 + 3 * 2);
    expected.retain(|name| name != "agents/whole");
    assert_eq!(of(&readers, &secret()).await, expected);
    only_what_is_granted(&local);
    local.sandbox.stop().await.unwrap();
}

fn throttled() -> Intervention {
    let code = "ThrottlingException".to_owned();
    Intervention::Fail { status: 400, code, message: "Rate exceeded".to_owned() }
}

#[tokio::test]
async fn where_it_is_too_much_the_sweep_waits() {
    let local = Local::start().await;
    inhabit(&local).await;
    let readers = readers(&local);
    let described = AtomicUsize::new(0);
    local.sandbox.door().on_call(Box::new(move |call| {
        let is_one = call.is("ecs", "DescribeServices");
        if is_one && described.fetch_add(1, Ordering::Relaxed) == 2 { throttled() } else { Intervention::Pass }
    }));
    let before = sweep(&local, &readers).await;
    assert!(before < 1 + 3 + 3 * 2 + 6, "it ended there: {before}");
    assert!(!is_whole(&readers).await);
    let after = sweep(&local, &readers).await;
    assert!(is_whole(&readers).await);
    assert_eq!(before + after, 1 + 3 + 3 * 2 + 6 + 1, "only the call that was throttled was made again");

    local.sandbox.door().on_call(Box::new(|call| {
        if call.is("ecs", "DescribeTaskDefinition") { throttled() } else { Intervention::Pass }
    }));
    local.define("new", None, container(LASTS, &[]).build()).await;
    local.service("more", "new", "new", 0).send().await.unwrap();
    sweep(&local, &readers).await;
    assert!(is_whole(&readers).await);
    local.sandbox.door().clear_hook();

    // Other troubles are told, and it is gone on with after them.
    local.sandbox.door().on_call(Box::new(|call| {
        let code = "ServerException".to_owned();
        let failed = Intervention::Fail { status: 500, code, message: String::new() };
        if call.is("ecs", "ListServices") { failed } else { Intervention::Pass }
    }));
    let trouble = readers.sweep().await.unwrap_err();
    assert!(trouble.may_pass(), "{trouble}");
    local.sandbox.door().clear_hook();
    sweep(&local, &readers).await;
    assert!(is_whole(&readers).await);
    local.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn several_at_once_do_no_harm() {
    let local = Local::start().await;
    inhabit(&local).await;
    let [one, two, three] = [(); 3].map(|()| readers(&local));
    let in_time = OffsetDateTime::now_utc() + Duration::minutes(2);
    let arn = local.arn("agents", "whole");
    let (filled, ..) = tokio::join!(
        one.fill(in_time),
        async { two.sweep().await.unwrap() },
        async { three.sweep().await.unwrap() },
        async { three.seen(&arn).await.unwrap() },
    );
    assert!(filled.unwrap());
    assert!(is_whole(&one).await);
    local.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_large_cluster_takes_several_sweeps() {
    const MANY: usize = 230;
    let local = Local::start().await;
    let role = local.execution_role().await;
    local.cluster("agents").await;
    for family in 0..6 {
        let reads = if family == 0 { [SECRET] } else { [PARAMETER] };
        local.define(&format!("family-{family}"), Some(&role), container(LASTS, &reads).build()).await;
    }
    for number in 0..MANY {
        let (name, family) = (format!("agent-{number:03}"), format!("family-{}", number % 6));
        local.service("agents", &name, &family, 0).send().await.unwrap();
    }
    let expected: Vec<_> = (0..MANY).step_by(6).map(|number| format!("agents/agent-{number:03}")).collect();
    let readers = readers(&local);
    // Clusters, pages of 100, tens of services, task definitions.
    assert_eq!(sweep(&local, &readers).await, CALLS_A_SWEEP);
    assert_ne!(of(&readers, &secret()).await, expected);
    assert_eq!(sweep(&local, &readers).await, 1 + 3 + 23 + 6 - CALLS_A_SWEEP);
    assert_eq!(of(&readers, &secret()).await, expected);

    // ECS has forgotten what its token was: the round begins anew.
    let listed = AtomicUsize::new(0);
    local.sandbox.door().on_call(Box::new(move |call| {
        if call.is("ecs", "ListServices") && listed.fetch_add(1, Ordering::Relaxed) == 1 {
            let (code, message) = ("InvalidParameterException".to_owned(), "Invalid token.".to_owned());
            return Intervention::Fail { status: 400, code, message };
        }
        Intervention::Pass
    }));
    local.ecs.update_service().cluster("agents").service("agent-229").task_definition("family-0").send().await.unwrap();
    assert_eq!(sweep(&local, &readers).await, 1 + 1 + 10 + 1, "to the second page");
    assert_eq!(of(&readers, &secret()).await, expected);
    for _ in 0..2 {
        sweep(&local, &readers).await;
    }
    let after = of(&readers, &secret()).await;
    assert!(after.len() == expected.len() + 1 && after.contains(&"agents/agent-229".to_owned()), "{after:?}");
    local.sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn there_are_more_clusters_than_one_call_lists() {
    const MANY: usize = 103;
    let local = Local::start().await;
    let role = local.execution_role().await;
    for number in 0..MANY {
        local.cluster(&format!("cluster-{number:03}")).await;
    }
    local.define("agent", Some(&role), container(LASTS, &[SECRET]).build()).await;
    let expected = ["cluster-000/agent".to_owned(), format!("cluster-{:03}/agent", MANY - 1)];
    for cluster in ["cluster-000", &format!("cluster-{:03}", MANY - 1)] {
        local.service(cluster, "agent", "agent", 0).send().await.unwrap();
    }
    let readers = readers(&local);
    let calls = 2 + MANY + 2 + 1;
    for _ in 0..calls / CALLS_A_SWEEP {
        assert_eq!(sweep(&local, &readers).await, CALLS_A_SWEEP);
    }
    assert_eq!(sweep(&local, &readers).await, calls % CALLS_A_SWEEP);
    assert_eq!(of(&readers, &secret()).await, expected);
    local.sandbox.stop().await.unwrap();
}
