//! config-sync: values in an agent's configuration follow their sources, and the agent runs on it.
//!
//! A declaration names sources (a secret, a database cluster, a parameter), a target document and what stands where in it. The look
//! at them decides what is to be written ([`plan::content`]) and which services are to be restarted ([`plan::restarts`]); the
//! sequence is [`follow`]'s, under a lease.

pub mod aws;
pub mod declared;
pub mod document;
pub mod expression;
pub mod follow;
pub mod plan;
pub mod readers;
pub mod service;
pub mod state;
mod token;
pub mod trouble;
pub mod wanted;

pub use token::Token;
