//! The REST interface of a real Console: what it registers, what goes wrong, and another one that is described.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

mod local;

use std::time::Duration;

use console_registrar::registry::rest::{Rest, Settings};
use console_registrar::registry::script_runner::{self, ScriptRunner};
use console_registrar::registry::{Entry, IfStill, Pace, Registry, Version};
use console_registrar::secrets::SecretsManager;
use local::{HOSTILE, Local, agent, hasty, history, overtaken, pace, put, refused, still, unavailable, with_sandbox};
use sandbox::Console;
use sandbox::console::{Dialect, Event, Fault, Login};
use serde_json::{Value, json};
use watchkeeper_custom_resources::Properties;

fn rest<'a>(
    console: &Console,
    secret: &str,
    secrets: &'a SecretsManager,
    pace: Pace,
    more: &Value,
) -> Rest<&'a SecretsManager> {
    let mut value = json!({ "Url": console.endpoint(), "Credentials": secret });
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Rest::new(Properties::read(&value, Settings::read).unwrap(), secrets, pace).unwrap()
}

async fn setting(local: &Local, name: &str) -> (Console, String, SecretsManager) {
    (local.console().await, local.secret(name, r#"{"token":"test-token"}"#).await, local.secrets())
}

async fn one(rest: &Rest<&SecretsManager>, id: &str) -> Entry {
    let entries = rest.list(&agent(id)).await.unwrap();
    entries.into_iter().find(|entry| entry.id.0 == id).unwrap()
}

#[test]
fn agents_are_registered_changed_and_removed() {
    with_sandbox(async |local| {
        let (console, secret, secrets) = setting(local, "life").await;
        let rest = rest(&console, &secret, &secrets, pace(), &json!({}));
        assert_eq!(rest.list(&agent("Agent")).await, Ok(vec![]));
        let before = local.sandbox.door().call_count();
        rest.put(&put("Agent", "127.0.0.8", "us", IfStill::Absent)).await.unwrap();
        rest.put(&put("Agent-2", "127.0.0.9", "us", IfStill::Absent)).await.unwrap();
        rest.put(&put("Agent2", "127.0.0.9", "us", IfStill::Absent)).await.unwrap();
        let listed = rest.list(&agent("Agent")).await.unwrap();
        let seen: Vec<_> =
            listed.iter().map(|entry| (entry.id.0.as_str(), entry.address.clone().unwrap().to_string())).collect();
        assert_eq!(seen, [("Agent", "127.0.0.8:20001".to_owned()), ("Agent-2", "127.0.0.9:20001".to_owned())]);
        assert!(listed.iter().all(|entry| entry.owner.as_deref() == Some("us")));

        rest.put(&put("Agent", "127.0.0.7", "us", still(&listed[0]))).await.unwrap();
        rest.put(&put("Agent", "127.0.0.6", "us", IfStill::Present(None))).await.unwrap();
        rest.remove(&one(&rest, "Agent").await).await.unwrap();
        rest.remove(&listed[0]).await.unwrap();
        let history: Vec<_> = history(&console, Dialect::Rest).into_iter().filter(|one| one.1 == "Agent").collect();
        let at = |event, host: &str| (event, "Agent".to_owned(), host.to_owned(), Some("us".to_owned()));
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
        let calls = console.calls();
        let counts = ["GET /api/agents", "PUT /api/agents/{id}", "DELETE /api/agents/{id}"].map(|name| calls[name]);
        assert_eq!((counts, calls.len()), ([3, 5, 2], 3));
    });
}

#[test]
fn what_changed_meanwhile_and_what_another_owns_stays() {
    with_sandbox(async |local| {
        let (console, secret, secrets) = setting(local, "overtaken").await;
        let rest = rest(&console, &secret, &secrets, pace(), &json!({}));
        rest.put(&put("Agent", "127.0.0.8", "them", IfStill::Absent)).await.unwrap();
        let theirs = one(&rest, "Agent").await;
        assert_eq!(theirs.owner.as_deref(), Some("them"));
        let ours = |if_still| put("Agent", "127.0.0.9", "us", if_still);
        let said = overtaken(rest.put(&ours(IfStill::Absent)).await);
        assert!(said.contains("HTTP status 412): the agent is not as expected: it is there, as v1"), "{said}");
        let said = overtaken(rest.put(&ours(IfStill::Present(None))).await);
        assert!(said.contains("HTTP status 409): the agent belongs to them"), "{said}");

        rest.put(&put("Agent", "127.0.0.7", "them", still(&theirs))).await.unwrap();
        overtaken(rest.put(&ours(still(&theirs))).await);
        overtaken(rest.remove(&theirs).await);
        assert_eq!(history(&console, Dialect::Rest).len(), 2, "nothing of that changed anything");
        let hostile = |owner| put("[Agent]\n\u{1b}", "127.0.0.9", owner, IfStill::Absent);
        rest.put(&hostile("them")).await.unwrap();
        assert!(overtaken(rest.put(&hostile("us")).await).contains(r#"the agent "[Agent]\n\u{1b}""#));
        // As after a call whose answer was lost: it is as wanted.
        rest.put(&put("Agent", "127.0.0.7", "them", IfStill::Absent)).await.unwrap();
        rest.put(&put("Agent", "127.0.0.7", "them", still(&theirs))).await.unwrap();
        assert_eq!(history(&console, Dialect::Rest).len(), 3);
        let nobodys = IfStill::Present(Some(Version("v1\"\r\nx: y".to_owned())));
        assert!(refused(rest.put(&ours(nobodys)).await).contains("a version that no header can carry"));
    });
}

#[test]
fn a_broken_console_is_told_from_one_that_says_no() {
    with_sandbox(async |local| {
        let (console, secret, secrets) = setting(local, "faults").await;
        let rest_with = |pace| rest(&console, &secret, &secrets, pace, &json!({}));
        let rest = rest_with(pace());
        rest.put(&put("Agent", "127.0.0.9", "us", IfStill::Absent)).await.unwrap();
        let entry = one(&rest, "Agent").await;
        let again = put("Agent", "127.0.0.1", "us", still(&entry));

        console.set_fault(Some(Fault::Down));
        for said in [
            unavailable(rest.list(&entry.id).await),
            unavailable(rest.put(&again).await),
            unavailable(rest.remove(&entry).await),
        ] {
            assert!(said.contains(&console.endpoint()) && said.ends_with("(3 tries)"), "{said}");
        }
        console.set_fault(Some(Fault::Unavailable));
        // It listens again a moment after it is mended.
        let unavailable_again = async {
            while !unavailable(rest.list(&entry.id).await).contains("HTTP status 503: the Console is not available") {}
        };
        tokio::time::timeout(Duration::from_secs(20), unavailable_again).await.unwrap();
        console.set_fault(Some(Fault::Slow { by: Duration::from_mins(1) }));
        assert!(unavailable(rest_with(hasty()).list(&entry.id).await).contains("no answer within 0.2 s"));
        for (text, shown) in [
            ("\nERROR: the database is locked\r\nat line 7", "ERROR: the database is locked"),
            ("bad token test-token\u{1b}[0m", "bad token [redacted] [0m"),
            (r#"{"message": "#, r#"{"message":"#),
        ] {
            console.set_fault(Some(Fault::Says { text: text.to_owned() }));
            for said in [
                refused(rest.list(&entry.id).await),
                refused(rest.put(&again).await),
                refused(rest.remove(&entry).await),
            ] {
                assert!(said.ends_with(shown) && said.contains("with what is no JSON"), "{said}");
            }
        }
        console.set_fault(Some(Fault::Says { text: r#"{"agents": {}}"#.to_owned() }));
        assert!(refused(rest.list(&entry.id).await).contains("has no list at \"/agents\""));
        console.set_fault(Some(Fault::WrongPassword));
        let said = refused(rest.put(&again).await);
        assert!(
            said.contains("does not accept the token") && said.ends_with("(HTTP status 401): a bearer token is needed"),
            "{said}"
        );
        console.set_fault(None);
        assert_eq!(one(&rest, "Agent").await, entry, "nothing of that changed anything");
    });
}

#[test]
fn a_rotated_token_is_read_anew_once() {
    with_sandbox(async |local| {
        let login = Login { token: "rotated-token".into(), ..Login::default() };
        let settings = sandbox::console::Settings { login, ..Default::default() };
        let console = Console::start_with(&local.sandbox, settings).await.unwrap();
        // A value that is no token is no reason to keep it.
        for (name, value) in [("renewed", "wrong-token"), ("mended", "wrong-é")] {
            let (secret, secrets) = (local.secret(name, value).await, local.secrets());
            let rest = rest(&console, &secret, &secrets, pace(), &json!({}));
            let before = local.sandbox.door().call_count();
            refused(rest.list(&agent("Agent")).await);
            assert_eq!(local.reads_since(before, &secret), 2, "the same version");

            local.rotate(&secret, "rotated-token\n").await;
            let before = local.sandbox.door().call_count();
            assert_eq!(rest.list(&agent("Agent")).await, Ok(vec![]));
            assert_eq!(rest.list(&agent("Agent")).await, Ok(vec![]));
            assert_eq!(local.reads_since(before, &secret), 1);
        }
        assert_eq!(console.calls()["GET /api/agents"], 6, "a token that is none is not sent");
    });
}

#[test]
fn hostile_texts_are_taken_as_they_are() {
    with_sandbox(async |local| {
        let (console, secret, secrets) = setting(local, "hostile").await;
        let rest = rest(&console, &secret, &secrets, pace(), &json!({}));
        let owners = HOSTILE.into_iter().rev().chain(["🔥", "\0"]);
        for (id, owner) in HOSTILE.into_iter().chain(["🔥", "a/../b"]).zip(owners) {
            rest.put(&put(id, "127.0.0.9", owner, IfStill::Absent)).await.unwrap();
            let (event, seen, _, seen_owner) = history(&console, Dialect::Rest).pop().unwrap();
            assert_eq!((event, seen.as_str(), seen_owner.as_deref()), (Event::Registered, id, Some(owner)));
            let listed = rest.list(&agent(id)).await.unwrap();
            assert_eq!((listed.len(), &listed[0].id.0, listed[0].owner.as_deref()), (1, &id.to_owned(), Some(owner)));
            rest.remove(&listed[0]).await.unwrap();
            assert_eq!(history(&console, Dialect::Rest).pop().unwrap().0, Event::Deleted);
        }
        for id in [".", ".."] {
            let said = refused(rest.put(&put(id, "127.0.0.9", "us", IfStill::Absent)).await);
            assert!(said.contains("cannot stand in the path of a URL"), "{said}");
        }
        assert!(console.agents().await.is_empty());
    });
}

/// The Console's own calls, described otherwise: without versions nothing is made to depend on them.
#[test]
fn a_console_can_be_described() {
    with_sandbox(async |local| {
        let (console, secret, secrets) = setting(local, "described").await;
        let described = json!({
            "List": { "Path": "/api/agents", "Entries": "/agents", "Id": "/id", "Host": "/host", "Port": "/port", "Owner": "/description" },
            "Put": {
                "Path": "/api/agents/{{id}}",
                "Body": r#"{"id": "{{id}}", "host": "{{host}}", "port": {{port}}, "description": "{{owner}}"}"#,
            },
            "Header": "Authorization: Bearer {{token}}",
        });
        let rest = rest(&console, &secret, &secrets, pace(), &described);
        rest.put(&put("Agent", "127.0.0.8", "us \"", IfStill::Absent)).await.unwrap();
        rest.put(&put("Agent", "127.0.0.9", "us \"", IfStill::Absent)).await.unwrap();
        let entry = one(&rest, "Agent").await;
        assert_eq!((entry.owner.as_deref(), entry.version.clone()), (Some("us \""), None));
        rest.remove(&entry).await.unwrap();
        assert!(console.agents().await.is_empty());
        let elsewhere = json!({ "Put": { "Path": "/nowhere/{{id}}", "Body": r#"["{{host}}", {{port}}]"# } });
        let elsewhere = self::rest(&console, &secret, &secrets, pace(), &elsewhere);
        let said = refused(elsewhere.put(&put("Agent", "127.0.0.8", "us", IfStill::Absent)).await);
        assert!(said.contains("HTTP status 404: it said nothing"), "{said}");
    });
}

/// What came in by this dialect, with letters that no script of ours would write, the other one lists as it is.
#[test]
fn both_dialects_list_the_same() {
    with_sandbox(async |local| {
        let (console, secret, secrets) = setting(local, "both").await;
        let rest = rest(&console, &secret, &secrets, pace(), &json!({}));
        let texts = ["🔥", "a\nwatchkeeper: done", "x", "-", "\0", "é漢 🔥🔥 ", "[exit]"];
        for (number, text) in texts.into_iter().enumerate() {
            rest.put(&put(&format!("Agent-{text}"), text, texts[number / 2], IfStill::Absent)).await.unwrap();
        }
        let login = local.secret("both-login", r#"{"user":"admin","password":"test-password"}"#).await;
        let settings = json!({ "Url": console.endpoint(), "Credentials": login });
        let settings = Properties::read(&settings, script_runner::Settings::read).unwrap();
        let runner = ScriptRunner::new(settings, &secrets, pace()).unwrap();
        let listed = runner.list(&agent("Agent")).await.unwrap();
        assert_eq!((listed.len(), Ok(listed)), (texts.len(), rest.list(&agent("Agent")).await));
    });
}
