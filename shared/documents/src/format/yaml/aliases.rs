//! Values that stand in more than one place.

use std::collections::BTreeSet;
use std::ops::Range;

use saphyr_parser::{Event, Parser};

/// Whether an alias repeats the value with these bytes elsewhere, or a list or an object that it is in.
pub(super) fn repeat(document: &str, value: &Range<usize>) -> bool {
    // The parser counts characters.
    let offsets: Vec<usize> = document.char_indices().map(|(at, _)| at).chain([document.len()]).collect();
    let byte = |index: usize| offsets.get(index).copied().unwrap_or(document.len());
    let (mut open, mut around, mut repeated) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for (event, span) in Parser::new_from_str(document).map_while(Result::ok) {
        let (start, end) = (byte(span.start.index()), byte(span.end.index()));
        let (anchor, start) = match event {
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                open.push((anchor, start));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().unwrap_or((0, end)),
            Event::Scalar(_, _, anchor, _) => (anchor, start),
            Event::Alias(anchor) => {
                repeated.insert(anchor);
                continue;
            }
            _ => continue,
        };
        // 0 is none.
        if anchor > 0 && start <= value.start && value.end <= end {
            around.insert(anchor);
        }
    }
    !around.is_disjoint(&repeated)
}
