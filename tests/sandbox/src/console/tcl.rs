//! Scripts in a real Tcl interpreter, one process for each.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::child::{Child, Launch, Output};

/// Our side of the conversation, in Tcl.
const RUNNER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/console/runner.tcl");

/// Python's `tkinter.Tcl()` is a Tcl interpreter without the Tk.
const IN_PYTHON: &str = "
import sys, tkinter
tcl = tkinter.Tcl()
tcl.setvar('argv', sys.argv[2])
tcl.evalfile(sys.argv[1])
";

/// The longest line that the interpreter sends; a script that writes more at once is an error.
const LONGEST_BODY: usize = 4 * 1024 * 1024;

/// A program that interprets Tcl.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Interpreter {
    Tclsh(PathBuf),
    Python(PathBuf),
}

impl Interpreter {
    /// tclsh where there is one, else Python.
    pub(super) fn find() -> anyhow::Result<Self> {
        let tclsh = ["tclsh", "tclsh8.6"].into_iter().find_map(on_path).map(Self::Tclsh);
        tclsh
            .or_else(|| on_path("python3").map(Self::Python))
            .context("scripts of the Console need a tclsh or a python3")
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// What the `agent` command of a script gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Text(String),
    List(Vec<String>),
    Error(String),
}

/// Who answers the Console commands of a script.
pub(super) trait Agents: Sync {
    /// `words` are what Tcl made of the command, without `agent` itself.
    fn answer(&self, words: &[String]) -> impl Future<Output = Reply> + Send;
}

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    /// Tcl's words for what went wrong.
    Error(String),
    /// Its time was up.
    CutOff,
}

/// Runs scripts.
#[derive(Clone, Debug)]
pub(super) struct Tcl {
    pub(super) interpreter: Interpreter,
    /// Where the interpreter's own complaints are kept.
    pub(super) log: PathBuf,
    pub(super) within: Duration,
}

/// Ends a script's process, also when whoever asked for it hangs up.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill();
    }
}

impl Tcl {
    /// Runs `script`. Returns what it wrote, and how it ended.
    pub(super) async fn run(&self, script: &str, agents: &impl Agents) -> anyhow::Result<(String, End)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("finding a port for the interpreter")?;
        let port = listener.local_addr().context("reading the interpreter's port")?.port();
        let running = Running(Child::start(self.launch(port)).await?);
        let mut written = String::new();
        let conversation = async {
            let stream = tokio::select! {
                accepted = listener.accept() => accepted.context("waiting for the interpreter")?.0,
                code = running.0.wait() => bail!(
                    "the interpreter ended with {code}; see {}. Scripts need a tclsh, or a python3 with tkinter (on Debian: apt install tcl)",
                    self.log.display()
                ),
            };
            converse(stream, script, &mut written, agents).await
        };
        let end = match tokio::time::timeout(self.within, conversation).await {
            Ok(end) => end?,
            Err(_) => End::CutOff,
        };
        Ok((written, end))
    }

    fn launch(&self, port: u16) -> Launch {
        let (program, mut arguments) = match &self.interpreter {
            Interpreter::Tclsh(program) => (program, vec![]),
            Interpreter::Python(program) => (program, vec!["-c".to_owned(), IN_PYTHON.to_owned()]),
        };
        arguments.extend([RUNNER.to_owned(), port.to_string()]);
        // A python3 of pyenv is a script that looks for itself.
        let kept = ["PATH", "HOME"].into_iter();
        let environment: Vec<(String, OsString)> =
            kept.filter_map(|name| Some((name.to_owned(), std::env::var_os(name)?))).collect();
        let folder = self.log.parent().unwrap_or(Path::new("/")).to_owned();
        Launch { program: program.clone(), arguments, environment, folder, output: Output::File(self.log.clone()) }
    }
}

async fn converse(stream: TcpStream, script: &str, written: &mut String, agents: &impl Agents) -> anyhow::Result<End> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(format!("{}\n", packed(script)).as_bytes()).await.context("sending the script")?;
    while let Some(line) = lines.next_line().await.context("listening to the interpreter")? {
        let mut words = line.split(' ');
        let verb = words.next().unwrap_or_default();
        let texts: Vec<String> =
            words.map(unpacked).collect::<Option<_>>().context("the interpreter speaks gibberish")?;
        match (verb, &texts[..]) {
            ("puts", [text]) if written.len() + text.len() <= LONGEST_BODY => written.push_str(text),
            ("puts", _) => return Ok(End::Error("the script writes too much".to_owned())),
            ("agent", _) => {
                let reply = answer(agents.answer(&texts).await);
                writer.write_all(reply.as_bytes()).await.context("answering the interpreter")?;
            }
            ("done", []) => return Ok(End::Done),
            ("error", [text]) => return Ok(End::Error(text.clone())),
            _ => bail!("the interpreter speaks gibberish: {verb}"),
        }
    }
    bail!("the interpreter ended in the middle of a script")
}

fn answer(reply: Reply) -> String {
    let (verb, texts) = match reply {
        Reply::Text(text) => ("text", vec![text]),
        Reply::List(texts) => ("list", texts),
        Reply::Error(text) => ("error", vec![text]),
    };
    let words: Vec<String> = std::iter::once(verb.to_owned()).chain(texts.iter().map(|text| packed(text))).collect();
    format!("{}\n", words.join(" "))
}

/// `x` and the hexadecimal digits of the text, so that an empty one is a word too.
fn packed(text: &str) -> String {
    format!("x{}", crate::ids::hex(text.as_bytes()))
}

fn unpacked(word: &str) -> Option<String> {
    let digits = word.strip_prefix('x')?;
    let byte = |place: usize| u8::from_str_radix(digits.get(place..place + 2)?, 16).ok();
    let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect::<Option<_>>()?;
    // A lone surrogate is a character to Tcl, and none to UTF-8.
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
#[path = "tcl_tests.rs"]
mod tests;
