//! What a running sandbox does, on one sandbox that all these tests share.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

mod console;
mod containers;
mod database_agents;
mod databases;
mod deployments;
mod disorder;
mod door;
mod inbox;
mod local;
mod manners;
mod services;
mod sources;
mod stacks;
mod start;
mod tasks;
mod templates;
