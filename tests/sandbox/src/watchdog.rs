//! One small shell process that outlives the sandbox by a moment and ends what the sandbox started.
//!
//! `setpriv --pdeathsig` ends a child with its parent, but not the child's own children: the function processes that
//! ministack starts would live on after `kill -9` of the sandbox. So every child leads a process group, the watchdog is told
//! of it through a pipe, and when the pipe closes, however that came about, it kills the groups that are left.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, Stdio};

/// `+PGID` adds a group, `-PGID` takes it out, end of input kills the rest.
const SCRIPT: &str = r#"
groups=" "
while read -r line; do
    case $line in
        +*) groups="$groups${line#+} " ;;
        -*) groups="${groups%% "${line#-}" *} ${groups#* "${line#-}" }" ;;
    esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
"#;

/// The pipe to the watchdog.
pub(crate) struct Watchdog {
    pipe: ChildStdin,
}

impl Watchdog {
    /// Starts the watchdog in a process group of its own, so that Ctrl-C at a terminal does not reach it.
    pub(crate) fn start() -> std::io::Result<Self> {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pipe = shell.stdin.take().ok_or_else(|| std::io::Error::other("the watchdog has no standard input"))?;
        Ok(Self { pipe })
    }

    pub(crate) fn watch(&mut self, group: u32) -> std::io::Result<()> {
        writeln!(self.pipe, "+{group}")
    }

    pub(crate) fn forget(&mut self, group: u32) -> std::io::Result<()> {
        writeln!(self.pipe, "-{group}")
    }
}
