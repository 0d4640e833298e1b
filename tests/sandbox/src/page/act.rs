//! What a person can do from the page.

use std::net::Ipv4Addr;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::{Value, json};

use super::World;
use crate::console::Fault;
use crate::ecs::Task;

/// The port on which the sandbox's own agents answer unless told otherwise.
const SAMPLE_AGENT: u16 = 8080;

#[derive(Debug, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Act {
    /// `kill -9` of a task's first essential container that runs.
    Crash {
        task: String,
    },
    /// The agent of a task ends by itself.
    Exit {
        task: String,
        code: u8,
    },
    Scale {
        cluster: String,
        service: String,
        count: u32,
    },
    /// A forced deployment.
    Deploy {
        cluster: String,
        service: String,
    },
    /// Breaks the Console, or mends it.
    Console {
        fault: Option<Fault>,
    },
    /// The Console loses an agent.
    Forget {
        id: String,
    },
}

impl World {
    /// Does it, and says what was done.
    pub(super) async fn act(&self, act: Act) -> anyhow::Result<String> {
        match act {
            Act::Crash { task } => self.crash(&task),
            Act::Exit { task, code } => self.exit(&task, code).await,
            Act::Scale { cluster, service, count } => {
                self.update(json!({ "cluster": cluster, "service": service, "desiredCount": count })).await?;
                Ok(format!("service {cluster}/{service} is to have {count} tasks"))
            }
            Act::Deploy { cluster, service } => {
                self.update(json!({ "cluster": cluster, "service": service, "forceNewDeployment": true })).await?;
                Ok(format!("a new deployment of {cluster}/{service} is forced"))
            }
            Act::Console { fault } => {
                let console = self.console.as_ref().context("there is no Console")?;
                let done = match &fault {
                    None => "the Console is mended".to_owned(),
                    Some(fault) => format!("the Console is broken: {}", in_words(fault)),
                };
                console.set_fault(fault);
                Ok(done)
            }
            Act::Forget { id } => {
                let console = self.console.as_ref().context("there is no Console")?;
                if !console.forget(&id) {
                    bail!("the Console has no agent {id}");
                }
                Ok(format!("the Console has lost the agent {id}"))
            }
        }
    }

    fn crash(&self, id: &str) -> anyhow::Result<String> {
        let task = self.task(id)?;
        let mut containers = task.containers.iter().filter(|container| container.essential);
        let running = containers.find_map(|container| Some((container.name.as_str(), container.pid?)));
        let (name, pid) = running.context("no essential container of the task runs")?;
        let process = i32::try_from(pid).ok().and_then(Pid::from_raw).context("the container has no process")?;
        kill_process(process, Signal::KILL).with_context(|| format!("killing process {pid}"))?;
        Ok(format!("kill -9 of container {name} in task {}", short(id)))
    }

    async fn exit(&self, id: &str, code: u8) -> anyhow::Result<String> {
        let task = self.task(id)?;
        let address = task.address().filter(|_| task.is_running()).context("the task does not run")?;
        let port = self.registered_port(address).await.unwrap_or(SAMPLE_AGENT);
        let request = reqwest::Client::new().post(format!("http://{address}:{port}/exit?code={code}"));
        match request.send().await {
            // It is gone before it can answer.
            Err(error) if !error.is_connect() => {
                Ok(format!("the agent of task {} was asked to exit with {code}", short(id)))
            }
            Err(error) => Err(error).context("the agent cannot be reached"),
            Ok(answer) => bail!("the agent does not end: it says {}", answer.status()),
        }
    }

    fn task(&self, id: &str) -> anyhow::Result<Task> {
        self.ecs.task(id).with_context(|| format!("ECS knows no task {id}"))
    }

    async fn registered_port(&self, address: Ipv4Addr) -> Option<u16> {
        let agents = self.console.as_ref()?.agents().await;
        agents.iter().find(|one| one.agent.host == address.to_string()).map(|one| one.agent.port)
    }

    async fn update(&self, request: Value) -> anyhow::Result<()> {
        let target = "AmazonEC2ContainerServiceV20141113.UpdateService";
        self.aws.json("ecs", target, &request).await.map(drop).context("ECS refuses")
    }
}

/// As the page shows a task's id.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

fn in_words(fault: &Fault) -> String {
    match fault {
        Fault::Down => "it refuses connections".to_owned(),
        Fault::Unavailable => "it answers 503".to_owned(),
        Fault::Slow { by } => format!("each answer takes {} s", by.as_secs_f64()),
        Fault::Says { text } => format!("it answers 200 and says: {text}"),
        Fault::WrongPassword => "no password is right any more".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_are_read_as_the_page_writes_them() {
        for text in [
            r#"{"act":"crash","task":"a"}"#,
            r#"{"act":"exit","task":"a","code":0}"#,
            r#"{"act":"scale","cluster":"c","service":"s","count":3}"#,
            r#"{"act":"deploy","cluster":"c","service":"s"}"#,
            r#"{"act":"console","fault":null}"#,
            r#"{"act":"console","fault":{"fault":"slow","milliseconds":2000}}"#,
            r#"{"act":"forget","id":"$x"}"#,
        ] {
            serde_json::from_str::<Act>(text).unwrap();
        }
        for text in
            [r#"{"act":"exit","task":"a","code":256}"#, r#"{"act":"scale","cluster":"c","service":"s","count":-1}"#]
        {
            serde_json::from_str::<Act>(text).unwrap_err();
        }
    }
}
