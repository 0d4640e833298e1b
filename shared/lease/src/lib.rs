//! Single-flight work on a key across concurrent invocations.
//!
//! A lease per key in the stack's table. Who finds it held marks the key dirty and leaves; the holder's release is
//! conditional on "not dirty", so that it runs again; a dead holder's time runs out and the sweep finds the key. A fencing
//! number goes with every write made under the lease, so that a holder who was overtaken without knowing it changes nothing.
//!
//! [`step`] says what each call does to a key's item, as a pure function; [`LeaseTable`] says the same in DynamoDB's
//! expressions; [`claim`], [`extend`], [`release`] and [`abandon`] are made of these steps, and [`single_flight`] of those.
//!
//! | | calls |
//! |---|---|
//! | claim of a free key | 1 |
//! | claim of a held key | 1 if it is dirty already, else 2; 2 more for each time that the key changes hands between them |
//! | release of a key that is not dirty | 1 |
//! | release of a dirty key: to run again, or to leave it to the sweep | 2 |
//! | extend, abandon | 1 |
//! | [`Store::unattended`] | 1 for each megabyte of the kind's items |
//!
//! Every write is conditional, so it sees the newest item; the one read, the sweep's, is consistent.

mod error;
mod fenced;
mod flight;
mod item;
mod key;
mod lease;
mod store;

pub use error::Trouble;
pub use fenced::{FENCE, NOT_FENCED_OFF};
pub use flight::{Budget, End, Flight, FlightError, single_flight};
pub use item::{Answer, Hold, Item, Step, step};
pub use key::{Fence, Holder, Key, Kind};
pub use lease::{Claim, Extended, IfDirty, Lease, Released, abandon, claim, extend, release};
pub use store::{LeaseTable, Store};
