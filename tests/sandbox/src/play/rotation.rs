//! Three agents on one database: after a rotation their documents follow, and they run on them.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::Play;
use crate::database_agents::{Agent, DatabaseAgents, Settings, create_database};
use crate::inbox::Mail;
use crate::stage::PATIENCE;

/// For so long an agent goes on with connections of before.
const POOL_LIFETIME: Duration = Duration::from_secs(3);
/// From the change of the password to every agent's work with it, on a machine that is busy.
const ALL_WITHIN: Duration = Duration::from_mins(2);

impl Play<'_> {
    pub(super) async fn rotation(&self) -> anyhow::Result<()> {
        let mails = self.mails();
        let sandbox = &self.stage.sandbox;
        self.timeline
            .act("an Aurora cluster is created whose master password RDS manages; PostgreSQL with TLS is behind it");
        let database = create_database(sandbox, "agents", |text| self.timeline.saw(text)).await?;
        self.timeline
            .act("three agents' stack is created: a Pkl file, a percent-encoded URL and a TOML file with the password");
        let token = self.stage.stack.output("ConfigSyncServiceToken").context("the stack has no ConfigSync")?;
        let settings =
            Settings { stack: "agents".to_owned(), pool_lifetime: POOL_LIFETIME, config_sync: Some(token.to_owned()) };
        let agents = DatabaseAgents::create(sandbox, database.clone(), &settings).await?;
        self.timeline
            .saw("CREATE_COMPLETE: each Custom::ConfigSync has found its way from the cluster to its document");
        agents.wait_for_fresh_connections(POOL_LIFETIME / 4).await?;
        self.silent(mails).await?;

        self.timeline.act("RDS rotates the master password, as it does every seven days");
        let before = Agent::ALL.map(|agent| (agents.failed_queries(agent), agents.failed_logins(agent)));
        let (begin, rotated) = (Instant::now(), database.rotate_master().await?);
        agents.all_working_since(rotated.changed_at, ALL_WITHIN).await?;
        self.took(&agents, rotated.changed_at, before).await?;
        for agent in Agent::ALL {
            let mail = self.told(mails, &agents, agent, begin).await?;
            if agent == Agent::Formae {
                self.timeline.quote(&mail.text);
            }
        }
        self.only_the_change(mails).await?;
        self.timeline.act("the agents' stack is deleted");
        agents.delete().await
    }

    /// Ops were told of each document once; and of the URL's reader, if its pool met the dead password before it was restarted.
    async fn only_the_change(&self, from: usize) -> anyhow::Result<()> {
        self.stage.quiet().await?;
        let subjects = self.troubles(from);
        let gave_up = format!("CRASH {}: ", Agent::Url.name());
        let (crashes, done): (Vec<_>, Vec<_>) = subjects.iter().partition(|subject| subject.starts_with(&gave_up));
        ensure!(done.len() == Agent::ALL.len() && crashes.len() <= 1, "ops got {subjects:?}");
        for crash in crashes {
            self.timeline.saw(&format!("meanwhile ops got: {crash}"));
        }
        Ok(())
    }

    /// When each agent worked again, and what went wrong meanwhile.
    async fn took(
        &self,
        agents: &DatabaseAgents<'_>,
        changed_at: time::OffsetDateTime,
        before: [(usize, usize); 3],
    ) -> anyhow::Result<()> {
        for (agent, (queries, logins)) in Agent::ALL.into_iter().zip(before) {
            let report = agents.working_since(agent, changed_at, PATIENCE).await?;
            let since = report.queries.well_since.context("it does not work")?.max(changed_at);
            self.timeline.saw(&format!(
                "{}: works with the new password {:.2} s after the change; meanwhile {} logins failed, and {} queries",
                agent.name(),
                (since - changed_at).as_seconds_f64(),
                agents.failed_logins(agent) - logins,
                agents.failed_queries(agent) - queries,
            ));
        }
        Ok(())
    }

    /// Waits until ops are told of an agent's document.
    async fn told(
        &self,
        from: usize,
        agents: &DatabaseAgents<'_>,
        agent: Agent,
        begin: Instant,
    ) -> anyhow::Result<Mail> {
        let arn = agents.document_arn(agent);
        let name = arn.splitn(6, ':').nth(5).and_then(|resource| resource.split_once([':', '/'])).map(|(_, name)| name);
        let name = name.with_context(|| format!("{arn} names nothing"))?;
        let is_of = |mail: &Mail| mail.subject.starts_with("DONE") && mail.text.contains(name);
        let mail = self.stage.inbox.wait_for(from, PATIENCE, is_of).await?;
        self.timeline.saw(&format!(
            "ops get, {:.2} s later: {}",
            mail.at.duration_since(begin).as_secs_f64(),
            mail.subject
        ));
        ensure!(mail.text.contains(agent.name()), "the alert does not say that {} runs on it", agent.name());
        Ok(mail)
    }
}
