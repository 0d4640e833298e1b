//! A Console with a REST interface: JSON, a token in a header, entity tags.
//!
//! Its calls are those of tests/sandbox/console/openapi.yaml, unless the user describes others.

use serde_json::Value;
use watchkeeper_custom_resources::Properties;

use super::endpoint::Endpoint;
use super::http::{Answer, CaCertificate, Call, Http, Pace};
use super::rest_calls::{Calls, Change, Subject, filled_path};
use super::said::Hush;
use super::{AgentId, Entry, IfStill, Put, Registry, Trouble, Version};
use crate::secrets::{Secret, Secrets, read_arn};

const CREDENTIALS: &str = r#"the ARN of the secret with the token, or with {"token": "…"}"#;

/// What a template says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    endpoint: Endpoint,
    credentials: String,
    authorities: Option<CaCertificate>,
    calls: Calls,
}

impl Settings {
    /// Reads the members of `Rest`.
    pub fn read(properties: &mut Properties<'_>) -> Option<Self> {
        let endpoint = Endpoint::read(properties);
        let credentials = read_arn(properties, CREDENTIALS);
        let authorities = CaCertificate::read(properties);
        let calls = Calls::read(properties);
        Some(Self { endpoint: endpoint?, credentials: credentials?, authorities, calls: calls? })
    }

    /// The Console's name.
    #[must_use]
    pub fn identity(&self) -> String {
        format!("rest {}", self.endpoint)
    }

    /// The ARN of the secret with its token.
    #[must_use]
    pub fn credentials(&self) -> &str {
        &self.credentials
    }
}

/// The Console.
#[derive(Debug)]
pub struct Rest<S> {
    settings: Settings,
    secrets: S,
    http: Http,
}

/// A call without what every call has.
struct Request {
    method: &'static str,
    path: String,
    condition: Option<(&'static str, String)>,
    body: String,
}

impl<S: Secrets> Rest<S> {
    /// With these settings; the secret is read when it is needed.
    pub fn new(settings: Settings, secrets: S, pace: Pace) -> Result<Self, Trouble> {
        let http = Http::new(settings.authorities.as_ref(), pace)?;
        Ok(Self { settings, secrets, http })
    }

    /// Calls; if the token is refused (or is none), once more with the one that the secret has now, if that is another.
    async fn call(&self, request: &Request) -> Result<Answer, Trouble> {
        let secret = self.secrets.current(&self.settings.credentials).await?;
        let outcome = self.call_as(&secret, request).await;
        if !matches!(outcome, Err(Trouble::Refused(_)) | Ok(Answer { status: 401 | 403, .. })) {
            return outcome;
        }
        match self.secrets.newer(&secret).await? {
            Some(newer) => self.call_as(&newer, request).await,
            None => outcome,
        }
    }

