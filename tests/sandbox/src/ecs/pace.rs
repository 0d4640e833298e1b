//! How quickly the sandbox's ECS goes about things: what takes ECS seconds or minutes takes it milliseconds.

use std::time::Duration;

/// The delays. They are the behaviour itself, only shorter.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two states of a task.
    pub state: Duration,
    /// How long a task must have been RUNNING before it counts as healthy. On ECS 40 seconds for a task without health checks
    /// ("minimumHealthyPercent" in the API reference of `DeploymentConfiguration`).
    pub healthy_after: Duration,
    /// What a second of a container health check's interval and start period lasts. Its time-out is not shortened: a machine
    /// that is busy is not an agent that is ill.
    pub health_second: Duration,
    /// Between the end of a task that ran and the start of its replacement. On ECS some seconds.
    pub replacement: Duration,
    /// The delay after the second failed start in a row; it doubles from there.
    pub first_throttle: Duration,
    /// What it does not grow beyond. On ECS 27 minutes ("Amazon ECS service throttle logic").
    pub longest_throttle: Duration,
    /// How often ministack's store is read again: writes through the front door show at once, this finds those past it.
    pub poll: Duration,
    /// How often a service says again that it is steady. On ECS about every six hours; "the service scheduler reports the
    /// status periodically" ("Amazon ECS service action events").
    pub repeat_steady_state: Duration,
    /// How long a stopped task can still be described. On ECS about an hour.
    pub remember_stopped: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            state: Duration::from_millis(20),
            healthy_after: Duration::from_secs(1),
            health_second: Duration::from_millis(20),
            replacement: Duration::from_millis(100),
            first_throttle: Duration::from_millis(250),
            longest_throttle: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            repeat_steady_state: Duration::from_hours(6),
            remember_stopped: Duration::from_hours(1),
        }
    }
}

impl Pace {
    /// How long the next start waits after `failures` starts in a row that never reached RUNNING.
    pub(crate) fn throttle(&self, failures: u32) -> Duration {
        match failures {
            0 | 1 => Duration::ZERO,
            _ => self
                .first_throttle
                .saturating_mul(2_u32.saturating_pow((failures - 2).min(20)))
                .min(self.longest_throttle),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_from_nothing_to_the_longest() {
        let pace = Pace::default();
        let delays: Vec<_> = (0..12).map(|failures| pace.throttle(failures).as_millis()).collect();
        assert_eq!(delays, [0, 0, 250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
        assert_eq!(pace.throttle(u32::MAX), pace.longest_throttle);
    }
}
