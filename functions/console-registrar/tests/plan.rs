//! What is planned, case by case: each says what is there, and what is to be done in the plan's own words.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use console_registrar::plan::{Blocked, Declared, Plan, plan};
use console_registrar::registry::{Address, AgentId, Entry};
use console_registrar::slot::{Known, Name, Slot, State, TaskId};
use console_registrar::truth::{Life, Service, Task, Truth};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
const PROBATION: Duration = Duration::minutes(2);

/// A case: the service wants so many tasks; tasks and entries are those that are named.
struct Case {
    declared: Declared,
    service: Service,
    tasks: Vec<(u8, Life, &'static str)>,
    state: State,
    /// Beside our own.
    foreign: Vec<(&'static str, Option<String>)>,
    /// Entries of ours that the registry has lost.
    lost: bool,
}

fn mark(stack: &str, agent: &str) -> String {
    format!("arn:aws:cloudformation:eu-west-1:123456789012:stack/{stack}/1 {agent}")
}

fn case(desired: u32) -> Case {
    let declared = Declared {
        agent: AgentId("CAP".to_owned()),
        mark: mark("agent", "CAP"),
        port: 20001,
        probation: PROBATION,
        removal_percent: 50,
        adopt: false,
        leaving: false,
    };
    let service = Service::Active { desired, primary: Some("new".to_owned()) };
    Case { declared, service, tasks: Vec::new(), state: State::default(), foreign: Vec::new(), lost: false }
}

fn address(task: u8) -> Address {
    Address { host: format!("10.0.0.{task}"), port: 20001 }
}

impl Case {
    /// A task of the newest deployment.
    fn task(self, number: u8, life: Life) -> Self {
        self.of(number, life, "new")
    }

    fn of(mut self, number: u8, life: Life, deployment: &'static str) -> Self {
        self.tasks.push((number, life, deployment));
        self
    }

    /// Our entry for a task.
    fn entry(mut self, name: u32, task: u8) -> Self {
        let slot = Slot {
            task: Some(TaskId(task.to_string())),
            address: address(task),
            known: Known::Registered,
            vacant_since: None,
        };
        self.state.slots.insert(Name::from(name), slot);
        self
    }

    /// Since when the entry's task is known to have ended.
    fn vacant(mut self, name: u32, ago: Duration) -> Self {
        self.state.slots.get_mut(&Name::from(name)).unwrap().vacant_since = Some(NOW - ago);
        self
    }

    fn foreign(mut self, id: &'static str, owner: Option<&str>) -> Self {
        self.foreign.push((id, owner.map(str::to_owned)));
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn plan(&self) -> Plan {
        let task = |(number, life, deployment): &(u8, Life, &str)| {
            let host = (*life != Life::Ended).then(|| address(*number).host);
            let task = Task { life: *life, host, deployment: Some((*deployment).to_owned()), started_at: None };
            (TaskId(number.to_string()), task)
        };
        let truth = Truth { service: self.service.clone(), tasks: self.tasks.iter().map(task).collect() };
        let ours = self.state.slots.iter().filter(|_| !self.lost).map(|(name, slot)| Entry {
            id: name.of(&self.declared.agent),
            address: Some(slot.address.clone()),
            owner: Some(self.declared.mark.clone()),
            version: None,
        });
        let theirs = self.foreign.iter().map(|(id, owner)| Entry {
            id: AgentId((*id).to_owned()),
            address: Some(Address { host: "192.0.2.1".to_owned(), port: 1 }),
            owner: owner.clone(),
            version: None,
        });
        let listed: Vec<Entry> = ours.chain(theirs).collect();
        plan(&self.declared, &self.state, &truth, Some(&listed), NOW)
    }

    #[track_caller]
    fn means(&self, words: &str) {
        assert_eq!(self.plan().words(), words);
    }
}

use Life::{Ended, Leaving, Steady, Unready};

#[test]
fn one_task_has_the_agents_name_and_several_have_numbers() {
    case(1).task(1, Steady).means("register CAP at 10.0.0.1:20001");
    case(2).task(1, Steady).task(2, Steady).means("register CAP-1 at 10.0.0.1:20001, register CAP-2 at 10.0.0.2:20001");
    case(1).task(1, Steady).entry(0, 1).means("nothing");
    case(0).means("nothing");
    // Two tasks run while one is replaced, and still it is one agent.
    case(1).task(1, Steady).task(2, Unready).entry(0, 1).means("nothing");
}

#[test]
fn only_steady_tasks_are_registered_and_who_may_be_soon_is_looked_at_again() {
    let pending = case(1).task(1, Unready);
    pending.means("nothing");
    assert!(pending.plan().awaits_health);
    // One that was steady keeps its entry while nobody can take its place.
    case(1).task(1, Unready).entry(0, 1).means("nothing");
    case(1).task(1, Unready).task(2, Steady).entry(0, 1).means("register CAP at 10.0.0.2:20001");
}

#[test]
fn a_replaced_task_hands_its_name_over_once_its_successor_is_steady() {
    let handover = "register CAP at 10.0.0.2:20001";
    case(1).of(1, Steady, "old").task(2, Steady).entry(0, 1).means(handover);
    case(1).task(1, Leaving).task(2, Steady).entry(0, 1).means(handover);
    case(1).task(1, Ended).task(2, Steady).entry(0, 1).vacant(0, Duration::SECOND).means(handover);
    // A second task of the same deployment is only too much.
    case(1).task(1, Steady).task(2, Steady).entry(0, 1).means("nothing");
    // A task of an older deployment does not take a name back.
    case(1).of(1, Steady, "old").task(2, Steady).entry(0, 2).means("nothing");
}

#[test]
fn another_count_gives_other_names_and_no_task_is_without_one_meanwhile() {
    let out = case(2).task(1, Steady).entry(0, 1);
    out.means("register CAP-1 at 10.0.0.1:20001");
    // Only now that the new entry is there.
    case(2).task(1, Steady).entry(0, 1).entry(1, 1).means("remove CAP");
    case(1).task(3, Steady).entry(3, 3).means("register CAP at 10.0.0.3:20001");
    // Scaled in from three: the lowest names stay, whichever task it was that went.
    let scaled_in = || case(2).task(2, Steady).task(3, Steady).entry(1, 1).entry(2, 2).entry(3, 3);
    scaled_in().task(1, Leaving).means("register CAP-1 at 10.0.0.3:20001");
    scaled_in().task(1, Ended).means("register CAP-1 at 10.0.0.3:20001");
    // A task that is one too many keeps its name until it is gone.
    let too_many = || case(1).task(1, Steady).entry(0, 1).entry(2, 2);
    too_many().task(2, Steady).means("nothing");
    too_many().task(2, Ended).means("remove CAP-2");
}

#[test]
fn an_entry_outlives_its_task_for_the_time_of_probation() {
    let crashed = |ago| case(1).task(1, Ended).entry(0, 1).vacant(0, ago);
    crashed(PROBATION - Duration::SECOND).means("nothing");
    crashed(PROBATION).means("remove CAP");
    let just_now = case(1).task(1, Ended).entry(0, 1).plan();
    assert_eq!(just_now.state.slots[&Name::Alone].vacant_since, Some(NOW));
}

#[test]
fn what_nobody_told_us_to_remove_goes_by_shares_the_highest_first() {
    let all_crashed =
        || (1..=4).fold(case(4), |case, n| case.task(n, Ended).entry(n.into(), n).vacant(n.into(), PROBATION));
    all_crashed().means("remove CAP-4, remove CAP-3");
    let again = |ago| all_crashed().with(|case| case.state.removed_at = Some(NOW - ago));
    again(Duration::seconds(59)).means("nothing");
    again(Duration::MINUTE).means("remove CAP-4, remove CAP-3");
    all_crashed().with(|case| case.declared.removal_percent = 1).means("remove CAP-4");
    // The service itself says that there are to be none.
    all_crashed()
        .with(|case| case.service = Service::Deleted)
        .means("remove CAP-1, remove CAP-2, remove CAP-3, remove CAP-4");
    // That ECS knows no such service may be a fault.
    all_crashed().with(|case| case.service = Service::Missing).means("remove CAP-4, remove CAP-3");
    let unseen = (1..=2).fold(case(2), |case, n| case.entry(n.into(), n)).with(|case| case.service = Service::Missing);
    unseen.means("nothing");
}

#[test]
fn what_is_somebody_elses_is_left_alone() {
    let tasks = || case(2).task(1, Steady).task(2, Steady);
    let around = "register CAP-1 at 10.0.0.1:20001, register CAP-3 at 10.0.0.2:20001";
    tasks().foreign("CAP-2", Some("a person")).means(around);
    tasks().foreign("CAP-2", None).means(around);
    tasks().foreign("CAP-2", Some(&mark("another", "CAP"))).means(around);
    // The same stack's other agent, which is called so.
    tasks().foreign("CAP-2", Some(&mark("agent", "CAP-2"))).means(around);
    let blocked = case(1).task(1, Steady).foreign("CAP", None);
    blocked.means("nothing");
    assert_eq!(blocked.plan().blocked, Some(Blocked { agent: AgentId("CAP".to_owned()), owner: None }));
    case(1)
        .task(1, Steady)
        .foreign("CAP", None)
        .with(|case| case.declared.adopt = true)
        .means("register CAP at 10.0.0.1:20001");
    let theirs = case(1).task(1, Steady).foreign("CAP", Some("a person")).with(|case| case.declared.adopt = true);
    theirs.means("nothing");
    // It was ours, and somebody has put theirs in its place.
    case(0).foreign("CAP", Some("a person")).with(|case| case.declared.leaving = true).means("nothing");
}

#[test]
fn what_the_registry_lost_or_changed_is_put_right() {
    let lost = case(1).task(1, Steady).entry(0, 1).with(|case| case.lost = true);
    lost.means("register CAP at 10.0.0.1:20001");
    // Ours by its mark, though it is not remembered.
    case(0).foreign("CAP-7", Some(&mark("agent", "CAP"))).means("remove CAP-7");
    case(1).task(1, Steady).entry(0, 1).with(|case| case.declared.port = 20002).means("register CAP at 10.0.0.1:20002");
}

#[test]
fn a_declaration_that_goes_takes_its_entries_along_whatever_ecs_says() {
    let leaving = case(2).task(1, Steady).task(2, Unready).entry(1, 1).entry(2, 2).foreign("CAP", Some("a person"));
    leaving.with(|case| case.declared.leaving = true).means("remove CAP-1, remove CAP-2");
}
