//! Credentials before a host, without a scheme: `user:PASSWORD@host:5432/name`, `user:PASSWORD@tcp(host)`.

use std::ops::Range;

use crate::word::{is_random, run};

/// Credentials that are longer than this are not looked for.
const LOOK_BACK: usize = 256;

/// What stands before a colon and is no user: the rest is an address, a package, an image.
const SCHEMES: [&str; 11] =
    ["mailto", "sip", "sips", "xmpp", "acct", "npm", "pkg", "urn", "docker", "sha256", "sha512"];

/// Labels, behind which an e-mail address stands more often than a password and a host.
const LABELS: [&str; 20] = [
    "user",
    "username",
    "email",
    "mail",
    "e-mail",
    "from",
    "to",
    "cc",
    "bcc",
    "by",
    "sender",
    "recipient",
    "owner",
    "author",
    "contact",
    "account",
    "login",
    "principal",
    "identity",
    "subject",
];

/// A bare host, or a path, may follow an `@` for other reasons; a password before it is not shorter.
const PASSWORD: usize = 6;

/// What follows an `@`, from what says most to what says least.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Host {
    /// `tcp(`, `unix(`, as Go's drivers write it.
    Network,
    /// `db:5432`.
    Port,
    /// `db/name`.
    Path,
    /// `db`.
    Bare,
}

pub(crate) fn find(text: &str, secrets: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    for (sign, _) in bytes.iter().enumerate().filter(|(_, c)| **c == b'@') {
        if let Some(host) = host(bytes, sign + 1) {
            secrets.extend(password(bytes, sign, host));
        }
    }
}

fn host(text: &[u8], at: usize) -> Option<Host> {
    let here = &text[at..];
    if here.get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"tcp("))
        || here.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"unix("))
    {
        return Some(Host::Network);
    }
    // What is longer is no name of a host.
    let length =
        run(&here[..here.len().min(LOOK_BACK)], 0, |c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_'));
    let name = &here[..length];
    if !name.first().is_some_and(u8::is_ascii_alphanumeric)
        || name.starts_with(b"sha256")
        || name.starts_with(b"sha512")
    {
        return None;
    }
    match here.get(length) {
        Some(b':') => {
            let digits = run(&here[..here.len().min(length + 8)], length + 1, |c| c.is_ascii_digit());
            let ends = here.get(length + 1 + digits).is_none_or(|c| !c.is_ascii_alphanumeric());
            match digits {
                1..=5 if ends => Some(Host::Port),
                // `db: connection refused`
                0 if here.get(length + 1).is_none_or(u8::is_ascii_whitespace) => Some(Host::Bare),
                _ => None,
            }
        }
        Some(b'/') => Some(Host::Path),
        Some(b'@' | b'=' | b'(' | b'[' | b'{') => None,
        _ => Some(Host::Bare),
    }
}

/// What is between a user's colon and the `@` at `sign`.
fn password(text: &[u8], sign: usize, host: Host) -> Option<Range<usize>> {
    let floor = sign.saturating_sub(LOOK_BACK);
    let ends_word = |c: &u8| c.is_ascii_whitespace() || matches!(c, b'"' | b'`' | b'<' | b'>');
    let word = text[floor..sign].iter().rposition(ends_word).map_or(floor, |space| floor + space + 1);
    let found = &text[word..sign];
    // URLs are looked at elsewhere.
    if found.windows(3).any(|part| part == b"://") {
        return None;
    }
    // `jdbc:oracle:thin:user/PASSWORD@host:1521`
    let is_oracle = found.get(..12).is_some_and(|begin| begin.eq_ignore_ascii_case(b"jdbc:oracle:"));
    let colon = found.iter().position(|c| *c == if is_oracle { b'/' } else { b':' })?;
    let range = word + colon + 1..sign;
    if text[..sign].ends_with(b":") {
        return None;
    }
    if host == Host::Network || is_oracle {
        return Some(range);
    }
    let (before, password) = (&found[..colon], &text[range.clone()]);
    let user = before.iter().rposition(|c| !is_of_user(*c)).map_or(before, |at| &before[at + 1..]);
    let before = before[..before.len() - user.len()].last();
    let is_path = matches!(before, Some(b'/' | b'\\' | b'@' | b'#' | b'$'));
    let is = |words: &[&str]| words.iter().any(|word| user.eq_ignore_ascii_case(word.as_bytes()));
    let is_label = is(&LABELS) || user.to_ascii_lowercase().ends_with(b"mail");
    if is_path || is(&SCHEMES) || user.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let looks_like_one = password.len() >= PASSWORD && is_random(password) && !password.contains(&b':');
    let is_one = match host {
        Host::Network | Host::Port => true,
        Host::Path => !user.is_empty() && !is_label && !password.contains(&b':'),
        Host::Bare => !user.is_empty() && !is_label && looks_like_one,
    };
    is_one.then_some(range)
}

fn is_of_user(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-' | b'%' | b'+' | b'~')
}
