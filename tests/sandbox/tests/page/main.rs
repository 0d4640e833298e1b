//! The page in a real browser: what it shows, and what the keyboard does.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

mod browser;
mod chromium;

use std::path::PathBuf;
use std::time::Duration;

use browser::Browser;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sandbox::console::{Fault, Status as Reached};
use sandbox::ecs::{Status, Task};
use sandbox::inbox::Inbox;
use sandbox::{Console, Options, Pace, Page, Sandbox};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);
/// If any of these became more than text, the page's title would tell.
const HOSTILE: [&str; 3] = [
    "<img src=x onerror=\"document.title='hit'\">",
    "</script><script>document.title='hit'</script>",
    "[exec touch /tmp/x] $x \"}{",
];

struct Scene {
    sandbox: Sandbox,
    console: Console,
    inbox: Inbox,
    _page: Page,
    browser: Browser,
    target: PathBuf,
}

/// A service of two agents in the cluster `demo`, both registered, and a browser that looks at them.
async fn scene() -> Scene {
    let options =
        Options { pace: Pace { healthy_after: Duration::from_millis(100), ..Pace::default() }, ..Options::default() };
    let target = options.scratch.ancestors().nth(2).unwrap().to_owned();
    let chromium = tokio::task::spawn_blocking({
        let target = target.clone();
        move || chromium::provision(&target)
    });
    let sandbox = Sandbox::start(options, |text| eprintln!("sandbox: {text}")).await.unwrap();
    let topic = sandbox.aws().query("sns", "CreateTopic", &[("Name", "alerts")]).await.unwrap();
    let topic = topic.split("<TopicArn>").nth(1).unwrap().split("</TopicArn>").next().unwrap().to_owned();
    let inbox = Inbox::subscribe(&sandbox, &topic).await.unwrap();
    let alert = [
        ("TopicArn", topic.as_str()),
        ("Subject", "agent <b>crashed</b>"),
        ("Message", "It was killed.\n<script>1</script>"),
    ];
    sandbox.aws().query("sns", "Publish", &alert).await.unwrap();
    inbox.next(0).await.unwrap();

    let console = Console::start(&sandbox).await.unwrap();
    ecs(&sandbox, "CreateCluster", json!({ "clusterName": "demo" })).await;
    service(&sandbox, "agent", "watchkeeper/sample-agent:1.0", 2).await;
    for (place, task) in sandbox.ecs().running("demo", "agent").iter().enumerate() {
        register(&console, &format!("Agent-{}", place + 1), &task.address().unwrap().to_string(), 8080).await;
    }
    let page = Page::start(&sandbox, Some(console.clone()), Some(inbox.shared())).await.unwrap();
    let mut browser = Browser::start(&chromium.await.unwrap().unwrap()).await.unwrap();
    browser.resize(1280, 900).await.unwrap();
    browser.open(&page.url()).await.unwrap();
    browser.until("document.querySelector('#live')?.textContent === 'live'").await.unwrap();
    Scene { sandbox, console, inbox, _page: page, browser, target }
}

async fn ecs(sandbox: &Sandbox, action: &str, request: Value) -> Value {
    sandbox.aws().json("ecs", &format!("AmazonEC2ContainerServiceV20141113.{action}"), &request).await.unwrap()
}

async fn service(sandbox: &Sandbox, name: &str, image: &str, count: u32) {
    let command = if image.starts_with("busybox") { json!(["sleep", "1000"]) } else { json!([]) };
    let container = json!({ "name": name, "image": image, "essential": true, "stopTimeout": 2, "command": command });
    let definition = json!({
        "family": name, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": [container],
    });
    ecs(sandbox, "RegisterTaskDefinition", definition).await;
    let create = json!({
        "cluster": "demo", "serviceName": name, "taskDefinition": name, "desiredCount": count, "launchType": "FARGATE",
        "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } },
    });
    ecs(sandbox, "CreateService", create).await;
    sandbox.ecs().wait_for_steady_state("demo", name, SOON).await.unwrap();
}

