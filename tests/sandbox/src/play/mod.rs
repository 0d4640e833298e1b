//! The play: what `cargo sandbox` shows. Each act does something to the agents, as a user, a bug or AWS
//! would, and checks what ops get.

mod acts;
mod agents;
mod report;

use std::time::Instant;

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::inbox::Mail;
use crate::stage::{PATIENCE, Stage};
use crate::timeline::Timeline;

/// A play in progress.
pub struct Play<'a> {
    stage: &'a Stage,
    timeline: &'a Timeline,
}

/// Plays all acts; the first that fails ends the play.
pub async fn play(stage: &Stage, timeline: &Timeline) -> anyhow::Result<()> {
    let play = Play { stage, timeline };
    timeline.heading("The play");
    play.healthy_service().await.context("act 1, a healthy service")?;
    let killed = play.kill().await.context("act 2, a crash by kill -9")?;
    play.exit_0().await.context("act 3, an exit with 0")?;
    play.bad_image().await.context("act 4, a bad image")?;
    play.scale_in().await.context("act 5, a scale-in")?;
    play.rolling_deployment().await.context("act 6, a rolling deployment")?;
    play.duplicate_and_reordered(&killed).await.context("act 7, a duplicate and a reordered delivery")?;
    play.deployment_and_alarm().await.context("act 8, a failed deployment, a rollback and an alarm")?;
    play.poisoned().await.context("act 9, a poisoned message")?;
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
        let subjects: Vec<_> = self.stage.inbox.mails().into_iter().skip(from).map(|mail| mail.subject).collect();
        ensure!(subjects.len() == count, "ops should have got {count} alerts, but got {subjects:?}");
        Ok(())
    }

    /// Waits for the STOPPED event of a task.
    async fn stopped(&self, from: usize, task_arn: &str) -> anyhow::Result<Value> {
        let event = self
            .stage
            .sandbox
            .bus()
            .wait_for(from, PATIENCE, |event| {
                event["detail"]["taskArn"] == task_arn && event["detail"]["lastStatus"] == "STOPPED"
            })
            .await?;
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let exit = event["detail"]["containers"][0]["exitCode"].as_i64();
        self.timeline.saw(&format!(
            "ECS: task {} STOPPED, version {}, {}, \"{}\"{}",
            short(task_arn),
            event["detail"]["version"],
            text(&event["detail"]["stopCode"]),
            text(&event["detail"]["stoppedReason"]),
            exit.map(|code| format!(", exit code {code}")).unwrap_or_default()
        ));
        Ok(event)
    }

    fn mails(&self) -> usize {
        self.stage.inbox.mails().len()
    }

    fn events(&self) -> usize {
        self.stage.sandbox.bus().emitted().len()
    }
}

/// The first characters of a task's id.
fn short(task_arn: &str) -> &str {
    let id = task_arn.rsplit('/').next().unwrap_or(task_arn);
    id.get(..8).unwrap_or(id)
}
