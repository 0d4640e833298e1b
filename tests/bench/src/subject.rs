//! What is measured, as data.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::aws::Calls;
use crate::package::Package;

/// A function to measure.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its column.
    pub name: &'static str,
    /// How it is started.
    pub program: PathBuf,
    /// What the program is told.
    pub arguments: Vec<&'static str>,
    /// The folder it starts in.
    pub folder: PathBuf,
    /// Its own environment variables; what Lambda gives every function is added.
    pub environment: Vec<(&'static str, &'static str)>,
    /// What it is invoked with.
    pub event: Value,
    /// What it must answer.
    pub answer: Value,
    /// What it must ask of AWS in its first invocation; anything else means that it did another job.
    pub first_calls: Calls,
    /// The same in each later one: what never changes it need not ask again.
    pub warm_calls: Calls,
    /// How long it is left alone after an answer, where it paces itself: its waiting is not its work.
    pub rest: Duration,
    /// What would be deployed.
    pub package: Package,
}
