//! In zones of the local AWS.

use std::collections::BTreeSet;

use aws_sdk_route53::Client;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
use console_registrar::registry::route53::{PacedClient, Records, Route53};
use console_registrar::registry::{Address, Entry, IfStill, Registry, Trouble};
use sandbox::{Options, Sandbox};

use crate::{OWNER, config, id, overtaken, put, put_of, settings};

/// A zone `example.com`, with these records beside what a zone begins with.
async fn zone(client: &Client, reference: &str, others: &[ResourceRecordSet]) -> String {
    let create = client.create_hosted_zone().name("example.com").caller_reference(reference).send().await.unwrap();
    let id = create.hosted_zone.unwrap().id.trim_start_matches("/hostedzone/").to_owned();
    for other in others {
        let change = Change::builder().action(ChangeAction::Create).resource_record_set(other.clone()).build().unwrap();
        let batch = ChangeBatch::builder().changes(change).build().unwrap();
        client.change_resource_record_sets().hosted_zone_id(&id).change_batch(batch).send().await.unwrap();
    }
    id
}

fn foreign(name: &str, kind: RrType, value: &str, identifier: Option<&str>) -> ResourceRecordSet {
    let record = ResourceRecord::builder().value(value).build().unwrap();
    let set = ResourceRecordSet::builder().name(name).r#type(kind).ttl(300).resource_records(record);
    let set = set.set_set_identifier(identifier.map(str::to_owned)).set_multi_value_answer(identifier.map(|_| true));
    set.build().unwrap()
}

