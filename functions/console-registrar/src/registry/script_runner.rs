//! A Console that runs scripts: Tcl with Console commands, sent as a form.
//!
//! Whatever goes wrong may come with status 200, so what counts is what the script wrote: its last command writes a mark that
//! nobody can guess, or the user's own words.

use watchkeeper_custom_resources::Properties;

use super::endpoint::Endpoint;
use super::http::{Answer, CaCertificate, Call, Http, Pace};
use super::said::Hush;
use super::scripts::Scripts;
use super::template::Placeholder::{self, Done, Host, Id, Overtaken, Owner, Port, Token, Version};
use super::template::Template;
use super::{Address, AgentId, Entry, IfStill, Put, Registry, Trouble, tcl};
use crate::secrets::{Login, Secret, Secrets, read_arn};

/// Where a Console runs scripts, unless `Url` says another path.
const PATH: &str = "/console/ScriptRunner";
/// What a line of an agent begins with, in the answer to the list script.
const AGENT: &str = "watchkeeper: agent ";
const CREDENTIALS: &str = r#"the ARN of the secret with {"user": "…", "password": "…"}"#;

/// What a template says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    endpoint: Endpoint,
    credentials: String,
    authorities: Option<CaCertificate>,
    scripts: Scripts,
    success: Option<String>,
}

impl Settings {
    /// Reads the members of `ScriptRunner`.
    pub fn read(properties: &mut Properties<'_>) -> Option<Self> {
        let endpoint = Endpoint::read(properties);
        let credentials = read_arn(properties, CREDENTIALS);
        let authorities = CaCertificate::read(properties);
        let success = properties.optional_text("Success").map(str::trim);
        if success.is_some_and(|text| text.is_empty() || text.contains(['\n', '\r'])) {
            properties.fault("Success", "must be one line, which a script writes when all is done");
        }
        let own = properties.optional_object("Scripts", |scripts| Scripts::read(scripts, success.is_some()));
        Some(Self {
            endpoint: endpoint?,
            credentials: credentials?,
            authorities,
            scripts: own.or_else(Scripts::ours)?,
            success: success.map(str::to_owned),
        })
    }

    fn url(&self) -> String {
        self.endpoint.with(if self.endpoint.is_bare() { PATH } else { "" })
    }

    /// The Console's name.
    #[must_use]
    pub fn identity(&self) -> String {
        format!("script-runner {}", self.url())
    }

    /// The ARN of the secret with its user and password.
    #[must_use]
    pub fn credentials(&self) -> &str {
        &self.credentials
    }
}

/// The Console.
#[derive(Debug)]
pub struct ScriptRunner<S> {
    settings: Settings,
    secrets: S,
    http: Http,
}

/// What a script is about.
struct Subject<'a> {
    id: &'a AgentId,
    address: Option<&'a Address>,
    owner: Option<&'a str>,
    version: &'a str,
}

/// What a script writes to say how it ended.
struct Marks {
    done: String,
    overtaken: String,
}

impl Marks {
    /// New ones for each call: no text that a Console repeats, such as an agent's id, can be taken for them.
    fn new() -> Self {
        let secret = fastrand::u128(..);
        Self {
            done: format!("watchkeeper: done {secret:032x}"),
            overtaken: format!("watchkeeper: overtaken {secret:032x}"),
        }
    }
}

impl<S: Secrets> ScriptRunner<S> {
    /// With these settings; the secret is read when it is needed.
    pub fn new(settings: Settings, secrets: S, pace: Pace) -> Result<Self, Trouble> {
        let http = Http::new(settings.authorities.as_ref(), pace)?;
        Ok(Self { settings, secrets, http })
    }

    /// Runs a script and returns what it wrote. A Console may say in any words that it does not know a password, so after
    /// any refusal the secret is looked at once more.
    async fn run(&self, script: &Template, subject: &Subject<'_>) -> Result<String, Trouble> {
        let secret = self.secrets.current(&self.settings.credentials).await?;
        let outcome = self.run_as(&secret, script, subject).await;
        if !matches!(outcome, Err(Trouble::Refused(_))) {
            return outcome;
        }
        match self.secrets.newer(&secret).await? {
            Some(newer) => self.run_as(&newer, script, subject).await,
            None => outcome,
        }
    }

