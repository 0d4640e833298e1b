//! Our own stack in the local AWS: the functions built, packaged and deployed with `infra/deploy`, unchanged.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use crate::Sandbox;

/// The stack's name in the sandbox.
pub const STACK: &str = "watchkeeper";
/// Alarms with this prefix alert in the sandbox.
pub const ALARM_PREFIX: &str = "demo-";
/// Objects that `Custom::BucketObject` may write in the sandbox, and their bucket.
pub const BUCKET_OBJECTS: &str = "arn:aws:s3:::demo-objects/*,arn:aws:s3:::demo-objects";
/// Cloud Map services and hosted zones that `Custom::ConsoleRegistration` may write in the sandbox: any.
pub const REGISTRIES: &str = "arn:aws:servicediscovery:*:*:service/*,arn:aws:route53:::hostedzone/*";
/// Buckets whose newest object `Custom::ConfigSync` may look for in the sandbox.
pub const SOURCE_BUCKETS: &str = "arn:aws:s3:::demo-gold-masters";
/// The functions that are packaged: the names of their crates and binaries.
pub const FUNCTIONS: [&str; 4] = ["crash-alerts", "stack-resources", "console-registrar", "config-sync"];

/// The deployed stack, by its outputs.
#[derive(Clone, Debug)]
pub struct Stack {
    outputs: BTreeMap<String, String>,
}

/// Builds the functions (and all else of the workspace, so that tests and sandbox share one build).
pub async fn build() -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--workspace"])
        .current_dir(root())
        .stdin(Stdio::null())
        .status()
        .await
        .context("running cargo build")?;
    ensure!(status.success(), "cargo build --workspace failed; its own words are above");
    Ok(())
}

impl Stack {
    /// Packages the functions' binaries and runs `infra/deploy` against the sandbox; `progress` is told its steps.
    pub async fn deploy(sandbox: &Sandbox, progress: impl Fn(&str)) -> anyhow::Result<Self> {
        let zips = sandbox.options().scratch.join("zips");
        package(&sandbox.options().binaries, &zips)?;
        let mut deploy = Command::new(root().join("infra/deploy"))
            .args(["--stack", STACK, "--arch", architecture()?, "--alarm-prefix", ALARM_PREFIX])
            .args(["--bucket-objects", BUCKET_OBJECTS, "--registry-arns", REGISTRIES])
            // Each sweep looks, so that stories and the play need not wait for the minute of a declaration.
            .args(["--config-source-buckets", SOURCE_BUCKETS, "--config-look-minutes", "1"])
            .args(
                sandbox
                    .options()
                    .parameters
                    .iter()
                    .flat_map(|(name, value)| ["--parameter".to_owned(), format!("{name}={value}")]),
            )
            .args(["--ops-email", "ops@example.com", "--self-alarm-email", "platform@example.com", "--zips"])
            .arg(&zips)
            .env("AWS_CLI", sandbox.aws_cli())
            .env("AWS_REGION", &sandbox.options().region)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("running infra/deploy")?;
        let (stdout, stderr) = (deploy.stdout.take(), deploy.stderr.take());
        let (said, complained) = tokio::join!(listen(stdout, progress), listen(stderr, |_| ()));
        let status = deploy.wait().await.context("waiting for infra/deploy")?;
        ensure!(status.success(), "infra/deploy failed ({status}); it said:\n{}{}", said?, complained?);
        Self::read(sandbox).await
    }

    async fn read(sandbox: &Sandbox) -> anyhow::Result<Self> {
        let answer = Command::new(sandbox.aws_cli())
            .args(["cloudformation", "describe-stacks", "--stack-name", STACK, "--output", "json"])
            .stdin(Stdio::null())
            .output()
            .await
            .context("reading the stack's outputs")?;
        ensure!(answer.status.success(), "reading the stack's outputs: {}", String::from_utf8_lossy(&answer.stderr));
        let stacks: Value = serde_json::from_slice(&answer.stdout).context("reading the stack's outputs")?;
        let outputs = stacks["Stacks"][0]["Outputs"].as_array().context("the stack has no outputs")?;
        let pair = |output: &Value| {
            Some((output["OutputKey"].as_str()?.to_owned(), output["OutputValue"].as_str()?.to_owned()))
        };
        Ok(Self { outputs: outputs.iter().filter_map(pair).collect() })
    }

    /// One of the stack's outputs.
    pub fn output(&self, name: &str) -> anyhow::Result<&str> {
        self.outputs.get(name).map(String::as_str).with_context(|| format!("the stack has no output {name}"))
    }
}

/// Reads all that a command prints, and tells of its steps (`[2/5] …`) as they come.
async fn listen(output: Option<impl AsyncRead + Unpin>, progress: impl Fn(&str)) -> anyhow::Result<String> {
    let mut lines = BufReader::new(output.context("the command has no output to read")?).lines();
    let mut said = String::new();
    while let Some(line) = lines.next_line().await.context("reading what the command says")? {
        if line.starts_with('[') {
            progress(&format!("    {line}"));
        }
        said.push_str(&line);
        said.push('\n');
    }
    Ok(said)
}

/// A zip per function with its binary as `bootstrap`; not compressed, since it only goes round the corner.
fn package(binaries: &Path, zips: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(zips).with_context(|| format!("making {}", zips.display()))?;
    for function in FUNCTIONS {
        let binary = binaries.join(function);
        let program = std::fs::read(&binary).with_context(|| format!("reading {}", binary.display()))?;
        let path = zips.join(format!("{function}.zip"));
        let mut zip = zip::ZipWriter::new(File::create(&path).with_context(|| format!("making {}", path.display()))?);
        zip.start_file(
            "bootstrap",
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o755),
        )?;
        zip.write_all(&program)
            .and_then(|()| zip.finish().map(drop).map_err(Into::into))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// This machine's architecture, as Lambda names it.
fn architecture() -> anyhow::Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("x86_64"),
        "aarch64" => Ok("arm64"),
        other => bail!("Lambda has no architecture {other}; the sandbox runs on x86_64 and aarch64"),
    }
}

/// The workspace.
#[must_use]
pub fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    // tests/sandbox of the workspace.
    own.ancestors().nth(2).unwrap_or(own)
}
