//! The Python that the Python function runs in: pinned packages under `target/bench`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use venv::Venv;

const REQUIREMENTS: &str = include_str!("../python/requirements.txt");

/// Part of the environment's name: raise it when what is made of the requirements changes.
const LAYOUT: u32 = 1;

/// What `pip install boto3 --target` puts into a folder, which AWS recommends to deploy along although the runtime has
/// it (Lambda Developer Guide, "Working with .zip file archives for Python Lambda functions").
const BOTO3: [&str; 7] = ["boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3"];

/// The provisioned environment.
#[derive(Debug)]
pub struct Python {
    venv: Venv,
    version: String,
    site_packages: PathBuf,
}

impl Python {
    /// Makes it under `target`, or finds it there.
    pub fn provision(target: &Path) -> anyhow::Result<Self> {
        let folder = target.join("bench");
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let venv = Venv::of(&folder, REQUIREMENTS, LAYOUT, "the bench");
        venv.make(|_| Ok(())).context("installing the Python function's packages")?;
        let ask = |question: &str| venv::run(Command::new(venv.python()).args(["-c", question]));
        let version = ask("import platform; print(platform.python_version())")?.trim().to_owned();
        let site_packages = PathBuf::from(ask("import sysconfig; print(sysconfig.get_path('purelib'))")?.trim());
        Ok(Self { venv, version, site_packages })
    }

    /// The interpreter.
    pub fn interpreter(&self) -> PathBuf {
        self.venv.python()
    }

    /// What it is, for the reader of the table: its version and the packages' that matter.
    pub fn described(&self) -> String {
        let pinned =
            REQUIREMENTS.lines().filter(|line| line.starts_with("boto3=") || line.starts_with("awslambdaric="));
        let packages: Vec<_> = pinned.map(|line| line.replace("==", " ")).collect();
        format!("Python {}, {}", self.version, packages.join(", "))
    }

    /// boto3 and what it needs.
    pub fn boto3(&self) -> Vec<PathBuf> {
        BOTO3.map(|name| self.site_packages.join(name)).to_vec()
    }
}
