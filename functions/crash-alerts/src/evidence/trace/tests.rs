use super::*;

const ROOM: usize = 20;

/// Ordinary lines, then these.
fn after_others(lines: impl IntoIterator<Item = String>) -> Vec<String> {
    (1..=30).map(|n| format!("10:04:{n:02} INFO polling")).chain(lines).collect()
}

fn texts(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn java() -> Vec<String> {
    let mut lines = texts(&["10:05:01 ERROR cannot go on", "java.lang.IllegalStateException: no pool"]);
    lines.extend((1..=60).map(|n| format!("\tat io.agent.Pool.step{n}(Pool.java:{n})")));
    lines.push("Caused by: java.net.ConnectException: refused".to_owned());
    lines.extend((1..=10).map(|n| format!("\tat java.base/sun.nio.ch.Net.call{n}(Net.java:{n})")));
    lines.push("\t... 59 more".to_owned());
    lines
}

fn python() -> Vec<String> {
    let mut lines = texts(&["10:05:01 ERROR job failed", "Traceback (most recent call last):"]);
    for n in 1..=40 {
        lines.extend([format!("  File \"/app/step{n}.py\", line {n}, in run"), format!("    step{}()", n + 1)]);
    }
    lines.push("    ^^^^^^^^".to_owned());
    lines.push("ValueError: no such agent".to_owned());
    lines
}

fn node() -> Vec<String> {
    let mut lines = texts(&["/app/index.js:3", "    throw new Error('no pool')", "    ^", "Error: no pool"]);
    lines.extend((1..=40).map(|n| format!("    at step{n} (/app/step{n}.js:{n}:7)")));
    lines.push("Node.js v22.3.0".to_owned());
    lines
}

fn rust() -> Vec<String> {
    let mut lines = texts(&["thread 'main' panicked at src/pool.rs:88:5:", "no pool", "stack backtrace:"]);
    for n in 0..40 {
        lines.extend([format!("  {n:>2}: agent::pool::step{n}"), format!("             at ./src/pool.rs:{n}:5")]);
    }
    lines.push("note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.".to_owned());
    lines
}

fn go() -> Vec<String> {
    let mut lines = texts(&[
        "panic: runtime error: invalid memory address or nil pointer dereference",
        "[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x48a2c5]",
        "goroutine 1 [running]:",
    ]);
    for n in 1..=20 {
        lines.extend([format!("main.(*Pool).step{n}(0xc000012345)"), format!("\t/app/pool.go:{n} +0x1a")]);
    }
    lines.push("goroutine 18 [select]:".to_owned());
    lines.extend(texts(&["main.poll()", "\t/app/poll.go:7 +0x1d", "created by main.main in goroutine 1"]));
    lines.extend(texts(&["\t/app/main.go:12 +0x33", "exit status 2"]));
    lines
}

#[test]
fn what_failed_is_shown_above_the_frames_of_a_long_trace() {
    for (language, trace, said) in [
        (
            "Java",
            java(),
            &["java.lang.IllegalStateException: no pool", "Caused by: java.net.ConnectException: refused"][..],
        ),
        ("Python", python(), &["Traceback (most recent call last):", "ValueError: no such agent"]),
        ("Node", node(), &["Error: no pool", "Node.js v22.3.0"]),
        ("Rust", rust(), &["thread 'main' panicked at src/pool.rs:88:5:", "no pool", "stack backtrace:"]),
        ("Go", go(), &["panic: runtime error: invalid memory address or nil pointer dereference", "exit status 2"]),
    ] {
        let lines = after_others(trace);
        let Shown { lines: tail, before } = shown(&lines, ROOM);
        assert_eq!(tail.len(), ROOM, "{language}: {tail:#?}");
        for said in said {
            assert!(tail.iter().any(|line| line == said), "{language} lacks {said}: {tail:#?}");
        }
        assert_eq!(tail[0], lines[before], "{language}");
        assert_eq!(tail.last(), lines.last(), "{language}");
        // What is left out is said, and nothing but frames is.
        let left_out = |line: &String| line.strip_prefix("    [... ")?.split(' ').next()?.parse::<usize>().ok();
        let counted: usize = tail.iter().filter_map(left_out).sum();
        let told = tail.iter().filter(|line| left_out(line).is_none()).count();
        assert_eq!(before + counted + told, lines.len(), "{language}: {tail:#?}");
        let is_frame = frames(&lines);
        let dropped = (before..lines.len()).filter(|at| !tail.contains(&lines[*at]));
        assert!(dropped.into_iter().all(|at| is_frame[at]), "{language}: {tail:#?}");
    }
}

#[test]
fn both_ends_of_a_trace_are_kept() {
    let tail = shown(&after_others(node()), ROOM).lines;
    insta::assert_snapshot!(tail.join("\n"), @r"
    /app/index.js:3
        throw new Error('no pool')
        ^
    Error: no pool
        at step1 (/app/step1.js:1:7)
        at step2 (/app/step2.js:2:7)
        at step3 (/app/step3.js:3:7)
        at step4 (/app/step4.js:4:7)
        at step5 (/app/step5.js:5:7)
        at step6 (/app/step6.js:6:7)
        at step7 (/app/step7.js:7:7)
        [... 26 lines of the trace]
        at step34 (/app/step34.js:34:7)
        at step35 (/app/step35.js:35:7)
        at step36 (/app/step36.js:36:7)
        at step37 (/app/step37.js:37:7)
        at step38 (/app/step38.js:38:7)
        at step39 (/app/step39.js:39:7)
        at step40 (/app/step40.js:40:7)
    Node.js v22.3.0
    ");
}

#[test]
fn what_needs_no_help_is_left_as_it_is() {
    let many = after_others(Vec::new());
    assert_eq!(shown(&many, ROOM), Shown { lines: many[10..].to_vec(), before: 10 });
    assert_eq!(shown(&many[..5], ROOM), Shown { lines: many[..5].to_vec(), before: 0 });
    assert_eq!(shown(&[], ROOM), Shown::default());
    // A trace that is there as a whole, and one that lies before.
    let short: Vec<String> = after_others(node().into_iter().take(12));
    assert_eq!(shown(&short, ROOM), Shown { lines: short[22..].to_vec(), before: 22 });
    let passed: Vec<String> = java().into_iter().chain(many.clone()).collect();
    assert_eq!(shown(&passed, ROOM).lines, many[10..]);
}

#[test]
fn where_a_trace_has_more_causes_than_there_is_room_its_last_ones_are_shown() {
    let mut lines = texts(&["Exception in thread \"main\" java.lang.Error: 0"]);
    for cause in 1..=30 {
        lines.extend((1..=9).map(|n| format!("\tat io.agent.Step{cause}.call(Step.java:{n})")));
        lines.push(format!("Caused by: java.lang.Error: {cause}"));
    }
    lines.extend((1..=25).map(|n| format!("\tat io.agent.Last.call(Last.java:{n})")));
    let tail = shown(&lines, ROOM).lines;
    assert_eq!(tail.len(), ROOM);
    assert!(tail.contains(&"Caused by: java.lang.Error: 30".to_owned()), "{tail:#?}");
    assert!(tail.contains(&"\tat io.agent.Last.call(Last.java:25)".to_owned()), "{tail:#?}");
    // Of a trace whose beginning was not read, its end.
    let headless: Vec<String> = (1..=100).map(|n| format!("\tat io.agent.Last.call(Last.java:{n})")).collect();
    let tail = shown(&headless, ROOM).lines;
    assert!(tail.len() <= ROOM && tail.last() == headless.last(), "{tail:#?}");
}

#[test]
fn ordinary_lines_are_no_frames() {
    for line in [
        "at last it is done",
        "  attached to pool",
        "12: not indented",
        "  12 : not a number and a colon",
        "File \"x\"",
        "... 12 more",
        "  ... more of it",
        "\t/app/main.go: no place",
        "main.main()",
        "{\"message\": \"at x\"}",
    ] {
        assert_eq!(frames(&[line.to_owned()]), [false], "{line}");
    }
}
