//! config-sync: values in an agent's configuration follow their sources, and the agent runs on it.
//!
//! A declaration names sources (a secret, a database cluster, a parameter), a target document and what stands where in it. The look
//! at them decides what is to be written ([`plan::content`]) and which services are to be restarted ([`plan::restarts`]); the
//! sequence is [`follow`]'s, under a lease.

pub mod aws;
mod clients;
pub mod declared;
pub mod document;
pub mod expression;
pub mod follow;
mod function;
mod look;
pub mod ops;
pub mod plan;
pub mod readers;
mod registration;
mod report;
pub mod service;
mod settings;
mod sketch;
pub mod state;
mod table;
mod token;
pub mod trouble;
pub mod value_from;
pub mod wake;
pub mod wanted;
pub mod world;

pub use clients::Clients;
pub use function::Function;
pub use registration::ConfigSync;
pub use settings::{BadSetting, Settings};
pub use sketch::{Sketch, sketch};
pub use table::Table;
pub use token::{Token, values_of};
