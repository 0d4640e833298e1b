//! Where the parts of a URL are.

use std::ops::Range;

use fluent_uri::{ParseError, ParseErrorKind, Uri};
use percent_encoding::percent_decode_str;

use crate::address::UrlPart;
use crate::refusal::{Refusal, Why};

/// Whose rules hold beyond RFC 3986's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `postgres:` and `postgresql:`, as libpq reads them.
    Libpq,
    /// `jdbc:`; its drivers take a `+` for a space.
    Jdbc,
    /// Any other.
    Other,
}

/// The bytes of the parts, `None` for what is not there or empty where that is the same.
pub(super) struct Layout {
    pub(super) dialect: Dialect,
    pub(super) user: Option<Range<usize>>,
    pub(super) password: Option<Range<usize>>,
    /// With the brackets of an IPv6 address.
    pub(super) host: Option<Range<usize>>,
    pub(super) port: Option<Range<usize>>,
    pub(super) database: Option<Range<usize>>,
    query: Option<Range<usize>>,
}

impl Layout {
    /// Those of a whole URL.
    pub(super) fn of(document: &str) -> Result<Self, Refusal> {
        let jdbc = document.get(..5).filter(|start| start.eq_ignore_ascii_case("jdbc:")).map_or(0, str::len);
        let fault =
            |byte, what: &str| Refusal::at(Why::NotParsed { format: "a URL", what: what.to_owned() }, document, byte);
        several_hosts(document, jdbc)?;
        let uri = Uri::parse(&document[jdbc..]).map_err(|error| fault(jdbc + error.index(), text_of(error)))?;
        let Some(authority) = uri.authority() else {
            return Err(fault(jdbc, "there is no // with a host after the scheme"));
        };
        let scheme = uri.scheme().as_str();
        let dialect = match scheme.to_ascii_lowercase().as_str() {
            _ if jdbc > 0 => Dialect::Jdbc,
            "postgres" | "postgresql" => Dialect::Libpq,
            _ => Dialect::Other,
        };

        let begin = jdbc + scheme.len() + "://".len();
        let userinfo = authority.userinfo().map(|userinfo| begin..begin + userinfo.as_str().len());
        let host_begin = userinfo.as_ref().map_or(begin, |userinfo| userinfo.end + 1);
        let host = host_begin..host_begin + authority.host().len();
        let port = authority.port().map(|port| host.end + 1..host.end + 1 + port.as_str().len());
        let path = begin + authority.as_str().len();
        let path = path..path + uri.path().as_str().len();
        let query = uri.query().map(|query| path.end + 1..path.end + 1 + query.as_str().len());

        if dialect != Dialect::Other && uri.fragment().is_some() {
            return Err(fault(query.map_or(path.end, |query| query.end), "a # is not percent-encoded"));
        }
        let beyond = document[begin..].split('/').next().unwrap_or_default();
        if dialect == Dialect::Libpq && userinfo.is_none() && beyond.contains('@') {
            return Err(fault(
                host.end,
                "an @ in the query is not percent-encoded, so that libpq sees a user before it",
            ));
        }
        let colon = userinfo.clone().and_then(|userinfo| Some(userinfo.start + document[userinfo].find(':')?));
        Ok(Self {
            dialect,
            user: userinfo.clone().map(|userinfo| userinfo.start..colon.unwrap_or(userinfo.end)),
            password: colon.zip(userinfo).map(|(colon, userinfo)| colon + 1..userinfo.end),
            host: Some(host).filter(|host| !host.is_empty()),
            port: port.filter(|port| !port.is_empty()),
            database: Some(path).filter(|path| path.len() > 1).map(|path| path.start + 1..path.end),
            query,
        })
    }

    /// The values of the query's parameters that mean this part.
    pub(super) fn parameters(&self, part: UrlPart, document: &str) -> Vec<Range<usize>> {
        let name = match (self.dialect, part) {
            (Dialect::Libpq | Dialect::Jdbc, UrlPart::User) => "user",
            (Dialect::Libpq | Dialect::Jdbc, UrlPart::Password) => "password",
            (Dialect::Libpq, UrlPart::Host) => "host",
            (Dialect::Libpq, UrlPart::Port) => "port",
            (Dialect::Libpq, UrlPart::Database) => "dbname",
            _ => return Vec::new(),
        };
        let Some(query) = self.query.clone() else { return Vec::new() };
        let mut values = Vec::new();
        let mut begin = query.start;
        for parameter in document[query].split('&') {
            let (found, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let end = begin + parameter.len();
            if percent_decode_str(found).eq(name.bytes()) && found.len() < parameter.len() {
                values.push(end - value.len()..end);
            }
            begin = end + 1;
        }
        values
    }
}

/// libpq's and JDBC's lists of hosts, which no URL of RFC 3986 has.
fn several_hosts(document: &str, jdbc: usize) -> Result<(), Refusal> {
    let Some(begin) = document[jdbc..].find("://").map(|at| jdbc + at + 3) else { return Ok(()) };
    let authority = document[begin..].split(['/', '?', '#']).next().unwrap_or_default();
    let hosts = begin + authority.rfind('@').map_or(0, |at| at + 1);
    match document[hosts..begin + authority.len()].find(',') {
        None => Ok(()),
        Some(comma) => Err(Refusal::at(Why::NotScalar { what: "a list of hosts" }, document, hosts + comma)),
    }
}

fn text_of(error: ParseError) -> &'static str {
    match error.kind() {
        ParseErrorKind::InvalidPctEncodedOctet => "a percent sign is not followed by two hexadecimal digits",
        ParseErrorKind::UnexpectedChar => "a character is there that is none of a URL, or has to be percent-encoded",
        ParseErrorKind::InvalidIpv6Addr => "an address in brackets is no IPv6 address",
    }
}
