//! What happens in a history: made of its seed.

use crash_alerts::plan::rules::Rules;
use time::Duration;
use watchkeeper_events::ObservedState;

use crate::world::{SERVICES, World};

/// Something that happens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    Crash {
        service: u8,
        of_before: bool,
        by_memory: bool,
    },
    /// A service is unwell for so many seconds.
    Breaks(u8, u16),
    Deploys(u8),
    DeploymentNews {
        service: u8,
        rolls_back: bool,
    },
    RollsOut(u8),
    Alarm(u8, bool),
    Observed(u8, ObservedState),
    Standalone(u8, bool),
    Below(u8, bool),
    /// What runs too little runs nothing at all, or something again.
    Worsens(u8, bool),
    Garbage,
    Sweep,
}

/// How the message of an act comes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Coming {
    /// After so many milliseconds.
    Once(u32),
    Twice(u32, u32),
    Never,
}

#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) seed: u64,
    pub(crate) rules: Rules,
    /// By milliseconds.
    pub(crate) acts: Vec<(u64, Act, Coming)>,
    /// How many calls fail, and so on.
    pub(crate) disturbances: u32,
    pub(crate) minutes: u64,
}

impl Story {
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let minutes = rng.u64(3..30);
        let mut acts = Vec::new();
        // Few services are hit often, rather than many once.
        let services = [1, 2, 4, SERVICES][rng.usize(..4)];
        let begin = rng.u8(..SERVICES);
        for _ in 0..rng.u32(1..14) {
            let at = rng.u64(..minutes * 60_000);
            let service = (begin + rng.u8(..services)) % SERVICES;
            several(&mut acts, at, service, services, &mut rng);
        }
        if rng.u8(..6) == 0 {
            slow_loop(&mut acts, begin, &mut rng);
        }
        acts.sort_by_key(|(at, ..)| *at);
        let disturbances = if rng.u8(..4) == 0 { 0 } else { rng.u32(1..10) };
        Self { seed, rules: rules(&mut rng), acts, disturbances, minutes }
    }
}

fn rules(rng: &mut fastrand::Rng) -> Rules {
    let mut rules = Rules::default();
    if rng.bool() {
        rules.storm_incidents = rng.usize(2..8);
        rules.storm_window = Duration::minutes(rng.i64(1..6));
        rules.messages_a_minute = rng.usize(2..12);
        rules.crowd = rng.usize(2..5);
        rules.repeat = Duration::minutes(rng.i64(5..40));
        rules.repeats = rng.u32(..3);
        rules.escalate_at = vec![2, 4, 8];
        rules.crash_quiet = Duration::minutes(rng.i64(2..10));
        rules.group_wait = Duration::seconds(rng.i64(2..90));
    }
    let (from, until) = World::silence();
    let time = |at: time::OffsetDateTime| format!("{:02}:{:02}", at.hour(), at.minute());
    let silences = format!("{}-{} service=s{}", time(from), time(until), crate::judge::SILENT);
    rules.with_silences(&silences)
}

fn coming(rng: &mut fastrand::Rng) -> Coming {
    let soon = rng.u32(100..3_000);
    match rng.u8(..20) {
        0 | 1 => Coming::Twice(soon, rng.u32(100..200_000)),
        2 | 3 => Coming::Never,
        4 => Coming::Once(rng.u32(10_000..400_000)),
        _ => Coming::Once(soon),
    }
}

fn put(acts: &mut Vec<(u64, Act, Coming)>, at: u64, act: Act, rng: &mut fastrand::Rng) {
    let coming = coming(rng);
    acts.push((at, act, coming));
}

/// A task that dies every few minutes, and runs well in between.
fn slow_loop(acts: &mut Vec<(u64, Act, Coming)>, service: u8, rng: &mut fastrand::Rng) {
    let (pace, by_memory) = (rng.u64(150_000..1_200_000), rng.bool());
    let mut at = rng.u64(..300_000);
    for _ in 0..rng.u8(3..8) {
        put(acts, at, Act::Crash { service, of_before: false, by_memory }, rng);
        at += pace * rng.u64(8..12) / 10;
    }
}

