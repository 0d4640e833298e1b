//! The binaries, built with the profile that ships.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// The folder that cargo builds into.
pub fn target() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("finding the target folder")?;
    own.parent().and_then(Path::parent).map(Path::to_owned).context("finding the target folder")
}

/// Builds them, each given by its package and its own name; returns their folder.
pub fn build(target: &Path, binaries: &[(&str, &str)]) -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Without the bench's own features, which would bring the sandbox into the build.
    cargo.args(["build", "--release", "--no-default-features"]);
    for (package, binary) in binaries {
        cargo.args(["--package", package, "--bin", binary]);
    }
    let status = cargo.status().context("running cargo")?;
    ensure!(status.success(), "cargo build failed: {status}");
    Ok(target.join("release"))
}
