//! What stacks declared, in the state table.
//!
//! An item per declaration, all of a kind under one partition key, so that the sweep finds them with one query; and one that
//! leads to it from each key that it is about, for events. A declaration has one owner: a stack and a logical id. A stack that
//! changes the name in its template declares under the new one before it deletes the old one, or the new one because the update
//! fails; until then what the old name declared is kept.
//!
//! | | calls |
//! |---|---|
//! | [`Declarations::declare`] | 1, and 1 for each key; 1 more for each key that it is not about any more |
//! | [`Declarations::leave`] | 1; 1 more to settle a rename or to give it back, then with 1 for each key of the old name |
//! | [`Declarations::gone`] | 1, and 1 for each key |
//! | all others | 1; those that find several, 1 for each megabyte |

mod declaration;
mod declarations;
mod item;
mod links;
mod stacks;
mod trouble;

pub use declaration::{DeclarationId, Kind, Phase, Stored, Taken};
pub use declarations::{Declarations, MEMORY};
pub use trouble::Trouble;
