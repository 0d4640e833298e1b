//! A rotation reaches the agents' documents, and the agents run on it.

use sandbox::database_agents::Agent;
use sandbox::stage::PATIENCE;

use crate::scene::Scene;

#[tokio::test]
async fn three_agents_follow_a_rotation() {
    let scene = Scene::set().await;
    let agents = scene.three_agents().await;
    scene.quiet().await;
    let rotated = scene.database.rotate_master_to("2'\"\\(1 + 1)\\\\%41#@/:[]<>|`~^\n\t*ключ").await.unwrap();
    let took = agents.all_working_since(rotated.changed_at, 2 * PATIENCE).await;
    println!("{took:?} {:?}", Agent::ALL.map(|agent| agents.failed_queries(agent)));
    println!("{}", scene.log().await);
    took.unwrap();
    scene.was_never_refused();
}
