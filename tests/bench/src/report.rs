//! What is said of the measurements.

use crate::aws::Calls;
use crate::functions;
use crate::measure::{Contestant, Measurement};
use crate::python::Python;
use crate::table::Table;

const READY: &str = "start to ready, ms";
const ALERTED: &str = "start to alert published, ms";
const MEMORY: &str = "peak memory, MiB";
const ZIP: &str = "zip, MiB";

/// What crash-alerts shall keep to: (row, what it is compared with, at most so much of it). Against nothing it is the value itself.
const AIMS: [(&str, Option<&str>, f64, &str); 4] = [
    (READY, Some("bare"), 3.0, "ready within three times the bare function's time"),
    (ALERTED, Some("python"), 1.0 / 20.0, "the alert published within a twentieth of Python's time"),
    (MEMORY, Some("python"), 1.0 / 4.0, "a quarter of Python's memory"),
    (ZIP, None, 4_000_000.0 / 1_048_576.0, "a zip of 4 MB, in MiB"),
];

/// Whether the aims are kept, a line each.
#[must_use]
pub fn aims(table: &Table) -> String {
    let line = |(row, with, most, words): &(&str, Option<&str>, f64, &str)| {
        let ours = table.value(row, "crash-alerts")?;
        let share = match with {
            Some(with) => ours / table.value(row, with)?,
            None => ours,
        };
        let kept = if share <= *most { "kept  " } else { "MISSED" };
        Some(format!("{kept}  {words} (at most {most:.3}): {share:.3}\n"))
    };
    AIMS.iter().filter_map(line).collect()
}

/// A column for each contestant, a row for each thing that was measured.
pub fn table(contestants: &[Contestant], rounds: &[Vec<Measurement>]) -> anyhow::Result<Table> {
    let names: Vec<_> = contestants.iter().map(|contestant| contestant.subject.name).collect();
    let mut table = Table::new(&names, &functions::RATIOS);
    let mut row = |label, value: fn(&Measurement) -> Option<f64>| {
        let column = |column: usize| rounds.iter().filter_map(|round| value(&round[column])).collect();
        table.measured(label, &(0..contestants.len()).map(column).collect::<Vec<_>>());
    };
    row(READY, |measured| Some(measured.ready_ms));
    row(ALERTED, |measured| measured.alerted_ms);
    row("start to first answer, ms", |measured| Some(measured.answered_ms));
    row("CPU to first answer, ms", |measured| Some(measured.first_cpu_ms));
    row("warm answer, ms", |measured| Some(measured.warm_ms));
    row("CPU per warm answer, ms", |measured| Some(measured.warm_cpu_ms));
    row(MEMORY, |measured| Some(measured.peak_mib));
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let all = |calls: &Calls| Some(calls.values().sum::<usize>() as f64);
    let subjects = || contestants.iter().map(|contestant| &contestant.subject);
    table.counted("AWS calls of the first answer", &subjects().map(|it| all(&it.first_calls)).collect::<Vec<_>>());
    table.counted("AWS calls of a warm answer", &subjects().map(|it| all(&it.warm_calls)).collect::<Vec<_>>());
    let weights: Vec<_> =
        contestants.iter().map(|contestant| contestant.subject.package.weigh()).collect::<anyhow::Result<_>>()?;
    table.fixed(ZIP, &weights.iter().map(|weight| weight.own).collect::<Vec<_>>());
    table.fixed("zip with its libraries, MiB", &weights.iter().map(|weight| weight.with_libraries).collect::<Vec<_>>());
    Ok(table)
}

/// What the numbers are, and what they are not.
#[must_use]
pub fn notes(python: &Python) -> String {
    format!(
        "Medians over the rounds, ± half the width of the middle half. Every invocation but the bare one's is one crash\n\
         in an SQS batch, and every call was counted. They do not do the same: python does what a team writes in an\n\
         afternoon (claim, publish a text, record: three calls). crash-alerts begins an incident: it asks what is known,\n\
         how the service is and what changed, reads the log's last lines, has itself called again, and publishes a text\n\
         for each channel. Both publish only what is stored.\n\
         python: {}.\n\
         Lambda's Python runtime has boto3, so its zip may go without; AWS recommends to bring it.\n\
         \n\
         This is this machine, not Lambda: compare columns, not with figures from AWS. Loopback, plain HTTP (no TLS),\n\
         an AWS that answers at once, programs that the machine has read before, a core for each function. Lambda gives\n\
         CPU in proportion to memory, one vCPU at 1,769 MB: at 128 or 256 MB the CPU rows count for more than the times.",
        python.described()
    )
}
