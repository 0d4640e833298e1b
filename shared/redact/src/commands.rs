//! Passwords that are given to a command: `mysql -pPASSWORD`, `redis-cli -a PASSWORD`, `["sshpass", "-p", "PASSWORD"]`.
//!
//! One letter says nothing by itself (`-p` is a port to one program and a password to the next), so the program is asked for.

use std::ops::Range;

use crate::value::{bare, is_no_secret, quoted};
use crate::word::{begins, run};

/// What follows a program's name is looked at for so many bytes.
const ARGUMENTS: usize = 256;

/// A program, the options that are followed by a password, and whether one can also be joined to them.
struct Program {
    name: &'static str,
    options: &'static [&'static str],
    joined: bool,
}

const fn program(name: &'static str, options: &'static [&'static str], joined: bool) -> Program {
    Program { name, options, joined }
}

const CURL: &str = "curl";

const PROGRAMS: [Program; 35] = [
    program("mysql", &["-p"], true),
    program("mysqldump", &["-p"], true),
    program("mysqladmin", &["-p"], true),
    program("mysqlimport", &["-p"], true),
    program("mysqlcheck", &["-p"], true),
    program("mysqlshow", &["-p"], true),
    program("mysqlsh", &["-p"], true),
    program("mysqlbinlog", &["-p"], true),
    program("mariadb", &["-p"], true),
    program("mariadb-dump", &["-p"], true),
    program("mariadb-admin", &["-p"], true),
    program("mongo", &["-p"], true),
    program("mongosh", &["-p"], true),
    program("mongodump", &["-p"], true),
    program("mongorestore", &["-p"], true),
    program("mongoexport", &["-p"], true),
    program("mongoimport", &["-p"], true),
    program("redis-cli", &["-a", "--pass"], false),
    program("valkey-cli", &["-a", "--pass"], false),
    program("keydb-cli", &["-a", "--pass"], false),
    program("sqlcmd", &["-P"], true),
    program("bcp", &["-P"], true),
    program("isql", &["-P"], true),
    program("cqlsh", &["-p"], false),
    program("cypher-shell", &["-p"], false),
    program("rabbitmqadmin", &["-p"], false),
    program("sshpass", &["-p"], true),
    program("ldapsearch", &["-w"], true),
    program("ldapmodify", &["-w"], true),
    program("ldapadd", &["-w"], true),
    program("ldapwhoami", &["-w"], true),
    // docker login, podman login, helm registry login, az login
    program("login", &["-p"], false),
    program("zip", &["-P"], true),
    // Of this one, what follows the user's colon.
    program(CURL, &["-u", "--user", "--proxy-user", "-U"], true),
    program("keytool", &["-storepass", "-keypass"], false),
];

pub(crate) fn find(text: &str, secrets: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let length = run(bytes, at, is_of_name);
        if length == 0 {
            at += 1;
            continue;
        }
        let name = &bytes[at..at + length];
        let program = PROGRAMS.iter().find(|program| program.name.as_bytes() == name);
        let secret = program.filter(|_| begins(bytes, at)).and_then(|program| argument(bytes, at + length, program));
        at += length;
        if let Some(secret) = secret {
            at = secret.end.max(at);
            secrets.push(secret);
        }
    }
}

fn is_of_name(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.')
}

/// The password among a program's arguments, which are in a line, or in a list of texts.
fn argument(text: &[u8], from: usize, program: &Program) -> Option<Range<usize>> {
    let limit = text.len().min(from + ARGUMENTS);
    let mut at = from;
    while at < limit {
        // Words of one line, which a pipe, a semicolon and the like end.
        let gap = run(text, at, is_between);
        if gap == 0 {
            let other = run(&text[..limit], at, |c| !is_between(c) && !matches!(c, b';' | b'|' | b'\n'));
            if other == 0 {
                return None;
            }
            at += other;
            continue;
        }
        at += gap;
        for option in program.options {
            let after = at + option.len();
            if !text[at..].starts_with(option.as_bytes()) {
                continue;
            }
            let secret = match text.get(after) {
                Some(b'=') => value(text, after, 1),
                Some(c) if is_between(*c) => value(text, after, run(text, after, is_between)),
                Some(_) if program.joined => value(text, after, 0),
                _ => None,
            };
            let Some(secret) = secret else { continue };
            if program.name != CURL {
                return Some(secret);
            }
            if let Some(colon) = text[secret.clone()].iter().position(|c| *c == b':').filter(|at| at + 1 < secret.len())
            {
                return Some(secret.start + colon + 1..secret.end);
            }
        }
    }
    None
}

fn is_between(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'"' | b'\'' | b',' | b'\\')
}

/// The value behind a gap, which may end with an opening quote.
fn value(text: &[u8], from: usize, gap: usize) -> Option<Range<usize>> {
    let text = &text[..text.len().min(from + gap + ARGUMENTS)];
    let mut open = from + gap;
    if gap > 0 && matches!(text[open - 1], b'"' | b'\'') {
        open -= 1;
        while open > from && text[open - 1] == b'\\' {
            open -= 1;
        }
    }
    let value = match text.get(open) {
        Some(b'"' | b'\'' | b'\\') => quoted(text, open)?,
        _ => bare(text, open),
    };
    let found = &text[value.clone()];
    // A container that is named as the program, and its ports.
    let ports = found.contains(&b':') && found.iter().all(|c| c.is_ascii_digit() || matches!(c, b':' | b'.'));
    (!found.starts_with(b"-") && !ports && !is_no_secret(found)).then_some(value)
}