    async fn call_as(&self, secret: &Secret, request: &Request) -> Result<Answer, Trouble> {
        let token = secret.token()?;
        let (name, value) = &self.settings.calls.header;
        let value = value.fill(|_| Ok::<_, Trouble>(token.reveal().to_owned()))?;
        let mut headers = vec![(name.clone(), value), ("accept".to_owned(), "application/json".to_owned())];
        if !request.body.is_empty() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        headers.extend(request.condition.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let call = Call {
            console: &self.settings.endpoint,
            method: request.method,
            url: self.settings.endpoint.with(&request.path),
            headers,
            body: request.body.clone(),
            hush: Hush::of(&[&token]),
        };
        self.http.send(&call).await
    }

    async fn change(&self, change: &Change, subject: &Subject<'_>, if_still: &IfStill) -> Result<Answer, Trouble> {
        let request = Request {
            method: change.method,
            path: filled_path(&change.path, subject)?,
            condition: self.condition(if_still)?,
            body: change.filled_body(subject),
        };
        self.call(&request).await
    }

    /// RFC 9110, section 13.1. A Console without versions is not asked for what it does not know.
    fn condition(&self, if_still: &IfStill) -> Result<Option<(&'static str, String)>, Trouble> {
        if !self.settings.calls.list.has_versions() {
            return Ok(None);
        }
        Ok(Some(match if_still {
            IfStill::Absent => ("if-none-match", "*".to_owned()),
            IfStill::Present(None) => ("if-match", "*".to_owned()),
            IfStill::Present(Some(Version(version))) => ("if-match", self.entity_tag(version)?),
        }))
    }

    /// A version as a header has it: in quotes, which a list may leave out.
    fn entity_tag(&self, version: &str) -> Result<String, Trouble> {
        let opaque = version.trim_start_matches("W/");
        let inner = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        if inner.unwrap_or(version).bytes().all(|one| one.is_ascii_graphic() && one != b'"') {
            return Ok(if inner.is_some() { version.to_owned() } else { format!("\"{version}\"") });
        }
        Err(Trouble::Refused(format!(
            "the Console at {} lists a version that no header can carry; Version must point to an entity tag",
            self.settings.endpoint
        )))
    }

    /// What an answer means that is none of success.
    fn refusal(&self, answer: &Answer, about: &str) -> Trouble {
        let Settings { endpoint, credentials, .. } = &self.settings;
        let said = said(answer);
        match answer.status {
            200..300 => {
                Trouble::Refused(format!("the Console at {endpoint} answered {about} with what is no JSON: {said}"))
            }
            status @ (401 | 403) => Trouble::Refused(format!(
                "the Console at {endpoint} does not accept the token of the secret {credentials} for {about} (HTTP status \
                 {status}): {said}"
            )),
            status @ (409 | 412) => Trouble::Overtaken(format!(
                "{about} at the Console {endpoint} is not as it was listed (HTTP status {status}): {said}"
            )),
            status => Trouble::Refused(format!(
                "the Console at {endpoint} answered {about} with HTTP status {status}: {said}"
            )),
        }
    }
}

impl<S: Secrets> Registry for Rest<S> {
    async fn list(&self, agent: &AgentId) -> Result<Vec<Entry>, Trouble> {
        let list = &self.settings.calls.list;
        let subject = Subject { id: agent, address: None, owner: "" };
        let path = filled_path(&list.path, &subject)?;
        let request = Request { method: list.method, path, condition: None, body: String::new() };
        let answer = self.call(&request).await?;
        let Some(json) = json(&answer) else { return Err(self.refusal(&answer, "the list of agents")) };
        let not_as_described = |fault| {
            Trouble::Refused(format!(
                "the list of the Console at {} is not as described: {fault}",
                self.settings.endpoint
            ))
        };
        let mut entries = list.entries(&json).map_err(not_as_described)?;
        let several = format!("{agent}-");
        entries.retain(|entry| entry.id == *agent || entry.id.0.starts_with(&several));
        Ok(entries)
    }

    async fn put(&self, put: &Put) -> Result<(), Trouble> {
        let Put { id, address, owner, if_still } = put;
        let subject = Subject { id, address: Some(address), owner };
        let answer = self.change(&self.settings.calls.put, &subject, if_still).await?;
        if is_done(&answer) {
            return Ok(());
        }
        let trouble = match (answer.status, if_still) {
            (404, IfStill::Present(_)) => Trouble::Overtaken(format!(
                "{} is not there any more at the Console {}: {}",
                the_agent(id),
                self.settings.endpoint,
                said(&answer)
            )),
            _ => self.refusal(&answer, &the_agent(id)),
        };
        // An earlier try whose answer was lost may have made it.
        let is_overtaken = matches!(trouble, Trouble::Overtaken(_));
        let as_wanted = is_overtaken && self.list(id).await?.iter().any(|entry| entry.is_as(put));
        if as_wanted { Ok(()) } else { Err(trouble) }
    }

    async fn remove(&self, entry: &Entry) -> Result<(), Trouble> {
        let subject = Subject { id: &entry.id, address: None, owner: "" };
        let if_still = IfStill::Present(entry.version.clone());
        let answer = self.change(&self.settings.calls.remove, &subject, &if_still).await?;
        let is_gone = is_done(&answer) || [404, 410].contains(&answer.status);
        if is_gone { Ok(()) } else { Err(self.refusal(&answer, &the_agent(&entry.id))) }
    }
}

/// Success, and not just by its status: a page that says so in words is no answer of an interface that speaks JSON.
fn is_done(answer: &Answer) -> bool {
    answer.is_success() && (answer.body.trim().is_empty() || json(answer).is_some())
}

fn json(answer: &Answer) -> Option<Value> {
    if answer.is_success() { serde_json::from_str(&answer.body).ok() } else { None }
}

/// In quotes: an id may be any text.
fn the_agent(id: &AgentId) -> String {
    format!("the agent {:?}", id.0)
}

/// The text of an error, where Consoles put it; else the first line of the answer.
fn said(answer: &Answer) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let message = ["message", "detail", "error"].iter().find_map(|name| body.get(name)?.as_str());
    answer.line(message.unwrap_or(&answer.body))
}
