//! The one line of a log's end that says why: not always the last one, for many runtimes end with frames, notes and their
//! version.

use std::borrow::Cow;

/// What a line begins with that says nothing of its own, however it is indented.
const NOTES: [&str; 35] = [
    "note: ",
    "help: ",
    "hint: ",
    "stack backtrace:",
    "Stack trace:",
    "Backtrace:",
    "Location:",
    "Caused by:",
    "During handling of the above exception",
    "The above exception was the direct cause",
    "--- End of ",
    // Frames: Java, JavaScript and .NET; Python; Ruby; Go
    "at ",
    "File \"",
    "from ",
    "created by ",
    "goroutine ",
    "[signal ",
    "thrown in ",
    "exit status ",
    "Suppressed: ",
    // Versions, and where a runtime leaves more
    "Node.js v",
    "Bun v",
    "Deno ",
    "Picked up JAVA_TOOL_OPTIONS",
    "Aborted (core dumped)",
    "npm ERR!",
    "npm error",
    "npm notice",
    "npm warn",
    "npm WARN",
    "info Visit https://yarnpkg.com",
    "error Command failed with",
    "ELIFECYCLE",
    "(Use `node --trace",
    "RUST_BACKTRACE",
];

/// How the names of errors end: `ValueError`.
const NAMES: [&str; 3] = ["Error", "Exception", "Rejection"];

/// Words that name an error as they are.
const WORDS: [&str; 9] = ["panicked", "ERROR", "FATAL", "CRITICAL", "EMERG", "PANIC", "fatal", "Uncaught", "Unhandled"];

/// What names one together with what is around it.
const MARKS: [&str; 6] = ["panic: ", "error: ", "[error]", "[crit]", "[alert]", "[emerg]"];

/// The level of a line that is written as data, by which it is an error.
const LEVELS: [&str; 12] = [
    "level=error",
    "level=fatal",
    "level=critical",
    "level=panic",
    "level\":\"error",
    "level\":\"fatal",
    "level\":\"critical",
    "level\":\"panic",
    "severity\":\"error",
    "severity\":\"critical",
    "level\":50",
    "level\":60",
];

/// Levels of lines that name errors only to say that all goes on.
const QUIET: [&str; 7] = ["TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "Information"];
const QUIET_LEVELS: [&str; 8] = [
    "level=info",
    "level=debug",
    "level=warn",
    "level\":\"info",
    "level\":\"debug",
    "level\":\"warn",
    "severity\":\"info",
    "severity\":\"warn",
];

/// The last line that names an error; else the last one that is more than a note or a frame; else the last one.
pub(crate) fn of(tail: &[String]) -> Option<String> {
    let lines: Vec<&str> = tail.iter().map(String::as_str).filter(|line| !line.trim().is_empty()).collect();
    let error = (0..lines.len()).rev().find(|at| names_an_error(&lines, *at));
    // Who catches what was thrown may go on to say that it ends.
    let error = error.map(|at| if at > 0 && ends_traceback(&lines, at - 1) { at - 1 } else { at });
    if let Some(at) = error {
        return Some(with_what_follows(&lines, at).into_owned());
    }
    let telling = lines.iter().rev().find(|line| !is_note(line.trim()) && !is_frame(line));
    telling.or(lines.last()).map(|line| line.trim().to_owned())
}

fn names_an_error(lines: &[&str], at: usize) -> bool {
    let line = lines[at];
    let text = line.trim();
    if (is_note(text) && !text.starts_with("Caused by: ")) || is_frame(line) {
        return false;
    }
    // What a panic or an `Error:` says stands below it, and may name one, too.
    if at > 0 && is_incomplete(lines[at - 1]) && names_an_error(&lines[..at], at - 1) {
        return false;
    }
    ends_traceback(lines, at) || (is_error(text) && !is_quiet(text))
}

/// A line with an error whose text, or whose last cause, is below it: `thread 'main' panicked at src/x.rs:1:2:`.
fn with_what_follows<'a>(lines: &[&'a str], at: usize) -> Cow<'a, str> {
    let text = lines[at].trim();
    let mut below = lines[at + 1..].iter();
    let mut said = Cow::Borrowed(text);
    if is_incomplete(text)
        && let Some(line) = below.next().map(|line| without_number(line.trim())).filter(|line| !is_note(line))
    {
        said = Cow::Owned(format!("{text} {line}"));
    }
    // What Rust's reports of errors say below: each cause, indented, to the first one.
    let mut below = below.skip_while(|line| line.starts_with(' '));
    if below.next().is_some_and(|line| line.trim() == "Caused by:") {
        let cause = below.take_while(|line| line.starts_with(' ')).last();
        said = cause.map_or(said.clone(), |cause| Cow::Owned(format!("{said}: {}", without_number(cause.trim()))));
    }
    said
}

