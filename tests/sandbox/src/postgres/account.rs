//! The operating system's user that PostgreSQL runs as: it refuses to be root.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::process::geteuid;

/// `nobody` of the Linux distributions; it need not be in the password file.
const NOBODY: u32 = 65534;

/// Who the server runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Account {
    /// Whoever runs the sandbox.
    Ours,
    /// An unprivileged user, since the sandbox is run by root.
    Nobody,
}

impl Account {
    pub(super) fn choose() -> Self {
        if geteuid().is_root() { Self::Nobody } else { Self::Ours }
    }

    /// The program and its arguments, begun as this user. The change of user clears the signal at the parent's death, so it
    /// is asked for once more.
    pub(super) fn command(self, program: PathBuf, arguments: Vec<String>) -> (PathBuf, Vec<String>) {
        if self == Self::Ours {
            return (program, arguments);
        }
        let user = NOBODY.to_string();
        let drop_root = ["--reuid", &user, "--regid", &user, "--clear-groups", "--pdeathsig", "KILL", "--"];
        let mut all: Vec<String> = drop_root.into_iter().map(str::to_owned).collect();
        all.push(program.display().to_string());
        all.extend(arguments);
        ("setpriv".into(), all)
    }

    /// Gives a file or folder to this user and to nobody else.
    pub(super) fn own(self, path: &Path, mode: u32) -> io::Result<()> {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        match self {
            Self::Ours => Ok(()),
            Self::Nobody => chown(path, Some(NOBODY), Some(NOBODY)),
        }
    }

    /// Fails with the name of the folder that keeps this user from a path.
    pub(super) fn check_way(self, path: &Path) -> anyhow::Result<()> {
        if self == Self::Ours {
            return Ok(());
        }
        for folder in path.ancestors().skip(1) {
            let found = fs::metadata(folder).with_context(|| format!("looking at {}", folder.display()))?;
            let mine = found.uid() == NOBODY && found.mode() & 0o100 != 0;
            if !mine && found.mode() & 0o001 == 0 {
                bail!(
                    "PostgreSQL refuses to run as root, and as an unprivileged user it cannot pass the folder {} (on the way \
                     to {}): allow it with chmod o+x, or run the sandbox as another user",
                    folder.display(),
                    path.display()
                );
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_folder_on_the_way_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (closed, inner) = (folder.path().join("closed"), folder.path().join("closed/inner"));
        fs::create_dir_all(&inner).unwrap();
        for open in [folder.path(), &closed] {
            fs::set_permissions(open, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Account::Nobody.check_way(&inner).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o750)).unwrap();
        let told = Account::Nobody.check_way(&inner).unwrap_err().to_string();
        assert!(told.contains(&format!("cannot pass the folder {} ", closed.display())), "{told}");
        Account::Ours.check_way(&inner).unwrap();
    }
}
