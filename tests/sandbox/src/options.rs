//! What a sandbox is started with.

use std::path::{Path, PathBuf};

use crate::disorder::Plan;
use crate::ecs::Pace;

/// How to start a sandbox. `Options::default()` is right for a test; a story sets `scratch` to a folder of its own.
#[derive(Clone, Debug)]
pub struct Options {
    /// This run's folder: logs of ministack and of containers, ministack's home.
    pub scratch: PathBuf,
    /// The region that everything is in.
    pub region: String,
    /// The account that everything is in.
    pub account: String,
    /// The map from container images to local programs.
    pub images: PathBuf,
    /// Where `{bin}` in the map of images points to: the folder of the workspace's own binaries.
    pub binaries: PathBuf,
    /// How quickly ECS goes about things.
    pub pace: Pace,
    /// More environment for ministack (and so for functions), beyond what the sandbox sets.
    pub environment: Vec<(String, String)>,
    /// Parameters of our stack that are not as infra/watchkeeper.yaml has them.
    pub parameters: Vec<(&'static str, String)>,
    /// What goes wrong from the beginning.
    pub disorder: Option<Plan>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            scratch: sandbox_folder().join(crate::leftovers::RUNS).join(crate::ids::hex32()),
            region: "eu-west-1".to_owned(),
            account: "123456789012".to_owned(),
            images: Path::new(env!("CARGO_MANIFEST_DIR")).join("images.toml"),
            binaries: binaries(),
            pace: Pace::default(),
            environment: Vec::new(),
            parameters: QUICK.map(|(name, value)| (name, value.to_owned())).to_vec(),
            disorder: None,
        }
    }
}

/// What would take minutes takes seconds; what is over is told at once, or not within a story; and stories side by side are no storm.
const QUICK: [(&str, &str); 5] = [
    ("GroupWaitSeconds", "3"),
    ("ResolveSeconds", "0"),
    ("CrashQuietMinutes", "1440"),
    ("StormIncidents", "1000"),
    ("MessagesPerMinute", "300"),
];

impl Options {
    /// The same with another value of one of our stack's parameters.
    #[must_use]
    pub fn with(mut self, parameter: &'static str, value: impl Into<String>) -> Self {
        self.parameters.retain(|(name, _)| *name != parameter);
        self.parameters.push((parameter, value.into()));
        self
    }
}

/// `target/sandbox` of the workspace.
pub(crate) fn sandbox_folder() -> PathBuf {
    // Cargo's own variable decides where `target` is, if it is set.
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => PathBuf::from(target).join("sandbox"),
        None => crate::stack::root().join("target/sandbox"),
    }
}

/// The folder of the running program; for a test, which cargo puts into `deps/`, the folder above.
fn binaries() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let folder = program.parent().unwrap_or(Path::new("."));
    if folder.ends_with("deps") { folder.parent().unwrap_or(folder).to_owned() } else { folder.to_owned() }
}
