//! `Custom::ConsoleRegistration` with real stacks, tasks and Consoles in the local AWS.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

mod aws;
mod changes;
mod declared;
mod deletions;
mod follows;
mod lost;
mod numbers;
mod observing;
mod ops;
mod owners;
mod refusals;
mod scene;
mod waits;