async fn register(console: &Console, id: &str, host: &str, port: u16) {
    let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
    let put = reqwest::Client::new()
        .put(format!("{}/api/agents/{id}", console.endpoint()))
        .bearer_auth(console.login().token.reveal())
        .json(&json!({ "host": host, "port": port, "owner": "watchkeeper", "description": "an agent of the demo" }));
    assert_eq!(put.send().await.unwrap().status(), 201);
}

impl Scene {
    /// By keyboard alone: Tab to it, then Enter.
    async fn choose(&mut self, name: &str) {
        self.browser.tab_to(name).await.unwrap();
        self.browser.press("Enter").await.unwrap();
    }

    async fn said(&mut self, text: &str) {
        self.browser
            .until(&format!("document.querySelector('#said').textContent.includes({})", json!(text)))
            .await
            .unwrap();
    }

    fn first(&self, service: &str) -> Task {
        self.sandbox.ecs().running("demo", service).into_iter().next().unwrap()
    }
}

fn short(task: &Task) -> &str {
    &task.id[..8]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_there_is_and_takes_nothing_for_more_than_text() {
    let mut scene = scene().await;
    for id in HOSTILE {
        register(&scene.console, id, "127.0.0.9", 9).await;
    }
    let ids: Vec<_> = scene.console.agents().await.into_iter().map(|one| one.agent.id).collect();
    let shown = "JSON.stringify([...document.querySelectorAll('#agents strong')].map(one => one.textContent).sort())";
    scene.browser.until(&format!("{shown} === JSON.stringify({}.sort())", json!(ids))).await.unwrap();
    let made = "document.querySelectorAll('main img, main script, main b').length";
    assert_eq!(scene.browser.look(made).await.unwrap(), 0);
    assert_eq!(scene.browser.look("document.title").await.unwrap(), "Watchkeeper's sandbox");

    let online =
        "[...document.querySelectorAll('#agents .badge')].filter(one => one.textContent === 'Online').length === 2";
    scene.browser.until(online).await.unwrap();
    let text = scene.browser.look("document.body.innerText").await.unwrap();
    let text = text.as_str().unwrap();
    for task in scene.sandbox.ecs().tasks() {
        assert!(text.contains(short(&task)) && text.contains(&task.address().unwrap().to_string()), "{text}");
    }
    for part in
        ["agent <b>crashed</b>", "2 of 2", "agent:1", "RUNNING", "SERVICE_STEADY_STATE", "is registered at", "Offline"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")] {
        scene.browser.resize(width, 900).await.unwrap();
        scene.browser.prefer(scheme).await.unwrap();
        let wide = scene.browser.look("document.documentElement.scrollWidth").await.unwrap();
        assert!(wide.as_u64().unwrap() <= u64::from(width), "at {width} one must scroll sideways: {wide}");
        let picture = scene.target.join(format!("page-{width}-{scheme}.png"));
        scene.browser.picture(&picture).await.unwrap();
    }
    assert_eq!(scene.browser.complaints, Vec::<String>::new());
    assert_eq!(scene.inbox.mails().len(), 1);
    scene.sandbox.stop().await.unwrap();
    scene.browser.until("document.querySelector('#live').textContent.startsWith('not live')").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_done_with_the_keyboard_alone() {
    let mut scene = scene().await;
    let killed = scene.first("agent");
    scene.choose(&format!("Kill task {} with kill -9", short(&killed))).await;
    let ended =
        scene.sandbox.ecs().wait_for_task(&killed.id, SOON, |task| task.status == Status::Stopped).await.unwrap();
    assert_eq!(ended.containers[0].exit_code, Some(137));
    scene.said("kill -9 of container agent").await;
    scene.browser.until("document.querySelector('#tasks').innerText.includes('exit code 137')").await.unwrap();
    let offline = |agents: &[sandbox::console::Registered]| agents.iter().any(|one| one.status == Reached::Offline);
    scene.console.wait_for_agents(SOON, offline).await.unwrap();
    scene.browser.until("document.querySelector('#agents').innerText.includes('Offline')").await.unwrap();

    scene.sandbox.ecs().wait_for_steady_state("demo", "agent", SOON).await.unwrap();
    let exiting = scene.first("agent");
    scene.browser.tab_to(&format!("Exit code for task {}", short(&exiting))).await.unwrap();
    scene.browser.write("7").await.unwrap();
    scene.choose(&format!("Let the agent of task {} exit", short(&exiting))).await;
    let ended =
        scene.sandbox.ecs().wait_for_task(&exiting.id, SOON, |task| task.status == Status::Stopped).await.unwrap();
    assert_eq!(ended.containers[0].exit_code, Some(7));

    scene.browser.tab_to("Tasks that agent shall have").await.unwrap();
    scene.browser.write("3").await.unwrap();
    scene.choose("Scale agent").await;
    let three = |service: &sandbox::ecs::Service| service.running == 3 && service.is_steady();
    scene.sandbox.ecs().wait_for_service("demo", "agent", SOON, three).await.unwrap();
    scene.browser.until("document.querySelector('#services').innerText.includes('3 of 3')").await.unwrap();

    let before = scene.sandbox.ecs().service("demo", "agent").unwrap().deployments[0].id.clone();
    scene.choose("Force a deployment of agent").await;
    let another = |service: &sandbox::ecs::Service| service.deployments[0].id != before;
    scene.sandbox.ecs().wait_for_service("demo", "agent", SOON, another).await.unwrap();

    scene.browser.tab_to("Break it:").await.unwrap();
    scene.browser.press("ArrowDown").await.unwrap();
    scene.choose("Break").await;
    scene
        .browser
        .until("document.querySelector('#console-state').textContent === 'broken: answers 503'")
        .await
        .unwrap();
    assert_eq!(scene.console.fault(), Some(Fault::Unavailable));
    scene.choose("Mend").await;
    scene.browser.until("document.querySelector('#console-state').textContent === 'well'").await.unwrap();
    assert_eq!(scene.console.fault(), None);
    scene.choose("Let the Console lose agent Agent-2").await;
    scene.console.wait_for_agents(SOON, |agents| agents.len() == 1).await.unwrap();
    scene.browser.until("document.querySelectorAll('#agents tr').length === 1").await.unwrap();

    // What cannot be done is said: this agent listens nowhere.
    service(&scene.sandbox, "deaf", "busybox:1", 1).await;
    let deaf = scene.first("deaf");
    scene.choose(&format!("Let the agent of task {} exit", short(&deaf))).await;
    scene.said("That did not work: the agent cannot be reached").await;
    assert!(scene.sandbox.ecs().task(&deaf.id).unwrap().is_running());

    let refused = |complaint: &String| !complaint.contains("409");
    scene.browser.complaints.retain(refused);
    assert_eq!(scene.browser.complaints, Vec::<String>::new());
    assert_eq!(scene.sandbox.model_faults(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_page_itself_may_act() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let page = Page::start(&sandbox, None, None).await.unwrap();
    let http = reqwest::Client::new();
    let act = || http.post(format!("{}act", page.url())).body(r#"{"act":"console","fault":null}"#);
    // A form of another site, and a name of another site that points here.
    let form = act().header("content-type", "text/plain");
    let renamed = act().header("content-type", "application/json").header("host", "evil.example");
    let read = http.get(format!("{}state", page.url())).header("host", "evil.example");
    for request in [form, renamed, read] {
        assert_eq!(request.send().await.unwrap().status(), 403);
    }
    let answer = act().header("content-type", "application/json").send().await.unwrap();
    assert_eq!(answer.status(), 409);
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "error": "there is no Console" }));
    let shown = http.get(format!("{}state", page.url())).send().await.unwrap().json::<Value>().await.unwrap();
    assert_eq!((&shown["agents"], &shown["alerts"], &shown["console"]), (&json!([]), &json!(null), &json!(null)));
}