    async fn run_as(&self, secret: &Secret, script: &Template, subject: &Subject<'_>) -> Result<String, Trouble> {
        let login = secret.login()?;
        let marks = Marks::new();
        let text = script.fill(|placeholder| value(placeholder, subject, &marks))?;
        let call = Call {
            console: &self.settings.endpoint,
            method: "POST",
            url: self.settings.url(),
            headers: vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
            body: form(&login, &text),
            hush: Hush::of(&[&login.password]),
        };
        let answer = self.http.send(&call).await?;
        let done = match &self.settings.success {
            Some(success) if !script.has(Done) => success,
            _ => &marks.done,
        };
        let wrote = |mark: &str| answer.body.lines().any(|line| line.trim() == mark);
        if answer.is_success() && wrote(done) {
            return Ok(answer.body);
        }
        let said = first_line(&answer, &marks);
        let endpoint = &self.settings.endpoint;
        Err(match answer.status {
            200..300 if wrote(&marks.overtaken) => Trouble::Overtaken(format!(
                "the agent {:?} at the Console {endpoint} is not as it was listed: {said}",
                subject.id.0
            )),
            200..300 => {
                Trouble::Refused(format!("the Console at {endpoint} did not run the script to its end: {said}"))
            }
            401 | 403 => Trouble::Refused(format!(
                "the Console at {endpoint} does not let the user of the secret {} in (HTTP status {}): {said}",
                secret.arn, answer.status
            )),
            status => Trouble::Refused(format!("the Console at {endpoint} answered with HTTP status {status}: {said}")),
        })
    }

    /// Whether an entry is as wanted already: an earlier try whose answer was lost may have made it.
    async fn is_as(&self, put: &Put) -> Result<bool, Trouble> {
        Ok(self.list(&put.id).await?.iter().any(|entry| entry.is_as(put)))
    }
}

impl<S: Secrets> Registry for ScriptRunner<S> {
    async fn list(&self, agent: &AgentId) -> Result<Vec<Entry>, Trouble> {
        let subject = Subject { id: agent, address: None, owner: None, version: "" };
        let wrote = self.run(&self.settings.scripts.list, &subject).await?;
        let mut entries = Vec::new();
        for (number, line) in wrote.lines().enumerate() {
            let Some(words) = line.strip_prefix(AGENT) else { continue };
            entries.push(entry(words).ok_or_else(|| {
                Trouble::Refused(format!(
                    "line {} of what the list script at the Console {} wrote is not as it must be: after `{}` id, host, port, owner and \
                     etag, each as x and for each letter its number in hexadecimal and a dot",
                    number + 1,
                    self.settings.endpoint,
                    AGENT.trim_end()
                ))
            })?);
        }
        Ok(entries)
    }

    async fn put(&self, put: &Put) -> Result<(), Trouble> {
        let version = match &put.if_still {
            IfStill::Absent => "absent",
            IfStill::Present(version) => version.as_ref().map_or("present", |version| &version.0),
        };
        let subject = Subject { id: &put.id, address: Some(&put.address), owner: Some(&put.owner), version };
        let Err(trouble) = self.run(&self.settings.scripts.put, &subject).await else { return Ok(()) };
        let as_wanted = matches!(trouble, Trouble::Overtaken(_)) && self.is_as(put).await?;
        if as_wanted { Ok(()) } else { Err(trouble) }
    }

    async fn remove(&self, entry: &Entry) -> Result<(), Trouble> {
        let version = entry.version.as_ref().map_or("present", |version| &version.0);
        let subject = Subject { id: &entry.id, address: None, owner: None, version };
        self.run(&self.settings.scripts.remove, &subject).await.map(drop)
    }
}

fn form(Login { user, password }: &Login, script: &str) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("user", user.reveal()).append_pair("password", password.reveal());
    form.append_pair("script", script).finish()
}

/// What stands in a script for a placeholder: one word of Tcl.
fn value(placeholder: Placeholder, subject: &Subject<'_>, marks: &Marks) -> Result<String, Trouble> {
    let port = subject.address.map(|address| address.port.to_string());
    let (what, text) = match placeholder {
        Id => ("id", Some(subject.id.0.as_str())),
        Host => ("host", subject.address.map(|address| address.host.as_str())),
        Port => ("port", port.as_deref()),
        Owner => ("owner's mark", subject.owner),
        Version => ("version", Some(subject.version)),
        Done => ("mark", Some(marks.done.as_str())),
        Overtaken => ("mark", Some(marks.overtaken.as_str())),
        // No script is read that has it.
        Token => ("token", None),
    };
    let word = tcl::word(text.unwrap_or_default());
    word.map_err(|fault| {
        Trouble::Refused(format!("the {what} of the agent {:?} cannot be written in Tcl: it {fault}", subject.id.0))
    })
}

/// The first line of what a Console said that is neither a mark nor an agent.
fn first_line(answer: &Answer, marks: &Marks) -> String {
    let is_ours = |line: &str| line.starts_with(AGENT) || line == marks.done || line == marks.overtaken;
    let rest: Vec<&str> = answer.body.lines().filter(|line| !is_ours(line.trim())).collect();
    answer.line(&rest.join("\n"))
}

fn entry(words: &str) -> Option<Entry> {
    let words: Vec<String> = words.split_whitespace().map(tcl::unpacked).collect::<Option<_>>()?;
    let [id, host, port, owner, version] = <[String; 5]>::try_from(words).ok()?;
    let address = port.parse().ok().filter(|_| !host.is_empty()).map(|port| Address { host, port });
    let some = |text: String| (!text.is_empty()).then_some(text);
    Some(Entry { id: AgentId(id), address, owner: some(owner), version: some(version).map(super::Version) })
}

#[cfg(test)]
#[path = "script_runner_tests.rs"]
mod tests;
