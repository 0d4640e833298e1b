//! A standalone task, by its family; and log lines that are for programs only.

use sandbox::Options;
use sandbox::ecs::Status;
use sandbox::stage::PATIENCE;
use serde_json::json;
use stories::agents::CLUSTER;

use crate::scene::{Scene, container};

const LINE: &str = "the import of customers failed";

impl Scene {
    /// Runs a task of the family to its end.
    async fn run(&self, family: &str) {
        let run = json!({
            "cluster": CLUSTER, "taskDefinition": family, "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60718"]}}
        });
        let answer = self.stage.ecs("RunTask", run).await.unwrap();
        let id = answer["tasks"][0]["taskArn"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        self.stage.sandbox.ecs().wait_for_task(&id, PATIENCE, |task| task.status == Status::Stopped).await.unwrap();
    }
}

#[tokio::test]
async fn a_job_that_failed_is_told_without_its_lines_in_mails_and_is_over_when_it_ends_well() {
    let scene = Scene::set(Options::default().with("LogLinesInEmail", "false")).await;
    let mended = scene.path("mended");
    let script = format!("[ -e {mended} ] && exit 0; echo '{LINE}'; exit 1");
    scene.revision("import", container(&script)).await;
    scene.run("import").await;
    let crash = scene.hears("import", 1).await;
    assert_eq!(crash.subject, r#"CRASH import: container "agent" exited with code 1 [demo]"#);
    assert_eq!((crash.json["service"].as_str(), crash.json["facts"]["Family"].as_str()), (None, Some("import")));
    assert!(!crash.attributes.contains_key("service"), "{:?}", crash.attributes);
    assert_eq!(crash.json["evidence"]["logs"][0]["tail"], json!([LINE]), "programs get them");
    let others = format!("{} {} {} {}", crash.subject, crash.text, crash.sms, crash.https);
    assert!(!others.contains(LINE), "{others}");
    assert!(crash.text.contains("The log lines of container agent are kept out of messages."), "{}", crash.text);

    std::fs::write(&mended, "").unwrap();
    scene.run("import").await;
    scene.minutes_until(|| scene.told("import").len() > 1).await;
    let over = scene.hears("import", 2).await;
    assert_eq!(over.subject, r#"RESOLVED import: container "agent" exited with code 1 [demo]"#);
    assert_eq!(
        [&over.json["state"], &over.json["incident"], &over.json["count"]],
        [&json!("resolved"), &crash.json["incident"], &json!(1)]
    );
    assert!(over.text.contains("a later task of the family ended well"), "{}", over.text);
    scene.minute().await;
    assert_eq!(scene.subjects("import").await.len(), 2);
    scene.ends_well();
}
