//! The virtual environment under `target/sandbox`: ministack, the `aws` CLI, and botocore's model of ECS.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use venv::Venv;

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
    venv: Venv,
}

impl Tools {
    /// Makes the environment, or finds that it is there already (a matter of one small read).
    pub(crate) async fn provision(progress: &impl Fn(&str)) -> anyhow::Result<Self> {
        let folder = sandbox_folder();
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let folder = fs::canonicalize(&folder).with_context(|| format!("finding {}", folder.display()))?;
        let venv = Venv::of(&folder, REQUIREMENTS, LAYOUT, "the sandbox");
        let tools = Self { folder, venv };
        crate::leftovers::clear(&tools.folder);
        check_setpriv()?;
        if tools.venv.is_complete() {
            return Ok(tools);
        }
        progress("installing ministack and the aws CLI into target/sandbox/venv (once)");
        let making = tools.clone();
        tokio::task::spawn_blocking(move || making.make()).await.context("installing the sandbox's tools")??;
        Ok(tools)
    }

    pub(crate) fn python(&self) -> PathBuf {
        self.venv.python()
    }

    pub(crate) fn ecs_model(&self) -> PathBuf {
        self.venv.folder().join("ecs-model.json")
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
            aws = quoted(&self.venv.folder().join("bin/aws")),
        );
        fs::write(&script, text).with_context(|| format!("writing {}", script.display()))?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("making {} executable", script.display()))?;
        Ok(script)
    }

    fn make(&self) -> anyhow::Result<()> {
        self.venv.make(|venv| {
            let mut write = Command::new(venv.python());
            venv::run(write.args(["-c", WRITE_ECS_MODEL]).arg(self.ecs_model())).map(drop)
        })
    }
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

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