/// One thing that happens, with what commonly comes with it.
fn several(acts: &mut Vec<(u64, Act, Coming)>, at: u64, service: u8, services: u8, rng: &mut fastrand::Rng) {
    let crash = |rng: &mut fastrand::Rng, service| Act::Crash {
        service,
        of_before: rng.u8(..4) == 0,
        by_memory: rng.u8(..4) == 0,
    };
    match rng.u8(..21) {
        0..5 => {
            put(acts, at, Act::Breaks(service, rng.u16(20..900)), rng);
            for _ in 0..rng.u64(1..12) {
                let act = crash(rng, service);
                put(acts, at + rng.u64(..300_000), act, rng);
            }
        }
        5..8 => {
            put(acts, at, Act::Breaks(service, rng.u16(5..200)), rng);
            let act = crash(rng, service);
            put(acts, at, act, rng);
        }
        // Many at once.
        8 => {
            for place in 0..services {
                let act = crash(rng, (service + place) % SERVICES);
                put(acts, at + rng.u64(..30_000), act, rng);
            }
        }
        9..12 => {
            put(acts, at, Act::Deploys(service), rng);
            put(acts, at, Act::Breaks(service, rng.u16(60..600)), rng);
            for _ in 0..rng.u64(..5) {
                let act = crash(rng, service);
                put(acts, at + rng.u64(..60_000), act, rng);
            }
            let rolls_back = rng.u8(..3) == 0;
            put(acts, at + 60_000, Act::DeploymentNews { service, rolls_back }, rng);
        }
        12 => {
            put(acts, at + rng.u64(..60_000), Act::RollsOut(service), rng);
            for _ in 0..rng.u64(..4) {
                let act = crash(rng, service);
                put(acts, at + rng.u64(..400_000), act, rng);
            }
        }
        13 | 14 => {
            let alarm = rng.u8(..4);
            if rng.bool() {
                for change in 0..rng.u64(1..7) {
                    put(acts, at + change * rng.u64(500..100_000), Act::Alarm(alarm, change % 2 == 0), rng);
                }
            } else {
                // Its changes come beside each other.
                for change in 0..rng.u64(2..5) {
                    let coming = Coming::Once(rng.u32(200..280));
                    acts.push((at + change, Act::Alarm(alarm, change % 2 == 0), coming));
                }
            }
        }
        15 | 16 => {
            let of = rng.u8(..4);
            put(acts, at, Act::Observed(of, ObservedState::Opened), rng);
            put(acts, at + rng.u64(500..200_000), Act::Observed(of, ObservedState::Resolved), rng);
            if rng.bool() {
                put(acts, at + rng.u64(500..200_000), Act::Observed(of, ObservedState::Opened), rng);
                put(acts, at, Act::Observed(of, ObservedState::Done), rng);
            }
        }
        17 => {
            let family = rng.u8(..4);
            for _ in 0..rng.u8(1..4) {
                put(acts, at + rng.u64(..120_000), Act::Standalone(family, rng.u8(..3) == 0), rng);
            }
        }
        18 | 19 => {
            put(acts, at, Act::Breaks(service, rng.u16(100..900)), rng);
            if rng.bool() {
                let act = crash(rng, service);
                put(acts, at, act, rng);
            }
            put(acts, at + 60_000, Act::Below(service, true), rng);
            if rng.bool() {
                put(acts, at + 60_001, Act::Worsens(service, true), rng);
            }
            for _ in 0..rng.u8(..3) {
                put(acts, at + rng.u64(60_000..900_000), Act::Worsens(service, rng.u8(..3) > 0), rng);
            }
            if rng.bool() {
                put(acts, at + rng.u64(60_000..1_200_000), Act::Below(service, false), rng);
            }
        }
        _ => put(acts, at, Act::Garbage, rng),
    }
}
