//! Three agents that log in to one RDS cluster, in a stack of their own (`agents.yaml`): each is told the password by another
//! kind of document, keeps connections in a pool, and fails as the real ones do when the password changes.

mod documents;
mod report;
mod stack;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use time::OffsetDateTime;

pub use report::{REPORT, Report, Tally};
pub use stack::{Settings, create_database};

use crate::Sandbox;
use crate::ecs::{Service, Task};
use crate::rds::Cluster;

/// How often an agent is asked how it is: nothing announces it.
const LOOK: Duration = Duration::from_millis(50);
/// For an agent to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// For a restarted service to be steady, on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// The agents, by the kind of their configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Agent {
    /// A Pkl file in a secret, as formae's. It is healthy whatever the database does, ends with 0 when it cannot start, and is
    /// killed at a planned stop.
    Formae,
    /// A URL in a member of a secret's JSON, as dbward's agent and Flue have it. It ends with 1 once reconnecting fails.
    Url,
    /// A TOML file in a parameter, as a server may have it. It ends with 1 when it cannot start, and later goes on without a
    /// database.
    Toml,
}

impl Agent {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Formae, Self::Url, Self::Toml];

    /// Its name, which is also its service's.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Formae => "formae",
            Self::Url => "url",
            Self::Toml => "toml",
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Formae => 49_684,
            Self::Url => 8_080,
            Self::Toml => 3_000,
        }
    }

    /// The path that answers 200 whatever the database does.
    #[must_use]
    pub fn health(self) -> &'static str {
        match self {
            Self::Formae => "/api/v1/health",
            Self::Url | Self::Toml => "/health",
        }
    }

    /// The path that reads the database, where there is one.
    #[must_use]
    pub fn readiness(self) -> Option<&'static str> {
        match self {
            Self::Formae => Some("/api/v1/stats"),
            Self::Url => None,
            Self::Toml => Some("/ready"),
        }
    }
}

/// The agents of one stack.
pub struct DatabaseAgents<'a> {
    sandbox: &'a Sandbox,
    database: Arc<Cluster>,
    stack: String,
    pool_lifetime: Duration,
    /// Of formae and of the URL-shaped one.
    secrets: [String; 2],
    http: reqwest::Client,
}

