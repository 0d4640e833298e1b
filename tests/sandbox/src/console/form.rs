//! `application/x-www-form-urlencoded`.

/// The value of a field; the first, if it is there several times.
pub(super) fn field(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    text.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key)? == name).then(|| decode(value))?
    })
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn fields_are_read_as_browsers_write_them() {
        let body = b"user=a+b&script=puts%20%22%C3%BC%26%2B%22%0A&empty=&bare";
        assert_eq!(field(body, "user").as_deref(), Some("a b"));
        assert_eq!(field(body, "script").as_deref(), Some("puts \"ü&+\"\n"));
        assert_eq!(field(body, "empty").as_deref(), Some(""));
        assert_eq!(field(body, "bare").as_deref(), Some(""));
        assert_eq!(field(body, "none"), None);
        assert_eq!(field(b"a=%ff", "a"), None);
    }
}
