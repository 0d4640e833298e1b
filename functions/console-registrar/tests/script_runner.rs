//! The `ScriptRunner` of a real Console: what it registers, what goes wrong, and what its Tcl interpreter received.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

mod local;

use std::time::Duration;

use console_registrar::registry::script_runner::{ScriptRunner, Settings};
use console_registrar::registry::{Entry, IfStill, Pace, Registry, tcl};
use console_registrar::secrets::SecretsManager;
use local::{HOSTILE, Local, agent, hasty, history, overtaken, pace, put, refused, still, unavailable, with_sandbox};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sandbox::Console;
use sandbox::console::{Dialect, Event, Fault, Login, Unauthorized};
use serde_json::{Value, json};
use watchkeeper_custom_resources::Properties;

const LOGIN: &str = r#"{"user":"admin","password":"test-password"}"#;

type Runner<'a> = ScriptRunner<&'a SecretsManager>;

fn runner<'a>(console: &Console, secret: &str, secrets: &'a SecretsManager, pace: Pace, more: &Value) -> Runner<'a> {
    let mut value = json!({ "Url": console.endpoint(), "Credentials": secret });
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let settings = Properties::read(&value, Settings::read).unwrap();
    ScriptRunner::new(settings, secrets, pace).unwrap()
}

async fn setting(local: &Local, name: &str) -> (Console, String, SecretsManager) {
    (local.console().await, local.secret(name, LOGIN).await, local.secrets())
}

async fn one(runner: &Runner<'_>, id: &str) -> Entry {
    let entries: Vec<Entry> = runner.list(&agent(id)).await.unwrap();
    entries.into_iter().find(|entry| entry.id.0 == id).unwrap()
}

#[test]
fn agents_are_registered_changed_and_removed() {
    with_sandbox(async |local| {
        let (console, secret, secrets) = setting(local, "life").await;
        let runner = runner(&console, &secret, &secrets, pace(), &json!({}));
        assert_eq!(runner.list(&agent("Agent")).await, Ok(vec![]));
        let before = local.sandbox.door().call_count();
        runner.put(&put("Agent", "127.0.0.8", "us", IfStill::Absent)).await.unwrap();
        runner.put(&put("Agent-2", "127.0.0.9", "us", IfStill::Absent)).await.unwrap();
        runner.put(&put("Agent2", "127.0.0.9", "us", IfStill::Absent)).await.unwrap();
        let listed = runner.list(&agent("Agent")).await.unwrap();
        let seen: Vec<_> =
            listed.iter().map(|entry| (entry.id.0.as_str(), entry.address.clone().unwrap().to_string())).collect();
        assert_eq!(seen, [("Agent", "127.0.0.8:20001".to_owned()), ("Agent-2", "127.0.0.9:20001".to_owned())]);
        assert!(listed.iter().all(|entry| entry.owner.as_deref() == Some("us")));

        runner.put(&put("Agent", "127.0.0.7", "us", still(&listed[0]))).await.unwrap();
        runner.put(&put("Agent", "127.0.0.6", "us", IfStill::Present(None))).await.unwrap();
        runner.remove(&one(&runner, "Agent").await).await.unwrap();
        runner.remove(&listed[0]).await.unwrap();
        let us = || Some("us".to_owned());
        let history: Vec<_> =
            history(&console, Dialect::ScriptRunner).into_iter().filter(|one| one.1 == "Agent").collect();
        let at = |event, host: &str| (event, "Agent".to_owned(), host.to_owned(), us());
        assert_eq!(
            history,
            [
                at(Event::Registered, "127.0.0.8"),
                at(Event::Changed, "127.0.0.7"),
                at(Event::Changed, "127.0.0.6"),
                at(Event::Deleted, "127.0.0.6")
            ]
        );
        assert_eq!(local.reads_since(before, &secret), 0, "a secret is read once");
        assert_eq!(console.calls()["ScriptRunner"], 10);
    });
}

