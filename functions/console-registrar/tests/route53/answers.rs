//! With answers that the local AWS does not give.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_route53::Client;
use console_registrar::registry::route53::{PacedClient, Records, Route53};
use console_registrar::registry::{IfStill, Put, Registry, Trouble};
use tokio::time::Instant;

use crate::scripted::{Asked, Scripted};
use crate::{OWNER, config, id, overtaken, put, settings};

const CHANGE: &str = "POST /2013-04-01/hostedzone/Z1/rrset";
const LIST: &str = "GET /2013-04-01/hostedzone/Z1/rrset";

fn registry(scripted: &Scripted, records: Records) -> Route53 {
    let client = Client::from_conf(config().http_client(scripted.http_client()).build());
    Route53::new(PacedClient::new(client), settings("Z1", records), 20001, OWNER)
}

fn xml(root: &str, inside: &str) -> (u16, String) {
    (200, format!("<{root} xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">{inside}</{root}>"))
}

/// In the form that Route 53 has used since 2024.
fn refusal(status: u16, code: &str, message: &str) -> (u16, String) {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
    (status, xml("ErrorResponse", &format!("{error}<RequestId>1</RequestId>")).1)
}

fn changed() -> (u16, String) {
    let info = "<ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status><SubmittedAt>2026-11-21T00:00:00Z</SubmittedAt></ChangeInfo>";
    xml("ChangeResourceRecordSetsResponse", info)
}

fn sets(sets: &str, next: Option<&str>) -> (u16, String) {
    let next = next.map(|next| {
        format!("<NextRecordName>agents.example.com.</NextRecordName><NextRecordType>A</NextRecordType><NextRecordIdentifier>{next}</NextRecordIdentifier>")
    });
    let truncated = next.is_some();
    let next = next.unwrap_or_default();
    let inside = format!(
        "<ResourceRecordSets>{sets}</ResourceRecordSets><IsTruncated>{truncated}</IsTruncated><MaxItems>300</MaxItems>{next}"
    );
    xml("ListResourceRecordSetsResponse", &inside)
}

/// The sets of a change, as a list gives them.
fn created(change: &str) -> String {
    let sets =
        change.split("<ResourceRecordSet>").skip(1).map(|rest| rest.split("</ResourceRecordSet>").next().unwrap());
    let mut found = String::new();
    for set in sets {
        found += "<ResourceRecordSet>";
        found += &set.replace("example.com</Name>", "example.com.</Name>");
        found += "</ResourceRecordSet>";
    }
    found
}

fn is_change(asked: &Asked) -> bool {
    asked.action.starts_with(CHANGE)
}

fn puts(count: usize) -> Vec<Put> {
    (1..=count).map(|n| put(&format!("Agent-{n}"), &format!("10.0.0.{n}"), IfStill::Absent)).collect()
}

#[tokio::test(start_paused = true)]
async fn one_record_that_route_53_does_not_take_is_found_and_left_out() {
    for (bad, count) in [(1, 1), (3, 8), (8, 8), (5, 7)] {
        let value = format!("10.0.0.{bad}</Value>");
        let scripted = Scripted::new(move |asked: &Asked, _| {
            if asked.body.contains(&value) {
                return refusal(400, "InvalidChangeBatch", "[no such record please]");
            }
            if is_change(asked) { changed() } else { sets("", None) }
        });
        let outcomes = registry(&scripted, Records::PerTask).put_all(&puts(count)).await;
        for (index, outcome) in outcomes.iter().enumerate() {
            match outcome {
                Err(Trouble::Refused(text)) if index + 1 == bad => {
                    assert!(text.contains(&format!("registering Agent-{bad} at agents.example.com")), "{text}");
                    assert!(text.contains("no such record please"), "{text}");
                }
                outcome => assert!(outcome.is_ok() && index + 1 != bad, "{index}: {outcome:?}"),
            }
        }
        let (sent, most) = (scripted.count(CHANGE), 2 * count.ilog2() as usize + 3);
        assert!(sent <= most, "{sent} changes for {count}");
        let accepted: Vec<Asked> = scripted.asked().into_iter().filter(is_change).collect();
        let taken = accepted.iter().filter(|asked| !asked.body.contains(&format!("10.0.0.{bad}</Value>")));
        let taken: usize = taken.map(|asked| asked.body.matches("<Action>CREATE</Action>").count()).sum();
        assert_eq!(taken, count - 1, "each good one was created once");
    }
}

#[tokio::test(start_paused = true)]
async fn many_go_in_batches_of_a_size_that_route_53_takes_and_at_its_pace() {
    let scripted = Scripted::new(|asked: &Asked, _| if is_change(asked) { changed() } else { sets("", None) });
    let began = Instant::now();
    let outcomes = registry(&scripted, Records::PerTask).put_all(&puts(250)).await;
    assert!(outcomes.len() == 250 && outcomes.iter().all(Result::is_ok));
    let batches: Vec<usize> = scripted
        .asked()
        .iter()
        .map(|asked| asked.body.matches("<Change>").count())
        .filter(|changes| *changes > 0)
        .collect();
    assert!(batches.iter().all(|batch| *batch <= 100) && batches.iter().sum::<usize>() == 250, "{batches:?}");
    assert!(began.elapsed() >= Duration::from_millis(250) * 5, "six calls, and a pause between any two");
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_answer_was_lost_is_known_again() {
    for form in [Records::PerTask, Records::OneName] {
        let state = Arc::new(Mutex::new(String::new()));
        let scripted = Scripted::new(move |asked: &Asked, _| {
            let mut state = state.lock().unwrap();
            if !is_change(asked) {
                return sets(&state, None);
            }
            if state.is_empty() {
                *state = created(&asked.body);
                return (500, String::new());
            }
            refusal(400, "InvalidChangeBatch", "[Tried to create resource record set but it already exists]")
        });
        let outcome = registry(&scripted, form).put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await;
        assert_eq!(outcome, Ok(()), "{form:?}");
        assert_eq!(scripted.count(CHANGE), 2, "the SDK tried again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_set_that_changes_between_the_look_and_the_change_is_not_written_over() {
    let at = |host: &str| {
        let owner = "watchkeeper/00000000000000000000000000000000/Other-1";
        format!(
            "<ResourceRecordSet><Name>agents.example.com.</Name><Type>A</Type><TTL>60</TTL><ResourceRecords><ResourceRecord>\
             <Value>{host}</Value></ResourceRecord></ResourceRecords></ResourceRecordSet><ResourceRecordSet>\
             <Name>_watchkeeper.agents.example.com.</Name><Type>TXT</Type><TTL>60</TTL><ResourceRecords><ResourceRecord>\
             <Value>\"{owner} {host}\"</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>"
        )
    };
    // It changes each time, and each time the change comes too late.
    let scripted = Scripted::new(move |asked: &Asked, before| {
        if is_change(asked) {
            return refusal(400, "InvalidChangeBatch", "[but the values provided do not match the current values]");
        }
        sets(&at(&format!("10.0.1.{}", before / 3)), None)
    });
    let outcome = registry(&scripted, Records::OneName).put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await;
    assert!(overtaken(&outcome), "{outcome:?}");
    assert_eq!(scripted.count(CHANGE), 5);
    let change = scripted.asked().into_iter().find(is_change).unwrap().body;
    assert_eq!(change.matches("<Action>DELETE</Action>").count(), 2, "both sets, each as it was read: {change}");
    assert!(!change.contains("UPSERT"), "which would not look: {change}");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_somebody_else_registers_meanwhile_is_left_as_it_is() {
    let state = Arc::new(Mutex::new(String::new()));
    let scripted = Scripted::new(move |asked: &Asked, _| {
        let mut state = state.lock().unwrap();
        if !is_change(asked) {
            return sets(&state, None);
        }
        *state = created(&asked.body).replace("10.0.0.1<", "10.0.0.9<");
        refusal(400, "InvalidChangeBatch", "[Tried to create resource record set but it already exists]")
    });
    let outcome = registry(&scripted, Records::PerTask).put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await;
    assert!(overtaken(&outcome), "{outcome:?}");
    assert_eq!(scripted.count(CHANGE), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_moves_is_swapped_in_one_batch() {
    let state = Arc::new(Mutex::new(String::new()));
    let scripted = Scripted::new(move |asked: &Asked, _| {
        let mut state = state.lock().unwrap();
        if !is_change(asked) {
            return sets(&state, None);
        }
        *state = created(&asked.body);
        changed()
    });
    let registry = registry(&scripted, Records::PerTask);
    registry.put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await.unwrap();
    let listed = registry.list(&id("Agent")).await.unwrap();
    registry.put(&put("Agent-1", "10.0.0.2", IfStill::Present(listed[0].version.clone()))).await.unwrap();
    let change = scripted.asked().into_iter().rfind(is_change).unwrap().body;
    let (delete, create) = change.split_once("<Action>CREATE</Action>").unwrap();
    assert!(delete.contains("<Action>DELETE</Action>") && delete.contains("<Value>10.0.0.1</Value>"), "{change}");
    assert!(create.contains("<Value>10.0.0.2</Value>") && !change.contains("UPSERT"), "{change}");
}

#[tokio::test(start_paused = true)]
async fn refusals_are_sorted_by_who_can_help() {
    let table = [
        (400, "Throttling", true, "Throttling: said so"),
        (400, "PriorRequestNotComplete", true, "PriorRequestNotComplete"),
        (503, "ServiceUnavailable", true, "said so"),
        (403, "AccessDenied", false, "RegistryArns of its stack lists: the ARN of the hosted zone Z1 must be there"),
        (400, "InvalidInput", false, "InvalidInput: said so"),
        // Such as a set that cannot stand beside one of others: the local AWS takes that.
        (400, "InvalidChangeBatch", false, "InvalidChangeBatch: said so"),
    ];
    for form in [Records::PerTask, Records::OneName] {
        for (status, code, passes_by_itself, said) in table {
            let scripted =
                Scripted::new(
                    move |asked: &Asked, _| {
                        if is_change(asked) { refusal(status, code, "said so") } else { sets("", None) }
                    },
                );
            let outcome = registry(&scripted, form).put(&put("Agent-1", "10.0.0.1", IfStill::Absent)).await;
            let trouble = outcome.unwrap_err();
            assert!(trouble.to_string().contains(said), "{code}: {trouble}");
            assert_eq!(matches!(trouble, Trouble::Unavailable(_)), passes_by_itself, "{code}: {trouble:?}");
            assert!(!matches!(trouble, Trouble::Overtaken(_)), "{code}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_pages_of_a_name_are_read_and_no_more() {
    let set = |name: &str, n: usize| {
        format!(
            "<ResourceRecordSet><Name>{name}.</Name><Type>A</Type><SetIdentifier>watchkeeper/{}/Agent-{n}</SetIdentifier>\
             <MultiValueAnswer>true</MultiValueAnswer><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>10.0.0.{n}</Value>\
             </ResourceRecord></ResourceRecords></ResourceRecordSet>",
            "0".repeat(32)
        )
    };
    let scripted = Scripted::new(move |_, before| match before {
        0 | 1 => sets(&set("agents.example.com", before), Some("next")),
        _ => sets(&(set("agents.example.com", before) + &set("b.agents.example.com", 9)), Some("on")),
    });
    let found = registry(&scripted, Records::PerTask).list(&id("Agent")).await.unwrap();
    let ids: Vec<&str> = found.iter().map(|entry| entry.id.0.as_str()).collect();
    assert_eq!(ids, ["Agent-0", "Agent-1", "Agent-2"]);
    assert_eq!(scripted.count(LIST), 3);
    assert!(scripted.asked()[1].action.contains("identifier=next"), "{:?}", scripted.asked()[1]);
}

#[tokio::test(start_paused = true)]
async fn a_zone_of_cloud_map_is_refused() {
    let scripted = Scripted::new(|_, _| {
        let linked =
            "<LinkedService><ServicePrincipal>servicediscovery.amazonaws.com</ServicePrincipal></LinkedService>";
        let config = "<Config><PrivateZone>true</PrivateZone></Config>";
        let zone = format!(
            "<Id>/hostedzone/Z1</Id><Name>example.com.</Name><CallerReference>r</CallerReference>{config}{linked}"
        );
        xml("GetHostedZoneResponse", &format!("<HostedZone>{zone}</HostedZone>"))
    });
    let refused = registry(&scripted, Records::PerTask).check().await.unwrap_err().to_string();
    assert!(refused.contains("(example.com, private) is kept by servicediscovery.amazonaws.com"), "{refused}");
    assert!(refused.contains("declare CloudMap instead"), "{refused}");
}
