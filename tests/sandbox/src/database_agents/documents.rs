//! The agents' configuration documents: a login each, among much else, written as the format wants it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::Agent;
use crate::postgres::Login;
use crate::rds::Cluster;

/// All but the unreserved characters (RFC 3986, 2.3).
const IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The whole document of an agent, with the master user's login of now.
pub(super) async fn with_login_of(agent: Agent, database: &Cluster) -> anyhow::Result<String> {
    let (server, login) = (database.server(), database.master_login("AWSCURRENT").await?);
    Ok(write(agent, server.host(), server.port(), &login))
}

fn write(agent: Agent, host: &str, port: u16, login: &Login) -> String {
    match agent {
        Agent::Formae => formae(host, port, login),
        Agent::Url => url(host, port, login),
        Agent::Toml => toml(host, port, login),
    }
}

/// A Pkl file with more passwords in it than the one.
fn formae(host: &str, port: u16, login: &Login) -> String {
    let [host, user, password, database] = [host, login.user(), login.password(), login.database()].map(in_pkl);
    format!(
        r#"// The agent's whole configuration; it is given to the container as FORMAE_CONFIG.
agent {{
  server {{
    port = 49684
  }}
  datastore {{
    datastoreType = "postgres"
    mssql {{
      host = "sql.example.com"
      user = "sa"
      password = "of-another-database"
    }}
    postgres {{
      host = {host}
      port = {port}
      user = {user}
      password = {password} // the cluster's master password
      database = {database}
    }}
  }}
  auth {{
    username = "formae"
    password = "of-the-api"
  }}
}}

cli {{
  auth {{
    username = "formae"
    password = "of-the-api"
  }}
}}
"#
    )
}

/// A string of Pkl.
fn in_pkl(text: &str) -> String {
    let escaped = text.chars().map(|character| match character {
        '\\' | '"' => format!("\\{character}"),
        _ if character.is_control() => format!("\\u{{{:x}}}", u32::from(character)),
        _ => character.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// A JSON object with the connection's URL and another secret.
fn url(host: &str, port: u16, login: &Login) -> String {
    let [user, password, database] =
        [login.user(), login.password(), login.database()].map(|part| utf8_percent_encode(part, IN_URL));
    let url = format!("postgres://{user}:{password}@{host}:{port}/{database}?sslmode=require");
    json!({ "DATABASE_URL": url, "DBWARD_AGENT_TOKEN": "dbw_0123456789abcdef0123456789abcdef" }).to_string()
}

fn toml(host: &str, port: u16, login: &Login) -> String {
    let [host, user, password, database] =
        [host, login.user(), login.password(), login.database()].map(|text| toml::Value::from(text).to_string());
    format!(
        r#"# Read once, at the start.
[server]
listen = "0.0.0.0:3000"

[database]
host = {host}
port = {port}
user = {user}
password = {password} # the cluster's master password
name = {database}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "'\"\\(${}%@/:#?&=+ \\u{41}\n\tä鍵";

    #[test]
    fn what_the_stack_declares_is_where_the_login_stands() {
        let template = include_str!("agents.yaml");
        let login = Login::new("app-admin", HOSTILE, "formae");
        let mut found = Vec::new();
        for (at, is) in template.lines().zip(template.lines().skip(1)) {
            let Some(at) = at.trim().strip_prefix("- At: ") else { continue };
            let agent = match at.split(':').next() {
                Some("pkl") => Agent::Formae,
                Some("json") => Agent::Url,
                _ => Agent::Toml,
            };
            let document = write(agent, "localhost", 5, &login);
            let value = watchkeeper_documents::read(&document, &at.parse().unwrap()).unwrap();
            let expected = match is.trim() {
                r#"Is: "{db.username}""# => "app-admin",
                r#"Is: "{db.password}""# => HOSTILE,
                other => panic!("{other}"),
            };
            assert_eq!(value, expected, "{at}");
            found.push(agent);
        }
        assert_eq!(found, Agent::ALL.map(|agent| [agent; 2]).concat());
    }
}
