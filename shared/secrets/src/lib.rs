//! What functions that touch other people's secrets have in common: texts that show themselves to nobody, and the tag by
//! which an owner lets a stack use a thing.

mod allow;
mod hidden;

pub use allow::{ALLOW, ANY, Thing, may_use};
pub use hidden::Hidden;
