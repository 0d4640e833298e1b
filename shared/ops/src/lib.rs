//! What a function tells ops, through crash-alerts, which alone publishes: trouble that lasts, once, and that it is over; or
//! one thing, now.

mod about;
mod desk;

pub use about::{About, Cause};
pub use desk::{Desk, Open, Place};
