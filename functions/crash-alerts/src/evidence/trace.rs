//! The end of a log that ends in a stack trace: what failed stands above the frames, and there may be more frames than are shown.

/// So many lines above a trace's frames say what failed: `panic: …`, `[signal …]` and `goroutine 1 [running]:` are three.
const HEADING: usize = 3;
/// Frames that are kept at most at each end of a trace; the fewest is one.
const FRAMES: usize = 8;

/// The last lines that are shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// They; in place of frames that are left out, a line says how many.
    pub(crate) lines: Vec<String>,
    /// How many lines come before them.
    pub(crate) before: usize,
}

/// The last `room` lines. Where these would begin within a trace's frames, frames are left out from the middle, so that what is above
/// them is shown.
pub(crate) fn shown(lines: &[String], room: usize) -> Shown {
    let start = lines.len().saturating_sub(room);
    let frames = frames(lines);
    if start > 0 && frames[start] {
        let runs = runs(&frames);
        let whole = heading(&runs, start, true);
        let part = heading(&runs, start, false);
        for heading in [whole, part] {
            for kept in (1..=FRAMES).rev() {
                let folded = folded(lines, &runs, kept);
                let from = folded.len().saturating_sub(room);
                if folded[from].0 <= heading {
                    return taken(&folded[from..]);
                }
            }
        }
        // Each of many causes has a line and a frame or two: the last one is what began it.
        let folded = folded(lines, &runs, 1);
        return taken(&folded[folded.len().saturating_sub(room)..]);
    }
    Shown { lines: lines[start..].to_vec(), before: start }
}

fn taken(folded: &[(usize, String)]) -> Shown {
    Shown {
        before: folded.first().map_or(0, |(at, _)| *at),
        lines: folded.iter().map(|(_, line)| line.clone()).collect(),
    }
}

/// Where the lines begin that say what failed in the frames at `at`; `whole` is of all that the trace is chained to.
fn heading(runs: &[(usize, usize)], at: usize, whole: bool) -> usize {
    let mut number = runs.iter().position(|(_, end)| at < *end).unwrap_or_default();
    while whole && number > 0 && runs[number].0 - runs[number - 1].1 <= HEADING {
        number -= 1;
    }
    let above = if number > 0 { runs[number - 1].1 } else { 0 };
    runs.get(number).map_or(at, |(begin, _)| begin.saturating_sub(HEADING).max(above))
}

/// The frames that follow one another: from, and up to.
fn runs(frames: &[bool]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, _) in frames.iter().enumerate().filter(|(_, is_frame)| **is_frame) {
        match runs.last_mut() {
            Some((_, end)) if *end == at => *end = at + 1,
            _ => runs.push((at, at + 1)),
        }
    }
    runs
}

/// The lines with their places, where of each run only some frames at both ends are kept.
fn folded(lines: &[String], runs: &[(usize, usize)], kept: usize) -> Vec<(usize, String)> {
    let mut folded = Vec::new();
    let mut at = 0;
    let as_they_are = |from: usize, to: usize| (from..to).map(|at| (at, lines[at].clone()));
    for (begin, end) in runs {
        // The line that says so takes the place of at least two.
        if end - begin > 2 * kept + 1 {
            folded.extend(as_they_are(at, begin + kept));
            let left_out = end - begin - 2 * kept;
            folded.push((begin + kept, format!("    [... {left_out} lines of the trace]")));
            at = end - kept;
        }
    }
    folded.extend(as_they_are(at, lines.len()));
    folded
}

/// Which lines are frames.
fn frames(lines: &[String]) -> Vec<bool> {
    let mut frames: Vec<bool> = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        let follows = frames.last().copied().unwrap_or_default();
        frames.push(is_frame(line) || (follows && is_indented(line)) || calls(line, lines.get(at + 1)));
    }
    frames
}

/// Of Java, JavaScript and .NET (`at …`), of Python (`File "…"`), of Rust (`12: …`), of Go (its files); and what stands for frames.
fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    if text.len() == line.len() {
        return false;
    }
    let is_numbered = text.split_once(": ").is_some_and(|(number, _)| is_number(number));
    let is_count = || {
        let mut words = text.strip_prefix("... ").unwrap_or_default().split(' ');
        words.next().is_some_and(is_number) && matches!(words.next(), Some("more" | "common"))
    };
    text.starts_with("at ") || text.starts_with("File \"") || is_numbered || is_count() || is_file_of_go(line)
}

fn is_indented(line: &str) -> bool {
    line.starts_with([' ', '\t'])
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `/app/main.go:10 +0x1a`, after a tab.
fn is_file_of_go(line: &str) -> bool {
    let file = line.split_once(".go:").map(|(_, place)| place.trim_start_matches(|c: char| c.is_ascii_digit()));
    is_indented(line) && file.is_some_and(|rest| rest.is_empty() || rest.starts_with(" +0x"))
}

/// Go has a frame's function on a line of its own: `main.(*Pool).take(0x0)`, `created by main.main in goroutine 1`.
fn calls(line: &str, next: Option<&String>) -> bool {
    !is_indented(line)
        && next.is_some_and(|next| is_file_of_go(next))
        && (line.ends_with(')') || line.starts_with("created by "))
}

#[cfg(test)]
mod tests;
