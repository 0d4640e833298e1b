//! `POST /console/ScriptRunner`: Tcl with Console commands. Whatever goes wrong is said in a text with status 200.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::command::Command;
use super::form::field;
use super::online::Registered;
use super::server::text;
use super::tcl::{Agents, End, Reply};
use super::{Fault, ScriptRunner, Shared, Unauthorized, online};

pub(super) async fn run(State(shared): State<Arc<Shared>>, body: Bytes) -> Response<Body> {
    shared.count("ScriptRunner");
    if !is_let_in(&shared, &body) {
        let status = match shared.settings.unauthorized {
            Unauthorized::Text => StatusCode::OK,
            Unauthorized::Status => StatusCode::UNAUTHORIZED,
        };
        return text(status, "ERROR: invalid user or password\n");
    }
    let Some(script) = field(&body, "script") else {
        return text(StatusCode::OK, "ERROR: there is no script, or it is not UTF-8\n");
    };
    let ran = shared.tcl.run(&script, shared.as_ref()).await;
    let said = match ran {
        Ok((written, End::Done)) => written,
        Ok((written, End::Error(error))) => format!("{written}ERROR: {error}\n"),
        Ok((written, End::CutOff)) => {
            format!("{written}ERROR: the script was cut off after {} s\n", shared.tcl.within.as_secs())
        }
        Err(error) => format!("ERROR: {error:#}\n"),
    };
    text(StatusCode::OK, &said)
}

fn is_let_in(shared: &Shared, body: &[u8]) -> bool {
    let login = &shared.settings.login;
    let right = *shared.fault.borrow() != Some(Fault::WrongPassword);
    right
        && field(body, "user").is_some_and(|user| user == login.user)
        && field(body, "password").is_some_and(|password| password == login.password.reveal())
}

impl Agents for Shared {
    async fn answer(&self, words: &[String]) -> Reply {
        let command = match Command::read(words) {
            Ok(command) => command,
            Err(usage) => return Reply::Error(usage),
        };
        self.count(command.name());
        let reply = match command {
            Command::List => Ok(Reply::List(self.known().registry.all().into_iter().map(|agent| agent.id).collect())),
            Command::Get(id) => match self.get(&id) {
                Ok(agent) => Ok(Reply::List(online::look(vec![agent]).await.iter().flat_map(shown).collect())),
                Err(refusal) => Err(refusal),
            },
            Command::Put(agent, condition) => {
                self.put(agent, &condition, ScriptRunner).map(|(_, agent)| Reply::Text(agent.etag.to_string()))
            }
            Command::Delete(id, condition) => {
                self.delete(&id, &condition, ScriptRunner).map(|()| Reply::Text(String::new()))
            }
        };
        reply.unwrap_or_else(|refusal| Reply::Error(refusal.to_string()))
    }
}

/// Names and values by turns, as `array set` takes them.
fn shown(Registered { agent, status }: &Registered) -> Vec<String> {
    let port = agent.port.to_string();
    let etag = agent.etag.to_string();
    let fields = [
        ("id", agent.id.as_str()),
        ("host", &agent.host),
        ("port", &port),
        ("owner", agent.owner.as_deref().unwrap_or_default()),
        ("description", agent.description.as_deref().unwrap_or_default()),
        ("etag", &etag),
        ("status", status.name()),
    ];
    fields.iter().flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()]).collect()
}
