//! One part of a URL, decoded and encoded.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::layout::{Dialect, Layout};
use crate::address::UrlPart;
use crate::refusal::Why;

/// All but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What the part says.
pub(super) fn read(part: UrlPart, document: &str, range: Range<usize>) -> Result<String, Why> {
    let not_parsed = |what: &str| Why::NotParsed { format: "a URL", what: what.to_owned() };
    let dialect = Layout::of(document).map_err(|refusal| refusal.why)?.dialect;
    let raw = &document[range];
    if part == UrlPart::Host && raw.starts_with('[') {
        let address = raw.trim_matches(['[', ']']);
        return match address.parse::<Ipv6Addr>() {
            Ok(_) => Ok(address.to_owned()),
            Err(_) => Err(not_parsed("an address in brackets is no IPv6 address")),
        };
    }
    if part == UrlPart::Database && raw.contains('/') {
        return Err(Why::NotScalar { what: "a path of several segments" });
    }
    let spaced = if dialect == Dialect::Jdbc { raw.replace('+', " ") } else { raw.to_owned() };
    let value =
        percent_decode_str(&spaced).decode_utf8().map_err(|_| not_parsed("what is percent-encoded is no UTF-8"))?;
    if value.contains('\0') {
        return Err(not_parsed("a NUL is in it"));
    }
    if matches!(part, UrlPart::Host | UrlPart::Port) && value.contains(',') {
        return Err(Why::NotScalar { what: "a list of hosts" });
    }
    Ok(value.into_owned())
}

/// The part's bytes, or why there are none.
pub(super) fn write(part: UrlPart, layout: &Layout, range: &Range<usize>, value: &str) -> Result<String, &'static str> {
    if value.is_empty() {
        return Err("an empty part of a URL is none");
    }
    if value.contains('\0') {
        return Err("it has a NUL in it");
    }
    let in_authority = layout.host.as_ref() == Some(range);
    match part {
        UrlPart::Host => host(value, layout.dialect, in_authority),
        UrlPart::Port => match value.parse::<u16>() {
            Ok(number) if number > 0 && number.to_string() == value => Ok(value.to_owned()),
            _ => Err("a port is a number from 1 to 65535"),
        },
        UrlPart::Database if matches!(value, "." | "..") => Err("a path of one or two dots is none"),
        UrlPart::User | UrlPart::Password | UrlPart::Database => Ok(utf8_percent_encode(value, RESERVED).to_string()),
    }
}

/// A name, an address, or libpq's folder of a socket.
fn host(value: &str, dialect: Dialect, in_authority: bool) -> Result<String, &'static str> {
    let name =
        |value: &str| value.chars().all(|character| character.is_ascii_alphanumeric() || "-._".contains(character));
    let last_label = value.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let counted =
        last_label.is_empty() || last_label.bytes().all(|byte| byte.is_ascii_digit()) || last_label.starts_with("0x");
    if value.parse::<Ipv6Addr>().is_ok() {
        // In the query the brackets would be part of it.
        return Ok(if in_authority { format!("[{value}]") } else { utf8_percent_encode(value, RESERVED).to_string() });
    }
    if value.starts_with('/') && dialect == Dialect::Libpq && !value.contains(',') {
        return Ok(utf8_percent_encode(value, RESERVED).to_string());
    }
    if value.parse::<Ipv4Addr>().is_ok() || name(value) && !counted {
        return Ok(value.to_owned());
    }
    Err("it is neither the name of a host (one that is not ASCII is written in its ASCII form) nor an IP address")
}
