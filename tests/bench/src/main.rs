//! `cargo run -p bench`: builds the functions, measures them in turn for some rounds, lets a storm come, prints two tables.

use bench::measure::{Contestant, round};
use bench::python::Python;
use bench::storm::events::Storm;
use bench::{functions, release, report, storm};
use clap::{Args, Parser, Subcommand};
use time::OffsetDateTime;

/// Warm invocations of each process.
const WARM: usize = 10;
/// Any will do, as long as it stays.
const SEED: u64 = 20_261_120;

/// Measures the functions of Watchkeeper beside a bare function and one in Python, then crash-alerts in a storm.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    only: Option<Only>,
    #[command(flatten)]
    cold: Cold,
    #[command(flatten)]
    storm: StormOptions,
}

#[derive(Debug, Subcommand)]
enum Only {
    /// Starts and answers alone.
    Cold(Cold),
    /// The storm alone.
    Storm(StormOptions),
}

#[derive(Debug, Args)]
struct Cold {
    /// How often each function is started; an odd number makes the median a start that took place.
    #[arg(long, default_value_t = 21, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
}

#[derive(Debug, Args)]
struct StormOptions {
    /// How many tasks stop; a tenth more messages come.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    events: u32,
    /// Messages in a batch: the template's, and another number to compare; a column each.
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100], value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batches: Vec<u16>,
}

/// On one thread, so that a function has another core for itself.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Options { only, cold, storm } = Options::parse();
    match only {
        None => {
            measure(&cold).await?;
            println!();
            storms(&storm).await
        }
        Some(Only::Cold(cold)) => measure(&cold).await,
        Some(Only::Storm(storm)) => storms(&storm).await,
    }
}

async fn measure(options: &Cold) -> anyhow::Result<()> {
    let target = release::target()?;
    println!("preparing Python (once: some packages from PyPI)");
    let python = Python::provision(&target)?;
    println!("building the functions with the release profile (slow the first time: LTO)");
    let binaries = release::build(&target, &functions::BINARIES)?;

    let subjects = [functions::bare(&binaries)?, functions::crash_alerts(&binaries)?, functions::python(&python)?];
    let mut contestants = Vec::new();
    for subject in subjects {
        contestants.push(Contestant::new(subject, &binaries).await?);
    }

    println!("measuring {} rounds of one start and {WARM} warm answers each", options.rounds);
    let mut rounds = Vec::new();
    for turn in 0..usize::from(options.rounds) {
        rounds.push(round(&contestants, turn, WARM).await?);
    }

    let table = report::table(&contestants, &rounds)?;
    println!("\n{table}\n{}\n{}", report::aims(&table), report::notes(&python));
    Ok(())
}

async fn storms(options: &StormOptions) -> anyhow::Result<()> {
    println!("building crash-alerts with the release profile");
    let binary = release::build(&release::target()?, &functions::BINARIES)?.join("crash-alerts");
    let stops = usize::try_from(options.events)?;
    let mut endings = Vec::new();
    for batch_size in &options.batches {
        let events = Storm::new(stops, SEED, OffsetDateTime::now_utc());
        let told = |what: &str| println!("storm: {what}");
        let raged = storm::rage(&binary, &events, usize::from(*batch_size), told).await?;
        // A digest's window is a minute in any case: the next storm need not wait for it.
        endings.push(tokio::spawn(async move { raged.ended(&events).await }));
    }
    let mut outcomes = Vec::new();
    for ending in endings {
        outcomes.push(ending.await??);
    }
    println!("\n{}\n{}", storm::report::table(&outcomes), storm::report::notes(&outcomes));
    let wrong: Vec<_> = outcomes.iter().flat_map(|outcome| outcome.wrong.clone()).collect();
    anyhow::ensure!(wrong.is_empty(), "counts are wrong: {}", wrong.join("; "));
    Ok(())
}
