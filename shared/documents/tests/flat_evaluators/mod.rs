//! The programs that read environment files, properties and connection URLs in the world, to compare with.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use venv::Venv;
use watchkeeper_documents::{Address, Refusal, read, replace};

const REQUIREMENTS: &str = include_str!("requirements.txt");
const FILES: [(&str, &str); 4] = [
    ("package.json", include_str!("package.json")),
    ("package-lock.json", include_str!("package-lock.json")),
    ("evaluate.js", include_str!("evaluate.js")),
    ("evaluate.py", include_str!("evaluate.py")),
];
/// Raise it when what is made from the environment changes.
const LAYOUT: u32 = 1;

/// Edits that were made, for the readers to look at.
#[derive(Default)]
pub(crate) struct Edits {
    lines: Vec<Value>,
    /// How many were refused, by the reason.
    pub(crate) refused: BTreeMap<String, usize>,
}

impl Edits {
    /// Edits, and keeps what was refused apart; the bytes outside of the value are compared here.
    pub(crate) fn attempt(
        &mut self,
        document: &str,
        format: &str,
        name: &str,
        value: &str,
        more: &Value,
    ) -> Result<(), Refusal> {
        let step = format!("{format}:{name}");
        let address: Address = step.parse().unwrap();
        let attempt = || Ok((read(document, &address)?, replace(document, &address, value)?));
        let (old, edited) = attempt().inspect_err(|refusal: &Refusal| {
            let kind = format!("{:?}", refusal.why);
            *self.refused.entry(kind.split([' ', '{']).next().unwrap_or_default().to_owned()).or_default() += 1;
        })?;
        let behind = document.len() - edited.range.end;
        assert_eq!(edited.text[..edited.range.start], document[..edited.range.start]);
        assert_eq!(edited.text[edited.text.len() - behind..], document[edited.range.end..]);
        let mut line = json!({
            "format": format, "name": name, "before": document, "after": edited.text,
            "old": if old.is_empty() && format == "url" { Value::Null } else { old.into() }, "value": value,
        });
        for (key, value) in more.as_object().unwrap() {
            line[key] = value.clone();
        }
        self.lines.push(line);
        Ok(())
    }

    /// Asks all readers; how many edits each of them looked at.
    pub(crate) fn check(&self) -> BTreeMap<String, u64> {
        let venv = provision().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let edits = folder.path().join("edits");
        fs::write(&edits, self.lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")).unwrap();
        for (name, content) in FILES {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let modules = venv.folder().join("npm/node_modules");
        let output = venv::run(
            Command::new(venv.python())
                .arg(folder.path().join("evaluate.py"))
                .arg(&edits)
                .env("NODE_PATH", modules)
                .env("PYTHONUTF8", "1"),
        )
        .unwrap();
        let answer: Value = serde_json::from_str(&output).unwrap();
        assert_eq!(answer["failed"], 0, "{:#}", answer["failures"]);
        serde_json::from_value(answer["tried"].clone()).unwrap()
    }
}

fn provision() -> anyhow::Result<Venv> {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("flat-evaluators");
    fs::create_dir_all(&parent).with_context(|| format!("making {}", parent.display()))?;
    let venv = Venv::of(&parent, REQUIREMENTS, LAYOUT, "the documents' test");
    if !venv.is_complete() {
        eprintln!(
            "installing the readers of environment files, properties and URLs under target/tmp (once, some 100 MB to fetch)"
        );
        venv.make(|venv| {
            let work = venv.folder().join("npm");
            fs::create_dir_all(&work).with_context(|| format!("making {}", work.display()))?;
            for (name, content) in FILES {
                fs::write(work.join(name), content).with_context(|| format!("writing {name}"))?;
            }
            // `ci` takes just what the lock file names, and checks its digests.
            let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
            venv::run(Command::new(venv.folder().join("bin/npm")).args(install).current_dir(&work)).map(|_| ())
        })
        .context("the documents' test compares with real readers; PyPI and npm must be reachable the first time")?;
    }
    Ok(venv)
}

/// `count` of a strategy, the same ones each time.
pub(crate) fn sample<T: std::fmt::Debug>(strategy: &impl Strategy<Value = T>, count: usize) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}
