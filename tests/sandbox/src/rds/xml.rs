//! The little of XML that RDS's answers need: elements without attributes, whose text has no markup.

use std::ops::Range;

/// Where the text of the first such element is.
pub(super) fn place(xml: &str, element: &str) -> Option<Range<usize>> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let start = xml.find(&open)? + open.len();
    Some(start..start + xml[start..].find(&close)?)
}

/// The text of the first such element.
pub(super) fn text<'a>(xml: &'a str, element: &str) -> Option<&'a str> {
    place(xml, element).map(|place| &xml[place])
}

/// The same with another text in the first such element, if there is one.
pub(super) fn with_text(xml: &str, element: &str, text: &str) -> String {
    let mut changed = xml.to_owned();
    if let Some(place) = place(xml, element) {
        changed.replace_range(place, text);
    }
    changed
}
