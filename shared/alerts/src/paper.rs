//! Lines of text that stand in a narrow window.

use textwrap::{Options, WordSplitter};

/// Characters a line.
const WIDTH: usize = 72;
const LABEL_WIDTH: usize = 11;

/// A text that grows from top to bottom.
#[derive(Default)]
pub(crate) struct Paper(String);

impl Paper {
    /// A line as it is.
    pub(crate) fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// Prose.
    pub(crate) fn prose(&mut self, prose: &str) {
        self.line(&textwrap::fill(prose, options()));
    }

    /// A heading, with an empty line above it.
    pub(crate) fn heading(&mut self, heading: &str) {
        self.line("");
        self.prose(heading);
    }

    /// A label and its value, one of a column.
    pub(crate) fn labelled(&mut self, label: &str, value: &str) {
        let label = format!("{label:<width$} ", width = LABEL_WIDTH - 1);
        let indent = " ".repeat(LABEL_WIDTH);
        self.line(&textwrap::fill(value, options().initial_indent(&label).subsequent_indent(&indent)));
    }

    /// One of a list.
    pub(crate) fn item(&mut self, text: &str) {
        self.line(&textwrap::fill(text, options().initial_indent("- ").subsequent_indent("  ")));
    }

    pub(crate) fn done(self) -> String {
        self.0
    }
}

/// A long word (an image, an ARN) is never broken: it must survive copy and paste.
fn options<'a>() -> Options<'a> {
    Options::new(WIDTH).break_words(false).word_splitter(WordSplitter::NoHyphenation)
}
