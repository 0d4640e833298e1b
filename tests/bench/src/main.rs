//! `cargo run -p bench`: builds the functions, measures them in turn for some rounds, prints one table.

use bench::measure::{Contestant, round};
use bench::python::Python;
use bench::{functions, release, report};
use clap::Parser;

/// Warm invocations of each process.
const WARM: usize = 10;

/// Measures the functions of Watchkeeper beside a bare function and one in Python that does the same job.
#[derive(Debug, Parser)]
struct Options {
    /// How often each function is started; an odd number makes the median a start that took place.
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
}

/// On one thread, so that a function has another core for itself.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let target = release::target()?;
    println!("preparing Python (once: some packages from PyPI)");
    let python = Python::provision(&target)?;
    println!("building the functions with the release profile (slow the first time: LTO)");
    let binaries = release::build(&target, &functions::BINARIES)?;

    let subjects = [functions::bare(&binaries)?, functions::crash_alerts(&binaries)?, functions::python(&python)?];
    let mut contestants = Vec::new();
    for subject in subjects {
        contestants.push(Contestant::new(subject).await?);
    }

    println!("measuring {} rounds of one start and {WARM} warm answers each", options.rounds);
    let mut rounds = Vec::new();
    for turn in 0..usize::from(options.rounds) {
        rounds.push(round(&contestants, turn, WARM).await?);
    }

    println!("\n{}\n{}", report::table(&contestants, &rounds)?, report::notes(&python));
    Ok(())
}
