//! The one sandbox that all tests share, and a way to hold a call while somebody else is faster.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_secretsmanager::config::Credentials;
use config_sync::Token;
use config_sync::aws::Vault;
use config_sync::document::{Readings, Version};
use config_sync::trouble::Trouble;
use sandbox::{Intervention, Options, Sandbox};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// How long a test waits for what should take a moment.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// After how long a vault of [`Local::impatient`] tries again.
const IMPATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct Local {
    pub(crate) sandbox: Sandbox,
    pub(crate) vault: Vault,
    config: SdkConfig,
    /// Who may step into calls: one test at a time.
    turn: Mutex<()>,
}

/// Runs a test on the shared sandbox. It ends with the program.
pub(crate) fn with_sandbox<F: Future<Output = ()>>(test: impl FnOnce(&'static Local) -> F) {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    static LOCAL: OnceCell<Local> = OnceCell::const_new();
    RUNTIME.block_on(async {
        let local = LOCAL.get_or_init(async || {
            let sandbox = Sandbox::start(Options::default(), |text| eprintln!("sandbox: {text}")).await.unwrap();
            let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
                .endpoint_url(sandbox.endpoint())
                .region(Region::new(sandbox.options().region.clone()))
                .retry_config(RetryConfig::disabled())
                .credentials_provider(Credentials::new("test", "test", None, None, "tests"));
            let config = config.load().await;
            Local { vault: Vault::new(&config), config, sandbox, turn: Mutex::default() }
        });
        test(local.await).await;
    });
}

impl Local {
    /// A vault that tries a call again that is not answered soon.
    pub(crate) fn impatient(&self) -> Vault {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(IMPATIENCE).build();
        let config = self.config.to_builder().timeout_config(timeouts).retry_config(RetryConfig::standard());
        Vault::new(&config.build())
    }

    /// A vault of another region.
    pub(crate) fn elsewhere(&self) -> Vault {
        Vault::new(&self.config.to_builder().region(Region::new("us-east-1")).build())
    }

    /// A vault of another AWS.
    pub(crate) fn at(&self, endpoint: &str) -> Vault {
        Vault::new(&self.config.to_builder().endpoint_url(endpoint).build())
    }

    pub(crate) async fn secrets(&self, action: &str, request: Value) -> Value {
        self.sandbox.aws().json("secretsmanager", &format!("secretsmanager.{action}"), &request).await.unwrap()
    }

    pub(crate) async fn parameters(&self, action: &str, request: Value) -> Value {
        self.sandbox.aws().json("ssm", &format!("AmazonSSM.{action}"), &request).await.unwrap()
    }

    /// A new secret; its ARN.
    pub(crate) async fn secret(&self, name: &str, text: &str) -> String {
        let created = self.secrets("CreateSecret", json!({ "Name": name, "SecretString": text })).await;
        created["ARN"].as_str().unwrap().to_owned()
    }

    /// Holds the answer to the first such call about each of these.
    pub(crate) async fn hold(&'static self, service: &'static str, action: &'static str, resources: &[&str]) -> Held {
        let left = std::sync::Mutex::new(resources.iter().map(|one| (*one).to_owned()).collect::<BTreeSet<_>>());
        let hold = move |resource: &str| left.lock().unwrap().remove(resource).then_some(Intervention::Hold);
        self.intervene(service, action, hold).await
    }

    /// Has such calls refused.
    pub(crate) async fn refuse(
        &'static self,
        service: &'static str,
        action: &'static str,
        about: &str,
        (status, code, message): (u16, &'static str, &'static str),
    ) -> Held {
        let about = about.to_owned();
        let fail = Intervention::Fail { status, code: code.to_owned(), message: message.to_owned() };
        self.intervene(service, action, move |resource| (resource == about).then(|| fail.clone())).await
    }

    async fn intervene(
        &'static self,
        service: &'static str,
        action: &'static str,
        what: impl Fn(&str) -> Option<Intervention> + Send + Sync + 'static,
    ) -> Held {
        let turn = self.turn.lock().await;
        let from = self.sandbox.door().call_count();
        self.sandbox.door().on_call(Box::new(move |call| {
            let resource = call.resource.as_deref().filter(|_| call.is(service, action));
            resource.and_then(&what).unwrap_or(Intervention::Pass)
        }));
        Held { local: self, service, action, from, _turn: turn }
    }
}

/// Calls that a test steps into, until it is dropped.
pub(crate) struct Held {
    local: &'static Local,
    service: &'static str,
    action: &'static str,
    from: usize,
    _turn: MutexGuard<'static, ()>,
}

impl Held {
    /// Waits until a call about this is held, which has taken effect.
    pub(crate) async fn reached(&self, resource: &str) {
        let is_held = |call: &sandbox::Call| {
            call.is(self.service, self.action)
                && call.resource.as_deref() == Some(resource)
                && call.outcome.as_ref().is_some_and(|outcome| outcome.held)
        };
        self.local.sandbox.door().wait_for_call(self.from, SOON, is_held).await.unwrap();
    }

    /// Gives what is held its answers.
    pub(crate) fn release(&self) {
        self.local.sandbox.door().release_held();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.local.sandbox.door().clear_hook();
        self.release();
    }
}

pub(crate) fn token(base: &Version, text: &str) -> Token {
    Token::new("tests", &Readings::new(), base, text)
}

pub(crate) fn refused<T: std::fmt::Debug>(outcome: Result<T, Trouble>) -> String {
    let Err(Trouble::Refused(text)) = outcome else { panic!("not Refused: {outcome:?}") };
    text
}
