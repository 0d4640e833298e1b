//! console-registrar: entries of agents in a registry follow the tasks of their service.
//!
//! Stacks declare with `Custom::ConsoleRegistration` ([`registration`]). Events and the sweep wake ([`wake`]); the look at
//! ECS decides ([`plan`]), under a lease ([`follow`]).

mod clients;
pub mod declaration;
pub mod ecs;
pub mod follow;
mod function;
pub mod ops;
pub mod plan;
mod registration;
pub mod registry;
mod report;
pub mod secrets;
mod settings;
pub mod slot;
mod table;
pub mod trouble;
pub mod truth;
pub mod wake;
mod wanted;

pub use clients::Clients;
pub use function::Function;
pub use registration::ConsoleRegistration;
pub use settings::{BadSetting, Settings};
pub use table::Table;
pub use wanted::Wanted;
