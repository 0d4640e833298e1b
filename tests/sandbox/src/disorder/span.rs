//! Spans of time as plans write them: `"250ms"`, `"2s"`, `"3min"`.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&written(*span))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text)
        .ok_or_else(|| D::Error::custom(format!("{text:?} is no span of time; write \"250ms\", \"2s\" or \"3min\"")))
}

fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u32 = text[..digits].parse().ok()?;
    match text[digits..].trim_start() {
        "ms" => Some(Duration::from_millis(number.into())),
        "s" => Some(Duration::from_secs(number.into())),
        "min" => Some(Duration::from_secs(u64::from(number) * 60)),
        _ => None,
    }
}

fn written(span: Duration) -> String {
    if span.subsec_millis() == 0 { format!("{}s", span.as_secs()) } else { format!("{}ms", span.as_millis()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_they_are_written() {
        for text in ["250ms", "2s", "90s", "0s"] {
            assert_eq!(written(parse(text).unwrap()), text);
        }
        assert_eq!(parse("3 min"), Some(Duration::from_mins(3)));
        for text in ["", "2", "s", "-1s", "1.5s", "2 h", "99999999999s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
