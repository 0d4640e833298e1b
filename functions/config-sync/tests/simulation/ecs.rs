//! Services that deploy: each new task reads the target when it is made.

use std::collections::BTreeSet;

use config_sync::service::{Asks, Controller, Deployment, DeploymentId, Progress, Service, Task, TaskId};
use time::OffsetDateTime;

use crate::world::{TARGET, at, target};

#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) id: u32,
    pub(crate) deployment: u32,
    pub(crate) made_at: i64,
    pub(crate) is_steady: bool,
    /// The target's version that it read.
    pub(crate) read: String,
}

#[derive(Clone, Debug)]
pub(crate) struct Rollout {
    pub(crate) id: u32,
    pub(crate) made_at: i64,
    pub(crate) progress: Progress,
    /// For which version we asked for it.
    pub(crate) asked_for: Option<String>,
    /// The one that failed before it was gone back to.
    pub(crate) back_after: Option<u32>,
}

/// A service.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) desired: usize,
    /// The wanted one first.
    pub(crate) rollouts: Vec<Rollout>,
    pub(crate) tasks: Vec<Running>,
    pub(crate) is_broken: bool,
    /// The target's versions that we deployed it for.
    pub(crate) asked_for: BTreeSet<String>,
    /// Whether a deployment that fails is rolled back.
    rolls_back: bool,
    numbers: u32,
}

impl Agent {
    pub(crate) fn new(desired: usize, rolls_back: bool) -> Self {
        let rollout = Rollout { id: 0, made_at: 0, progress: Progress::Completed, asked_for: None, back_after: None };
        let task = |id| Running { id, deployment: 0, made_at: 0, is_steady: true, read: "0".to_owned() };
        let tasks = (0..desired).map(|id| task(u32::try_from(id).unwrap())).collect();
        Self {
            desired,
            rollouts: vec![rollout],
            tasks,
            is_broken: false,
            asked_for: BTreeSet::new(),
            rolls_back,
            numbers: 10,
        }
    }

    pub(crate) fn deploy(&mut self, now: i64, asked_for: Option<String>) -> Rollout {
        self.numbers += 1;
        let rollout =
            Rollout { id: self.numbers, made_at: now, progress: Progress::InProgress, asked_for, back_after: None };
        // What was on its way is given up for it.
        for old in &mut self.rollouts {
            if old.progress == Progress::InProgress {
                old.progress = Progress::Failed;
            }
        }
        self.rollouts.insert(0, rollout.clone());
        rollout
    }

    pub(crate) fn is_in_flight(&self) -> bool {
        self.rollouts.iter().any(|rollout| rollout.progress == Progress::InProgress)
    }

    /// One step of ECS; says whether there was one.
    pub(crate) fn moves(&mut self, now: i64, current: &str) -> bool {
        if let Some(task) = self.tasks.iter_mut().find(|task| !task.is_steady) {
            if self.is_broken && self.rollouts[0].progress == Progress::InProgress {
                let failed = task.deployment;
                self.tasks.retain(|task| task.deployment != failed);
                self.rollouts[0].progress = Progress::Failed;
                if self.rolls_back && self.rollouts.len() > 1 {
                    let failed = self.rollouts.remove(0).id;
                    self.rollouts[0].back_after = Some(failed);
                }
            } else {
                task.is_steady = true;
            }
            return true;
        }
        let primary = self.rollouts[0].clone();
        let of_primary = self.tasks.iter().filter(|task| task.deployment == primary.id).count();
        let launches = match primary.progress {
            Progress::InProgress => of_primary < self.desired,
            Progress::Completed => self.tasks.len() < self.desired,
            Progress::Failed => false,
        };
        if launches {
            self.numbers += 1;
            let (id, deployment) = (self.numbers, primary.id);
            self.tasks.push(Running { id, deployment, made_at: now, is_steady: false, read: current.to_owned() });
            return true;
        }
        if primary.progress == Progress::Failed {
            return false;
        }
        if let Some(old) = self.tasks.iter().position(|task| task.deployment != primary.id)
            && primary.progress == Progress::InProgress
        {
            self.tasks.remove(old);
            return true;
        }
        let was = self.rollouts.clone();
        self.rollouts.truncate(1);
        self.rollouts[0].progress = Progress::Completed;
        was.len() > 1 || was[0].progress != Progress::Completed
    }

    pub(crate) fn seen(&self, ignores_flight: bool) -> Service {
        let id = |number: u32| DeploymentId(format!("ecs-svc/{number}"));
        let deployment = |rollout: &Rollout| Deployment {
            id: id(rollout.id),
            made_at: at(rollout.made_at),
            progress: if ignores_flight { Progress::Completed } else { rollout.progress },
            evidence: None,
            back_after: rollout.back_after.map(id),
        };
        let task = |task: &Running| Task {
            id: TaskId(task.id.to_string()),
            made_at: moment(task),
            deployment: id(task.deployment),
            is_steady: task.is_steady,
        };
        Service {
            reads: [(target(TARGET), Asks::Current)].into(),
            controller: Controller::Ecs,
            desired: self.desired,
            deployments: self.rollouts.iter().map(deployment).collect(),
            tasks: self.tasks.iter().map(task).collect(),
            mutable_images: Vec::new(),
            allow: Some("*".to_owned()),
        }
    }
}

fn moment(task: &Running) -> OffsetDateTime {
    at(task.made_at)
}
