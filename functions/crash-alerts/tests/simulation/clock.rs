//! The time of a history: tokio's, which stands still while anything happens and jumps when nothing does.

use std::cell::Cell;

use time::OffsetDateTime;
use time::macros::datetime;
use tokio::time::Instant;

pub(crate) const BEGINNING: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

thread_local! {
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// A history begins on this thread.
pub(crate) fn begin() {
    BEGAN.set(Some(Instant::now()));
}

pub(crate) fn now() -> OffsetDateTime {
    BEGINNING + (Instant::now() - BEGAN.get().unwrap())
}

/// The instant at which it will be so late.
pub(crate) fn at(moment: OffsetDateTime) -> Instant {
    BEGAN.get().unwrap() + (moment - BEGINNING).unsigned_abs()
}
