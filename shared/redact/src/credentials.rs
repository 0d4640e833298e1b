//! Credentials in connection URLs: `scheme://user:PASSWORD@host`.

use std::ops::Range;

use crate::word;

/// What stands before `://` and is followed by an image, with its tag behind the colon.
const OF_IMAGES: [&[u8]; 3] = [b"docker", b"oci", b"docker-daemon"];

/// The passwords of all URLs, also of those that are percent-encoded as a whole.
pub(crate) fn find(text: &str, secrets: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(start) = next(bytes, at, b"://") {
        let end = start + 3 + length(bytes, start);
        secrets.extend(raw(bytes, start, end).or_else(|| broken_off(bytes, start, end)));
        at = start + 3;
        // What the credentials hold is no URL.
        if let Some(secret) = secrets.last() {
            at = at.max(secret.end.min(end));
        }
    }
    encoded(bytes, secrets);
}

fn next(text: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    let from = from.min(text.len());
    text[from..].windows(what.len()).position(|w| w.eq_ignore_ascii_case(what)).map(|at| from + at)
}

/// How long the URL is that has its `://` at `start`: to what cannot be in one. Apostrophes can, unless one stands before it.
fn length(text: &[u8], start: usize) -> usize {
    let scheme = scheme(text, start);
    let quoted = start.checked_sub(scheme.len() + 1).is_some_and(|before| text[before] == b'\'');
    let mut end = start + 3;
    while let Some(&c) = text.get(end) {
        let stops = match c {
            b'"' | b'`' | b'<' | b'>' => true,
            b'\'' => quoted,
            // `\u0026` is how some write an ampersand in JSON; any other escape ends the text that the URL is in.
            b'\\' => text.get(end + 1) != Some(&b'u'),
            // The next URL in a list.
            b':' => text[end..].starts_with(b"://"),
            _ => c.is_ascii_whitespace() || c.is_ascii_control(),
        };
        if stops {
            break;
        }
        end += 1;
    }
    end - start - 3
}

fn scheme(text: &[u8], start: usize) -> &[u8] {
    let letters = text[..start].iter().rev().take(32);
    let length = letters.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'.' | b'-')).count();
    &text[start - length..start]
}

/// The password in the URL that has its `://` at `start`.
fn raw(text: &[u8], start: usize, end: usize) -> Option<Range<usize>> {
    let from = start + 3;
    let url = &text[from..end];
    let scheme = scheme(text, start);
    let web = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    let path = url.iter().position(|c| matches!(c, b'/' | b'?' | b'#')).unwrap_or(url.len());
    let query = query(url);
    let last_at = |part: &[u8]| part.iter().rposition(|c| *c == b'@');
    let colon = url[..path].iter().position(|c| *c == b':');
    // A colon that no port follows is before a password, in which somebody left `/`, `?` or `#` as they are.
    let odd = colon.is_some_and(|colon| !is_port(&url[colon + 1..path])) && !url.starts_with(b"[");
    let at = match last_at(&url[..path]) {
        // In the path of a database's URL there is no `@`.
        Some(at) if web => Some(at),
        Some(at) => last_at(&url[..query]).or(Some(at)),
        // Nor has a path of one an `@`, unless it is the name of an image.
        None if odd || !web => last_at(&url[..query]).filter(|at| !url[at + 1..].starts_with(b"sha256:")),
        None => None,
    }?;
    match url[..at].iter().position(|c| *c == b':') {
        Some(colon) if colon + 1 < at => Some(from + colon + 1..from + at),
        Some(_) => None,
        // A token in the place of the user.
        None => (web && at >= 16).then_some(from..from + at),
    }
}

/// The password in a URL that was cut off before its `@`: where a port would be there is none. At the text's end it was a cut;
/// within the text it has to look like a password, too.
fn broken_off(text: &[u8], start: usize, end: usize) -> Option<Range<usize>> {
    let (from, scheme) = (start + 3, scheme(text, start));
    let url = &text[from..end];
    if scheme.is_empty() || url.contains(&b'@') || OF_IMAGES.iter().any(|of| scheme.eq_ignore_ascii_case(of)) {
        return None;
    }
    let user = word::run(url, 0, |c| c.is_ascii_alphanumeric() || b"_.~%+!-".contains(&c));
    if url.get(user) != Some(&b':') {
        return None;
    }
    let rest = &url[user + 1..];
    let authority = word::run(rest, 0, |c| !matches!(c, b'/' | b'?' | b'#' | b')' | b']' | b',' | b';' | b'.' | b'}'));
    let port = &rest[..authority];
    let digits = word::run(rest, 0, |c| c.is_ascii_digit());
    let ends = rest.get(digits).is_none_or(|c| !c.is_ascii_alphanumeric());
    let is_named =
        port.is_empty() || port.eq_ignore_ascii_case(b"port") || matches!(port[0], b'$' | b'{' | b'%' | b'*');
    if (digits <= 5 && ends) || is_named {
        return None;
    }
    let web = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    let is_one = end == text.len() || (!web && word::is_random(port));
    is_one.then_some(from + user + 1..end)
}

/// Where the query begins: at a question mark with pairs behind it, since one can also stand in a password.
fn query(url: &[u8]) -> usize {
    let Some(mark) = url.iter().position(|c| *c == b'?') else { return url.len() };
    match url[mark..].iter().position(|c| matches!(c, b'=' | b'@')) {
        Some(at) if url[mark + at] == b'@' => url.len(),
        _ => mark,
    }
}

/// A port, or a port and then more hosts.
fn is_port(text: &[u8]) -> bool {
    let port = text.split(|c| *c == b',').next().unwrap_or_default();
    port.len() <= 5 && port.iter().all(u8::is_ascii_digit)
}

/// In a URL that is itself a value in another one, all delimiters are percent-encoded.
fn encoded(text: &[u8], secrets: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(start) = next(text, at, b"%3A%2F%2F") {
        let from = start + 9;
        let end = from + word::run(text, from, |c| c.is_ascii_alphanumeric() || b"%-._~+*!()".contains(&c));
        let url = &text[from..end];
        let sign = url.windows(3).rposition(|w| w == b"%40");
        let colon = next(url, 0, b"%3A");
        if let (Some(colon), Some(sign)) = (colon, sign)
            && colon + 3 < sign
        {
            secrets.push(from + colon + 3..from + sign);
        }
        at = end.max(from);
    }
}
