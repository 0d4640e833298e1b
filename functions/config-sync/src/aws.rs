//! What speaks with AWS, and with databases.

mod buckets;
mod databases;
mod documents;
pub mod ecs;
mod failure;
mod login;
mod moment;
mod parameters;
mod secrets;

pub use documents::Vault;
pub use login::PostgreSql;
