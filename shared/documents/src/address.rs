//! Where in a document a value is.

use std::fmt;
use std::str::FromStr;

/// One part of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// A member by its name.
    Name(String),
    /// An item of a list, counted from 0.
    Index(usize),
}

/// From the document's root: `agent.datastore."odd name".list[0]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path(pub Vec<Key>);

/// A part of a connection URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UrlPart {
    /// The user.
    User,
    /// The password.
    Password,
    /// The host.
    Host,
    /// The port.
    Port,
    /// The database: the path without its first slash.
    Database,
}

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// `pkl:`
    Pkl(Path),
    /// `json:`
    Json(Path),
    /// `yaml:`
    Yaml(Path),
    /// `toml:`
    Toml(Path),
    /// `dotenv:NAME`
    Dotenv(String),
    /// `properties:a.key.with.dots`
    Properties(String),
    /// `url:password`
    Url(UrlPart),
    /// `text`: the whole of it.
    Text,
}

/// Steps, each into what the one before found: `json:DATABASE_URL > url:password`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address(Vec<Step>);

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No format of that name.
    #[error("{0:?} is no format; known are pkl:, json:, yaml:, toml:, dotenv:, properties:, url: and text")]
    UnknownFormat(String),
    /// A path that cannot be read.
    #[error("the path {path:?} cannot be read: {what}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// No such part of a URL.
    #[error("{0:?} is no part of a URL; known are user, password, host, port and database")]
    UnknownPart(String),
}

impl Address {
    /// Its steps; at least one.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

/// Of one step.
impl From<Step> for Address {
    fn from(step: Step) -> Self {
        Self(vec![step])
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        split(text).into_iter().map(|step| step.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

/// At each `>` outside of quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts
}

impl FromStr for Step {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (format, rest) = text.split_once(':').unwrap_or((text, ""));
        let path = || rest.parse::<Path>();
        let name = || match &path()?.0[..] {
            // A key of a flat file may have dots in it, quoted or not.
            [Key::Name(name)] => Ok(name.clone()),
            _ => Ok(rest.to_owned()),
        };
        Ok(match format {
            "pkl" => Self::Pkl(path()?),
            "json" => Self::Json(path()?),
            "yaml" => Self::Yaml(path()?),
            "toml" => Self::Toml(path()?),
            "dotenv" => Self::Dotenv(name()?),
            "properties" => Self::Properties(name()?),
            "url" => Self::Url(rest.parse()?),
            "text" if rest.is_empty() => Self::Text,
            _ => return Err(AddressError::UnknownFormat(format.to_owned())),
        })
    }
}

impl FromStr for UrlPart {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Ok(match text {
            "user" => Self::User,
            "password" => Self::Password,
            "host" => Self::Host,
            "port" => Self::Port,
            "database" => Self::Database,
            _ => return Err(AddressError::UnknownPart(text.to_owned())),
        })
    }
}

impl FromStr for Path {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let fault = |what| AddressError::Path { path: text.to_owned(), what };
        let mut keys = Vec::new();
        let mut rest = text;
        loop {
            if let Some(quoted) = rest.strip_prefix('"') {
                let (name, after) = unquoted(quoted).ok_or_else(|| fault("a quote is not closed"))?;
                keys.push(Key::Name(name));
                rest = after;
            } else {
                let end = rest.find(['.', '[', '"']).unwrap_or(rest.len());
                if end == 0 {
                    return Err(fault("a name is empty; one with odd characters is written in double quotes"));
                }
                keys.push(Key::Name(rest[..end].to_owned()));
                rest = &rest[end..];
            }
            while let Some(indexed) = rest.strip_prefix('[') {
                let (index, after) = indexed.split_once(']').ok_or_else(|| fault("a bracket is not closed"))?;
                keys.push(Key::Index(index.parse().map_err(|_| fault("an index is no whole number"))?));
                rest = after;
            }
            rest = match rest.strip_prefix('.') {
                Some(more) => more,
                None if rest.is_empty() => return Ok(Self(keys)),
                None => return Err(fault("after a name comes a dot or a bracket")),
            };
        }
    }
}

/// What is in double quotes, and what comes after; `\"` and `\\` stand for a quote and a backslash.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((name, &text[at + 1..])),
            '\\' => name.push(characters.next()?.1),
            _ => name.push(character),
        }
    }
    None
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, key) in self.0.iter().enumerate() {
            match key {
                Key::Index(index) => write!(formatter, "[{index}]")?,
                Key::Name(name) => {
                    if at > 0 {
                        formatter.write_str(".")?;
                    }
                    if name.is_empty() || name.contains(['.', '[', ']', '"', '\\', '>', ' ']) {
                        write!(formatter, "\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))?;
                    } else {
                        formatter.write_str(name)?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for UrlPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::User => "user",
            Self::Password => "password",
            Self::Host => "host",
            Self::Port => "port",
            Self::Database => "database",
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flat = |name: &String| Path(vec![Key::Name(name.clone())]);
        match self {
            Self::Pkl(path) => write!(formatter, "pkl:{path}"),
            Self::Json(path) => write!(formatter, "json:{path}"),
            Self::Yaml(path) => write!(formatter, "yaml:{path}"),
            Self::Toml(path) => write!(formatter, "toml:{path}"),
            Self::Dotenv(name) => write!(formatter, "dotenv:{}", flat(name)),
            Self::Properties(name) => write!(formatter, "properties:{}", flat(name)),
            Self::Url(part) => write!(formatter, "url:{part}"),
            Self::Text => formatter.write_str("text"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            if at > 0 {
                formatter.write_str(" > ")?;
            }
            step.fmt(formatter)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written() {
        for text in [
            "pkl:agent.datastore.postgres.password",
            "json:DATABASE_URL > url:password",
            "yaml:a[0][1].\"odd > name\".b",
            "dotenv:DATABASE_URL",
            "properties:\"spring.datasource.password\"",
            "text",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("properties:a.b".parse::<Address>(), "properties:\"a.b\"".parse());
        for text in
            ["", "ini:a", "json:", "json:a..b", "json:a[x]", "json:a[0", "json:\"a", "url:pass", "text:x", "json:a >"]
        {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
