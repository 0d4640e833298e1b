//! `cargo sandbox disorder`: reaches into a sandbox that runs already.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::de::DeserializeOwned;

use super::control::{PATH, Shown};
use super::{Plan, Report};

/// What holds the port of a sandbox that was killed may be a program that never answers.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What to do with the disorder of a running sandbox.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Put a plan in force, instead of the one set before
    Set {
        /// The plan, such as tests/sandbox/disorder/bad-day.toml
        file: PathBuf,
    },
    /// Show the plans in force and what they have done
    Show,
    /// End the plan that was set, and show what it has done
    Clear,
}

impl Command {
    /// Does it at `endpoint`, or else at the one sandbox of this workspace that runs; returns what is to be said.
    pub async fn run(&self, endpoint: Option<&str>) -> anyhow::Result<String> {
        match self {
            Self::Set { file } => {
                // A plan that is wrong is wrong whether or not a sandbox runs.
                let plan = read(file)?;
                let endpoint = find(endpoint).await?;
                let () = ask(reqwest::Client::new().put(format!("{endpoint}{PATH}")).json(&plan)).await?;
                let (events, calls) = (plan.events.len(), plan.calls.len());
                let name = file.display();
                Ok(format!("{name} is in force at {endpoint}: rules for events: {events}, for calls: {calls}\n"))
            }
            Self::Show => {
                let endpoint = find(endpoint).await?;
                let shown: Vec<Shown> = ask(reqwest::Client::new().get(format!("{endpoint}{PATH}"))).await?;
                let mut text = format!("plans in force at {endpoint}: {}\n", shown.len());
                for Shown { plan, report } in &shown {
                    let plan = toml::to_string(plan).context("writing the plan")?;
                    text.extend(["\n", &plan, "\nwhat it has done:\n", &format!("{report:#}")]);
                }
                Ok(text)
            }
            Self::Clear => {
                let endpoint = find(endpoint).await?;
                let report: Option<Report> = ask(reqwest::Client::new().delete(format!("{endpoint}{PATH}"))).await?;
                Ok(match report {
                    Some(report) => format!("cleared at {endpoint}; what it has done:\n{report:#}"),
                    None => format!("no plan was set at {endpoint}\n"),
                })
            }
        }
    }
}

/// Reads a plan; the error names the file.
pub fn read(file: &Path) -> anyhow::Result<Plan> {
    Plan::read(file).with_context(|| format!("the plan {}", file.display()))
}

/// The endpoint to talk to: the one that was given, or that of the one sandbox of this workspace that answers.
async fn find(given: Option<&str>) -> anyhow::Result<String> {
    if let Some(given) = given {
        let given = given.trim_end_matches('/');
        return Ok(if given.contains("://") { given.to_owned() } else { format!("http://{given}") });
    }
    let mut running = Vec::new();
    for port in crate::leftovers::ports(&crate::options::sandbox_folder()) {
        let endpoint = format!("http://127.0.0.1:{port}");
        // What a killed sandbox left may name a port that is another program's by now.
        if ask::<Vec<Shown>>(reqwest::Client::new().get(format!("{endpoint}{PATH}"))).await.is_ok() {
            running.push(endpoint);
        }
    }
    match running.as_slice() {
        [one] => Ok(one.clone()),
        [] => bail!("no sandbox of this workspace runs: start one with `cargo sandbox`, or name one with --endpoint"),
        several => bail!("several sandboxes run; choose one with --endpoint: {}", several.join(", ")),
    }
}

async fn ask<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> anyhow::Result<T> {
    let answer = request.timeout(ANSWER_WITHIN).send().await.context("no sandbox answers there")?;
    let (status, url) = (answer.status(), answer.url().clone());
    let text = answer.text().await.with_context(|| format!("reading the answer of {url}"))?;
    ensure!(status.is_success(), "{url} refused: {}", serde_json::from_str::<String>(&text).unwrap_or(text));
    serde_json::from_str(&text).with_context(|| format!("{url} is no sandbox: it answered {text:?}"))
}
