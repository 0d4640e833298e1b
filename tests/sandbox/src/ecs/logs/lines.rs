//! Bytes of output cut into log events and batches of them.

use std::mem;

/// What `PutLogEvents` counts for an event beside its text.
const OVERHEAD: usize = 26;

/// The longest text of an event: the log driver splits what is longer (Docker's awslogs driver: 256 KB with the overhead).
const LONGEST: usize = 256 * 1024 - OVERHEAD;

/// What `PutLogEvents` takes at once (its API reference).
const BATCH_BYTES: usize = 1024 * 1024;
const BATCH_EVENTS: usize = 10_000;

/// Cuts output into lines, whatever the pieces are in which it comes.
#[derive(Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// The events that `bytes` complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend(piece.strip_suffix(b"\n").unwrap_or(piece));
            while self.begun.len() > LONGEST {
                let rest = self.begun.split_off(boundary(&self.begun));
                add(&mut events, &mem::replace(&mut self.begun, rest));
            }
            if piece.ends_with(b"\n") {
                add(&mut events, &mem::take(&mut self.begun));
            }
        }
        events
    }

    /// The last line, when it did not end.
    pub(super) fn finish(&mut self) -> Vec<String> {
        let mut events = Vec::new();
        add(&mut events, &mem::take(&mut self.begun));
        events
    }
}

/// Where to cut what is too long, at the beginning of a character if it is text.
fn boundary(bytes: &[u8]) -> usize {
    let begins = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xc0 != 0x80);
    (LONGEST - 3..=LONGEST).rev().find(begins).unwrap_or(LONGEST)
}

/// CloudWatch Logs takes no empty events, and the driver sends none.
fn add(events: &mut Vec<String>, line: &[u8]) {
    let text = String::from_utf8_lossy(line);
    let mut rest = &*text;
    // What is no text got longer by being made some.
    while !rest.is_empty() {
        let (event, more) = rest.split_at(rest.floor_char_boundary(LONGEST));
        events.push(event.to_owned());
        rest = more;
    }
}

/// The same events in as few batches as `PutLogEvents` allows.
pub(super) fn batches(events: &[String]) -> Vec<&[String]> {
    let mut batches = Vec::new();
    let (mut begin, mut bytes) = (0, 0);
    for (index, event) in events.iter().enumerate() {
        let own = event.len() + OVERHEAD;
        if index - begin == BATCH_EVENTS || bytes + own > BATCH_BYTES {
            batches.push(&events[begin..index]);
            (begin, bytes) = (index, 0);
        }
        bytes += own;
    }
    if begin < events.len() {
        batches.push(&events[begin..]);
    }
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let mut lines = Lines::default();
        let mut events: Vec<String> = pieces.into_iter().flat_map(|piece| lines.push(piece)).collect();
        events.extend(lines.finish());
        events
    }

    #[test]
    fn lines_are_put_together_and_empty_ones_left_out() {
        assert_eq!(events([&b"on"[..], b"e\n\ntwo\nth", b"ree"]), ["one", "two", "three"]);
        assert_eq!(events([&b"bad \xff byte\n"[..]]), ["bad \u{fffd} byte"]);
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        let line = "ä".repeat(LONGEST);
        let events = events(line.as_bytes().chunks(70_001));
        assert_eq!(events.iter().map(String::len).collect::<Vec<_>>(), [LONGEST, LONGEST]);
        assert_eq!(events.concat(), line);
        let noise = vec![0xff; LONGEST + 1];
        assert!(
            self::events([&noise[..]])
                .iter()
                .all(|event| event.len() <= LONGEST && event.chars().all(|c| c == '\u{fffd}'))
        );
    }

    proptest! {
        #[test]
        fn the_pieces_in_which_output_comes_do_not_matter(lines in prop::collection::vec("[a-zä]{0,5}", 0..20), cut in 1_usize..9) {
            let whole = lines.join("\n");
            let wanted: Vec<_> = lines.iter().filter(|line| !line.is_empty()).cloned().collect();
            prop_assert_eq!(events(whole.as_bytes().chunks(cut)), wanted);
        }

        #[test]
        fn batches_keep_all_events_in_order_and_within_the_limits(
            lengths in prop::collection::vec(prop_oneof![Just(1_usize), 1..LONGEST], 0..30), many in 0_usize..25_000,
        ) {
            let mut all: Vec<_> = lengths.into_iter().map(|length| "x".repeat(length)).collect();
            all.extend((0..many).map(|n| n.to_string()));
            let batches = batches(&all);
            prop_assert_eq!(batches.concat(), all.clone());
            for batch in batches {
                let bytes: usize = batch.iter().map(|event| event.len() + OVERHEAD).sum();
                prop_assert!(!batch.is_empty() && batch.len() <= BATCH_EVENTS && bytes <= BATCH_BYTES);
            }
        }
    }
}
