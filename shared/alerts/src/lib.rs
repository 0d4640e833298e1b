//! What ops read: an alert, made of what happened, and its text.
//!
//! Pure: nothing here talks to AWS. An alert's key is made of what it is about alone, so a repeat of the
//! same event gives the same key and the same id.

mod alarm;
mod alert;
mod clean;
mod console;
mod crash;
mod deployment;
mod moment;
mod observation;
mod service_action;
mod text;

pub use alarm::{alarm, alarm_ok};
pub use alert::{Alert, AlertKey, AsOf, Fact, Kind, Link};
pub use crash::crash;
pub use deployment::{deployment_failed, rollback};
pub use observation::observation;
pub use service_action::service_action;
pub use text::{body, subject};
