//! What the stories share: messages to send, and the deployed function run by hand.

pub mod agents;
pub mod by_hand;
pub mod cli;
pub mod messages;
pub mod role;
pub mod stacks;
pub mod table;
pub mod template;
