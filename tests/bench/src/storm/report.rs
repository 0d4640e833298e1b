//! What is said of a storm.

use crate::storm::outcome::Outcome;
use crate::table::Table;

/// The calls that the plain way needs for an event that is new: claim, publish, record. For one that is not, the claim.
const PLAIN: usize = 3;
/// How many calls a (batch, incident) pair may cost, those of looks and sweeps meanwhile included: what is known is read, what became
/// of it is stored, and that once more where somebody else was quicker.
const CALLS_OF_A_PAIR: f64 = 4.0;

/// A column for each outcome, and one for the plain way: a message for each event. That one is computed, not measured.
#[must_use]
pub fn table(outcomes: &[Outcome]) -> Table {
    const PLAIN_WAY: &str = "each event told";
    let names: Vec<String> = outcomes.iter().map(|outcome| format!("batches of {}", outcome.batch_size)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).chain([PLAIN_WAY]).collect();
    let ratios: Vec<(&str, &str)> =
        names.iter().filter(|name| **name != PLAIN_WAY).map(|name| (PLAIN_WAY, *name)).collect();
    let mut table = Table::new(&names, &ratios);
    let mut row = |label: &str, value: &dyn Fn(&Outcome) -> f64, plain: Option<usize>| {
        let cells: Vec<_> = outcomes.iter().map(|outcome| Some(value(outcome))).chain([plain.map(number)]).collect();
        table.counted(label, &cells);
    };
    let first = outcomes.first();
    let stops = first.map(|outcome| outcome.stops);
    let duplicates = first.map(|outcome| outcome.duplicates);
    let calls = first.map(|outcome| PLAIN * outcome.stops + outcome.duplicates);
    row("tasks that stopped", &|it| number(it.stops), stops);
    row("told twice", &|it| number(it.duplicates), duplicates);
    row("batches", &|it| number(it.handed_out.batches), None);
    row("(batch, incident) pairs", &|it| number(it.handed_out.pairs), None);
    row("messages that came again", &|it| number(it.handed_out.again), None);
    row("messages to ops", &|it| number(it.messages()), stops);
    row("  of one incident", &|it| number(it.alone), stops);
    row("  digests", &|it| number(it.digests), Some(0));
    row("AWS calls until all was taken in", &|it| number(it.all_calls()), calls);
    row("  refused: somebody was quicker", &|it| number(it.overtaken), duplicates);
    row("AWS calls until the last digest", &|it| number(it.calls_afterwards), Some(0));
    row("events a second", &|it| number(it.stops + it.duplicates) / it.took.as_secs_f64(), None);
    row("percent of it waiting for AWS", &|it| 50.0 * it.waited.as_secs_f64() / it.took.as_secs_f64(), None);
    row("CPU per event, µs", &|it| it.cpu.as_secs_f64() * 1e6 / number(it.stops + it.duplicates), None);
    row("peak memory of a process, MiB", &|it| it.peak_mib, None);
    table
}

/// Whether the aims are kept, and what the numbers are.
#[must_use]
pub fn notes(outcomes: &[Outcome]) -> String {
    let aims: String = outcomes.iter().map(aims).collect();
    aims + "Two processes, as the template's MaximumConcurrency has it, against the sandbox's one ministack (Python, one thread), which\n\
            sets the pace: what they wait for AWS is not theirs. Calls meanwhile include those of looks and sweeps. Against the\n\
            template's times a digest comes each minute and not each five, a first message's followers are gathered for 2 s and\n\
            not 10, and a sweep comes each 12 s and not each minute.\n\
            \"each event told\" is the plain way: a claim, a message and a record for each task, and a claim for each repetition."
}

fn aims(outcome: &Outcome) -> String {
    let Outcome { services, digests, .. } = outcome;
    let per_pair = number(outcome.all_calls()) / number(outcome.handed_out.pairs.max(1));
    let kept = |kept: bool| if kept { "kept  " } else { "MISSED" };
    let wrong = if outcome.wrong.is_empty() { "all".to_owned() } else { outcome.wrong.join("; ") };
    let by_name: Vec<_> = outcome.calls.iter().map(|(name, count)| format!("{name} {count}")).collect();
    format!(
        "batches of {}:\n\
         {}  every incident counts each of its tasks once: {wrong}\n\
         {}  at most a message for each of {services} services, and {digests} digests: {}\n\
         {}  calls are at most {CALLS_OF_A_PAIR} times the (batch, incident) pairs: {per_pair:.2}\n\
         \x20       {}\n",
        outcome.batch_size,
        kept(outcome.wrong.is_empty()),
        kept(outcome.messages() <= services + digests),
        outcome.messages(),
        kept(per_pair <= CALLS_OF_A_PAIR),
        by_name.join(", "),
    )
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
fn number(count: usize) -> f64 {
    count as f64
}
