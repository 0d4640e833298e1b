//! ministack: the AWS stand-in behind the front door.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;

use crate::child::{Child, Launch, Output};
use crate::options::Options;
use crate::tools::Tools;

/// It is ready after about half a second; a machine that builds at the same time may take much longer.
const READY_WITHIN: Duration = Duration::from_secs(30);
const READY_POLL: Duration = Duration::from_millis(25);

/// Between finding a free port and ministack binding it another program may take it.
const ATTEMPTS: usize = 3;

/// Where the program of ours is that starts ministack, with a CloudFormation that calls ECS through the front door.
const LAUNCHER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ministack");

/// A running ministack.
pub(crate) struct Ministack {
    address: SocketAddr,
    process: Child,
}

impl Ministack {
    /// Starts it and waits until it answers. `endpoint` is the front door, where its functions send their calls.
    pub(crate) async fn start(tools: &Tools, options: &Options, endpoint: &str) -> anyhow::Result<Self> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match Self::attempt(tools, options, endpoint).await {
                Ok(ministack) => return Ok(ministack),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("ministack was not started")))
    }

    async fn attempt(tools: &Tools, options: &Options, endpoint: &str) -> anyhow::Result<Self> {
        let home = options.scratch.join("ministack");
        let temporary = home.join("tmp");
        fs::create_dir_all(&temporary).with_context(|| format!("making {}", temporary.display()))?;
        let log = options.scratch.join("ministack.log");
        let probe = TcpListener::bind(("127.0.0.1", 0)).await.context("finding a port for ministack")?;
        let address = probe.local_addr().context("reading ministack's port")?;
        drop(probe);

        let process = Child::start(Launch {
            program: tools.python(),
            // Without -B Python would leave compiled files in the source tree.
            arguments: vec!["-B".into(), format!("{LAUNCHER}/launch.py")],
            environment: environment(options, endpoint, address.port(), &home, &temporary),
            folder: home,
            output: Output::File(log.clone()),
        })
        .await?;
        let ministack = Self { address, process };
        match tokio::time::timeout(READY_WITHIN, ministack.ready()).await {
            Ok(Ok(())) => Ok(ministack),
            Ok(Err(error)) => Err(error.context(format!("its log is {}", log.display()))),
            Err(_) => {
                ministack.end();
                bail!("ministack did not answer within {READY_WITHIN:?}; its log is {}", log.display())
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills it and the function processes it started, which are in its process group.
    pub(crate) fn end(&self) {
        self.process.kill();
    }

    pub(crate) async fn ended(&self) {
        self.process.wait().await;
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let http = reqwest::Client::new();
        let probe = format!("http://{}/_ministack/ready", self.address);
        let mut poll = tokio::time::interval(READY_POLL);
        loop {
            poll.tick().await;
            if let Some(code) = self.process.exit_code() {
                bail!("ministack ended with exit code {code} while starting");
            }
            if http.get(&probe).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
        }
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        self.end();
    }
}

/// Functions inherit it, so it holds nothing of the developer's own environment.
fn environment(options: &Options, endpoint: &str, port: u16, home: &Path, temporary: &Path) -> Vec<(String, OsString)> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let folder = |folder: &Path| PathBuf::from(folder).into_os_string();
    let mut environment: Vec<(String, OsString)> = vec![
        ("PATH".into(), path),
        ("HOME".into(), folder(home)),
        ("TMPDIR".into(), folder(temporary)),
        ("AUTH".into(), "true".into()),
        ("BIND_HOST".into(), "127.0.0.1".into()),
        ("GATEWAY_PORT".into(), port.to_string().into()),
        ("MINISTACK_HOST".into(), "127.0.0.1".into()),
        ("MINISTACK_REGION".into(), options.region.clone().into()),
        ("MINISTACK_ACCOUNT_ID".into(), options.account.clone().into()),
        ("AWS_ENDPOINT_URL".into(), endpoint.into()),
        ("PYTHONUNBUFFERED".into(), "1".into()),
        // Where its CloudFormation awaits the answers of custom resources; functions send them to S3 alone otherwise.
        ("RESPONSE_URL_PREFIXES".into(), format!("http://127.0.0.1:{port}/_ministack/cfn-response/").into()),
    ];
    environment.extend(options.environment.iter().map(|(name, value)| (name.clone(), value.into())));
    environment
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[tokio::test]
    async fn the_launcher_passes_its_own_tests() {
        let tools = Tools::provision(&|_: &str| ()).await.unwrap();
        let tests = Command::new(tools.python()).args(["-B", "-m", "unittest"]).current_dir(LAUNCHER).output().unwrap();
        let said = String::from_utf8_lossy(&tests.stderr);
        assert!(tests.status.success() && said.contains("Ran 17 tests"), "{said}");
    }
}
