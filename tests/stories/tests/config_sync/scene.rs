//! What the stories have in common: a sandbox with our stack, a database, and three agents that log in to it.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use sandbox::Options;
use sandbox::database_agents::{DatabaseAgents, Settings, create_database};
use sandbox::rds::Cluster;
use sandbox::stage::{PATIENCE, Stage};
use stories::agents::{Agents, Names};
use stories::cli::aws;
use time::OffsetDateTime;

use crate::one::in_one_line;

/// The function.
pub(crate) const CONFIG_SYNC: Names = Names { function: "config-sync", resources: "ConfigSync" };
/// What each format has to encode in its own way.
pub(crate) const PLANTED: &str = r#"1'"\(${}%@/:#?&=+ \u{41}pässwörd-鍵-🔑"#;

/// A sandbox with our stack, and a cluster for services.
pub(crate) struct Scene {
    agents: Agents,
    pub(crate) database: Arc<Cluster>,
}

impl Deref for Scene {
    type Target = Agents;

    fn deref(&self) -> &Agents {
        &self.agents
    }
}

impl Scene {
    pub(crate) async fn set() -> Self {
        let stage = Stage::set(Options::default(), |_| ()).await.unwrap();
        let database = create_database(&stage.sandbox, "agents", |_| ()).await.unwrap();
        database.rotate_master_to(PLANTED).await.unwrap();
        Self { agents: Agents::set(stage, CONFIG_SYNC).await, database }
    }

    /// The `ServiceToken` of `Custom::ConfigSync`.
    pub(crate) fn token(&self) -> String {
        self.stage.stack.output("ConfigSyncServiceToken").unwrap().to_owned()
    }

    /// Three agents, with a declaration for the document of each.
    pub(crate) async fn three_agents(&self) -> DatabaseAgents<'_> {
        let begin = OffsetDateTime::now_utc();
        let settings = Settings {
            stack: "agents".to_owned(),
            pool_lifetime: Duration::from_secs(3),
            config_sync: Some(self.token()),
        };
        let agents = DatabaseAgents::create(&self.stage.sandbox, Arc::clone(&self.database), &settings).await.unwrap();
        agents.all_working_since(begin, PATIENCE).await.unwrap();
        agents
    }

    /// Checks what must be so at the end of every story: nothing secret is in a log of ours, in what ops got, in an event of a
    /// stack, in a dead letter or in the state table; and our ECS kept to its model. `more` is what a story planted itself.
    pub(crate) async fn keeps_secrets(&self, more: &[&str]) {
        let mut planted: Vec<String> =
            [PLANTED, "pässwörd-鍵", "0123456789abcdef0123456789abcdef"].map(str::to_owned).into();
        planted
            .extend(["of-the-api", "of-another-database"].into_iter().chain(more.iter().copied()).map(str::to_owned));
        for stage in ["AWSCURRENT", "AWSPREVIOUS"] {
            planted.push(self.database.master_login(stage).await.unwrap().password().to_owned());
        }
        let planted: Vec<&str> = planted.iter().map(String::as_str).collect();
        keeps_secrets(&self.agents, &planted).await;
    }
}

/// Checks that none of these secrets is told, in any of its forms, wherever somebody could read it; and that our ECS kept to its
/// model.
pub(crate) async fn keeps_secrets(agents: &Agents, planted: &[&str]) {
    let forms: Vec<String> = planted.iter().flat_map(|secret| forms(secret)).collect();
    for (place, text) in told(agents).await {
        let found = forms.iter().find(|form| text.contains(*form)).map(|form| {
            let line = text.lines().find(|line| line.contains(form)).unwrap_or_default();
            line.replace(form, "…")
        });
        assert_eq!(found, None, "a secret is told in {place}");
    }
    assert_eq!(agents.stage.sandbox.model_faults(), Vec::<String>::new());
}

/// All places where something is told, and what is there.
async fn told(agents: &Agents) -> Vec<(String, String)> {
    let (stage, mut told) = (&agents.stage, Vec::new());
    for function in sandbox::stack::FUNCTIONS {
        let group = format!("/watchkeeper/watchkeeper/{function}");
        let log = aws(stage, &["logs", "filter-log-events", "--log-group-name", &group]).await.unwrap();
        let lines = log["events"].as_array().unwrap().iter().filter_map(|event| event["message"].as_str());
        told.push((format!("the log of {function}"), lines.collect::<Vec<_>>().join("\n")));
    }
    assert!(told.iter().any(|(_, text)| text.contains("START RequestId")), "logs are read");
    for mail in stage.inbox.mails() {
        // Also with its broken lines made whole.
        let text = format!("{}\n{}\n{}", mail.subject, mail.text, in_one_line(&mail.text));
        told.push((mail.subject, text));
    }
    let stacks = aws(stage, &["cloudformation", "list-stacks"]).await.unwrap();
    for stack in stacks["StackSummaries"].as_array().unwrap() {
        let id = stack["StackId"].as_str().unwrap();
        let events = aws(stage, &["cloudformation", "describe-stack-events", "--stack-name", id]).await.unwrap();
        told.push((format!("the events of {id}"), events["StackEvents"].to_string()));
    }
    let queues = aws(stage, &["sqs", "list-queues"]).await.unwrap();
    let urls: Vec<_> = queues["QueueUrls"].as_array().unwrap().iter().filter_map(serde_json::Value::as_str).collect();
    let dead = |url: &&&str| url.contains("DeadLetter") || url.contains("Undelivered");
    assert!(urls.iter().filter(dead).count() >= 4, "dead letters are read: {urls:?}");
    for url in urls.iter().copied().filter(|url| dead(&url)) {
        let receive = ["sqs", "receive-message", "--max-number-of-messages", "10", "--queue-url", url];
        let letters = aws(stage, &[&receive[..], &["--message-attribute-names", "All"]].concat()).await.unwrap();
        told.push((url.to_owned(), letters.to_string()));
    }
    let table = stage.stack.output("TableName").unwrap();
    let items = aws(stage, &["dynamodb", "scan", "--table-name", table]).await.unwrap();
    assert!(items["Items"].as_array().is_some_and(|items| !items.is_empty()), "the table is read");
    told.push(("the state table".to_owned(), items["Items"].to_string()));
    told
}

/// A secret as it could be told: itself, encoded for a URL, and escaped for JSON once or twice or as Rust does.
fn forms(secret: &str) -> Vec<String> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string().trim_matches('"').to_owned();
    let encoded = secret.bytes().map(|byte| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    let once = quoted(secret);
    vec![secret.to_owned(), encoded.collect(), quoted(&once), once, format!("{secret:?}").trim_matches('"').to_owned()]
}
