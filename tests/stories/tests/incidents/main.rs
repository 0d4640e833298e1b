//! What ops get of an incident, from its first message to its last: the deployed function against real services that break.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

mod fifo;
mod life;
mod lines;
mod rollback;
mod scene;
mod silence;
mod silent;
mod storm;
mod unseen;
