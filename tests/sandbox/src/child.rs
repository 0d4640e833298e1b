//! A child process that dies with the sandbox, even when the sandbox is killed with signal 9.
//!
//! Two belts: `setpriv --pdeathsig KILL` for the child itself, and the watchdog for its process group. The kernel sends the
//! parent-death signal when the *thread* that forked ends (`PR_SET_PDEATHSIG(2const)`), so all children are forked by one
//! thread that lives as long as the process, never by a runtime's pool.

use std::ffi::OsString;
use std::fs::File;
use std::io::PipeWriter;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::sync::{oneshot, watch};

use crate::watchdog::Watchdog;

/// What to start. The child sees no environment but this one.
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, OsString)>,
    pub(crate) folder: PathBuf,
    pub(crate) output: Output,
}

impl Launch {
    /// The same once more, with its output in a file.
    pub(crate) fn with_output(&self, file: &Path) -> Self {
        Self {
            program: self.program.clone(),
            arguments: self.arguments.clone(),
            environment: self.environment.clone(),
            folder: self.folder.clone(),
            output: Output::File(file.to_owned()),
        }
    }
}

/// Where standard output and error go.
pub(crate) enum Output {
    /// Appended to a file.
    File(PathBuf),
    /// To whoever reads the other end.
    Pipe(PipeWriter),
}

impl Output {
    /// The file, to be written at its end.
    pub(crate) fn open(&self) -> std::io::Result<File> {
        match self {
            Self::File(path) => File::options().create(true).append(true).open(path),
            Self::Pipe(_) => Err(std::io::ErrorKind::Unsupported.into()),
        }
    }

    fn into_stdio(self) -> std::io::Result<(Stdio, Stdio)> {
        match self {
            Self::File(_) => {
                let file = self.open()?;
                Ok((file.try_clone()?.into(), file.into()))
            }
            Self::Pipe(writer) => Ok((writer.try_clone()?.into(), writer.into())),
        }
    }
}

/// A started child. Clones speak of the same process.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pid: u32,
    exit_code: watch::Receiver<Option<i32>>,
}

impl Child {
    pub(crate) async fn start(launch: Launch) -> anyhow::Result<Self> {
        let program = launch.program.clone();
        let (answer, started) = oneshot::channel();
        let spawner = spawner().with_context(|| "starting the thread that starts processes")?;
        spawner.send(Job { launch, answer }).with_context(|| "the thread that starts processes has ended")?;
        let child = started.await.with_context(|| "the thread that starts processes has ended")?;
        child.with_context(|| format!("starting {}", program.display()))
    }

    /// The process id, which is also the id of the process group that it leads.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// The exit code once it has ended; 128 + n when signal n ended it, as a container runtime reports it.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        *self.exit_code.borrow()
    }

    /// Waits until it has ended.
    pub(crate) async fn wait(&self) -> i32 {
        let mut exit_code = self.exit_code.clone();
        let ended = exit_code.wait_for(Option::is_some).await.ok().and_then(|code| *code);
        // The sender goes away only after it has sent.
        ended.unwrap_or(-1)
    }

    /// SIGTERM to the process itself, as a container's first process gets it.
    pub(crate) fn terminate(&self) {
        if let (None, Some(pid)) = (self.exit_code(), self.raw_pid()) {
            // It may end between the look and the signal: then there is nobody to tell.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// SIGINT to the process itself.
    pub(crate) fn interrupt(&self) {
        if let (None, Some(pid)) = (self.exit_code(), self.raw_pid()) {
            // It may end between the look and the signal: then there is nobody to tell.
            let _ = kill_process(pid, Signal::INT);
        }
    }

    /// SIGKILL to the whole process group.
    pub(crate) fn kill(&self) {
        if let (None, Some(pid)) = (self.exit_code(), self.raw_pid()) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    fn raw_pid(&self) -> Option<Pid> {
        i32::try_from(self.pid).ok().and_then(Pid::from_raw)
    }
}

struct Job {
    launch: Launch,
    answer: oneshot::Sender<std::io::Result<Child>>,
}

static WATCHDOG: Mutex<Option<Watchdog>> = Mutex::new(None);

/// The one thread that forks; it ends with the process.
fn spawner() -> std::io::Result<mpsc::Sender<Job>> {
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    if let Some(spawner) = SPAWNER.get() {
        return Ok(spawner.clone());
    }
    let (jobs, queue) = mpsc::channel::<Job>();
    std::thread::Builder::new().name("spawner".into()).spawn(move || {
        for job in queue {
            // Who asked may have been cut off meanwhile: then the child has nobody.
            if let Err(Ok(child)) = job.answer.send(fork(job.launch)) {
                child.kill();
            }
        }
    })?;
    Ok(SPAWNER.get_or_init(|| jobs).clone())
}

fn fork(launch: Launch) -> std::io::Result<Child> {
    let (output, errors) = launch.output.into_stdio()?;
    let mut process = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--"])
        .arg(&launch.program)
        .args(&launch.arguments)
        .env_clear()
        .envs(launch.environment)
        .current_dir(&launch.folder)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .process_group(0)
        .spawn()?;
    let pid = process.id();
    with_watchdog(|watchdog| watchdog.watch(pid))?;

    let (exited, exit_code) = watch::channel(None);
    std::thread::Builder::new().name(format!("wait-{pid}")).spawn(move || {
        let code = process.wait().map_or(-1, |status| status.code().or(status.signal().map(|n| 128 + n)).unwrap_or(-1));
        // A container's end takes all its processes along (its process namespace goes away); here the group stands for it.
        if let Some(group) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = with_watchdog(|watchdog| watchdog.forget(pid));
        let _ = exited.send(Some(code));
    })?;
    Ok(Child { pid, exit_code })
}

fn with_watchdog(tell: impl FnOnce(&mut Watchdog) -> std::io::Result<()>) -> std::io::Result<()> {
    let mut watchdog = WATCHDOG.lock().unwrap_or_else(PoisonError::into_inner);
    match watchdog.as_mut() {
        Some(watchdog) => tell(watchdog),
        None => tell(watchdog.insert(Watchdog::start()?)),
    }
}
