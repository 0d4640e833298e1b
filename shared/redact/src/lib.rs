//! Lines from outside, made fit to be sent to people: secrets redacted, control sequences left out.
//!
//! What a container writes can hold anything: the connection URL that failed, with its password; the token that was
//! refused; a whole private key. Alerts go to mailboxes and chats, where none of that may lie. What is recognised is
//! replaced by [`REDACTED`], and the rest of the line stays as it was, because it is what helps.
//!
//! All of it is written by hand, and takes one look at each byte, or a bounded number: no expressions to compile in a cold
//! start, and no line, however long, that takes long.

mod commands;
mod credentials;
mod key;
mod labelled;
mod lines;
mod marks;
mod pem;
mod plain;
mod redact;
mod schemeless;
mod tokens;
mod value;
mod word;

pub use lines::{Redactor, readable, redacted_lines};
pub use plain::{cut, plain};
pub use redact::{REDACTED, redact};
