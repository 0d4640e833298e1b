//! A Console that stays down is told once, and once that it is over.

use sandbox::console::Fault;
use sandbox::inbox::Mail;
use serde_json::{Value, json};
use stories::stacks::Stack;
use tokio::time::{Duration, Instant, interval};

use crate::declared::{registration, with};
use crate::scene::{AGENT, Scene};

/// What was told about registries and declarations.
fn told(scene: &Scene) -> Vec<Mail> {
    let causes = ["registry-unavailable", "registration-trouble"];
    let of_ours = |mail: &Mail| causes.iter().any(|cause| mail.text.contains(cause));
    scene.stage.inbox.mails().into_iter().filter(of_ours).collect()
}

#[tokio::test]
async fn a_console_that_is_down_is_one_alert_and_one_more_when_it_is_over() {
    let scene = Scene::set().await;
    scene.stop_the_clock().await;
    scene.service(AGENT, 2).await;
    let one = |id: &str| with(registration(&scene.scripts()), json!({"AgentId": id}));
    let resources: Value = ["CAP", "ESC", "FRM"].iter().map(|id| ((*id).to_owned(), one(id))).collect();
    let stack = Stack::create(&scene.stage, "agents", &resources, &json!({})).await;
    stack.comes_to("CREATE_COMPLETE").await;
    scene.quiet().await;

    scene.console.set_fault(Some(Fault::Down));
    let down = Instant::now();
    for count in [3, 4] {
        scene.scale(AGENT, count).await;
        scene.steady(AGENT, count).await;
        scene.sweep().await;
    }
    assert!(down.elapsed() > Duration::from_secs(50) || told(&scene).is_empty(), "a minute of patience");
    // Sweeps as they would come, only more of them; none tells it twice.
    let mut each = interval(Duration::from_secs(5));
    while told(&scene).is_empty() {
        assert!(down.elapsed() < Duration::from_mins(2), "ops are not told");
        each.tick().await;
        scene.sweep().await;
        scene.stage.quiet().await.unwrap();
    }
    let after = down.elapsed();
    scene.update(AGENT, json!({"forceNewDeployment": true})).await;
    scene.steady(AGENT, 4).await;
    scene.sweep().await;
    scene.stage.quiet().await.unwrap();
    let alerts = told(&scene);
    println!("told after {:.0} s of trouble:\n{}\n{}", after.as_secs_f64(), alerts[0].subject, alerts[0].text);
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    assert!(alerts[0].text.contains(&scene.console.endpoint()) && alerts[0].text.contains("was not reached"));

    scene.console.set_fault(None);
    scene.sweep().await;
    let all = ["CAP", "ESC", "FRM"].iter().flat_map(|id| (1..=4).map(move |number| format!("{id}-{number}")));
    assert_eq!(scene.ids().await, all.collect::<Vec<_>>());
    scene.sweep().await;
    scene.stage.quiet().await.unwrap();
    let alerts = told(&scene);
    assert_eq!(alerts.len(), 2, "{alerts:#?}");
    println!("and then:\n{}\n{}", alerts[1].subject, alerts[1].text);
    assert!(alerts[1].text.contains("answers again"), "{}", alerts[1].text);
    scene.ends_well(&[&stack]).await;
}
