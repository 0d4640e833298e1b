//! What the stories have in common: a sandbox with our stack, a cluster, a Console, and what is asked of them.

use std::ops::Deref;

use sandbox::Options;
use sandbox::console::{Change, Console, Event, Registered};
use sandbox::stage::{PATIENCE, Stage};
use serde_json::{Value, json};
use stories::agents::{Agents, Names, secret};
use stories::stacks::Stack;

/// The service that is declared unless a story says otherwise.
pub(crate) const AGENT: &str = "agent";
/// The function.
const REGISTRAR: Names = Names { function: "console-registrar", resources: "ConsoleRegistrar" };

/// A sandbox with our stack, a cluster, a Console, and the Console's credentials in secrets that stacks may use.
pub(crate) struct Scene {
    agents: Agents,
    pub(crate) console: Console,
    /// Any stack may use it.
    pub(crate) login: String,
    /// Only the stack `agent` may.
    pub(crate) token: String,
}

impl Deref for Scene {
    type Target = Agents;

    fn deref(&self) -> &Agents {
        &self.agents
    }
}

impl Scene {
    pub(crate) async fn set() -> Self {
        let stage = Stage::set(Options::default(), |_| ()).await.unwrap();
        let console = Console::start(&stage.sandbox).await.unwrap();
        let login = console.login();
        let user = json!({"user": login.user, "password": login.password.reveal()}).to_string();
        let token = login.token.reveal().to_owned();
        let login = secret(&stage, "console-login", &user, &[("watchkeeper:allow", "@any")]).await;
        let token = secret(&stage, "console-token", &token, &[("watchkeeper:allow", "agent")]).await;
        Self { agents: Agents::set(stage, REGISTRAR).await, console, login, token }
    }

    /// Begins to create a stack with this registration.
    pub(crate) async fn stack(&self, name: &str, registration: Value) -> Stack<'_> {
        let outputs = json!({
            "Agents": {"Value": {"Fn::GetAtt": ["Registration", "AgentIds"]}},
            "Plan": {"Value": {"Fn::GetAtt": ["Registration", "Plan"]}},
            "Decision": {"Value": {"Fn::GetAtt": ["Registration", "Decision"]}},
        });
        Stack::create(&self.stage, name, &json!({"Registration": registration}), &outputs).await
    }

    /// Takes an address and lets it go later: the task that starts after that gets it, and not the one of a task that it
    /// replaces.
    pub(crate) async fn free_an_address(&self) {
        self.scale("filler", 0).await;
        self.steady("filler", 0).await;
    }

    pub(crate) fn scripts(&self) -> Value {
        self.scripts_with(&self.login)
    }

    pub(crate) fn scripts_with(&self, secret: &str) -> Value {
        let url = format!("{}/console/ScriptRunner", self.console.endpoint());
        json!({"ScriptRunner": {"Url": url, "Credentials": secret}})
    }

    pub(crate) fn rest(&self) -> Value {
        json!({"Rest": {"Url": self.console.endpoint(), "Credentials": self.token}})
    }

    /// Waits until the Console has just these agents for the service, Online and each at a task of its own.
    pub(crate) async fn has(&self, service: &str, ids: &[&str]) -> Vec<Registered> {
        let prefix = ids.first().map(|id| id.split('-').next().unwrap_or(id).to_owned());
        let right = |agents: &[Registered]| {
            let ours = |one: &&Registered| prefix.as_ref().is_none_or(|prefix| one.agent.id.starts_with(prefix));
            let agents: Vec<&Registered> = agents.iter().filter(ours).collect();
            let mut hosts: Vec<_> = agents.iter().map(|one| one.agent.host.clone()).collect();
            let mut tasks: Vec<_> =
                self.tasks(service).iter().filter_map(|task| Some(task.address()?.to_string())).collect();
            hosts.sort();
            tasks.sort();
            agents.iter().map(|one| one.agent.id.as_str()).eq(ids.iter().copied()) && (ids.is_empty() || hosts == tasks)
        };
        self.console.wait_for_agents(2 * PATIENCE, right).await.unwrap()
    }

    /// The ids that the Console has now.
    pub(crate) async fn ids(&self) -> Vec<String> {
        self.console.agents().await.into_iter().map(|one| one.agent.id).collect()
    }

    /// What happened to definitions since, in short.
    pub(crate) fn changes(&self, from: usize) -> Vec<(Event, String)> {
        let told = |change: &Change| !matches!(change.event, Event::Online | Event::Offline);
        let changes = self.console.history().into_iter().skip(from).filter(told);
        changes.map(|change| (change.event, change.agent.id)).collect()
    }

    /// Checks what must be so at the end of a good story: nothing was refused by IAM, nothing secret was told.
    pub(crate) async fn ends_well(&self, stacks: &[&Stack<'_>]) {
        self.was_never_refused();
        self.keeps_secrets(stacks).await;
    }

    /// Checks what must be so at the end of every story: nothing secret was told, and our ECS kept to its model.
    pub(crate) async fn keeps_secrets(&self, stacks: &[&Stack<'_>]) {
        let mut told = self.log().await;
        assert!(told.contains("decided"), "the log is read: {told}");
        for stack in stacks {
            told += &stack.events().await;
        }
        for mail in self.stage.inbox.mails() {
            told += &mail.subject;
            told += &mail.text;
        }
        let login = self.console.login();
        for secret in [login.password.reveal(), login.token.reveal(), WRONG] {
            let line = told.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "a secret is told");
        }
        assert_eq!(self.stage.sandbox.model_faults(), Vec::<String>::new());
    }
}

/// A password that is never right.
pub(crate) const WRONG: &str = "hunter2-is-wrong";
