//! An agent that a Console manages: its entries follow its tasks, from its stack's creation to its deletion.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::agents::CLUSTER;
use super::{Play, short};
use crate::console::{Event, Fault, Registered, Status};
use crate::disorder::{EventEffect, EventMatch, EventRule, Plan};
use crate::ecs::Service;
use crate::stage::PATIENCE;

const STACK: &str = "cap";
const SERVICE: &str = "cap";
const TEMPLATE: &str = include_str!("cap.yaml");
/// Ops are not told of trouble that is over sooner (docs/console-registration.md).
const TROUBLE_LASTS: Duration = Duration::from_secs(61);
/// The sweep comes each minute.
const SWEEP: Duration = Duration::from_mins(2);

impl Play<'_> {
    pub(super) async fn registration(&self) -> anyhow::Result<()> {
        let mails = self.mails();
        self.declared().await.context("the stack's creation")?;
        self.redeployed().await.context("the deployment")?;
        self.scaled_out().await.context("scaling out")?;
        self.silent(mails).await?;
        self.crashed().await.context("the crash")?;
        self.scaled_in_unseen().await.context("scaling in without events")?;
        self.console_down().await.context("the Console down")?;
        self.undeclared().await.context("the stack's deletion")
    }

    async fn declared(&self) -> anyhow::Result<()> {
        self.timeline
            .act(&format!("an agent's own stack {STACK} is created; it declares a Custom::ConsoleRegistration"));
        let login = self.console.login();
        let secret = json!({"user": login.user, "password": login.password.reveal()}).to_string();
        let tags = json!([{"Key": "watchkeeper:allow", "Value": STACK}]);
        let secret = json!({"Name": "console-login", "SecretString": secret, "Tags": tags});
        let secret = self.stage.sandbox.aws().json("secretsmanager", "secretsmanager.CreateSecret", &secret).await?;
        let secret = secret["ARN"].as_str().context("the secret has no ARN")?;
        let parameters = [
            ("TemplateBody", TEMPLATE),
            ("Parameters.member.1.ParameterKey", "Console"),
            ("Parameters.member.1.ParameterValue", &self.console.endpoint()),
            ("Parameters.member.2.ParameterKey", "ConsoleLogin"),
            ("Parameters.member.2.ParameterValue", secret),
        ];
        self.cloudformation(STACK, "CreateStack", &parameters).await?;
        let status = self.settled(STACK).await?;
        if status != "CREATE_COMPLETE" {
            anyhow::bail!("the stack is {status}: {}", self.reason(STACK, "CREATE_FAILED").await?);
        }
        self.registered(&["CAP"], "CREATE_COMPLETE").await
    }

    async fn redeployed(&self) -> anyhow::Result<()> {
        self.timeline.act("a new deployment of the agent replaces its task");
        self.update(json!({"forceNewDeployment": true})).await?;
        self.all_steady(1).await?;
        self.registered(&["CAP"], "the entry has followed").await
    }

    async fn scaled_out(&self) -> anyhow::Result<()> {
        let (events, changes) = (self.events(), self.console.history().len());
        self.timeline.act("the agent is scaled out from one task to three");
        self.update(json!({"desiredCount": 3})).await?;
        self.registered(&["CAP-1", "CAP-2", "CAP-3"], "several agents have numbers").await?;
        self.timeline.saw(&format!("from a task's RUNNING event to its entry: {}", self.delays(events, changes)));
        Ok(())
    }

    async fn crashed(&self) -> anyhow::Result<()> {
        let mails = self.mails();
        let before: BTreeMap<_, _> = self.hosts().await.into_iter().collect();
        let task = self.stage.sandbox.ecs().running(CLUSTER, SERVICE).into_iter().next().context("no task runs")?;
        let pid = self.stage.sandbox.ecs().pid(&task.id, "agent").context("the task has no process")?;
        self.timeline.act(&format!("kill -9 {pid}: the agent's process in task {}", short(&task.arn)));
        let begin = Instant::now();
        let killed = Command::new("kill").args(["-9", &pid.to_string()]).status().context("running kill")?;
        ensure!(killed.success(), "kill -9 {pid} failed");
        self.expect(mails, "was killed by signal 9 (SIGKILL)", begin).await?;
        self.registered(&["CAP-1", "CAP-2", "CAP-3"], "the new task has the old one's name").await?;
        let moved = self.hosts().await.into_iter().filter(|(id, host)| before.get(id) != Some(host)).count();
        // None, if the new task was given the old one's address.
        ensure!(moved <= 1, "one entry should have moved, not {moved}");
        self.nothing_but(mails, 1).await
    }

    async fn scaled_in_unseen(&self) -> anyhow::Result<()> {
        let mails = self.mails();
        self.timeline
            .act("the agent is scaled in to two tasks, and no event of its tasks is delivered: only the sweep comes");
        let of_agent = EventMatch {
            detail_type: "ECS Task State Change".into(),
            detail: [("group".to_owned(), format!("service:{SERVICE}").as_str().into())].into(),
            ..EventMatch::default()
        };
        let lost = EventRule::new(of_agent, EventEffect::Drop).named("events of the agent are lost");
        let lost = self.stage.sandbox.disorder().add(Plan { events: vec![lost], ..Plan::default() })?;
        self.update(json!({"desiredCount": 2})).await?;
        self.all_steady(2).await?;
        self.registered(&["CAP-1", "CAP-2"], "the sweep has seen it").await?;
        drop(lost);
        self.silent(mails).await
    }

    async fn console_down(&self) -> anyhow::Result<()> {
        let (mails, begin) = (self.mails(), Instant::now());
        self.timeline.act("the Console goes down, and a deployment replaces both tasks meanwhile");
        self.console.set_fault(Some(Fault::Down));
        self.update(json!({"forceNewDeployment": true})).await?;
        self.all_steady(2).await?;
        self.sweep().await?;
        // Until then it is nobody's business; no event tells that the time is over.
        tokio::time::sleep(TROUBLE_LASTS).await;
        self.sweep().await?;
        let mail = self.expect(mails, "does not answer", begin).await?;
        self.timeline.quote(&mail.text);
        self.timeline.act("the Console is up again");
        self.console.set_fault(None);
        self.listening().await?;
        let begin = Instant::now();
        self.sweep().await?;
        // A sweep that still met it down may be at work; then it is the next one that brings all in step.
        self.registered(&["CAP-1", "CAP-2"], "nothing is lost").await?;
        self.expect(mails, "answers again", begin).await?;
        self.nothing_but(mails, 1).await
    }

    /// Waits until the Console takes connections again.
    async fn listening(&self) -> anyhow::Result<()> {
        let document = format!("{}/api/openapi.yaml", self.console.endpoint());
        let listening = async {
            while reqwest::get(&document).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, listening).await.context("the Console does not come back")
    }

    async fn undeclared(&self) -> anyhow::Result<()> {
        let mails = self.mails();
        self.timeline.act("the stack is deleted");
        self.cloudformation(STACK, "DeleteStack", &[]).await?;
        self.gone(STACK).await?;
        let left = self.console.agents().await;
        ensure!(left.is_empty(), "the Console still has {left:?}");
        self.timeline.saw("the Console is empty again");
        self.silent(mails).await
    }

    /// Waits until the Console has just these agents, each Online at a task of its own.
    async fn registered(&self, ids: &[&str], told: &str) -> anyhow::Result<()> {
        let begin = Instant::now();
        let ecs = self.stage.sandbox.ecs();
        let right = |agents: &[Registered]| {
            let mut hosts: Vec<String> = agents.iter().map(|one| one.agent.host.clone()).collect();
            let tasks = ecs.running(CLUSTER, SERVICE);
            let mut addresses: Vec<String> =
                tasks.iter().filter_map(|task| Some(task.address()?.to_string())).collect();
            hosts.sort();
            addresses.sort();
            agents.iter().all(|one| one.status == Status::Online)
                && agents.iter().map(|one| one.agent.id.as_str()).eq(ids.iter().copied())
                && hosts == addresses
        };
        let agents = self.console.wait_for_agents(SWEEP, right).await?;
        let shown: Vec<_> = agents.iter().map(|one| format!("{} at {}", one.agent.id, one.agent.host)).collect();
        let took = begin.elapsed().as_secs_f64();
        self.timeline.saw(&format!("{told}: the Console has, Online, {} ({took:.2} s)", shown.join(", ")));
        Ok(())
    }

    async fn hosts(&self) -> Vec<(String, String)> {
        self.console.agents().await.into_iter().map(|one| (one.agent.id, one.agent.host)).collect()
    }

    /// For each task that began to run since: how long until the Console had its address.
    fn delays(&self, events: usize, changes: usize) -> String {
        let emitted = self.stage.sandbox.bus().emitted();
        let running = emitted.iter().skip(events).filter(|event| {
            let detail = &event["detail"];
            detail["group"] == format!("service:{SERVICE}") && detail["lastStatus"] == "RUNNING"
        });
        let history = self.console.history();
        let delay = |event: &Value| {
            let interfaces = event["detail"]["attachments"][0]["details"].as_array()?;
            let host = interfaces.iter().find(|one| one["name"] == "privateIPv4Address")?["value"].as_str()?;
            let is_entry = |event| matches!(event, Event::Registered | Event::Changed);
            let entry =
                history.iter().skip(changes).find(|change| is_entry(change.event) && change.agent.host == host)?;
            let began = event["detail"]["startedAt"].as_str()?;
            let format = &time::format_description::well_known::Rfc3339;
            Some(format!("{:.2} s", (entry.at - OffsetDateTime::parse(began, format).ok()?).as_seconds_f64()))
        };
        running.filter_map(delay).collect::<Vec<_>>().join(", ")
    }

    async fn update(&self, mut change: Value) -> anyhow::Result<()> {
        change["cluster"] = json!(CLUSTER);
        change["service"] = json!(SERVICE);
        self.stage.ecs("UpdateService", change).await.map(drop)
    }

    async fn all_steady(&self, count: u32) -> anyhow::Result<()> {
        let ecs = self.stage.sandbox.ecs();
        let steady = |service: &Service| service.is_steady() && service.running == count;
        ecs.wait_for_service(CLUSTER, SERVICE, PATIENCE, steady).await.map(drop)
    }

    /// A sweep beside those that the schedule sends.
    async fn sweep(&self) -> anyhow::Result<()> {
        let queue = self.stage.stack.output("ConsoleRegistrarQueueUrl")?;
        let message = json!({"QueueUrl": queue, "MessageBody": "{\"watchkeeper\":\"sweep\"}"});
        self.stage.sandbox.aws().json("sqs", "AmazonSQS.SendMessage", &message).await?;
        Ok(())
    }
}
