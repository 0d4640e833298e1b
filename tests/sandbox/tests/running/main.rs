//! What a running sandbox does, on one sandbox that all these tests share.

mod door;
mod local;
mod services;
mod tasks;
