//! The timeline that `cargo sandbox` prints.

use std::time::Instant;

/// Prints what happens, with the time since the start.
#[derive(Debug)]
pub struct Timeline {
    begin: Instant,
}

impl Timeline {
    /// Begins now.
    #[must_use]
    pub fn begin() -> Self {
        Self { begin: Instant::now() }
    }

    /// A heading.
    pub fn heading(&self, text: &str) {
        println!("\n{text}");
    }

    /// What is being done.
    pub fn act(&self, text: &str) {
        println!("{}  {text}", self.time());
    }

    /// What came of it.
    pub fn saw(&self, text: &str) {
        println!("{}      {text}", self.time());
    }

    /// Lines that belong to what was said last.
    pub fn quote(&self, text: &str) {
        for line in text.lines() {
            println!("             | {line}");
        }
    }

    fn time(&self) -> String {
        format!("{:>8.2} s", self.begin.elapsed().as_secs_f64())
    }
}
