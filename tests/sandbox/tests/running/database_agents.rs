//! The agents with pooled database connections, and what a rotation that nobody follows does to them.

use std::time::{Duration, Instant};

use crate::local::{Local, SOON, with_sandbox};
use sandbox::database_agents::{Agent, DatabaseAgents, Settings, create_database};
use sandbox::ecs::Task;
use serde_json::{Value, json};
use time::OffsetDateTime;

/// What each format has to encode in its own way.
const FIRST: &str = r#"1'"\(${}%@/:#?&=+ \u{41}pässwörd-鍵-🔑"#;
const SECOND: &str = "2'\"\\(1 + 1)\\\\%41#@/:[]<>|`~^\n\t*ключ";

/// Between two looks at what nothing announces.
const LOOK: Duration = Duration::from_millis(50);

async fn comes(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !look().await {
        assert!(Instant::now() < deadline, "{what} does not come");
        tokio::time::sleep(LOOK).await;
    }
}

/// The first task of an agent that was created after `from` and ended with that code.
async fn ended(local: &Local, agents: &DatabaseAgents<'_>, agent: Agent, code: i32, from: OffsetDateTime) -> Task {
    let is_it = |task: &Task| {
        task.service() == Some(agent.name())
            && task.cluster() == agents.cluster()
            && task.containers[0].exit_code == Some(code)
            && task.times.created > from
    };
    let tasks = local.sandbox.ecs().wait_for_tasks(SOON, |tasks| tasks.iter().any(is_it)).await.unwrap();
    tasks.into_iter().find(is_it).unwrap()
}

async fn answers(agents: &DatabaseAgents<'_>, agent: Agent) -> (Option<u16>, Option<u16>) {
    let ready = match agent.readiness() {
        Some(path) => agents.status(agent, path).await,
        None => None,
    };
    (agents.status(agent, agent.health()).await, ready)
}

async fn all_is_well(agents: &DatabaseAgents<'_>) {
    assert_eq!(answers(agents, Agent::Formae).await, (Some(200), Some(200)));
    assert_eq!(answers(agents, Agent::Url).await, (Some(200), None));
    assert_eq!(answers(agents, Agent::Toml).await, (Some(200), Some(200)));
}

