//! A container's health check, run for real (API reference of `HealthCheck`; Dockerfile reference, HEALTHCHECK).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::definition::HealthCheck;
use super::engine::Engine;
use super::scheduler;
use super::task::{Health, Status};
use crate::child::{Child, Launch};

/// A health check and what it judges.
pub(crate) struct Check {
    pub(crate) engine: Arc<Engine>,
    pub(crate) task: String,
    pub(crate) container: String,
    pub(crate) how: HealthCheck,
    /// How its command is started.
    pub(crate) launch: Launch,
    /// Where the command's output goes.
    pub(crate) log: PathBuf,
}

impl Check {
    /// Checks again and again, until it is dropped.
    pub(crate) async fn run(self) {
        let second = self.engine.pace.health_second;
        let (began, grace) = (Instant::now(), second * self.how.start_period);
        let (mut failures, mut passed_before) = (0, false);
        loop {
            tokio::time::sleep(second * self.how.interval).await;
            if self.passes().await {
                (failures, passed_before) = (0, true);
                self.judge(Health::Healthy);
            } else if passed_before || began.elapsed() >= grace {
                failures += 1;
                if failures >= self.how.retries {
                    self.judge(Health::Unhealthy);
                }
            }
        }
    }

    async fn passes(&self) -> bool {
        // A check that cannot even be started has failed.
        let Ok(process) = Child::start(self.launch.with_output(&self.log)).await else { return false };
        let process = KilledOnDrop(process);
        tokio::time::timeout(self.how.timeout, process.0.wait()).await == Ok(0)
    }

    /// That a task turns healthy is told by no event, so its version does not rise.
    fn judge(&self, health: Health) {
        let mut world = self.engine.world();
        let before = world.task(&self.task).and_then(super::Task::health);
        let mut changed = false;
        world.quietly(&self.task, |task| {
            if let Some(container) = task.container_mut(&self.container) {
                changed = container.health.replace(health) != Some(health);
            }
        });
        let Some(task) = world.task(&self.task).filter(|_| changed) else { return };
        // A container's health may be what another one waits for, whatever it makes of the task's.
        let turned = task.health() != before;
        if turned && task.health() == Some(Health::Healthy) && task.status == Status::Running {
            scheduler::task_is_healthy(&mut world, &self.task);
        }
        world.tell();
        drop(world);
        self.engine.wake();
    }
}

/// A check that nobody waits for any more is not left running.
struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// The words to run for a check's command. On ECS `localhost` in it is the task itself; here a task has an address of its own.
pub(crate) fn words(check: &HealthCheck, address: &str) -> Vec<String> {
    let own = |word: &String| word.replace("localhost", address).replace("127.0.0.1", address);
    let rest = check.command.iter().skip(1).map(own);
    if check.command.first().is_some_and(|kind| kind == "CMD-SHELL") {
        return ["/bin/sh".to_owned(), "-c".to_owned()].into_iter().chain(rest).collect();
    }
    rest.collect()
}
