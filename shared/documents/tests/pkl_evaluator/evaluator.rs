//! Pkl's own evaluator.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Files given to one process: their names must fit on its command line.
const AT_ONCE: usize = 2000;

pub(crate) struct Evaluator {
    program: PathBuf,
}

impl Evaluator {
    pub(crate) fn fetched() -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        Self { program: pkl::evaluator(target).unwrap() }
    }

    /// Each document as JSON; all of them must be right.
    pub(crate) fn read<'d>(&self, documents: impl Iterator<Item = &'d str>) -> Vec<Value> {
        let documents: Vec<&str> = documents.collect();
        documents.chunks(AT_ONCE).flat_map(|documents| self.read_at_once(documents).unwrap()).collect()
    }

    /// One that may be wrong.
    pub(crate) fn read_one(&self, document: &str) -> Option<Value> {
        self.read_at_once(&[document]).ok()?.pop()
    }

    fn read_at_once(&self, documents: &[&str]) -> Result<Vec<Value>, String> {
        let folder = tempfile::tempdir().unwrap();
        // It puts them in the order of their names.
        let names: Vec<String> = (0..documents.len()).map(|number| format!("m{number:05}.pkl")).collect();
        for (name, document) in names.iter().zip(documents) {
            fs::write(folder.path().join(name), document).unwrap();
        }
        let options = ["eval", "--no-project", "--no-cache", "--color", "never", "-f", "json"];
        let output =
            Command::new(&self.program).args(options).args(&names).current_dir(folder.path()).output().unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        // JSON has no line breaks in its strings, so no line of it is this one.
        let text = String::from_utf8(output.stdout).unwrap();
        let read: Vec<Value> = text.split("\n---\n").map(|json| serde_json::from_str(json).unwrap()).collect();
        assert_eq!(read.len(), documents.len());
        Ok(read)
    }
}
