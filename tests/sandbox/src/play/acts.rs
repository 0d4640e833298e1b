//! The acts, in order.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::agents::{BAD_IMAGE, CLUSTER, IMAGE, SERVICE};
use super::{Play, short};
use crate::ecs::{Status, Task};
use crate::stage::PATIENCE;

impl Play<'_> {
    pub(super) async fn healthy_service(&self) -> anyhow::Result<()> {
        let (begin, mails) = (Instant::now(), self.mails());
        self.timeline.act(&format!("a service {CLUSTER}/{SERVICE} with two tasks is created"));
        self.stage.ecs("CreateCluster", json!({"clusterName": CLUSTER})).await?;
        self.prepare_logs().await?;
        let revision = self.register("agent", IMAGE).await?;
        self.create_service(SERVICE, &revision, 2).await?;
        for task in self.steady(2).await? {
            let address = task.address().context("a running task has no address")?;
            let health = reqwest::get(format!("http://{address}:8080/health")).await.context("asking for health")?;
            let status = health.status();
            self.timeline.saw(&format!("task {} runs at {address}, /health says {status}", short(&task.arn)));
        }
        self.remembered(SERVICE, &revision).await?;
        self.silent(mails).await?;
        let took = begin.elapsed().as_secs_f64();
        self.timeline
            .saw(&format!("steady after {took:.2} s; its revision is remembered, and nobody was told anything"));
        Ok(())
    }

    /// Returns the STOPPED event of the killed task.
    pub(super) async fn kill(&self) -> anyhow::Result<Value> {
        let (mails, events, calls) = (self.mails(), self.events(), self.stage.sandbox.door().call_count());
        let task = self.any_task()?;
        let pid = self.stage.sandbox.ecs().pid(&task.id, "agent").context("the task has no process")?;
        self.timeline.act(&format!("kill -9 {pid}: the agent's process in task {}", short(&task.arn)));
        let begin = Instant::now();
        let killed = Command::new("kill").args(["-9", &pid.to_string()]).status().context("running kill")?;
        ensure!(killed.success(), "kill -9 {pid} failed");
        let event = self.stopped(events, &task.arn).await?;
        let mail = self.expect(mails, "was killed by signal 9 (SIGKILL)", begin).await?;
        ensure!(!mail.subject.contains("memory"), "exit code 137 alone was called out of memory");
        self.timeline.quote(&mail.text);
        self.steady(2).await?;
        self.timeline.saw("ECS replaced the task; the service is steady again");
        self.nothing_but(mails, 1).await?;
        let made = self.stage.function_calls(calls);
        self.timeline.saw(&format!("the function's calls: {made:?}"));
        Ok(event)
    }

    pub(super) async fn exit_0(&self) -> anyhow::Result<()> {
        let (mails, events) = (self.mails(), self.events());
        let task = self.any_task()?;
        self.timeline.act(&format!("the agent in task {} ends by itself with exit code 0", short(&task.arn)));
        let begin = Instant::now();
        self.ask_to_exit(&task, 0).await?;
        self.stopped(events, &task.arn).await?;
        self.expect(mails, "ended by itself with exit code 0", begin).await?;
        self.steady(2).await?;
        self.nothing_but(mails, 1).await
    }

    pub(super) async fn bad_image(&self) -> anyhow::Result<()> {
        let (mails, begin) = (self.mails(), Instant::now());
        self.timeline.act(&format!("a second service is created with the image {BAD_IMAGE}, which is not there"));
        let revision = self.register("gateway", BAD_IMAGE).await?;
        self.create_service("gateway", &revision, 1).await?;
        let mail = self.expect(mails, "its image was not found", begin).await?;
        ensure!(mail.text.contains("CannotPullContainerError"), "the alert does not give ECS's reason:\n{}", mail.text);
        self.stage.ecs("DeleteService", json!({"cluster": CLUSTER, "service": "gateway", "force": true})).await?;
        // A task that was on its way when the service went may fail yet.
        let over = |task: &Task| task.group != "service:gateway" || task.status == Status::Stopped;
        self.stage.sandbox.ecs().wait_for_tasks(PATIENCE, |tasks| tasks.iter().all(over)).await?;
        self.timeline.saw("the service is deleted again");
        self.stage.quiet().await?;
        self.over(mails, "gateway", begin).await.map(drop)
    }

    pub(super) async fn scale_in(&self) -> anyhow::Result<()> {
        let (mails, events) = (self.mails(), self.events());
        self.timeline.act("the service is scaled in from two tasks to one");
        let tasks = self.stage.sandbox.ecs().running(CLUSTER, SERVICE);
        self.stage.ecs("UpdateService", json!({"cluster": CLUSTER, "service": SERVICE, "desiredCount": 1})).await?;
        let left = self.steady(1).await?;
        let gone = tasks.iter().find(|task| left.iter().all(|left| left.arn != task.arn)).context("no task is gone")?;
        self.stopped(events, &gone.arn).await?;
        self.silent(mails).await?;
        self.timeline.saw("a planned stop: nobody was told anything");
        Ok(())
    }

    pub(super) async fn rolling_deployment(&self) -> anyhow::Result<()> {
        let (mails, events) = (self.mails(), self.events());
        let old = self.any_task()?;
        let revision = self.register("agent", IMAGE).await?;
        let (_, number) = revision.rsplit_once(':').context("a revision has no number")?;
        self.timeline.act(&format!("revision {number} of the agent is deployed"));
        let update = json!({"cluster": CLUSTER, "service": SERVICE, "taskDefinition": revision});
        self.stage.ecs("UpdateService", update).await?;
        let completed = |event: &Value| event["detail"]["eventName"] == "SERVICE_DEPLOYMENT_COMPLETED";
        self.stage.sandbox.bus().wait_for(events, PATIENCE, completed).await?;
        self.stopped(events, &old.arn).await?;
        self.steady(1).await?;
        self.remembered(SERVICE, &revision).await?;
        self.silent(mails).await?;
        self.timeline.saw("deployed, the new revision is remembered as steady, and nobody was told anything");
        Ok(())
    }

    pub(super) async fn duplicate_and_reordered(&self, killed: &Value) -> anyhow::Result<()> {
        let (mails, calls) = (self.mails(), self.stage.sandbox.door().call_count());
        self.timeline.act("the event of the killed task is delivered once more");
        let took = self.stage.sandbox.bus().deliver(killed).await?;
        let alerts = took.iter().filter(|queue| queue.contains("CrashAlertsQueue")).count();
        ensure!(alerts == 1, "the queue of crash-alerts should have taken the duplicate once, but {took:?} took it");
        self.silent(mails).await?;
        let made = self.stage.function_calls(calls);
        self.timeline.saw(&format!("silent; the function's calls: {made:?}"));
        ensure!(!made.contains_key("sns:Publish"), "the duplicate was published");

        self.timeline.act("an older event of the same stop arrives late, under another id");
        let mut older = killed.clone();
        older["id"] = json!("00000000-0000-4000-8000-000000000001");
        let version = older["detail"]["version"].as_i64().context("the event has no version")?;
        older["detail"]["version"] = json!(version - 1);
        self.stage.sandbox.bus().deliver(&older).await?;
        self.silent(mails).await?;
        self.timeline.saw("silent: a task stops once");
        Ok(())
    }

    pub(super) async fn alarm(&self) -> anyhow::Result<()> {
        let bus = self.stage.sandbox.bus();
        let (mails, begin) = (self.mails(), Instant::now());
        self.timeline.act("events by hand: a chosen alarm goes off and ends, others too");
        let alarm = |name: &str, state: &str, previous: &str| {
            let arn = format!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}");
            let detail = json!({
                "alarmName": name, "previousState": {"value": previous},
                "state": {"value": state, "reason": "Threshold Crossed", "timestamp": "2026-11-20T10:21:10.125+0000"}
            });
            bus.event("aws.cloudwatch", "CloudWatch Alarm State Change", &[&arn], &detail)
        };
        bus.deliver(&alarm("demo-unhealthy-hosts", "ALARM", "OK")).await?;
        self.expect(mails, "ALARM demo-unhealthy-hosts", begin).await?;
        bus.deliver(&alarm("demo-unhealthy-hosts", "OK", "ALARM")).await?;
        self.expect(mails, "RESOLVED demo-unhealthy-hosts", begin).await?;
        bus.deliver(&alarm("TargetTracking-service/demo/agent-AlarmHigh", "ALARM", "OK")).await?;
        bus.deliver(&alarm("watchkeeper-watchkeeper-crash-alerts-errors", "ALARM", "OK")).await?;
        self.nothing_but(mails, 1).await?;
        self.timeline.saw("alarms of target tracking and our own stay silent");
        Ok(())
    }

    pub(super) async fn poisoned(&self) -> anyhow::Result<()> {
        // What is still open is told no second time: the exit of act 3 must be over before there is another.
        self.all_over().await?;
        let (mails, begin) = (self.mails(), Instant::now());
        self.timeline.act("a message that is no event lies in the queue, and a crash behind it");
        self.stage.send("{\"id\": \"not an event\"").await?;
        let task = self.any_task()?;
        self.ask_to_exit(&task, 3).await?;
        self.expect(mails, "exited with code 3", begin).await?;
        let dead = self.stage.receive(self.stage.stack.output("CrashAlertsDeadLetterQueueUrl")?).await?;
        let reason = dead["MessageAttributes"]["Reason"]["StringValue"].as_str().unwrap_or_default();
        ensure!(reason.contains("not JSON"), "the dead letter has no reason: {dead}");
        self.timeline.saw(&format!("the message is in the dead-letter queue: {reason}"));
        self.nothing_but(mails, 1).await
    }

    /// Waits until crash-alerts remembers that a service was steady on this revision.
    async fn remembered(&self, service: &str, revision: &str) -> anyhow::Result<()> {
        let service = format!("service#arn:aws:ecs:eu-west-1:123456789012:service/{CLUSTER}/{service}");
        let steady = |item: &Value| item["revision"]["S"].as_str() == Some(revision);
        self.stage.wait_for_item(&service, "steady-revision", steady).await.map(drop)
    }

    /// Waits until no incident lives.
    async fn all_over(&self) -> anyhow::Result<()> {
        let table = self.stage.stack.output("TableName")?;
        let query = json!({
            "TableName": table, "KeyConditionExpression": "pk = :pk", "ConsistentRead": true,
            "ExpressionAttributeValues": {":pk": {"S": "incidents"}}
        });
        let over = async {
            loop {
                self.sweep_alerts().await?;
                self.stage.quiet().await?;
                let live = self.stage.sandbox.looks().json("dynamodb", "DynamoDB_20120810.Query", &query).await?;
                if live["Count"] == 0 {
                    return anyhow::Ok(());
                }
            }
        };
        tokio::time::timeout(PATIENCE, over).await.context("some incident is never over")?
    }

    pub(super) async fn life(&self) -> anyhow::Result<()> {
        // One that has not crashed yet: what crashes again within hours is the same incident still.
        let revision = self.register("agent", IMAGE).await?;
        self.create_service("worker", &revision, 1).await?;
        self.steady_of("worker", 1).await?;
        self.remembered("worker", &revision).await?;
        let (mails, begin) = (self.mails(), Instant::now());
        self.timeline.act("another agent crashes, and so do the two tasks that take its place");
        let mut opened = None;
        for crash in 1..=3 {
            let (task, events) = (self.steady_of("worker", 1).await?.remove(0), self.events());
            self.ask_to_exit(&task, 7).await?;
            self.stopped(events, &task.arn).await?;
            if crash == 1 {
                opened = Some(self.expect(mails, "CRASH worker: container \"agent\" exited with code 7", begin).await?);
            }
        }
        let opened = opened.context("no first message")?;
        self.timeline.quote(&opened.text);
        let more = self.expect(mails + 1, "CRASH worker x3", begin).await?;
        self.timeline.quote(&more.text);
        self.steady_of("worker", 1).await?;
        let over = self.over(mails, "worker", begin).await?;
        self.timeline.quote(&over.text);
        let told: Vec<_> = [&opened, &more, &over].map(|mail| mail.json["incident"].clone()).into();
        ensure!(told.iter().all(|id| *id == told[0]), "these should be one incident: {told:?}");
        let evidence = format!("incident#{}", told[0].as_str().unwrap_or_default());
        self.stage.wait_for_item(&evidence, "evidence", |_| true).await?;
        self.timeline.saw("one incident, three crashes, three messages; its evidence is kept for 30 days");
        self.stage.ecs("DeleteService", json!({"cluster": CLUSTER, "service": "worker", "force": true})).await?;
        Ok(())
    }
}
