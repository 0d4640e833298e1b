//! Python virtual environments of pinned packages, made once and found again.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

/// A virtual environment, made or still to be made.
#[derive(Clone, Debug)]
pub struct Venv {
    parent: PathBuf,
    folder: PathBuf,
    requirements: &'static str,
    wanted_by: &'static str,
}

impl Venv {
    /// The environment of `requirements` (a requirements.txt that pins every package) under `parent`, which is there.
    /// Raise `layout` when what [`Self::make`]'s caller adds to it changes. `wanted_by` is for errors: "the sandbox".
    #[must_use]
    pub fn of(parent: &Path, requirements: &'static str, layout: u32, wanted_by: &'static str) -> Self {
        // Named by what is in it, so that another version's never has it taken away under its feet. A moved folder
        // breaks the environment's scripts, so it counts too.
        let mut hasher = DefaultHasher::new();
        (requirements, layout, parent).hash(&mut hasher);
        let folder = parent.join(format!("venv-{:016x}", hasher.finish()));
        Self { parent: parent.to_owned(), folder, requirements, wanted_by }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its interpreter.
    pub fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    /// Whether it is there already (a matter of one small read).
    pub fn is_complete(&self) -> bool {
        self.stamp().exists()
    }

    /// Makes it unless it is there; `add` puts into it what is not a package.
    pub fn make(&self, add: impl FnOnce(&Self) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let lock_file = self.parent.join("venv.lock");
        let lock = File::create(&lock_file).with_context(|| format!("opening {}", lock_file.display()))?;
        // Two at once: the second waits here, and then finds the work done. Dropping the file unlocks it.
        lock.lock().with_context(|| format!("locking {}", lock_file.display()))?;
        if self.is_complete() {
            return Ok(());
        }
        self.check_python()?;
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)
                .with_context(|| format!("removing the incomplete {}", self.folder.display()))?;
        }
        let requirements = self.parent.join("requirements.txt");
        fs::write(&requirements, self.requirements).with_context(|| format!("writing {}", requirements.display()))?;
        run(Command::new("python3").args(["-m", "venv"]).arg(&self.folder))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"];
        run(Command::new(self.python()).args(pip).arg(&requirements))?;
        run(Command::new(self.python()).args(["-m", "pip", "--disable-pip-version-check", "check"]))?;
        add(self)?;
        fs::write(self.stamp(), "").with_context(|| format!("completing {}", self.folder.display()))
    }

    fn stamp(&self) -> PathBuf {
        self.folder.join("complete")
    }

    fn check_python(&self) -> anyhow::Result<()> {
        let who = self.wanted_by;
        let check = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))";
        match Command::new("python3").args(["-c", check]).output() {
            Err(error) => bail!("{who} needs python3, 3.11 or newer: {error}"),
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => bail!(
                "{who} needs python3, 3.11 or newer, with its venv module (on Debian and Ubuntu: apt install python3-venv). {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ),
        }
    }
}

/// Runs a command; its output is in the error if it fails, and the answer if it does not.
pub fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("running {command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{command:?} failed ({}):\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_content_and_place_has_a_folder_of_its_own() {
        let folder = |parent: &str, requirements, layout| {
            Venv::of(Path::new(parent), requirements, layout, "the test").folder().to_owned()
        };
        let first = folder("/a", "six==1.17.0", 1);
        assert_eq!(folder("/a", "six==1.17.0", 1), first);
        for other in [folder("/a", "six==1.16.0", 1), folder("/a", "six==1.17.0", 2), folder("/b", "six==1.17.0", 1)] {
            assert_ne!(other.file_name(), first.file_name());
        }
    }

    #[test]
    fn what_was_cut_off_is_made_anew_and_what_is_complete_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let venv = Venv::of(parent.path(), "", 1, "the test");
        fs::create_dir_all(venv.folder()).unwrap();
        let rubble = venv.folder().join("rubble");
        fs::write(&rubble, "").unwrap();

        venv.make(|_| anyhow::bail!("cut off")).unwrap_err();
        assert!(!venv.is_complete() && !rubble.exists());
        let added = |venv: &Venv| fs::write(venv.folder().join("added"), "").context("adding");
        venv.make(added).unwrap();
        assert!(venv.is_complete() && venv.folder().join("added").exists());
        assert!(run(Command::new(venv.python()).args(["-c", "print(2 * 21)"])).unwrap().starts_with("42"));
        venv.make(|_| panic!("it is there")).unwrap();
    }
}
