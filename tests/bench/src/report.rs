//! What is said of the measurements.

use crate::functions;
use crate::measure::{Contestant, Measurement};
use crate::python::Python;
use crate::table::Table;

/// A column for each contestant, a row for each thing that was measured.
pub fn table(contestants: &[Contestant], rounds: &[Vec<Measurement>]) -> anyhow::Result<Table> {
    let names: Vec<_> = contestants.iter().map(|contestant| contestant.subject.name).collect();
    let mut table = Table::new(&names, &functions::RATIOS);
    let mut row = |label, value: fn(&Measurement) -> f64| {
        let column = |column: usize| rounds.iter().map(|round| value(&round[column])).collect();
        table.measured(label, &(0..contestants.len()).map(column).collect::<Vec<_>>());
    };
    row("start to ready, ms", |measured| measured.ready_ms);
    row("start to first answer, ms", |measured| measured.answered_ms);
    row("CPU to first answer, ms", |measured| measured.first_cpu_ms);
    row("warm answer, ms", |measured| measured.warm_ms);
    row("CPU per warm answer, ms", |measured| measured.warm_cpu_ms);
    row("peak memory, MiB", |measured| measured.peak_mib);
    let weights: Vec<_> =
        contestants.iter().map(|contestant| contestant.subject.package.weigh()).collect::<anyhow::Result<_>>()?;
    table.fixed("zip, MiB", &weights.iter().map(|weight| weight.own).collect::<Vec<_>>());
    table.fixed("zip with its libraries, MiB", &weights.iter().map(|weight| weight.with_libraries).collect::<Vec<_>>());
    Ok(table)
}

/// What the numbers are, and what they are not.
#[must_use]
pub fn notes(python: &Python) -> String {
    format!(
        "Medians over the rounds, ± half the width of the middle half. Every invocation but the bare one's is one crash\n\
         in an SQS batch: PutItem, Publish, UpdateItem; the calls were counted.\n\
         python: {}.\n\
         Lambda's Python runtime has boto3, so its zip may go without; AWS recommends to bring it.\n\
         \n\
         This is this machine, not Lambda: compare columns, not with figures from AWS. Loopback, plain HTTP (no TLS),\n\
         an AWS that answers at once, programs that the machine has read before, a core for each function. Lambda gives\n\
         CPU in proportion to memory, one vCPU at 1,769 MB: at 128 or 256 MB the CPU rows count for more than the times.",
        python.described()
    )
}