impl DatabaseAgents<'_> {
    /// Their cluster in ECS, which is called as the stack.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.stack
    }

    /// The database that they log in to, as its master user.
    #[must_use]
    pub fn database(&self) -> &Cluster {
        &self.database
    }

    /// The ARN of the document with an agent's login: a secret's or a parameter's.
    #[must_use]
    pub fn document_arn(&self, agent: Agent) -> String {
        let [formae, url] = &self.secrets;
        match agent {
            Agent::Formae => formae.clone(),
            Agent::Url => url.clone(),
            Agent::Toml => {
                let options = self.sandbox.options();
                format!("arn:aws:ssm:{}:{}:parameter{}", options.region, options.account, self.parameter())
            }
        }
    }

    /// The document as it is now. It belongs into no text.
    pub async fn document(&self, agent: Agent) -> anyhow::Result<String> {
        let (value, place) = match agent {
            Agent::Formae | Agent::Url => {
                let request = json!({ "SecretId": self.document_arn(agent) });
                let target = "secretsmanager.GetSecretValue";
                (self.sandbox.looks().json("secretsmanager", target, &request).await?, "/SecretString")
            }
            Agent::Toml => {
                let request = json!({ "Name": self.parameter(), "WithDecryption": true });
                (self.sandbox.looks().json("ssm", "AmazonSSM.GetParameter", &request).await?, "/Parameter/Value")
            }
        };
        value.pointer(place).and_then(Value::as_str).map(str::to_owned).context("the document has no text")
    }

    /// Puts another document in the place of the one that is there, as somebody does by hand.
    pub async fn put_document(&self, agent: Agent, document: &str) -> anyhow::Result<()> {
        let aws = self.sandbox.aws();
        match agent {
            Agent::Formae | Agent::Url => {
                let request = json!({ "SecretId": self.document_arn(agent), "SecretString": document });
                aws.json("secretsmanager", "secretsmanager.PutSecretValue", &request).await?;
            }
            Agent::Toml => {
                let request = json!({
                    "Name": self.parameter(), "Value": document, "Type": "SecureString", "Overwrite": true
                });
                aws.json("ssm", "AmazonSSM.PutParameter", &request).await?;
            }
        }
        Ok(())
    }

    /// The document that is right: with the master user's login of now.
    pub async fn right_document(&self, agent: Agent) -> anyhow::Result<String> {
        documents::with_login_of(agent, &self.database).await
    }

    /// Sets an agent's document right and restarts it, as somebody does by hand.
    pub async fn set_right(&self, agent: Agent) -> anyhow::Result<()> {
        self.put_document(agent, &self.right_document(agent).await?).await?;
        self.restart(agent).await?;
        let steady = |service: &Service| service.is_steady();
        self.sandbox.ecs().wait_for_service(&self.stack, agent.name(), PATIENCE, steady).await?;
        Ok(())
    }

    /// Begins a new deployment of an agent's service.
    pub async fn restart(&self, agent: Agent) -> anyhow::Result<()> {
        let request = json!({ "cluster": self.stack, "service": agent.name(), "forceNewDeployment": true });
        let target = "AmazonEC2ContainerServiceV20141113.UpdateService";
        self.sandbox.aws().json("ecs", target, &request).await?;
        Ok(())
    }

    /// An agent's running task; during a deployment the newest.
    #[must_use]
    pub fn task(&self, agent: Agent) -> Option<Task> {
        self.sandbox.ecs().running(&self.stack, agent.name()).pop()
    }

    /// All tasks of an agent that ECS still knows, stopped ones too, the oldest first.
    #[must_use]
    pub fn tasks(&self, agent: Agent) -> Vec<Task> {
        let of_agent = |task: &Task| task.cluster() == self.stack && task.service() == Some(agent.name());
        self.sandbox.ecs().tasks().into_iter().filter(of_agent).collect()
    }

    /// What the agent answers at a path; nothing if none runs that does.
    pub async fn status(&self, agent: Agent, path: &str) -> Option<u16> {
        Some(self.get(agent, path).await?.status().as_u16())
    }

    /// What the agent's process says of its work; nothing if none runs that does.
    pub async fn report(&self, agent: Agent) -> Option<Report> {
        let answer = self.get(agent, REPORT).await?.text().await.ok()?;
        serde_json::from_str(&answer).ok()
    }

    /// Waits for a moment at which every agent will still use the connections that it has for `left`. There is one if that is
    /// less than a third of their lifetime.
    pub async fn wait_for_fresh_connections(&self, left: Duration) -> anyhow::Result<()> {
        let oldest = self.pool_lifetime.saturating_sub(left);
        let all_fresh = async || {
            for agent in Agent::ALL {
                let login = self.report(agent).await.and_then(|report| report.logins.last_worked);
                if login.is_none_or(|login| OffsetDateTime::now_utc() - login > oldest) {
                    return false;
                }
            }
            true
        };
        let fresh = async {
            while !all_fresh().await {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, fresh).await.context("the agents' connections are never all new")
    }

    /// Waits until an agent works with the password of `instant` or later.
    pub async fn working_since(
        &self,
        agent: Agent,
        instant: OffsetDateTime,
        within: Duration,
    ) -> anyhow::Result<Report> {
        let mut last = None;
        let working = async {
            loop {
                let report = self.report(agent).await;
                match report {
                    Some(report) if report.works_since(instant) => return report,
                    report => last = report,
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        if let Ok(report) = tokio::time::timeout(within, working).await {
            return Ok(report);
        }
        let (name, log) = (agent.name(), self.log(agent));
        let wrote = log.lines().last().unwrap_or_default();
        bail!("{name} does not work within {within:?}; it last said {last:?}, and last wrote {wrote:?}")
    }

    /// Waits until all agents work with the password of `instant` or later; says how long after it the last of them did.
    pub async fn all_working_since(&self, instant: OffsetDateTime, within: Duration) -> anyhow::Result<time::Duration> {
        let [formae, url, toml] = Agent::ALL.map(|agent| self.working_since(agent, instant, within));
        let (formae, url, toml) = tokio::join!(formae, url, toml);
        let again = [formae?, url?, toml?].into_iter().filter_map(|report| report.queries.well_since).max();
        // One that never failed has been well for longer.
        Ok(again.unwrap_or(instant).max(instant) - instant)
    }

    /// How many queries of an agent found no connection or lost it, by all of its tasks that ECS still knows.
    #[must_use]
    pub fn failed_queries(&self, agent: Agent) -> usize {
        self.log(agent).lines().filter(|line| line.starts_with("query failed: ")).count()
    }

    /// How many logins of an agent failed, those of its starts included, by all of its tasks that ECS still knows.
    #[must_use]
    pub fn failed_logins(&self, agent: Agent) -> usize {
        self.log(agent).lines().filter(|line| line.contains("login failed: ")).count()
    }

    /// What the agent's tasks that ECS still knows have written, the oldest first.
    #[must_use]
    pub fn log(&self, agent: Agent) -> String {
        self.tasks(agent).iter().map(|task| self.log_of(task)).collect()
    }

    /// What a task has written; one that has not begun, nothing.
    #[must_use]
    pub fn log_of(&self, task: &Task) -> String {
        let folder = self.sandbox.options().scratch.join("tasks").join(&task.id);
        std::fs::read_to_string(folder.join("agent.log")).unwrap_or_default()
    }

    fn parameter(&self) -> String {
        stack::parameter(&self.stack)
    }

    async fn get(&self, agent: Agent, path: &str) -> Option<reqwest::Response> {
        let address = self.task(agent)?.address()?;
        let request = self.http.get(format!("http://{address}:{}{path}", agent.port())).timeout(ANSWER_WITHIN);
        request.send().await.ok()
    }
}