#[test]
fn each_agent_fails_in_its_own_way_after_a_rotation_and_works_again_with_the_right_document() {
    with_sandbox(async |local| {
        let sandbox = &local.sandbox;
        let database = create_database(sandbox, "agents", |text| eprintln!("sandbox: {text}")).await.unwrap();
        database.rotate_master_to(FIRST).await.unwrap();
        let begin = OffsetDateTime::now_utc();
        let settings =
            Settings { stack: "agents".to_owned(), pool_lifetime: Duration::from_secs(5), config_sync: None };
        let agents = DatabaseAgents::create(sandbox, database.clone(), &settings).await.unwrap();
        agents.all_working_since(begin, SOON).await.unwrap();
        all_is_well(&agents).await;

        // Who is logged in goes on.
        agents.wait_for_fresh_connections(Duration::from_secs(1)).await.unwrap();
        let rotated = database.rotate_master_to(SECOND).await.unwrap().changed_at;
        let goes_on = async |agent: Agent| {
            comes("work on old connections", async || {
                let report = agents.report(agent).await;
                report.is_some_and(|report| report.queries.last_worked > Some(rotated))
            })
            .await;
        };
        tokio::join!(goes_on(Agent::Formae), goes_on(Agent::Url), goes_on(Agent::Toml));
        let before: Vec<_> = [Agent::Formae, Agent::Toml].map(|agent| agents.task(agent).unwrap().id).into();

        // Until the pools renew their connections.
        comes("formae's failing statistics", async || answers(&agents, Agent::Formae).await == (Some(200), Some(500)))
            .await;
        comes("TOML's unreadiness", async || answers(&agents, Agent::Toml).await == (Some(200), Some(503))).await;
        let gave_up = ended(local, &agents, Agent::Url, 1, begin).await;
        let told = "login failed: the password is wrong (28P01)\nreconnecting failed\nurl exits with 1\n";
        assert!(agents.log_of(&gave_up).ends_with(told), "{}", agents.log_of(&gave_up));
        let now: Vec<_> = [Agent::Formae, Agent::Toml].map(|agent| agents.task(agent).unwrap().id).into();
        assert_eq!(now, before, "they run on");
        for agent in Agent::ALL {
            let failed = agents.failed_queries(agent);
            assert!(failed > 0 && agents.failed_logins(agent) >= failed, "{agent:?}");
            let report = agents.report(agent).await;
            assert!(report.is_none_or(|report| !report.works_since(rotated)), "{agent:?}");
        }

        // A restart does not help.
        assert!(!agents.log(Agent::Formae).contains("Failed to create ms"));
        agents.restart(Agent::Formae).await.unwrap();
        let killed = ended(local, &agents, Agent::Formae, 137, begin).await;
        assert_eq!(killed.id, before[0]);
        let in_vain = ended(local, &agents, Agent::Formae, 0, rotated).await;
        let told = "Failed to create ms: login failed: the password is wrong (28P01)\n";
        assert_eq!(agents.log_of(&in_vain), told);
        agents.restart(Agent::Toml).await.unwrap();
        let in_vain = ended(local, &agents, Agent::Toml, 1, rotated).await;
        assert_eq!(agents.log_of(&in_vain), "cannot start: login failed: the password is wrong (28P01)\n");

        // The right password, not encoded as the format wants it, does not either.
        written_plainly(local, &agents).await;

        let (formae, url, toml) =
            tokio::join!(agents.set_right(Agent::Formae), agents.set_right(Agent::Url), agents.set_right(Agent::Toml));
        formae.and(url).and(toml).unwrap();
        let took = agents.all_working_since(rotated, SOON).await.unwrap();
        assert!(took.is_positive(), "{took}");
        all_is_well(&agents).await;

        for agent in Agent::ALL {
            let log = agents.log(agent);
            for secret in ["pässwörd", "ключ", "%C3%A4", "%D0%BA", "of-another-database", "dbw_"] {
                assert!(!log.contains(secret), "{agent:?} wrote {secret}");
            }
        }

        // CloudFormation finds no function to ask, and leaves the documents alone.
        let document = agents.document(Agent::Formae).await.unwrap();
        let nobody = "arn:aws:lambda:eu-west-1:123456789012:function:nobody";
        let refused = agents.declare(Some(nobody)).await.unwrap_err().to_string();
        assert!(refused.contains("UPDATE_ROLLBACK_COMPLETE") && refused.contains("nobody"), "{refused}");
        assert_eq!(agents.document(Agent::Formae).await.unwrap(), document);
        agents.delete().await.unwrap();
        local.check_model();
    });
}

/// Puts the right password into two of the documents as it is, and restarts who reads them.
async fn written_plainly(local: &Local, agents: &DatabaseAgents<'_>) {
    let right = agents.right_document(Agent::Formae).await.unwrap();
    let plain = right.replace(r"\\", r"\").replace(r#"\""#, "\"");
    assert_ne!(plain, right);
    agents.put_document(Agent::Formae, &plain).await.unwrap();

    let right: Value = serde_json::from_str(&agents.right_document(Agent::Url).await.unwrap()).unwrap();
    let url = right["DATABASE_URL"].as_str().unwrap();
    let plain = percent_encoding::percent_decode_str(url).decode_utf8().unwrap();
    let plain = json!({ "DATABASE_URL": plain, "DBWARD_AGENT_TOKEN": right["DBWARD_AGENT_TOKEN"] }).to_string();
    agents.put_document(Agent::Url, &plain).await.unwrap();

    let from = OffsetDateTime::now_utc();
    for (agent, code, told) in [
        (Agent::Formae, 0, "Failed to create ms: FORMAE_CONFIG is not right as Pkl\n"),
        // What the URL's reader makes of it, nobody can say.
        (Agent::Url, 1, "cannot start: "),
    ] {
        agents.restart(agent).await.unwrap();
        let in_vain = ended(local, agents, agent, code, from).await;
        assert!(agents.log_of(&in_vain).starts_with(told), "{}", agents.log_of(&in_vain));
    }
}