fn is_incomplete(line: &str) -> bool {
    line.trim_end().ends_with(':')
}

/// `0: cannot connect` without its number.
fn without_number(text: &str) -> &str {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.strip_prefix(": ").filter(|_| rest.len() < text.len()).unwrap_or(text)
}

/// The first line below a Python traceback that is not indented: the exception, whatever its name.
fn ends_traceback(lines: &[&str], at: usize) -> bool {
    let frames = lines[..at].iter().rev().take_while(|line| line.starts_with(' ')).count();
    frames > 0
        && !lines[at].starts_with(' ')
        && lines
            .get((at - frames).wrapping_sub(1))
            .is_some_and(|line| line.contains("Traceback (most recent call last)"))
}

fn is_error(text: &str) -> bool {
    LEVELS.iter().any(|level| contains(text, level))
        || MARKS.iter().any(|mark| text.contains(mark))
        || words(text).any(|word| WORDS.contains(&word) || NAMES.iter().any(|name| word.ends_with(name)))
}

fn is_quiet(text: &str) -> bool {
    QUIET_LEVELS.iter().any(|level| contains(text, level))
        // The level is among the first words.
        || words(text).take(12).any(|word| QUIET.contains(&word))
}

/// Whether a level is there, with or without a space before its value.
fn contains(text: &str, level: &str) -> bool {
    text.contains(level)
        || level.split_once(':').is_some_and(|(name, value)| text.contains(&format!("{name}: {value}")))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

fn is_note(text: &str) -> bool {
    NOTES.iter().any(|note| text.starts_with(note))
        || text.contains("Traceback (most recent call last)")
        || is_more(text)
        // Carets below a line of code, brackets of what is printed.
        || !text.contains(|c: char| c.is_alphanumeric())
}

/// `... 12 more`
fn is_more(text: &str) -> bool {
    text.strip_prefix("... ").is_some_and(|rest| rest.ends_with(" more") || rest.contains("frames"))
}

/// `   3: core::panicking::panic`, `#1 /app/index.php(3): …`, `main.main()`, `/app/main.go:8 +0x1c`.
fn is_frame(line: &str) -> bool {
    let text = line.trim();
    let number = text.strip_prefix('#').unwrap_or(text);
    let rest = number.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = rest.len() < number.len() && (rest.starts_with(": ") || text.starts_with('#'));
    let of_go = text.rsplit_once(" +0x").is_some_and(|(_, offset)| offset.bytes().all(|c| c.is_ascii_hexdigit()))
        || (text.ends_with(')') && !text.contains(' ') && text.contains('.') && text.contains('('));
    (numbered && (line.starts_with(' ') || text.starts_with('#'))) || of_go
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the lines come here: tabs are spaces, and empty lines may be left out.
    fn said(log: &str) -> Option<String> {
        let lines: Vec<_> = log.lines().map(|line| line.replace('\t', "    ")).collect();
        let without_empty: Vec<_> = lines.iter().filter(|line| !line.is_empty()).cloned().collect();
        assert_eq!(of(&lines), of(&without_empty));
        of(&lines)
    }

    #[test]
    fn each_runtime_in_its_own_way() {
        for (runtime, log, expected) in [
            (
                "rust",
                RUST,
                "thread 'main' (7) panicked at src/pool.rs:88:14: called `Result::unwrap()` on an `Err` value: Io(ConnectError)",
            ),
            (
                "rust, with frames",
                RUST_FRAMES,
                "thread 'tokio-runtime-worker' panicked at src/main.rs:12:5: no route to db",
            ),
            ("rust, with causes", RUST_CAUSES, "Error: cannot start: Connection refused (os error 111)"),
            ("rust, arguments", RUST_ARGUMENTS, "error: unexpected argument '--bindd' found"),
            ("node", NODE, "Error: connect ECONNREFUSED 10.0.0.5:5432"),
            ("node, a module", NODE_MODULE, "Error: Cannot find module '/app/server.js'"),
            ("node, by npm", NPM, "TypeError: Cannot read properties of undefined (reading 'url')"),
            ("java", JAVA, "Caused by: java.net.ConnectException: Connection refused"),
            ("python", PYTHON, "psycopg.OperationalError: connection failed: Connection refused"),
            ("python, another name", PYTHON_NAME, "app.settings.Missing: DATABASE_URL"),
            ("python, uvicorn", UVICORN, "ConnectionRefusedError: [Errno 111] Connect call failed ('10.0.0.5', 5432)"),
            ("go", GO, "panic: runtime error: invalid memory address or nil pointer dereference"),
            (
                "go, log.Fatal",
                GO_FATAL,
                "2026/11/20 10:04:29 cannot reach the database: dial tcp 10.0.0.5:5432: connect: connection refused",
            ),
            ("go, deadlock", GO_DEADLOCK, "fatal error: all goroutines are asleep - deadlock!"),
            ("dotnet", DOTNET, "---> System.Net.Sockets.SocketException (111): Connection refused"),
            ("ruby", RUBY, "/app/main.rb:3:in `connect': connection refused (PG::ConnectionBad)"),
            (
                "php",
                PHP,
                "PHP Fatal error:  Uncaught PDOException: SQLSTATE[HY000] [2002] Connection refused in /app/index.php:3",
            ),
            ("c++", CPP, "what():  cannot open /etc/app.conf"),
            ("json", JSON, r#"{"level":"error","msg":"cannot reach the database"}"#),
            ("quiet", QUIET_LINES, "bye"),
            (
                "nginx",
                NGINX,
                r#"2026/11/20 10:04:29 [emerg] 1#1: host not found in upstream "api" in /etc/nginx/nginx.conf:12"#,
            ),
        ] {
            assert_eq!(said(log).as_deref(), Some(expected), "{runtime}");
        }
    }

    #[test]
    fn what_is_nothing_but_notes_still_has_a_last_line() {
        assert_eq!(said("    at a (b.js:1:2)\n    at c (d.js:3:4)\n\n").as_deref(), Some("at c (d.js:3:4)"));
        assert_eq!((said(""), said("\n \n")), (None, None));
        assert_eq!(said("one\ntwo").as_deref(), Some("two"));
    }

    const RUST: &str = "2026-11-20T10:04:21Z  INFO agent: starting
thread 'main' (7) panicked at src/pool.rs:88:14:
called `Result::unwrap()` on an `Err` value: Io(ConnectError)
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace";

    const RUST_FRAMES: &str = "thread 'tokio-runtime-worker' panicked at src/main.rs:12:5:
no route to db
stack backtrace:
   0: rust_begin_unwind
             at /rustc/0f1e2d3c/library/std/src/panicking.rs:697:5
   1: core::panicking::panic_fmt
   2: app::Error::from
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.";

    const RUST_CAUSES: &str = "Error: cannot start

Caused by:
    0: cannot reach the database
    1: Connection refused (os error 111)";

    const RUST_ARGUMENTS: &str = "error: unexpected argument '--bindd' found

  tip: a similar argument exists: '--bind'

Usage: agent --bind <ADDRESS>

For more information, try '--help'.";

    const NODE: &str = "node:internal/process/promises:394
      triggerUncaughtException(err, true /* fromPromise */);
      ^

Error: connect ECONNREFUSED 10.0.0.5:5432
    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16) {
  errno: -111,
  code: 'ECONNREFUSED',
  syscall: 'connect',
}

Node.js v20.11.0";

    const NODE_MODULE: &str = "node:internal/modules/cjs/loader:1228
  throw err;
  ^

Error: Cannot find module '/app/server.js'
    at Module._resolveFilename (node:internal/modules/cjs/loader:1225:15)
    at node:internal/main/run_main_module:28:49 {
  code: 'MODULE_NOT_FOUND',
  requireStack: []
}

Node.js v22.3.0";

    const NPM: &str = "TypeError: Cannot read properties of undefined (reading 'url')
    at start (/app/index.js:7:21)
npm ERR! Lifecycle script `start` failed with error:
npm ERR! Error: command failed
npm notice New major version of npm available!";

    const JAVA: &str = "Exception in thread \"main\" java.lang.IllegalStateException: cannot start
\tat com.acme.Main.start(Main.java:31)
\tat com.acme.Main.main(Main.java:12)
Caused by: java.net.ConnectException: Connection refused
\tat java.base/sun.nio.ch.Net.pollConnect(Native Method)
\tat com.acme.ErrorHandler.Exception(ErrorHandler.java:1)
\t... 12 more";

    const PYTHON: &str = "INFO:root:starting
Traceback (most recent call last):
  File \"/app/main.py\", line 10, in <module>
    connect(url)
    ~~~~~~~^^^^^
  File \"/app/db.py\", line 3, in connect
    raise OperationalError(text)
psycopg.OperationalError: connection failed: Connection refused";

    const PYTHON_NAME: &str = "Traceback (most recent call last):
  File \"/app/main.py\", line 10, in <module>
    raise Missing(\"DATABASE_URL\")
app.settings.Missing: DATABASE_URL
sys:1: ResourceWarning: unclosed socket";

    const UVICORN: &str = "INFO:     Waiting for application startup.
ERROR:    Traceback (most recent call last):
  File \"/app/main.py\", line 10, in lifespan
    await pool.open()
ConnectionRefusedError: [Errno 111] Connect call failed ('10.0.0.5', 5432)

ERROR:    Application startup failed. Exiting.";

    const GO: &str = "panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x48f5a6]

goroutine 1 [running]:
main.(*Pool).Get(0xc000012120)
\t/app/pool.go:8 +0x1c
main.main()
\t/app/main.go:5 +0x2f
exit status 2";

    const GO_FATAL: &str = "2026/11/20 10:04:21 starting
2026/11/20 10:04:29 cannot reach the database: dial tcp 10.0.0.5:5432: connect: connection refused
exit status 1";

    const GO_DEADLOCK: &str = "fatal error: all goroutines are asleep - deadlock!

goroutine 1 [chan receive]:
main.main()
\t/app/main.go:8 +0x1c
created by main.start in goroutine 1
\t/app/main.go:5 +0x2f";

    const DOTNET: &str = "Unhandled exception. Npgsql.NpgsqlException (0x80004005): Failed to connect to 10.0.0.5:5432
 ---> System.Net.Sockets.SocketException (111): Connection refused
   at Npgsql.Internal.NpgsqlConnector.Connect(NpgsqlTimeout timeout)
   --- End of inner exception stack trace ---
   at Program.<Main>$(String[] args) in /app/Program.cs:line 3";

    const RUBY: &str = "/app/main.rb:3:in `connect': connection refused (PG::ConnectionBad)
\tfrom /app/main.rb:10:in `start'
\tfrom /app/main.rb:12:in `<main>'";

    const PHP: &str =
        "PHP Fatal error:  Uncaught PDOException: SQLSTATE[HY000] [2002] Connection refused in /app/index.php:3
Stack trace:
#0 /app/index.php(3): PDO->__construct('mysql:host=db')
#1 {main}
  thrown in /app/index.php on line 3";

    const CPP: &str = "terminate called after throwing an instance of 'std::runtime_error'
  what():  cannot open /etc/app.conf
Aborted (core dumped)";

    const JSON: &str = r#"{"level":"error","msg":"cannot reach the database"}
{"level":"info","msg":"RetryError will not be tried again"}
{"level":"info","msg":"bye"}"#;

    const QUIET_LINES: &str = "2026-11-20 10:04:21 INFO o.a.ErrorHandler: Exception handling is on
2026-11-20 10:04:25 WARN TimeoutError, trying again
bye";

    const NGINX: &str =
        "2026/11/20 10:04:29 [emerg] 1#1: host not found in upstream \"api\" in /etc/nginx/nginx.conf:12
nginx: configuration file /etc/nginx/nginx.conf test failed";
}
