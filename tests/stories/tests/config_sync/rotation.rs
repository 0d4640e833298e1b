//! A rotation reaches the agents' documents, and the agents run on it.

use sandbox::database_agents::Agent;
use sandbox::stage::PATIENCE;

use crate::one::in_one_line;
use crate::scene::Scene;

/// What stands before and after the password in each document; none of it is in a password.
const AROUND: [(&str, &str); 3] = [
    ("user = \"app-admin\"\n      password = ", " // the cluster's master password"),
    ("postgres://app-admin:", "@localhost:"),
    ("\npassword = ", " # the cluster's master password"),
];
/// What ops read of what changed in each.
const ADDRESSES: [&str; 3] =
    ["pkl:agent.datastore.postgres.password", "json:DATABASE_URL > url:password", "toml:database.password"];

/// A document as it is before, in and after its password.
fn parts(agent: Agent, document: &str) -> [String; 3] {
    let at = Agent::ALL.iter().position(|one| *one == agent).unwrap();
    let (before, after) = AROUND[at];
    let start = document.find(before).unwrap() + before.len();
    let end = start + document[start..].find(after).unwrap();
    [&document[..start], &document[start..end], &document[end..]].map(str::to_owned)
}

#[tokio::test]
async fn three_agents_follow_a_rotation_and_ops_get_one_line_of_each() {
    let scene = Scene::set().await;
    let agents = scene.three_agents().await;
    scene.quiet().await;
    let mut before = Vec::new();
    for agent in Agent::ALL {
        before.push(agents.document(agent).await.unwrap());
    }
    let failed = Agent::ALL.map(|agent| (agents.failed_queries(agent), agents.failed_logins(agent)));
    let (from, mails) = (scene.stage.sandbox.door().call_count(), scene.stage.inbox.mails().len());

    let password = "2'\"\\(1 + 1)\\\\%41#@/:[]<>|`~^\n\t*ключ";
    let rotated = scene.database.rotate_master_to(password).await.unwrap();
    let took = agents.all_working_since(rotated.changed_at, 2 * PATIENCE).await.unwrap();
    println!("all three work with the new password {:.2} s after the change", took.as_seconds_f64());

    for ((agent, before), ((queries, logins), address)) in
        Agent::ALL.into_iter().zip(before).zip(failed.into_iter().zip(ADDRESSES))
    {
        let name = agent.name();
        let report = agents.working_since(agent, rotated.changed_at, PATIENCE).await.unwrap();
        let since = report.queries.well_since.unwrap().max(rotated.changed_at) - rotated.changed_at;
        println!(
            "{name}: after {:.2} s, {} failed logins, {} failed queries",
            since.as_seconds_f64(),
            agents.failed_logins(agent) - logins,
            agents.failed_queries(agent) - queries
        );
        let after = agents.document(agent).await.unwrap();
        let ([head, value, tail], [new_head, new_value, new_tail]) = (parts(agent, &before), parts(agent, &after));
        assert!(head == new_head && tail == new_tail, "{name}: another byte has changed");
        assert!(value != new_value, "{name}: the password has not changed");

        let arn = agents.document_arn(agent);
        let document = arn.rsplit(':').next().unwrap().trim_start_matches("parameter").to_owned();
        let is_of = |mail: &sandbox::inbox::Mail| mail.subject.starts_with("DONE") && mail.text.contains(&document);
        let mail = scene.stage.inbox.wait_for(mails, PATIENCE, is_of).await.unwrap();
        println!("{}\n{}", mail.subject, mail.text);
        let text = in_one_line(&mail.text);
        assert!(text.contains(&format!("changed {address}; running on it: {name}; took ")), "{text}");
    }
    // The sweep has nothing to add.
    scene.sweep().await;
    scene.stage.quiet().await.unwrap();
    let told: Vec<_> = scene.stage.inbox.mails().into_iter().skip(mails).collect();
    let ours: Vec<_> = told.iter().filter(|mail| mail.text.contains("config-sync")).map(|mail| &mail.subject).collect();
    assert!(ours.len() == 3 && ours.iter().all(|subject| subject.starts_with("DONE")), "{ours:?}");
    for agent in Agent::ALL {
        let deployed = scene.stage.sandbox.door().calls_where(from, |call| {
            let about = call.resource.as_deref().unwrap_or_default();
            scene.is_by_it(call) && call.is("ecs", "UpdateService") && about == agent.name()
        });
        assert_eq!(deployed.len(), 1, "{}: {deployed:?}", agent.name());
    }
    scene.was_never_refused();
    scene.keeps_secrets(&[password]).await;
}
