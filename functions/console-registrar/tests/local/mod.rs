//! A sandbox with a Console and the secret of its login, and what all these tests say about troubles.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Config, Credentials, Region};
use console_registrar::registry::{Address, AgentId, Entry, IfStill, Pace, Put, Trouble};
use console_registrar::secrets::SecretsManager;
use sandbox::console::{Dialect, Event};
use sandbox::{Console, Options, Sandbox};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// What breaks a script, a path or a body that is put together carelessly.
pub(crate) const HOSTILE: [&str; 20] = [
    "[exec touch /tmp/x]",
    "[exit]",
    "$x",
    "${x}",
    "$env(HOME)",
    "\"",
    "a\nb",
    "a\r\n",
    "../agents",
    "{",
    "}",
    "}{",
    "a\\",
    "\\u0041",
    "; exit",
    "#",
    "{{host}}",
    "ü 漢 %41+&=?#/",
    " ",
    "\u{1}\u{7f}\u{feff}\u{ffff}",
];

/// How calls go in tests: a machine that builds at the same time takes a while to start an interpreter.
pub(crate) fn pace() -> Pace {
    let seconds = Duration::from_secs;
    Pace { one_try: seconds(30), all_tries: seconds(60), pause: Duration::from_millis(10), ..Pace::default() }
}

/// One that does not wait for who is slow.
pub(crate) fn hasty() -> Pace {
    Pace { one_try: Duration::from_millis(200), ..pace() }
}

pub(crate) struct Local {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
}

/// Runs a test on the sandbox that all tests of a program share; it ends with the program.
pub(crate) fn with_sandbox<F: Future<Output = ()>>(test: impl FnOnce(&'static Local) -> F) {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    static LOCAL: OnceCell<Local> = OnceCell::const_new();
    RUNTIME.block_on(async {
        let local = LOCAL.get_or_init(async || {
            let sandbox = Sandbox::start(Options::default(), |text| eprintln!("sandbox: {text}")).await.unwrap();
            let config = Config::builder()
                .behavior_version(BehaviorVersion::v2026_01_12())
                .endpoint_url(sandbox.endpoint())
                .region(Region::new(sandbox.options().region.clone()))
                .credentials_provider(Credentials::new("test", "test", None, None, "tests"));
            Local { client: Client::from_conf(config.build()), sandbox }
        });
        test(local.await).await;
    });
}

impl Local {
    pub(crate) async fn console(&self) -> Console {
        Console::start(&self.sandbox).await.unwrap()
    }

    /// A new secret; its ARN.
    pub(crate) async fn secret(&self, name: &str, value: &str) -> String {
        self.client.create_secret().name(name).secret_string(value).send().await.unwrap().arn.unwrap()
    }

    pub(crate) async fn rotate(&self, arn: &str, value: &str) {
        self.client.put_secret_value().secret_id(arn).secret_string(value).send().await.unwrap();
    }

    pub(crate) fn secrets(&self) -> SecretsManager {
        SecretsManager::new(self.client.clone())
    }

    /// How often this secret was read since the call of this number.
    pub(crate) fn reads_since(&self, index: usize, arn: &str) -> usize {
        let of_it = |resource: &String| arn.contains(resource.as_str());
        let reads = |call: &sandbox::Call| {
            call.is("secretsmanager", "GetSecretValue") && call.resource.as_ref().is_some_and(of_it)
        };
        self.sandbox.door().calls_where(index, reads).len()
    }
}

pub(crate) fn agent(id: &str) -> AgentId {
    AgentId(id.to_owned())
}

pub(crate) fn put(id: &str, host: &str, owner: &str, if_still: IfStill) -> Put {
    let address = Address { host: host.to_owned(), port: 20001 };
    Put { id: agent(id), address, owner: owner.to_owned(), if_still }
}

/// The one entry that is listed, still as it was.
pub(crate) fn still(entry: &Entry) -> IfStill {
    assert!(entry.version.is_some());
    IfStill::Present(entry.version.clone())
}

pub(crate) fn unavailable<T: std::fmt::Debug>(outcome: Result<T, Trouble>) -> String {
    match outcome {
        Err(Trouble::Unavailable(text)) => fit(text),
        other => panic!("not Unavailable: {other:?}"),
    }
}

pub(crate) fn refused<T: std::fmt::Debug>(outcome: Result<T, Trouble>) -> String {
    match outcome {
        Err(Trouble::Refused(text)) => fit(text),
        other => panic!("not Refused: {other:?}"),
    }
}

pub(crate) fn overtaken<T: std::fmt::Debug>(outcome: Result<T, Trouble>) -> String {
    match outcome {
        Err(Trouble::Overtaken(text)) => fit(text),
        other => panic!("not Overtaken: {other:?}"),
    }
}

/// No text holds a secret of these tests; all are one line.
fn fit(text: String) -> String {
    for secret in ["test-password", "test-token", "rotated-", "wrong-"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(!text.contains(char::is_control), "{text}");
    text
}

/// What was asked for, in order: the event, the agent's id, host and owner.
pub(crate) fn history(console: &Console, dialect: Dialect) -> Vec<(Event, String, String, Option<String>)> {
    let asked = console.history().into_iter().filter(|change| change.dialect == Some(dialect));
    asked.map(|change| (change.event, change.agent.id, change.agent.host, change.agent.owner)).collect()
}
