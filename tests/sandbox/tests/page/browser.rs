//! A browser that a test drives as a person would: it looks, and it presses keys.
//!
//! Chromium takes the commands of its `DevTools` protocol (JSON, each ended by a zero byte) from file descriptor 3 and answers on
//! 4; a shell lets its own input and output be those. When the pipe closes, however the test ends, Chromium ends too.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// How long anything may take that should take a moment.
const SOON: Duration = Duration::from_secs(30);
/// How often the page is looked at while something is waited for.
const LOOK: Duration = Duration::from_millis(50);
/// More stops than the page has.
const STOPS: usize = 200;

const FLAGS: [&str; 9] = [
    "--headless",
    // Containers and root have no user namespaces for it; the page is our own.
    "--no-sandbox",
    "--disable-gpu",
    "--no-proxy-server",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
];

pub(crate) struct Browser {
    _process: Child,
    _profile: TempDir,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    calls: u64,
    /// What scripts of the page threw, and what the browser refused it.
    pub(crate) complaints: Vec<String>,
}

impl Browser {
    /// `chromium` is the folder of [`crate::chromium::provision`].
    pub(crate) async fn start(chromium: &Path) -> anyhow::Result<Self> {
        let profile = tempfile::tempdir().context("making a folder for the browser")?;
        let mut process = Command::new("/bin/sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null"#])
            .arg(chromium.join("chromium"))
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", profile.path())
            .env("LD_LIBRARY_PATH", chromium.join("al2023/lib"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("starting Chromium")?;
        let to = process.stdin.take().context("Chromium has no input")?;
        let from = BufReader::new(process.stdout.take().context("Chromium has no output")?);
        let complaints = Vec::new();
        let mut browser = Self { _process: process, _profile: profile, to, from, session: None, calls: 0, complaints };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" })).await?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach).await?;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, json!({})).await?;
        }
        Ok(browser)
    }

    pub(crate) async fn open(&mut self, url: &str) -> anyhow::Result<()> {
        let answer = self.call("Page.navigate", json!({ "url": url })).await?;
        ensure!(answer["errorText"].is_null(), "{url}: {answer}");
        Ok(())
    }

    pub(crate) async fn resize(&mut self, width: u32, height: u32) -> anyhow::Result<()> {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", metrics).await.map(drop)
    }

    /// `dark` or `light`.
    pub(crate) async fn prefer(&mut self, scheme: &str) -> anyhow::Result<()> {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", features).await.map(drop)
    }

    /// The value of an expression in the page.
    pub(crate) async fn look(&mut self, expression: &str) -> anyhow::Result<Value> {
        let evaluate = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", evaluate).await?;
        ensure!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        Ok(answer["result"]["value"].clone())
    }

    /// Waits until an expression is true in the page.
    pub(crate) async fn until(&mut self, expression: &str) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + SOON;
        while self.look(expression).await? != json!(true) {
            if tokio::time::Instant::now() > deadline {
                let shown = self.look("document.body.innerText").await?;
                bail!("not within {SOON:?}: {expression}; the page shows:\n{}", shown.as_str().unwrap_or_default());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Presses Tab until what has this name (its label or text) has the focus.
    pub(crate) async fn tab_to(&mut self, name: &str) -> anyhow::Result<()> {
        let named = "(e => e.getAttribute('aria-label') ?? e.labels?.[0]?.textContent ?? e.textContent)";
        let there =
            format!("[...document.querySelectorAll('button, input, select')].map({named}).includes({})", json!(name));
        self.until(&there).await?;
        let focused = format!("{named}(document.activeElement)");
        let mut stops = Vec::new();
        for _ in 0..STOPS {
            self.press("Tab").await?;
            let stop = self.look(&focused).await?;
            if stop == name {
                let visible = "document.activeElement.matches(':focus-visible') && getComputedStyle(document.activeElement).outlineStyle";
                ensure!(self.look(visible).await? == "solid", "one does not see that {name} has the focus");
                return Ok(());
            }
            stops.push(stop);
        }
        bail!("no way by Tab to {name}; the last stops were {stops:?}")
    }

    /// Tab, Enter, Space, an arrow.
    pub(crate) async fn press(&mut self, key: &str) -> anyhow::Result<()> {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "ArrowDown" => (40, ""),
            "ArrowUp" => (38, ""),
            _ => bail!("no such key: {key}"),
        };
        let event = |kind: &str, text: &str| json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text });
        self.call("Input.dispatchKeyEvent", event("keyDown", text)).await?;
        self.call("Input.dispatchKeyEvent", event("keyUp", "")).await.map(drop)
    }

    /// Replaces the text of the field that has the focus.
    pub(crate) async fn write(&mut self, text: &str) -> anyhow::Result<()> {
        self.look("document.activeElement.select()").await?;
        self.call("Input.insertText", json!({ "text": text })).await.map(drop)
    }

    /// A picture of the whole page.
    pub(crate) async fn picture(&mut self, file: &Path) -> anyhow::Result<()> {
        let shot =
            self.call("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true })).await?;
        let mut decode = Command::new("base64")
            .arg("--decode")
            .stdin(Stdio::piped())
            .stdout(std::fs::File::create(file).with_context(|| format!("making {}", file.display()))?)
            .spawn()
            .context("running base64")?;
        let mut input = decode.stdin.take().context("base64 has no input")?;
        input.write_all(shot["data"].as_str().context("there is no picture")?.as_bytes()).await?;
        drop(input);
        ensure!(decode.wait().await?.success(), "the picture is no base64");
        Ok(())
    }

    async fn call(&mut self, method: &str, parameters: Value) -> anyhow::Result<Value> {
        let answer = tokio::time::timeout(SOON, self.ask(method, parameters)).await;
        answer.with_context(|| format!("Chromium does not answer {method}"))?
    }

    async fn ask(&mut self, method: &str, parameters: Value) -> anyhow::Result<Value> {
        self.calls += 1;
        let mut request = json!({ "id": self.calls, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            request["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{request}\0").as_bytes()).await.context("speaking to Chromium")?;
        loop {
            let mut said = Vec::new();
            let length = self.from.read_until(0, &mut said).await.context("listening to Chromium")?;
            ensure!(length > 0, "Chromium has ended");
            said.pop();
            let mut said: Value = serde_json::from_slice(&said).context("Chromium does not speak JSON")?;
            if said["id"] == self.calls {
                ensure!(said["error"].is_null(), "{method}: {}", said["error"]);
                return Ok(said["result"].take());
            }
            if said["method"] == "Runtime.exceptionThrown" || said["method"] == "Log.entryAdded" {
                self.complaints.push(said["params"].to_string());
            }
        }
    }
}
