//! The play: what `cargo sandbox` shows. Each act does something to the agents, as a user, a bug or AWS
//! would, and checks what ops get.

mod acts;
mod agents;
mod broken_stack;
mod registration;
mod report;
mod rotation;
mod stacks;

use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::console::Console;
use crate::inbox::Mail;
use crate::stage::{PATIENCE, Stage};
use crate::timeline::Timeline;

/// A play in progress.
pub struct Play<'a> {
    stage: &'a Stage,
    console: &'a Console,
    timeline: &'a Timeline,
}

/// Plays all acts; the first that fails ends the play.
pub async fn play(stage: &Stage, console: &Console, timeline: &Timeline) -> anyhow::Result<()> {
    let play = Play { stage, console, timeline };
    timeline.heading("The play");
    play.healthy_service().await.context("act 1, a healthy service")?;
    let killed = play.kill().await.context("act 2, a crash by kill -9")?;
    play.exit_0().await.context("act 3, an exit with 0")?;
    play.bad_image().await.context("act 4, a bad image")?;
    play.scale_in().await.context("act 5, a scale-in")?;
    play.rolling_deployment().await.context("act 6, a rolling deployment")?;
    play.duplicate_and_reordered(&killed).await.context("act 7, a duplicate and a reordered delivery")?;
    play.broken_stack().await.context("act 8, a stack's update that fails and is rolled back")?;
    play.alarm().await.context("act 9, alarms")?;
    play.poisoned().await.context("act 10, a poisoned message")?;
    play.life().await.context("act 11, an incident's whole life")?;
    play.registration().await.context("act 12, an agent in a Console")?;
    play.rotation().await.context("act 13, a rotation")?;
    play.report()
}

impl Play<'_> {
    /// Waits for the alert with this in its subject, and says how long it took since `begin`.
    async fn expect(&self, from: usize, subject: &str, begin: Instant) -> anyhow::Result<Mail> {
        let mail = self.stage.inbox.wait_for(from, PATIENCE, |mail| mail.subject.contains(subject)).await?;
        let took = mail.at.duration_since(begin).as_secs_f64();
        self.timeline.saw(&format!("ops get, {took:.2} s later: {}", mail.subject));
        Ok(mail)
    }

    /// Waits until the function is done and checks that ops got just these alerts since `from`.
    async fn nothing_but(&self, from: usize, count: usize) -> anyhow::Result<()> {
        self.stage.quiet().await?;
        let subjects = self.troubles(from);
        ensure!(subjects.len() == count, "ops should have got {count} alerts, but got {subjects:?}");
        Ok(())
    }

    /// Checks that ops got no alert since `from`, once the function is done with its queue.
    async fn silent(&self, from: usize) -> anyhow::Result<()> {
        self.nothing_but(from, 0).await
    }

    /// The subjects of what ops got since `from`, but for what is over: that comes with the sweep, in whatever act.
    fn troubles(&self, from: usize) -> Vec<String> {
        let mails = self.stage.inbox.mails().into_iter().skip(from);
        mails.filter(|mail| mail.json["state"] != "resolved").map(|mail| mail.subject).collect()
    }

    /// Lets a minute pass for the functions.
    async fn sweep_alerts(&self) -> anyhow::Result<()> {
        self.stage.send(&json!({"watchkeeper": "sweep"}).to_string()).await
    }

    /// Waits until ops are told that this is over; the sweep finds it out.
    async fn over(&self, from: usize, about: &str, begin: Instant) -> anyhow::Result<Mail> {
        self.sweep_alerts().await?;
        self.expect(from, &format!("RESOLVED {about}"), begin).await
    }

    /// Waits for the STOPPED event of a task.
    async fn stopped(&self, from: usize, task_arn: &str) -> anyhow::Result<Value> {
        let event = self
            .stage
            .sandbox
            .bus()
            .wait_for(from, PATIENCE, |event| event["detail"]["taskArn"] == task_arn && is_stop(event))
            .await?;
        self.timeline.saw(&stop_in_words(&event));
        Ok(event)
    }

    fn mails(&self) -> usize {
        self.stage.inbox.mails().len()
    }

    fn events(&self) -> usize {
        self.stage.sandbox.bus().emitted().len()
    }
}

/// Whether an event says that a task has stopped.
pub fn is_stop(event: &Value) -> bool {
    event["detail-type"] == "ECS Task State Change" && event["detail"]["lastStatus"] == "STOPPED"
}

/// What such an event says.
pub fn stop_in_words(event: &Value) -> String {
    let detail = &event["detail"];
    let text = |name: &str| detail[name].as_str().unwrap_or("-");
    let containers = detail["containers"].as_array().map_or(&[][..], Vec::as_slice);
    let exits = containers.iter().filter_map(|container| {
        let code = container["exitCode"].as_i64()?;
        let name = container["name"].as_str().filter(|_| containers.len() > 1).map(|name| format!(" of {name}"));
        Some(format!(", exit code {code}{}", name.unwrap_or_default()))
    });
    format!(
        "ECS: task {} of {} STOPPED, version {}, {}, \"{}\"{}",
        short(text("taskArn")),
        text("group"),
        detail["version"],
        text("stopCode"),
        text("stoppedReason"),
        exits.collect::<String>()
    )
}

/// The first characters of a task's id.
fn short(task_arn: &str) -> &str {
    let id = task_arn.rsplit('/').next().unwrap_or(task_arn);
    id.get(..8).unwrap_or(id)
}
