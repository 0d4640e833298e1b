//! What ops read: an alert, made of what happened, and one message of it for every channel of the topic.
//!
//! Pure: nothing here talks to AWS. An alert's key is made of what it is about alone, so a repeat of the
//! same event gives the same key and the same id.

mod alarm;
mod alert;
mod attributes;
mod below_desired;
mod chat;
mod clean;
mod cleaned;
mod console;
mod crash;
mod deployment;
mod digest;
mod email;
mod evidence;
mod headline;
mod last_words;
mod machine;
mod markdown;
mod moment;
mod observation;
mod paper;
mod render;
mod report;
mod room;
mod service_action;
mod sight;
mod sms;
mod stuck_deployment;
mod subject;
mod tight;

pub use alarm::{alarm, alarm_ok};
pub use alert::{Alert, AlertKey, Fact, Kind, Link};
pub use attributes::Attribute;
pub use below_desired::{BELOW_DESIRED, below_desired};
pub use console::log_stream;
pub use crash::crash;
pub use deployment::{deployment_failed, rollback};
pub use evidence::{Evidence, LogTail, Moment, Running};
pub use observation::observation;
pub use render::{Rendered, Wording, render};
pub use report::{Message, Notice, Report};
pub use service_action::service_action;
pub use sight::{DeploymentSight, Said, ServiceSight};
pub use stuck_deployment::{DEPLOYMENT_STUCK, stuck_deployment};
