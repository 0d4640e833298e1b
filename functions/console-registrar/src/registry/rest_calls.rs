//! The calls that a REST Console takes: ours, or those that the user describes.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;
use watchkeeper_custom_resources::Properties;

use super::template::Placeholder::{self, Host, Id, Owner, Port, Token};
use super::template::{Template, written};
use super::{Address, AgentId, Entry, Trouble, Version};

/// All but what RFC 3986 calls unreserved.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Headers that are ours or HTTP's own.
const TAKEN: [&str; 8] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "if-match",
    "if-none-match",
    "transfer-encoding",
];

/// How agents are listed, and where in the answer things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct List {
    pub(crate) method: &'static str,
    pub(crate) path: Template,
    entries: String,
    id: String,
    host: String,
    port: String,
    owner: Option<String>,
    version: Option<String>,
}

/// How one is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) method: &'static str,
    pub(crate) path: Template,
    pub(crate) body: Option<Template>,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) list: List,
    pub(crate) put: Change,
    pub(crate) remove: Change,
    pub(crate) header: (String, Template),
}

/// What a call is about.
pub(crate) struct Subject<'a> {
    pub(crate) id: &'a AgentId,
    pub(crate) address: Option<&'a Address>,
    pub(crate) owner: &'a str,
}

impl Subject<'_> {
    fn value(&self, placeholder: Placeholder) -> String {
        match (placeholder, self.address) {
            (Id, _) => self.id.0.clone(),
            (Owner, _) => self.owner.to_owned(),
            (Host, Some(address)) => address.host.clone(),
            (Port, Some(address)) => address.port.to_string(),
            // No template is read that has them there.
            _ => String::new(),
        }
    }
}

impl Calls {
    /// Reads `List`, `Put`, `Remove` and `Header`; what is not there is as in `openapi.yaml`.
    pub(crate) fn read(properties: &mut Properties<'_>) -> Option<Self> {
        let list = read_or(properties, "List", List::read, List::ours);
        let put = read_or(properties, "Put", Change::read_put, Change::our_put);
        let remove = read_or(properties, "Remove", Change::read_remove, Change::our_remove);
        let text = properties.optional_text("Header").unwrap_or("Authorization: Bearer {{token}}");
        let header = header(text).map_err(|fault| properties.fault("Header", fault)).ok();
        Some(Self { list: list?, put: put?, remove: remove?, header: header? })
    }
}

