//! `Custom::ConfigSync` with real stacks, tasks, documents and a real PostgreSQL in the local AWS.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

mod disorder;
mod drift;
mod failing;
mod numbers;
mod observing;
mod one;
mod owners;
mod plain;
mod refusals;
mod rotation;
mod scene;
mod sources;
mod ways;
