//! What speaks with AWS and with databases, against the local AWS and a real PostgreSQL.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

mod buckets;
mod databases;
mod local;
mod login;
mod parameters;
mod secrets;
