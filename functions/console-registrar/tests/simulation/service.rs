//! A service of ECS with its tasks, moving as ECS moves them.

use std::collections::BTreeMap;

use console_registrar::slot::TaskId;
use console_registrar::truth::{Life, Service, Task, Truth};

/// What a task of the simulation is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Pending,
    Running,
    Healthy,
    Leaving,
    Ended,
}

#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) phase: Phase,
    pub(crate) deployment: u32,
    pub(crate) host: String,
}

impl Running {
    pub(crate) fn is_steady(&self) -> bool {
        self.phase == Phase::Healthy
    }

    fn is_wanted(&self) -> bool {
        matches!(self.phase, Phase::Pending | Phase::Running | Phase::Healthy)
    }
}

/// What becomes of a task.
#[derive(Clone, Copy, Debug)]
enum Move {
    Launch,
    Becomes(u32, Phase),
}

#[derive(Debug, Default)]
pub(crate) struct Ecs {
    pub(crate) desired: u32,
    pub(crate) deployment: u32,
    pub(crate) tasks: BTreeMap<u32, Running>,
    pub(crate) next: u32,
}

impl Ecs {
    /// One thing that ECS does next; says whether there was one.
    pub(crate) fn moves(&mut self, number: u8) -> bool {
        let mut moves: Vec<Move> = Vec::new();
        let wanted = |task: &Running| task.is_wanted();
        let of_newest = |task: &Running, deployment| wanted(task) && task.deployment == deployment;
        let newest = self.tasks.values().filter(|task| of_newest(task, self.deployment)).count();
        if newest < self.desired as usize {
            moves.push(Move::Launch);
        }
        for (&id, task) in &self.tasks {
            let next = match task.phase {
                Phase::Pending => Phase::Running,
                Phase::Running => Phase::Healthy,
                Phase::Leaving => Phase::Ended,
                Phase::Healthy | Phase::Ended => continue,
            };
            moves.push(Move::Becomes(id, next));
        }
        // What is too much goes: first of an older deployment, once there are enough healthy ones without it.
        let wanted_now = self.tasks.values().filter(|task| wanted(task)).count();
        for (&id, task) in self.tasks.iter().filter(|(_, task)| wanted(task)) {
            let others = self.tasks.iter().filter(|(other, task)| **other != id && task.is_steady()).count();
            let is_old = task.deployment != self.deployment;
            let old_ones = self.tasks.values().any(|task| wanted(task) && task.deployment != self.deployment);
            if wanted_now > self.desired as usize && (is_old || !old_ones) && others >= self.desired as usize {
                moves.push(Move::Becomes(id, Phase::Leaving));
            }
        }
        if moves.is_empty() {
            return false;
        }
        match moves[usize::from(number) % moves.len()] {
            Move::Launch => self.launch(),
            Move::Becomes(id, phase) => self.set(id, phase),
        }
        true
    }

    fn launch(&mut self) {
        self.next += 1;
        let host = format!("10.0.{}.{}", self.next / 250, self.next % 250 + 1);
        self.tasks.insert(self.next, Running { phase: Phase::Pending, deployment: self.deployment, host });
    }

    pub(crate) fn set(&mut self, id: u32, phase: Phase) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.phase = phase;
        }
    }

    pub(crate) fn pick(&self, number: u8, is: impl Fn(&Running) -> bool) -> Option<u32> {
        let found: Vec<u32> = self.tasks.iter().filter(|(_, task)| is(task)).map(|(id, _)| *id).collect();
        (!found.is_empty()).then(|| found[usize::from(number) % found.len()])
    }

    /// As ECS tells it.
    pub(crate) fn truth(&self, holders: &[TaskId]) -> Truth {
        let mut tasks = BTreeMap::new();
        for (id, task) in &self.tasks {
            let id = name(*id);
            let life = match task.phase {
                Phase::Pending | Phase::Running => Life::Unready,
                Phase::Healthy => Life::Steady,
                Phase::Leaving => Life::Leaving,
                Phase::Ended => Life::Ended,
            };
            if !task.is_wanted() && !holders.contains(&id) {
                continue;
            }
            let host = (task.phase != Phase::Pending).then(|| task.host.clone());
            let deployment = Some(format!("ecs-svc/{}", task.deployment));
            tasks.insert(id, Task { life, host, deployment, started_at: None });
        }
        let primary = Some(format!("ecs-svc/{}", self.deployment));
        Truth { service: Service::Active { desired: self.desired, primary }, tasks }
    }
}

pub(crate) fn name(id: u32) -> TaskId {
    TaskId(format!("arn:aws:ecs:eu-west-1:123456789012:task/demo/{id:04}"))
}
