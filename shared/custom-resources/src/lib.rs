//! The frame that custom resources plug into.
//!
//! A type of resource says what its properties are, what it finds in the account, and what to do about the difference
//! ([`ResourceType`]). All else is the same for every type and done here, by the [`Frame`]: read the request without
//! trusting it, do it once, and answer whatever happens.

mod answer;
mod attempt;
mod caught;
mod courier;
mod edit_distance;
mod envelope;
mod error;
mod fault;
mod frame;
mod ledger;
mod mode;
mod name;
mod properties;
mod resource;
mod response_url;
mod sweep;
mod table;
mod unanswered;
mod work;

pub use answer::{Answer, Data, LIMIT};
pub use caught::quiet_panics;
pub use courier::{Courier, Https, Refusal};
pub use edit_distance::nearest;
pub use envelope::{Envelope, Reply, Request, RequestType, Unanswerable};
pub use error::{Failure, Undone};
pub use fault::{Fault, Faults};
pub use frame::{Frame, Invocation};
pub use ledger::{Begun, Hold, Ledger, LedgerError, Stored, Waiting};
pub use mode::{MODE, Mode, UnknownMode};
pub use name::{Owner, PhysicalId, Relation};
pub use properties::Properties;
pub use resource::{Decision, ResourceType};
pub use response_url::{ALLOWED_PREFIXES, AllowedUrls, ResponseUrl};
pub use table::Table;
