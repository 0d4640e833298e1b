//! What has to be done so that a target says what its sources say, and each service that reads it runs on that: pure decisions.

mod content;
mod restarts;
mod warning;

pub use content::{Content, Fault, content};
pub use restarts::{Action, Plan, restarts};
pub use warning::Warning;