fn read_or<T>(
    properties: &mut Properties<'_>,
    name: &'static str,
    read: fn(&mut Properties<'_>) -> Option<T>,
    ours: fn() -> Option<T>,
) -> Option<T> {
    properties.optional_object(name, read).or_else(ours)
}

impl List {
    fn ours() -> Option<Self> {
        let at = |name: &str| format!("/{name}");
        Some(Self {
            method: "GET",
            path: Template::parse("/api/agents", &[]).ok()?,
            entries: at("agents"),
            id: at("id"),
            host: at("host"),
            port: at("port"),
            owner: Some(at("owner")),
            version: Some(at("etag")),
        })
    }

    fn read(properties: &mut Properties<'_>) -> Option<Self> {
        let method = properties.one_of("Method", &[("GET", "GET"), ("POST", "POST")], "GET");
        let path = path(properties, &[Id]);
        let entries = pointer(properties, "Entries", false);
        let [id, host, port] = ["Id", "Host", "Port"].map(|name| pointer(properties, name, true));
        let [owner, version] = ["Owner", "Version"].map(|name| pointer(properties, name, false));
        let entries = entries.unwrap_or_default();
        Some(Self { method, path: path?, entries, id: id?, host: host?, port: port?, owner, version })
    }

    /// Whether entries have versions, by which a change can be made to depend on what was listed.
    pub(crate) fn has_versions(&self) -> bool {
        self.version.is_some()
    }

    /// The entries in an answer. An error says what is not as described.
    pub(crate) fn entries(&self, answer: &Value) -> Result<Vec<Entry>, String> {
        let entries = answer.pointer(&self.entries).and_then(Value::as_array);
        let entries = entries.ok_or_else(|| format!("it has no list at {:?}, where Entries says", self.entries))?;
        entries.iter().enumerate().map(|(number, entry)| self.entry(number, entry)).collect()
    }

    fn entry(&self, number: usize, entry: &Value) -> Result<Entry, String> {
        let at = |pointer: &str| entry.pointer(pointer).and_then(text).filter(|text| !text.is_empty());
        let id =
            at(&self.id).ok_or_else(|| format!("its entry {number} has no text at {:?}, where Id says", self.id))?;
        let port = at(&self.port).and_then(|port| port.parse().ok());
        let address = at(&self.host).zip(port).map(|(host, port)| Address { host, port });
        let owner = self.owner.as_deref().and_then(at);
        let version = self.version.as_deref().and_then(at).map(Version);
        Ok(Entry { id: AgentId(id), address, owner, version })
    }
}

impl Change {
    fn our_put() -> Option<Self> {
        let path = Template::parse("/api/agents/{{id}}", &[Id]).ok()?;
        let body = r#"{"host": "{{host}}", "port": {{port}}, "owner": "{{owner}}"}"#;
        Some(Self { method: "PUT", path, body: Some(body_template(body).ok()?) })
    }

    fn our_remove() -> Option<Self> {
        let path = Template::parse("/api/agents/{{id}}", &[Id]).ok()?;
        Some(Self { method: "DELETE", path, body: None })
    }

    fn read_put(properties: &mut Properties<'_>) -> Option<Self> {
        let method = properties.one_of("Method", &[("PUT", "PUT"), ("POST", "POST"), ("PATCH", "PATCH")], "PUT");
        let path = path(properties, &[Id, Host, Port, Owner]);
        let body = properties.text("Body", "JSON with {{host}} and {{port}} in it")?;
        let body = body_template(body).map_err(|fault| properties.fault("Body", fault)).ok();
        let (path, body) = (path?, body?);
        let missing: Vec<_> = [Id, Host, Port].into_iter().filter(|one| !path.has(*one) && !body.has(*one)).collect();
        if !missing.is_empty() {
            properties.fault("Body", format!("must have {} in it, if Path does not", written(&missing)));
        }
        Some(Self { method, path, body: Some(body) })
    }

    fn read_remove(properties: &mut Properties<'_>) -> Option<Self> {
        let method = properties.one_of("Method", &[("DELETE", "DELETE"), ("POST", "POST")], "DELETE");
        let path = path(properties, &[Id])?;
        if !path.has(Id) {
            properties.fault("Path", format!("must have {} in it", Id.written()));
        }
        Some(Self { method, path, body: None })
    }

    /// The body: each value is encoded as a part of a JSON text.
    pub(crate) fn filled_body(&self, subject: &Subject<'_>) -> String {
        let Some(body) = &self.body else { return String::new() };
        let filled = body.fill(|placeholder| Ok::<_, Trouble>(in_json(&subject.value(placeholder))));
        filled.unwrap_or_default()
    }
}

/// A path with its values, each encoded so that it is one segment or one value of a query.
pub(crate) fn filled_path(path: &Template, subject: &Subject<'_>) -> Result<String, Trouble> {
    let filled = path
        .fill(|placeholder| Ok::<_, Trouble>(utf8_percent_encode(&subject.value(placeholder), SEGMENT).to_string()))?;
    // However they are written, proxies and servers take them out of a path, and another thing would be meant.
    let dots = |segment: &str| matches!(&*percent_decode_str(segment).decode_utf8_lossy(), "." | "..");
    let end = filled.find('?').unwrap_or(filled.len());
    if filled[..end].split('/').any(dots) {
        return Err(Trouble::Refused(format!("the agent's id {:?} cannot stand in the path of a URL", subject.id.0)));
    }
    Ok(filled)
}

fn path(properties: &mut Properties<'_>, known: &[Placeholder]) -> Option<Template> {
    let text = properties.text("Path", "a path that is put after Url, for example /api/agents")?;
    let is_path = text.starts_with('/') && text.bytes().all(|one| one.is_ascii_graphic() && one != b'#');
    let found = if is_path {
        Template::parse(text, known)
    } else {
        Err("must begin with / and have only what a URL has; other characters are written as %XX".to_owned())
    };
    found.map_err(|fault| properties.fault("Path", fault)).ok()
}

/// A JSON pointer (RFC 6901).
fn pointer(properties: &mut Properties<'_>, name: &'static str, must: bool) -> Option<String> {
    let wanted = "where it stands, as a JSON pointer, for example /agents";
    let text = if must { properties.text(name, wanted) } else { properties.optional_text(name) }?;
    if !text.is_empty() && !text.starts_with('/') {
        properties.fault(name, format!("must begin with /: it is {wanted}"));
    }
    Some(text.to_owned())
}

fn body_template(text: &str) -> Result<Template, String> {
    let template = Template::parse(text, &[Id, Host, Port, Owner])?;
    // A text that ends a JSON string, unless it stands in one, where it is encoded. A port may stand for a number, too.
    let tried = template.fill(|one| Ok::<_, String>(if one == Port { "1".to_owned() } else { in_json("\"\\") }))?;
    let is_json = serde_json::from_str::<Value>(&tried).is_ok();
    let wanted = r#"must be JSON when the placeholders are filled in; they stand in a JSON string, as in {"host": "{{host}}", "port": {{port}}}"#;
    if is_json { Ok(template) } else { Err(wanted.to_owned()) }
}

/// `Name: value`, with the token in it.
fn header(text: &str) -> Result<(String, Template), String> {
    let wanted = "must be a header with the token in it, for example X-Api-Key: {{token}}";
    let (name, value) = text.split_once(':').ok_or(wanted)?;
    let name = name.trim().to_ascii_lowercase();
    let is_name = |one: u8| one.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&one);
    if name.is_empty() || !name.bytes().all(is_name) || !value.bytes().all(|one| matches!(one, b' '..=b'~')) {
        return Err(wanted.to_owned());
    }
    if TAKEN.contains(&name.as_str()) {
        return Err(format!("must not be one of {}", TAKEN.join(", ")));
    }
    let value = Template::parse(value.trim(), &[Token])?;
    if value.has(Token) { Ok((name, value)) } else { Err(wanted.to_owned()) }
}

/// The inside of a JSON string.
fn in_json(text: &str) -> String {
    let json = Value::from(text).to_string();
    json[1..json.len() - 1].to_owned()
}

/// A text, or a number as one.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
#[path = "rest_calls_tests.rs"]
mod tests;
