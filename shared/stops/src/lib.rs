//! Why an ECS task stopped: a pure function of its last event.
//!
//! ECS's own stop code and reason decide first, then the containers' reasons and exit codes
//! (ECS Developer Guide, "Stopped task error codes" and "Stopped tasks error messages").

mod cause;
mod container;
mod reason;
mod verdict;

pub use cause::{Access, Cause, PullFailure, Severity};
pub use verdict::{Crash, Planned, Verdict, judge};
