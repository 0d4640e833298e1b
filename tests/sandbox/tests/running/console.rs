//! The Console: its two dialects, its faults, and which agents it can reach.

use std::time::Duration;

use crate::local::{Local, SOON, with_sandbox};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Response, StatusCode};
use sandbox::Console;
use sandbox::console::{Dialect, Event, Fault, Settings, Status, Unauthorized};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What breaks a script, a path or a page that is put together carelessly.
const HOSTILE: [&str; 14] = [
    "[exec touch /tmp/x]",
    "$x",
    "${x}",
    "\"",
    "a\nb",
    "a\r\n",
    "..",
    "../agents",
    "{",
    "}",
    "a\\",
    "; exit",
    "ü 漢 %41+&=?#/",
    " ",
];

async fn console(local: &Local) -> Console {
    Console::start(&local.sandbox).await.unwrap()
}

/// One word of Tcl, whatever the text: what is not a letter or a digit is written by its number.
fn quoted(text: &str) -> String {
    let character =
        |one: char| if one.is_ascii_alphanumeric() { one.to_string() } else { format!("\\u{:04x}", u32::from(one)) };
    format!("\"{}\"", text.chars().map(character).collect::<String>())
}

async fn post(console: &Console, user: &str, password: &str, script: &str) -> reqwest::Result<Response> {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let form = format!("user={}&password={}&script={}", encode(user), encode(password), encode(script));
    let request = reqwest::Client::new()
        .post(format!("{}/console/ScriptRunner", console.endpoint()))
        .header("content-type", "application/x-www-form-urlencoded");
    request.body(form).send().await
}

/// What a script of the right user writes.
async fn script(console: &Console, script: &str) -> String {
    let login = console.login();
    let answer = post(console, &login.user, login.password.reveal(), script).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.text().await.unwrap()
}

fn path(id: &str) -> String {
    let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
    format!("/api/agents/{id}")
}

