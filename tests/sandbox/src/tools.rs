//! The virtual environment under `target/sandbox`: ministack, the `aws` CLI, and botocore's model of ECS.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use crate::options::{Options, sandbox_folder};

const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// Part of the stamp: raise it when what is made from the environment changes.
const LAYOUT: u32 = 1;

/// botocore keeps its models gzipped.
const WRITE_ECS_MODEL: &str = "
import gzip, pathlib, sys, botocore
folder = pathlib.Path(botocore.__file__).parent / 'data' / 'ecs' / '2014-11-13'
packed = folder / 'service-2.json.gz'
text = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / 'service-2.json').read_bytes()
pathlib.Path(sys.argv[1]).write_bytes(text)
";

/// The provisioned tools.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Makes the environment, or finds that it is there already (a matter of one small read).
    pub(crate) async fn provision(progress: &impl Fn(&str)) -> anyhow::Result<Self> {
        let folder = sandbox_folder();
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let tools =
            Self { folder: fs::canonicalize(&folder).with_context(|| format!("finding {}", folder.display()))? };
        crate::leftovers::clear(&tools.folder);
        check_setpriv()?;
        if tools.is_current() {
            return Ok(tools);
        }
        progress("installing ministack and the aws CLI into target/sandbox/venv (once)");
        let making = tools.clone();
        tokio::task::spawn_blocking(move || making.make()).await.context("installing the sandbox's tools")??;
        Ok(tools)
    }

    pub(crate) fn python(&self) -> PathBuf {
        self.venv().join("bin/python")
    }

    pub(crate) fn ecs_model(&self) -> PathBuf {
        self.venv().join("ecs-model.json")
    }

    /// A script that is the `aws` CLI of this sandbox. It passes `--endpoint-url` because CLI v1 ignores
    /// `AWS_ENDPOINT_URL` for SQS.
    pub(crate) fn write_aws_cli(&self, options: &Options, endpoint: &str) -> anyhow::Result<PathBuf> {
        let run = endpoint.rsplit(':').next().unwrap_or(endpoint);
        let script = self.folder.join(format!("{}{run}", crate::leftovers::SCRIPT));
        let text = format!(
            "#!/bin/sh\n\
             # The aws CLI of the sandbox at {endpoint}.\n\
             exec env -u AWS_PROFILE -u AWS_SESSION_TOKEN AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test \\\n    \
             AWS_DEFAULT_REGION={region} AWS_REGION={region} AWS_ENDPOINT_URL={endpoint} AWS_PAGER= \\\n    \
             AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null \\\n    \
             {python} {aws} --endpoint-url {endpoint} \"$@\"\n",
            region = options.region,
            python = quoted(&self.python()),
            aws = quoted(&self.venv().join("bin/aws")),
        );
        fs::write(&script, text).with_context(|| format!("writing {}", script.display()))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("making {} executable", script.display()))?;
        Ok(script)
    }

    /// Named by what is in it, so that another version's sandbox never has it taken away under its feet.
    fn venv(&self) -> PathBuf {
        self.folder.join(format!("venv-{}", wanted_stamp(&self.folder)))
    }

    fn stamp(&self) -> PathBuf {
        self.venv().join("complete")
    }

    fn is_current(&self) -> bool {
        self.stamp().exists()
    }

    fn make(&self) -> anyhow::Result<()> {
        let lock_file = self.folder.join("venv.lock");
        let lock = File::create(&lock_file).with_context(|| format!("opening {}", lock_file.display()))?;
        // Two sandboxes at once: the second waits here, and then finds the work done. Dropping the file unlocks it.
        lock.lock().with_context(|| format!("locking {}", lock_file.display()))?;
        if self.is_current() {
            return Ok(());
        }
        check_python()?;
        let venv = self.venv();
        if venv.exists() {
            fs::remove_dir_all(&venv).with_context(|| format!("removing the incomplete {}", venv.display()))?;
        }
        let requirements = self.folder.join("requirements.txt");
        fs::write(&requirements, REQUIREMENTS).with_context(|| format!("writing {}", requirements.display()))?;
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"];
        run(Command::new(self.python()).args(pip).arg(&requirements))?;
        run(Command::new(self.python()).args(["-m", "pip", "--disable-pip-version-check", "check"]))?;
        run(Command::new(self.python()).args(["-c", WRITE_ECS_MODEL]).arg(self.ecs_model()))?;
        fs::write(self.stamp(), "").with_context(|| format!("completing {}", venv.display()))
    }
}

/// What an environment is made of. A moved folder breaks the environment's scripts, so it counts too.
fn wanted_stamp(folder: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    (REQUIREMENTS, LAYOUT, folder).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn check_setpriv() -> anyhow::Result<()> {
    let output = Command::new("setpriv").arg("--help").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    ensure!(
        text.contains("--pdeathsig"),
        "the sandbox needs `setpriv` with --pdeathsig (util-linux 2.33 or newer; on Debian and Ubuntu: apt install util-linux)"
    );
    Ok(())
}

fn check_python() -> anyhow::Result<()> {
    let check = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))";
    match Command::new("python3").args(["-c", check]).output() {
        Err(error) => bail!("the sandbox needs python3, 3.11 or newer: {error}"),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => bail!(
            "the sandbox needs python3, 3.11 or newer, with its venv module (on Debian and Ubuntu: apt install python3-venv). {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("running {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?} failed ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