/// All record sets of the zone but its own, as `name type values`.
async fn records(client: &Client, zone: &str) -> BTreeSet<String> {
    let sets = client.list_resource_record_sets().hosted_zone_id(zone).send().await.unwrap().resource_record_sets;
    let beside = sets.iter().filter(|set| !matches!(set.r#type(), RrType::Soa | RrType::Ns));
    let text = |set: &ResourceRecordSet| {
        let values: BTreeSet<&str> = set.resource_records().iter().map(ResourceRecord::value).collect();
        format!("{} {} {}", set.name(), set.r#type(), values.into_iter().collect::<Vec<_>>().join(" "))
    };
    beside.map(text).collect()
}

async fn listed(registry: &Route53) -> Vec<Entry> {
    let mut entries = registry.list(&id("Agent")).await.unwrap();
    entries.sort_by(|one, other| one.id.cmp(&other.id));
    entries
}

fn hosts(entries: &[Entry]) -> Vec<(String, String)> {
    let host = |entry: &Entry| entry.address.as_ref().map_or(String::new(), Address::to_string);
    entries.iter().map(|entry| (entry.id.to_string(), host(entry))).collect()
}

#[tokio::test]
async fn agents_come_move_and_go_with_a_record_for_each() {
    come_move_and_go(Records::PerTask).await;
}

#[tokio::test]
async fn agents_come_move_and_go_with_one_name_for_all() {
    come_move_and_go(Records::OneName).await;
}

async fn come_move_and_go(records_are: Records) {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let client = Client::from_conf(config().endpoint_url(sandbox.endpoint()).build());
    let others = [
        foreign("example.com", RrType::A, "192.0.2.1", None),
        foreign("a.agents.example.com", RrType::A, "192.0.2.2", None),
        foreign("www.example.com", RrType::Cname, "example.com", None),
        foreign("_watchkeeper.agents.example.com", RrType::Txt, "\"v=spf1 -all\"", None),
    ];
    let zone = zone(&client, "life", &others).await;
    let before = records(&client, &zone).await;
    let registry = Route53::new(PacedClient::new(client.clone()), settings(&zone, records_are), 20001, OWNER);
    registry.check().await.unwrap();
    assert_eq!(listed(&registry).await, []);

    let puts = ["1", "2", "3"].map(|n| put(&format!("Agent-{n}"), &format!("10.0.0.{n}"), IfStill::Absent));
    let count = sandbox.door().call_count();
    assert_eq!(registry.put_all(&puts).await, [const { Ok(()) }; 3]);
    let reads = if records_are == Records::PerTask { 1 } else { 2 };
    assert_eq!(sandbox.door().call_count() - count, reads + 1, "all are read and put at once");
    let count = sandbox.door().call_count();
    assert_eq!(registry.put_all(&puts).await, [const { Ok(()) }; 3], "again");
    assert_eq!(sandbox.door().call_count() - count, reads, "a repeated put changes nothing");

    let found = listed(&registry).await;
    let wanted = ["1", "2", "3"].map(|n| (format!("Agent-{n}"), format!("10.0.0.{n}:20001")));
    assert_eq!(hosts(&found), wanted);
    assert!(found.iter().all(|entry| entry.owner.as_deref() == Some(OWNER)));

    // What must still be so.
    assert!(overtaken(&registry.put(&put("Agent-1", "10.0.0.9", IfStill::Absent)).await));
    assert!(overtaken(&registry.put(&put("Agent-9", "10.0.0.9", IfStill::Present(None))).await));
    let listed_as = IfStill::Present(found[0].version.clone());
    registry.put(&put("Agent-1", "10.0.0.11", listed_as.clone())).await.unwrap();
    assert!(overtaken(&registry.put(&put("Agent-1", "10.0.0.12", listed_as)).await), "it moved since it was listed");
    assert!(overtaken(&registry.remove(&found[0]).await), "nor is it removed");
    registry.put(&put("Agent-1", "10.0.0.13", IfStill::Present(None))).await.unwrap();

    // One bad put keeps no other back.
    let mixed = [
        put("Agent 4", "10.0.0.4", IfStill::Absent),
        put("Agent-5", "10.0.0.5", IfStill::Absent),
        put("Agent-2", "10.0.0.6", IfStill::Absent),
        put("Agent-6", "fd00::1", IfStill::Absent),
    ];
    let outcomes = registry.put_all(&mixed).await;
    assert!(matches!(outcomes[0], Err(Trouble::Refused(_))) && matches!(outcomes[3], Err(Trouble::Refused(_))));
    assert!(outcomes[1].is_ok() && overtaken(&outcomes[2]), "{outcomes:?}");

    // Of another owner.
    let other = Route53::new(PacedClient::new(client.clone()), settings(&zone, records_are), 7, "another");
    let seen = listed(&other).await;
    assert!(seen.iter().all(|entry| entry.owner.as_ref().is_some_and(|owner| owner != OWNER && owner != "another")));
    assert!(overtaken(&other.put(&put_of("another", "Agent-2", "10.0.9.9", IfStill::Absent)).await));
    assert!(matches!(other.remove(&seen[0]).await, Err(Trouble::Refused(_))));
    other.put(&put_of("another", "Other-1", "10.0.0.5", IfStill::Absent)).await.unwrap();

    let found = listed(&registry).await;
    for entry in found.iter().filter(|entry| entry.owner.as_deref() == Some(OWNER)) {
        registry.remove(entry).await.unwrap();
        registry.remove(entry).await.unwrap();
    }
    assert_eq!(hosts(&listed(&registry).await), [("Other-1".to_owned(), "10.0.0.5:20001".to_owned())]);
    other.remove(&listed(&other).await[0]).await.unwrap();
    assert_eq!(records(&client, &zone).await, before, "nothing is left, nothing of others is changed");
    sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn the_shared_name_outlives_writers_at_the_same_time() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let client = Client::from_conf(config().endpoint_url(sandbox.endpoint()).build());
    let zone = zone(&client, "writers", &[]).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 1..=4 {
        // Each paces only itself, as concurrent invocations do.
        let registry = Route53::new(PacedClient::new(client.clone()), settings(&zone, Records::OneName), 1, OWNER);
        writers.spawn(async move {
            let put = put(&format!("Agent-{writer}"), &format!("10.0.0.{writer}"), IfStill::Absent);
            loop {
                match registry.put(&put).await {
                    Err(Trouble::Overtaken(_)) => {}
                    outcome => return outcome,
                }
            }
        });
    }
    assert!(writers.join_all().await.iter().all(Result::is_ok));
    let registry = Route53::new(PacedClient::new(client.clone()), settings(&zone, Records::OneName), 1, OWNER);
    let wanted: Vec<_> = (1..=4).map(|n| (format!("Agent-{n}"), format!("10.0.0.{n}:1"))).collect();
    assert_eq!(hosts(&listed(&registry).await), wanted, "no writer undid another's");
    sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn an_address_that_was_taken_out_by_hand_is_seen_and_put_back() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let client = Client::from_conf(config().endpoint_url(sandbox.endpoint()).build());
    let zone = zone(&client, "hand", &[]).await;
    let registry = Route53::new(PacedClient::new(client.clone()), settings(&zone, Records::OneName), 1, OWNER);
    registry.put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await.unwrap();
    let by_hand = foreign("agents.example.com", RrType::A, "192.0.2.9", None);
    let change = Change::builder().action(ChangeAction::Upsert).resource_record_set(by_hand).build().unwrap();
    let batch = ChangeBatch::builder().changes(change).build().unwrap();
    client.change_resource_record_sets().hosted_zone_id(&zone).change_batch(batch).send().await.unwrap();

    let found = listed(&registry).await;
    assert_eq!(found[0].address, None);
    registry.put(&put("Agent-1", "10.0.0.1", IfStill::Present(found[0].version.clone()))).await.unwrap();
    let both = "agents.example.com. A 10.0.0.1 192.0.2.9";
    assert!(records(&client, &zone).await.contains(both), "the hand's own address stays");
    sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_name_that_cannot_be_ours_is_refused() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let client = Client::from_conf(config().endpoint_url(sandbox.endpoint()).build());
    let paced = PacedClient::new(client.clone());
    let check = async |settings| Route53::new(paced.clone(), settings, 1, OWNER).check().await;
    let refused = |outcome: Result<(), Trouble>, said: &str| {
        assert!(matches!(&outcome, Err(Trouble::Refused(text)) if text.contains(said)), "{outcome:?}");
    };
    let name = "agents.example.com";
    for (reference, other, per_task, one_name) in [
        ("plain", foreign(name, RrType::A, "192.0.2.1", None), "A records of another kind", "has an A record"),
        ("alias", foreign(name, RrType::Cname, "example.org", None), "has a CNAME record", "has a CNAME record"),
        ("blue", foreign(name, RrType::A, "192.0.2.1", Some("blue")), "", "records of a routing policy"),
    ] {
        let zone = zone(&client, reference, &[other]).await;
        let before = records(&client, &zone).await;
        for (form, said) in [(Records::PerTask, per_task), (Records::OneName, one_name)] {
            let settings = settings(&zone, form);
            match said {
                "" => check(settings.clone()).await.unwrap(),
                said => refused(check(settings.clone()).await, said),
            }
            if form == Records::OneName && reference != "alias" {
                let registry = Route53::new(paced.clone(), settings, 1, OWNER);
                refused(registry.put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await, said);
            }
        }
        assert_eq!(records(&client, &zone).await, before);
    }

    let zone = zone(&client, "names", &[]).await;
    for (name, fits) in
        [("example.com", true), ("a.b.example.com", true), ("example.org", false), ("badexample.com", false)]
    {
        let settings = console_registrar::registry::route53::Settings {
            name: name.to_owned(),
            ..settings(&zone, Records::PerTask)
        };
        if fits {
            check(settings).await.unwrap();
        } else {
            refused(check(settings).await, "(example.com, public): a Name there ends in .example.com");
        }
    }
    let gone = settings("ZGONE", Records::PerTask);
    refused(check(gone.clone()).await, "NoSuchHostedZone");
    let registry = Route53::new(paced.clone(), gone, 1, OWNER);
    assert_eq!(listed(&registry).await, [], "with the zone all of it is gone");
    refused(registry.put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await, "NoSuchHostedZone");
    sandbox.stop().await.unwrap();
}