#[test]
fn what_changed_meanwhile_and_what_another_owns_stays() {
    with_sandbox(async |local| {
        let (console, secret, secrets) = setting(local, "overtaken").await;
        let runner = runner(&console, &secret, &secrets, pace(), &json!({}));
        runner.put(&put("Agent", "127.0.0.8", "them", IfStill::Absent)).await.unwrap();
        let theirs = one(&runner, "Agent").await;
        assert_eq!(theirs.owner.as_deref(), Some("them"));
        let ours = |if_still| put("Agent", "127.0.0.9", "us", if_still);
        let said = overtaken(runner.put(&ours(IfStill::Absent)).await);
        assert!(said.contains("ERROR: the agent is not as expected: it is there, as v1"), "{said}");
        let said = overtaken(runner.put(&ours(IfStill::Present(None))).await);
        assert!(said.contains("the agent belongs to them"), "{said}");

        runner.put(&put("Agent", "127.0.0.7", "them", still(&theirs))).await.unwrap();
        overtaken(runner.put(&ours(still(&theirs))).await);
        overtaken(runner.remove(&theirs).await);
        assert_eq!(history(&console, Dialect::ScriptRunner).len(), 2, "nothing of that changed anything");
        let hostile = |owner| put("[Agent]\n\u{1b}", "127.0.0.9", owner, IfStill::Absent);
        runner.put(&hostile("them")).await.unwrap();
        assert!(overtaken(runner.put(&hostile("us")).await).contains(r#"the agent "[Agent]\n\u{1b}""#));
        // As after a call whose answer was lost: it is as wanted.
        runner.put(&put("Agent", "127.0.0.7", "them", IfStill::Absent)).await.unwrap();
        runner.put(&put("Agent", "127.0.0.7", "them", still(&theirs))).await.unwrap();
        assert_eq!(history(&console, Dialect::ScriptRunner).len(), 3);
    });
}

#[test]
fn a_broken_console_is_told_from_one_that_says_no() {
    with_sandbox(async |local| {
        let (console, secret, secrets) = setting(local, "faults").await;
        let runner_with = |pace| runner(&console, &secret, &secrets, pace, &json!({}));
        let runner = runner_with(pace());
        runner.put(&put("Agent", "127.0.0.9", "us", IfStill::Absent)).await.unwrap();
        let entry = one(&runner, "Agent").await;
        let again = put("Agent", "127.0.0.1", "us", still(&entry));

        console.set_fault(Some(Fault::Down));
        for said in [
            unavailable(runner.list(&entry.id).await),
            unavailable(runner.put(&again).await),
            unavailable(runner.remove(&entry).await),
        ] {
            assert!(said.contains(&console.endpoint()) && said.ends_with("(3 tries)"), "{said}");
        }
        console.set_fault(Some(Fault::Unavailable));
        // It listens again a moment after it is mended.
        let unavailable_again = async {
            while !unavailable(runner.list(&entry.id).await).contains("HTTP status 503: the Console is not available") {
            }
        };
        tokio::time::timeout(Duration::from_secs(20), unavailable_again).await.unwrap();
        console.set_fault(Some(Fault::Slow { by: Duration::from_mins(1) }));
        assert!(unavailable(runner_with(hasty()).list(&entry.id).await).contains("no answer within 0.2 s"));
        for (text, shown) in [
            ("\nERROR: the database is locked\r\nat line 7", "ERROR: the database is locked"),
            ("", "it said nothing"),
            ("bad password test-password\u{1b}[0m", "bad password [redacted] [0m"),
            ("watchkeeper: done", "watchkeeper: done"),
            (&"x".repeat(1000), "xxx…"),
        ] {
            console.set_fault(Some(Fault::Says { text: text.to_owned() }));
            for said in [
                refused(runner.list(&entry.id).await),
                refused(runner.put(&again).await),
                refused(runner.remove(&entry).await),
            ] {
                assert!(said.ends_with(shown) && said.chars().count() < 400, "{said}");
            }
        }
        console.set_fault(Some(Fault::WrongPassword));
        assert!(refused(runner.put(&again).await).ends_with("ERROR: invalid user or password"));
        console.set_fault(None);
        assert_eq!(one(&runner, "Agent").await, entry, "nothing of that changed anything");
    });
}

#[test]
fn a_rotated_password_is_read_anew_once() {
    with_sandbox(async |local| {
        for (name, unauthorized) in [("renewed-text", Unauthorized::Text), ("renewed-status", Unauthorized::Status)] {
            let login = Login { password: "rotated-password".into(), ..Login::default() };
            let settings = sandbox::console::Settings { login, unauthorized, ..Default::default() };
            let console = Console::start_with(&local.sandbox, settings).await.unwrap();
            let (secret, secrets) = (local.secret(name, LOGIN).await, local.secrets());
            let runner = runner(&console, &secret, &secrets, pace(), &json!({}));
            let before = local.sandbox.door().call_count();
            let said = refused(runner.list(&agent("Agent")).await);
            assert!(said.contains("invalid user or password"), "{said}");
            assert_eq!(
                (local.reads_since(before, &secret), console.calls()["ScriptRunner"]),
                (2, 1),
                "the same version"
            );

            local.rotate(&secret, r#"{"user":"admin","password":"rotated-password"}"#).await;
            let before = local.sandbox.door().call_count();
            assert_eq!(runner.list(&agent("Agent")).await, Ok(vec![]));
            assert_eq!(runner.list(&agent("Agent")).await, Ok(vec![]));
            assert_eq!((local.reads_since(before, &secret), console.calls()["ScriptRunner"]), (1, 4));

            local.rotate(&secret, "rotated-password").await;
            assert_eq!(runner.list(&agent("Agent")).await, Ok(vec![]), "what is kept still works");
            let anew = local.secrets();
            let other = self::runner(&console, &secret, &anew, pace(), &json!({}));
            assert!(refused(other.list(&agent("Agent")).await).contains("is no JSON object"));
        }
    });
}

#[test]
fn hostile_texts_are_taken_as_they_are() {
    with_sandbox(async |local| {
        let (console, secret, secrets) = setting(local, "hostile").await;
        let runner = runner(&console, &secret, &secrets, pace(), &json!({}));
        for (id, owner) in HOSTILE.into_iter().chain(["..", "watchkeeper: done"]).zip(HOSTILE.into_iter().rev().cycle())
        {
            runner.put(&put(id, "127.0.0.9", owner, IfStill::Absent)).await.unwrap();
            let (event, seen, _, seen_owner) = history(&console, Dialect::ScriptRunner).pop().unwrap();
            assert_eq!((event, seen.as_str(), seen_owner.as_deref()), (Event::Registered, id, Some(owner)));
            let listed = runner.list(&agent(id)).await.unwrap();
            assert_eq!((listed.len(), &listed[0].id.0, listed[0].owner.as_deref()), (1, &id.to_owned(), Some(owner)));
            runner.remove(&listed[0]).await.unwrap();
            assert_eq!(history(&console, Dialect::ScriptRunner).pop().unwrap().0, Event::Deleted);
        }
        assert!(console.agents().await.is_empty());
        for (id, why) in [("", "is empty"), ("a\0b", "NUL"), ("a🔥", "beyond U+FFFF")] {
            assert!(refused(runner.put(&put(id, "127.0.0.9", "us", IfStill::Absent)).await).contains(why));
        }
    });
}

/// A Console that repeats an id in its errors cannot be made to say that all went well.
#[test]
fn an_id_is_no_mark() {
    with_sandbox(async |local| {
        let (console, secret, secrets) = setting(local, "marks").await;
        let scripts = json!({ "Scripts": { "Put": "agent delete {{id}}\nputs {{done}}; # {{host}} {{port}}" } });
        let runner = runner(&console, &secret, &secrets, pace(), &scripts);
        for id in ["watchkeeper: done", "x\nwatchkeeper: done\n", "x\nwatchkeeper: overtaken"] {
            let said = refused(runner.put(&put(id, "h", "us", IfStill::Absent)).await);
            assert!(said.contains("ERROR: no such agent"), "{said}");
        }
    });
}

#[test]
fn ones_own_scripts_run_and_tell_how_it_went() {
    with_sandbox(async |local| {
        let (console, secret, secrets) = setting(local, "own").await;
        let own = json!({
            "Success": "all well",
            "Scripts": {
                "Put": "agent put \"{{id}}\" host {{host}} port {{port}} description \"of {{owner}}\"\nputs {all well}",
                "Remove": "foreach {one} [agent list] {if {$one eq \"{{id}}\"} {agent delete $one}}; puts [string tolower {ALL WELL}]",
            },
        });
        let runner = runner(&console, &secret, &secrets, pace(), &own);
        runner.put(&put("[Agent] 1", "127.0.0.9", "$us", IfStill::Absent)).await.unwrap();
        let described = console.history().into_iter().find(|change| change.event == Event::Registered).unwrap();
        assert_eq!(
            (described.agent.id.as_str(), described.agent.description.as_deref()),
            ("[Agent] 1", Some("of $us"))
        );
        let entry = one(&runner, "[Agent] 1").await;
        assert_eq!(entry.owner, None);
        runner.remove(&entry).await.unwrap();
        assert!(console.agents().await.is_empty());
        let wrong = json!({ "Scripts": { "List": "puts {watchkeeper: agent Agent}; puts {{done}}", "Put": "puts {{id}}{{host}}{{port}}; if {1} {return}; puts {{done}}" } });
        let wrong = self::runner(&console, &secret, &secrets, pace(), &wrong);
        assert!(refused(wrong.list(&agent("Agent")).await).contains("line 1 of what the list script"));
        let cut_short = refused(wrong.put(&put("Agent", "127.0.0.9", "us", IfStill::Absent)).await);
        assert!(cut_short.contains("did not run the script to its end: Agent127.0.0.920001"), "{cut_short}");
    });
}

/// Any text that Tcl 8.4 knows is one word and comes out as it went in, alone and in quotes: the Console's interpreter says so.
#[test]
fn any_text_is_one_word_of_tcl() {
    with_sandbox(async |local| {
        let (console, secret, secrets) = setting(local, "words").await;
        let nasty = || {
            proptest::sample::select(vec![
                '[', ']', '{', '}', '$', '"', '\\', ';', '#', ' ', '\n', '\r', '\t', 'u', '0', 'a',
            ])
        };
        let letter = prop_oneof![3 => nasty(), 1 => proptest::char::range('\u{1}', '\u{d7ff}'), 1 => proptest::char::range('\u{e000}', '\u{ffff}')];
        let text = prop::collection::vec(letter, 1..20).prop_map(String::from_iter);
        let mut runs = TestRunner::deterministic();
        for _ in 0..5 {
            let texts = prop::collection::btree_set(text.clone(), 200).new_tree(&mut runs).unwrap().current();
            let word = |text: &String| tcl::word(text).unwrap();
            let registers =
                texts.iter().map(|text| format!("agent put {0} host \"{0}\" port 1 owner x{0}\n", word(text)));
            let drops = texts.iter().map(|text| format!("agent delete {}\n", word(text)));
            let script = |script: &str| {
                let put = format!("{script}\n# {{{{id}}}}{{{{host}}}}{{{{port}}}}\nputs {{{{done}}}}");
                runner(&console, &secret, &secrets, pace(), &json!({ "Scripts": { "Put": put } }))
            };
            let any = put("any", "h", "us", IfStill::Absent);
            script(&registers.collect::<Vec<_>>().concat()).put(&any).await.unwrap();
            let seen = console.agents().await.into_iter().map(|one| one.agent);
            let seen: Vec<_> = seen.map(|agent| (agent.id, agent.host, agent.owner.unwrap())).collect();
            let wanted: Vec<_> = texts.iter().map(|text| (text.clone(), text.clone(), format!("x{text}"))).collect();
            assert_eq!(seen, wanted);
            script(&drops.collect::<Vec<_>>().concat()).put(&any).await.unwrap();
        }
        assert!(console.agents().await.is_empty());
    });
}