async fn rest(console: &Console, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Response {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = reqwest::Client::new().request(method, format!("{}{path}", console.endpoint()));
    request = request.bearer_auth(console.login().token.reveal());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    request.send().await.unwrap()
}

async fn status(console: &Console, method: &str, id: &str, headers: &[(&str, &str)], body: Option<Value>) -> u16 {
    rest(console, method, &path(id), headers, body).await.status().as_u16()
}

async fn ids(console: &Console) -> Vec<String> {
    console.agents().await.into_iter().map(|one| one.agent.id).collect()
}

fn at(host: &str, owner: &str) -> Value {
    json!({ "host": host, "port": 20001, "owner": owner })
}

#[test]
fn scripts_register_agents_whatever_they_are_called() {
    with_sandbox(async |local| {
        let console = console(local).await;
        for id in HOSTILE {
            let put = format!("puts [agent put {} host 127.0.0.9 port 20001 owner {}]", quoted(id), quoted(id));
            assert!(script(&console, &put).await.starts_with('v'), "{id}");
        }
        let mut wanted = HOSTILE.map(str::to_owned).to_vec();
        wanted.sort();
        assert_eq!(ids(&console).await, wanted);
        let read =
            "foreach id [agent list] {array set a [agent get $id]; puts -nonewline <$a(id)|$a(owner)|$a(status)>}";
        let shown: Vec<String> = wanted.iter().map(|id| format!("<{id}|{id}|Offline>")).collect();
        assert_eq!(script(&console, read).await, shown.concat());
        for id in HOSTILE {
            assert_eq!(script(&console, &format!("puts -nonewline [agent delete {}]", quoted(id))).await, "");
        }
        assert_eq!(ids(&console).await, Vec::<String>::new());
        let calls = console.calls();
        assert_eq!((calls["agent put"], calls["agent delete"], calls["agent list"]), (14, 14, 1));
        assert_eq!(calls["ScriptRunner"], 29);
    });
}

/// What a careless script registers is what Tcl made of it, and nothing of it is run.
#[test]
fn what_is_not_quoted_is_judged_by_tcl() {
    with_sandbox(async |local| {
        let console = console(local).await;
        let mark = local.sandbox.options().scratch.join("mark");
        for (id, error) in [
            (format!("[exec touch {}]", mark.display()).as_str(), "invalid command name \"exec\""),
            (&format!("[open {} w]", mark.display()), "invalid command name \"open\""),
            ("$x", "can't read \"x\": no such variable"),
            ("\"", "missing \""),
            ("{", "missing close-brace"),
            ("a b", "bad option \"b\""),
            ("a\nb", "wrong # args"),
        ] {
            let answer =
                script(&console, &format!("puts before\nagent put {id} host 127.0.0.9 port 1\nputs after")).await;
            assert!(answer.starts_with(&format!("before\nERROR: {error}")), "{id}: {answer}");
        }
        assert_eq!(
            script(&console, "agent put [string toupper a] host 127.0.0.9 port 1; agent put .. host h port 1").await,
            ""
        );
        assert_eq!(ids(&console).await, ["..", "A"]);
        assert!(!mark.exists());
    });
}

#[test]
fn rest_knows_versions_owners_and_who_may_ask() {
    with_sandbox(async |local| {
        let console = console(local).await;
        let first =
            rest(&console, "PUT", &path("Agent-1"), &[("if-none-match", "*")], Some(at("127.0.0.9", "us"))).await;
        assert_eq!(first.status(), StatusCode::CREATED);
        let etag = first.headers()["etag"].to_str().unwrap().to_owned();
        let body = first.json::<Value>().await.unwrap();
        let wanted = json!({
            "id": "Agent-1", "host": "127.0.0.9", "port": 20001, "owner": "us", "description": null,
            "etag": etag.trim_matches('"'), "status": "Offline",
        });
        assert_eq!(body, wanted);
        let list = rest(&console, "GET", "/api/agents", &[], None).await.json::<Value>().await.unwrap();
        assert_eq!(list, json!({ "agents": [wanted] }));

        let put =
            async |headers: &[(&str, &str)], body: Value| status(&console, "PUT", "Agent-1", headers, Some(body)).await;
        assert_eq!(put(&[("if-none-match", "*")], at("127.0.0.8", "us")).await, 412);
        assert_eq!(put(&[], at("127.0.0.8", "them")).await, 409);
        assert_eq!(put(&[("if-match", "\"other\"")], at("127.0.0.8", "us")).await, 412);
        assert_eq!(put(&[("if-match", &etag)], at("127.0.0.8", "them")).await, 200);
        assert_eq!(put(&[("if-match", &etag)], at("127.0.0.7", "them")).await, 412);
        assert_eq!(put(&[("if-match", "\"a\", \"b\"")], at("127.0.0.7", "them")).await, 400);
        assert_eq!(put(&[], json!({ "host": "127.0.0.7" })).await, 400);
        assert_eq!(put(&[], json!({ "host": "127.0.0.7", "port": 1, "status": "Online" })).await, 400);
        assert_eq!(put(&[], json!({ "id": "Agent-2", "host": "127.0.0.7", "port": 1 })).await, 400);
        assert_eq!(status(&console, "DELETE", "Agent-1", &[("if-match", &etag)], None).await, 412);
        assert_eq!(status(&console, "DELETE", "Agent-1", &[], None).await, 204);
        for method in ["GET", "DELETE"] {
            assert_eq!(status(&console, method, "Agent-1", &[], None).await, 404);
        }
        let stranger = reqwest::get(format!("{}/api/agents", console.endpoint())).await.unwrap();
        assert_eq!(
            (stranger.status().as_u16(), &stranger.headers()["www-authenticate"]),
            (401, &"Bearer".parse().unwrap())
        );

        let history: Vec<_> = console
            .history()
            .into_iter()
            .filter(|one| one.dialect.is_some())
            .map(|one| (one.event, one.agent.owner))
            .collect();
        let (us, them) = (Some("us".to_owned()), Some("them".to_owned()));
        assert_eq!(history, [(Event::Registered, us), (Event::Changed, them.clone()), (Event::Deleted, them)]);
        let api = reqwest::get(format!("{}/api/openapi.yaml", console.endpoint())).await.unwrap().text().await.unwrap();
        assert!(api.starts_with("openapi: 3.1"));
    });
}

#[test]
fn rest_takes_any_id_in_its_path() {
    with_sandbox(async |local| {
        let console = console(local).await;
        // A URL's own rules take ".." out of a path, however it is written: it is sent by hand, below.
        for id in HOSTILE.into_iter().filter(|id| *id != "..") {
            assert_eq!(status(&console, "PUT", id, &[], Some(at("127.0.0.9", id.trim()))).await, 201, "{id}");
            let read = rest(&console, "GET", &path(id), &[], None).await.json::<Value>().await.unwrap();
            assert_eq!(read["id"], id);
        }
        let body = at("127.0.0.9", "us").to_string();
        let request = format!(
            "PUT /api/agents/%2e%2e HTTP/1.1\r\nHost: console\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            console.login().token.reveal(),
            body.len()
        );
        let address = console.endpoint().strip_prefix("http://").unwrap().to_owned();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        let mut wanted = HOSTILE.map(str::to_owned).to_vec();
        wanted.sort();
        assert_eq!(ids(&console).await, wanted);
    });
}

#[test]
fn of_many_who_name_the_same_version_one_wins() {
    with_sandbox(async |local| {
        let console = console(local).await;
        let first = rest(&console, "PUT", &path("a"), &[], Some(at("127.0.0.1", "us"))).await;
        let etag = first.headers()["etag"].to_str().unwrap().to_owned();
        let mut callers = tokio::task::JoinSet::new();
        for number in 2..10 {
            let (console, etag) = (console.clone(), etag.clone());
            callers.spawn(async move {
                let host = format!("127.0.0.{number}");
                if number % 2 == 0 {
                    return status(&console, "PUT", "a", &[("if-match", &etag)], Some(at(&host, "us"))).await == 200;
                }
                let put = format!("agent put a host {host} port 20001 owner us etag {}", etag.trim_matches('"'));
                let answer = script(&console, &put).await;
                assert!(answer.is_empty() || answer.starts_with("ERROR: the agent is not as expected"), "{answer}");
                answer.is_empty()
            });
        }
        let won = callers.join_all().await.into_iter().filter(|won| *won).count();
        assert_eq!(won, 1);
        let changes = console.history().into_iter().filter(|one| one.event == Event::Changed).count();
        assert_eq!(changes, 1);
    });
}

#[test]
fn an_agent_is_online_for_as_long_as_its_port_can_be_opened() {
    with_sandbox(async |local| {
        let console = console(local).await;
        local.cluster("console", json!([{ "name": "PORT", "value": "20001" }])).await;
        local.service("console", 1, json!({})).await;
        let task = local.steady("console").await.remove(0);
        let address = task.address().unwrap().to_string();
        let put = format!("agent put Agent-1 host {address} port 20001\nagent put Agent-2 host {address} port 20002");
        assert_eq!(script(&console, &put).await, "");
        let agents = console.agents().await;
        let seen: Vec<_> = agents.iter().map(|one| (one.agent.id.as_str(), one.status)).collect();
        assert_eq!(seen, [("Agent-1", Status::Online), ("Agent-2", Status::Offline)]);
        let answer = script(&console, "array set a [agent get Agent-1]; puts $a(status)").await;
        assert_eq!(answer, "Online\n");

        local.ecs("UpdateService", json!({ "cluster": "console", "service": "agent", "desiredCount": 0 })).await;
        let gone = console.wait_for_agents(SOON, |agents| agents[0].status == Status::Offline).await.unwrap();
        assert_eq!(gone[0].agent.host, address);
        let read = rest(&console, "GET", &path("Agent-1"), &[], None).await.json::<Value>().await.unwrap();
        assert_eq!(read["status"], "Offline");
        // Addresses beyond loopback are somebody's: nobody asks there.
        assert_eq!(script(&console, "agent put Agent-3 host 192.0.2.1 port 80").await, "");
        console.wait_for_agents(SOON, |agents| agents[2].status == Status::Offline).await.unwrap();

        let of_first: Vec<_> = console.history().into_iter().filter(|one| one.agent.id == "Agent-1").collect();
        let events: Vec<_> = of_first.iter().map(|one| one.event).collect();
        assert_eq!(events, [Event::Registered, Event::Online, Event::Offline]);
        assert_eq!(of_first[0].dialect, Some(Dialect::ScriptRunner));
        local.check_model();
    });
}

#[test]
fn a_broken_console_is_broken_in_its_own_way_until_it_is_mended() {
    with_sandbox(async |local| {
        let console = console(local).await;
        assert_eq!(script(&console, "agent put a host 127.0.0.9 port 1").await, "");
        let login = console.login().clone();
        let ask = async || post(&console, &login.user, login.password.reveal(), "puts [agent list]").await;
        let list = async || rest(&console, "GET", "/api/agents", &[], None).await;

        console.set_fault(Some(Fault::Down));
        // It stops listening a moment after it was told to; until then it is not available.
        let refused = async {
            while let Ok(answer) = ask().await {
                assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
            }
        };
        tokio::time::timeout(SOON, refused).await.unwrap();
        console.set_fault(None);
        let mended = async {
            while ask().await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, mended).await.unwrap();
        assert_eq!(ask().await.unwrap().text().await.unwrap(), "a\n", "it has forgotten nothing");

        let before = console.calls().get("not served").copied();
        console.set_fault(Some(Fault::Unavailable));
        assert_eq!(
            (ask().await.unwrap().status(), list().await.status()),
            (StatusCode::SERVICE_UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE)
        );
        console.set_fault(Some(Fault::Says { text: "ERROR: the database is locked".into() }));
        for answer in [ask().await.unwrap(), list().await] {
            assert_eq!(answer.status(), StatusCode::OK);
            assert_eq!(answer.text().await.unwrap(), "ERROR: the database is locked");
        }
        assert_eq!(console.calls().get("not served"), Some(&before.map_or(4, |before| before + 4)));
        console.set_fault(Some(Fault::Slow { by: Duration::from_millis(300) }));
        let begin = std::time::Instant::now();
        assert_eq!(list().await.status(), StatusCode::OK);
        assert!(begin.elapsed() >= Duration::from_millis(300));
        console.set_fault(Some(Fault::WrongPassword));
        assert_eq!(ask().await.unwrap().text().await.unwrap(), "ERROR: invalid user or password\n");
        assert_eq!(list().await.status(), StatusCode::UNAUTHORIZED);

        console.set_fault(None);
        assert!(console.forget("a") && !console.forget("a"));
        assert_eq!(ask().await.unwrap().text().await.unwrap(), "\n");
        let events: Vec<_> = console.history().into_iter().map(|one| one.event).collect();
        assert_eq!(events.last(), Some(&Event::Forgotten), "{events:?}");
    });
}

#[test]
fn who_has_no_password_is_told_so_in_one_of_two_ways() {
    with_sandbox(async |local| {
        let settings = Settings { unauthorized: Unauthorized::Status, ..Settings::default() };
        let strict = Console::start_with(&local.sandbox, settings).await.unwrap();
        for (console, wanted) in [(console(local).await, 200), (strict, 401)] {
            for (user, password) in [("admin", "wrong"), ("root", "test-password"), ("", "")] {
                let answer = post(&console, user, password, "agent put a host h port 1").await.unwrap();
                assert_eq!(answer.status().as_u16(), wanted);
                assert_eq!(answer.text().await.unwrap(), "ERROR: invalid user or password\n");
            }
            assert_eq!(ids(&console).await, Vec::<String>::new());
        }
    });
}

#[test]
fn a_script_that_does_not_end_is_cut_off() {
    with_sandbox(async |local| {
        let settings = Settings { script_time: Duration::from_secs(3), ..Settings::default() };
        let console = Console::start_with(&local.sandbox, settings).await.unwrap();
        let answer = script(&console, "agent put a host 127.0.0.9 port 1; puts begun; while 1 {}").await;
        assert_eq!(answer, "begun\nERROR: the script was cut off after 3 s\n");
        assert_eq!(ids(&console).await, ["a"]);
    });
}
