//! `cargo run -p bench`: cold start and memory of crash-alerts beside a bare function, interleaved, medians
//! and their ratio. Both are built with the release profile; AWS is a server on loopback that answers at
//! once, so what is measured is the function.

mod aws;
mod measure;

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use measure::{Cold, Subject, median};

/// Odd, so that the median is a run that took place.
const ROUNDS: usize = 21;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let release = build()?;
    let aws = aws::Server::start().await?;
    let bare = Subject::bare(release.join("bare-function"));
    let function = Subject::crash_alerts(release.join("crash-alerts"), aws.endpoint());

    let (mut bare_runs, mut function_runs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare_runs.push(bare.cold().await?);
        function_runs.push(function.cold().await?);
    }
    ensure!(aws.publishes() >= ROUNDS, "the function did not publish in every round, so the numbers mean nothing");

    println!("Medians of {ROUNDS} interleaved cold starts (release profile; AWS answers at once, plain HTTP)\n");
    println!("{:<44}{:>12}{:>14}{:>9}", "", "bare", "crash-alerts", "ratio");
    row("start to ready, ms", &bare_runs, &function_runs, |run| run.ready_ms);
    row("start to first answer, ms (a crash: 3 calls)", &bare_runs, &function_runs, |run| run.answered_ms);
    row("peak memory, MiB", &bare_runs, &function_runs, |run| run.peak_mib);
    let sizes = ["bare-function", "crash-alerts"].map(|name| zipped(&release.join(name)));
    let [bare_size, function_size] = sizes;
    let (bare_size, function_size) = (bare_size?, function_size?);
    println!("{:<44}{bare_size:>12.2}{function_size:>14.2}{:>9.1}", "zip, MiB", function_size / bare_size);
    Ok(())
}

fn row(name: &str, bare: &[Cold], function: &[Cold], of: impl Fn(&Cold) -> f64) {
    let (bare, function) = (median(bare.iter().map(&of)), median(function.iter().map(&of)));
    let ratio = if bare > 0.0 { format!("{:.1}", function / bare) } else { "-".to_owned() };
    println!("{name:<44}{bare:>12.2}{function:>14.2}{ratio:>9}");
}

/// The size of the zip that would be deployed, in MiB.
fn zipped(binary: &Path) -> anyhow::Result<f64> {
    let program = std::fs::read(binary).with_context(|| format!("reading {}", binary.display()))?;
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", SimpleFileOptions::default().compression_method(CompressionMethod::Deflated))?;
    zip.write_all(&program).context("zipping a binary")?;
    #[allow(clippy::cast_precision_loss, reason = "a binary is far smaller than 2^52 bytes")]
    Ok(zip.finish()?.into_inner().len() as f64 / 1_048_576.0)
}

/// Builds both binaries with the shipping profile; returns their folder.
fn build() -> anyhow::Result<PathBuf> {
    println!("building both functions with the release profile (slow the first time: LTO)");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--package", "crash-alerts", "--package", "bench"])
        .args(["--bin", "crash-alerts", "--bin", "bare-function"])
        .status()
        .context("running cargo")?;
    ensure!(status.success(), "cargo build failed: {status}");
    let own = std::env::current_exe().context("finding the target folder")?;
    let target = own.parent().and_then(Path::parent).context("finding the target folder")?;
    Ok(target.join("release"))
}
