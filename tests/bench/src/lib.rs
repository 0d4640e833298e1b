//! Measures Lambda functions side by side: what a cold start takes, what a warm answer takes, and how much they weigh. And what
//! becomes of a storm of events.
//!
//! [`functions`] says which, as data; the harness ([`measure`]) knows nothing about any of them.

pub mod aws;
pub mod functions;
pub mod measure;
pub mod package;
pub mod python;
pub mod release;
pub mod report;
pub mod statistics;
#[cfg(feature = "storm")]
pub mod storm;
pub mod subject;
pub mod table;
