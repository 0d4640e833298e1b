//! What a service's scheduler does next: a pure function of what is wanted and what is there.
//!
//! The rules are those of the rolling update (API reference of `DeploymentConfiguration`): `minimumHealthyPercent` of the
//! desired count, rounded up, must stay healthy; `maximumPercent` of it, rounded down, may be RUNNING or on the way there.

/// What a service wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) desired: u32,
    pub(crate) minimum_healthy_percent: u32,
    pub(crate) maximum_percent: u32,
    /// The service was deleted: all its tasks go.
    pub(crate) draining: bool,
    /// Starts are not held back after failures.
    pub(crate) may_start: bool,
    /// The PRIMARY deployment failed and there was none to go back to: nothing is started or replaced any more.
    pub(crate) stalled: bool,
}

/// A task of the service that is RUNNING or on the way there. Tasks are given in the order of their creation.
#[derive(Clone, Debug)]
pub(crate) struct Present {
    pub(crate) id: String,
    /// Of the PRIMARY deployment.
    pub(crate) current: bool,
    pub(crate) zone: String,
    pub(crate) phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Before RUNNING.
    Starting,
    /// RUNNING, but not long enough to count.
    Unproven,
    /// RUNNING and counted as healthy.
    Healthy,
    /// RUNNING, and its health checks fail.
    Unhealthy,
    /// Told to stop, or ended, and not yet past RUNNING.
    Leaving,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Start(u32),
    /// It is one too many.
    Stop(String),
    /// Its health checks fail, and a replacement is there or cannot be without.
    StopUnhealthy(String),
}

pub(crate) fn plan(wish: &Wish, present: &[Present]) -> Vec<Action> {
    let wanted: Vec<&Present> = present.iter().filter(|task| task.phase != Phase::Leaving).collect();
    if wish.draining {
        return wanted.iter().map(|task| Action::Stop(task.id.clone())).collect();
    }
    let healthy = count(wanted.iter().filter(|task| task.phase == Phase::Healthy).count());
    let mut spare = Spare::new(healthy, floor(wish));
    if wish.stalled {
        let surplus = count(wanted.len()).saturating_sub(ceiling(wish));
        return choose(surplus, wanted, &mut spare).into_iter().map(Action::Stop).collect();
    }
    let (current, old): (Vec<&Present>, Vec<&Present>) = wanted.iter().partition(|task| task.current);
    let (unhealthy, sound): (Vec<&Present>, Vec<&Present>) =
        current.iter().partition(|task| task.phase == Phase::Unhealthy);

    let missing = wish.desired.saturating_sub(count(sound.len()));
    // Tasks that were told to stop count until they are past RUNNING, so the room they leave is used by a later plan.
    let room = ceiling(wish).saturating_sub(count(present.len()));
    let starts = if wish.may_start { missing.min(room) } else { 0 };

    // More tasks than may be there at all is a scale-in, whatever their health.
    let above = count(present.len()).saturating_sub(ceiling(wish)) as usize;
    let (too_many, unhealthy) = unhealthy.split_at(unhealthy.len().min(above));
    let mut stops: Vec<_> = too_many.iter().map(|task| task.id.clone()).collect();
    stops.extend(choose(count(sound.len()).saturating_sub(wish.desired), sound.clone(), &mut spare));
    stops.extend(choose(u32::MAX, old, &mut spare));

    let without_room = stops.is_empty() && present.len() == wanted.len() && room == 0;
    let mut actions: Vec<_> = stops.into_iter().map(Action::Stop).collect();
    actions.extend(replaced(wish, unhealthy, &sound, without_room).into_iter().map(Action::StopUnhealthy));
    if starts > 0 {
        actions.push(Action::Start(starts));
    }
    actions
}

/// The unhealthy tasks that go. Each waits for a healthy replacement; where there is no room for one, they go one by one
/// (API reference of `DeploymentConfiguration`, on both percentages).
fn replaced(wish: &Wish, unhealthy: &[&Present], sound: &[&Present], without_room: bool) -> Vec<String> {
    let healthy = count(sound.iter().filter(|task| task.phase == Phase::Healthy).count());
    let surplus = count(unhealthy.len()).saturating_sub(wish.desired.saturating_sub(healthy));
    let stuck = without_room && healthy < wish.desired && healthy == count(sound.len());
    let number = if stuck { surplus.max(1) } else { surplus };
    unhealthy.iter().take(number as usize).map(|task| task.id.clone()).collect()
}

/// How many tasks must stay healthy.
pub(crate) fn floor(wish: &Wish) -> u32 {
    share(wish.desired, wish.minimum_healthy_percent, u64::div_ceil)
}

/// How many tasks may be RUNNING or on the way there. The desired count is always allowed, whatever the percentage.
pub(crate) fn ceiling(wish: &Wish) -> u32 {
    share(wish.desired, wish.maximum_percent, |all, hundred| all / hundred).max(wish.desired)
}

fn share(of: u32, percent: u32, divide: fn(u64, u64) -> u64) -> u32 {
    u32::try_from(divide(u64::from(of) * u64::from(percent), 100)).unwrap_or(u32::MAX)
}

/// How many tasks may go without the service falling below what must stay healthy.
struct Spare {
    healthy: u32,
    /// The healthy ones suffice, so that one that does not count may go too.
    enough: bool,
}

impl Spare {
    fn new(healthy: u32, floor: u32) -> Self {
        Self { healthy: healthy.saturating_sub(floor), enough: healthy >= floor }
    }

    fn allows(&mut self, phase: Phase) -> bool {
        match phase {
            Phase::Starting | Phase::Unhealthy => true,
            Phase::Unproven => self.enough,
            Phase::Healthy if self.healthy > 0 => {
                self.healthy -= 1;
                true
            }
            Phase::Healthy | Phase::Leaving => false,
        }
    }
}

/// Picks up to `number` tasks to stop: those that do not serve yet first, then from the zone with the most tasks ("the service
/// scheduler attempts to balance across Availability Zones", API reference of `UpdateService`). Within a zone the
/// documentation names no order for Fargate; here the newest goes first, so that a scale-in undoes a scale-out.
fn choose(number: u32, mut from: Vec<&Present>, spare: &mut Spare) -> Vec<String> {
    let mut chosen = Vec::new();
    while count(chosen.len()) < number && !from.is_empty() {
        let in_zone = |zone: &str| from.iter().filter(|task| task.zone == zone).count();
        let rank = |index: &usize| {
            let task = from[*index];
            let serves = match task.phase {
                Phase::Starting | Phase::Unhealthy | Phase::Leaving => 2,
                Phase::Unproven => 1,
                Phase::Healthy => 0,
            };
            (serves, in_zone(&task.zone), *index)
        };
        let Some(index) = (0..from.len()).max_by_key(rank) else { break };
        let task = from.remove(index);
        if spare.allows(task.phase) {
            chosen.push(task.id.clone());
        }
    }
    chosen
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
