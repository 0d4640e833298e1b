//! What ops do not want to hear, and what they know of whom it concerns.

use sandbox::Options;
use serde_json::json;

use crate::scene::{Scene, arn, waiting_for};

#[tokio::test]
async fn who_is_silenced_is_told_when_the_silence_ends_and_who_is_ignored_never() {
    let options = Options::default().with("Silences", "always service=batch-* + always cause=no-such-cause");
    let scene = Scene::set(options).await;
    let tag = |key: &str, value: &str| json!({"key": format!("watchkeeper:{key}"), "value": value});
    scene.lasting("quiet", json!({"tags": [tag("silence", "always"), tag("owner", "team-q")]})).await;
    scene.lasting("batch-night", json!({})).await;
    scene.lasting("ignored", json!({"tags": [tag("ignore", "true")]})).await;
    scene.lasting("misread", json!({"tags": [tag("silence", "tonight")]})).await;
    for service in ["quiet", "batch-night", "ignored", "misread"] {
        scene.exit(service, 5).await;
    }
    // One that is well again by the time that its silence ends is no news.
    let unwell = scene.revision("quiet", waiting_for(&scene.path("never"))).await;
    scene.update("quiet", json!({"taskDefinition": unwell})).await;
    let misread = scene.hears("misread", 1).await;
    assert!(misread.text.contains("watchkeeper:silence is not understood"), "{}", misread.text);
    scene.minute().await;
    let told: Vec<_> = scene.stage.inbox.mails().into_iter().map(|mail| mail.subject).collect();
    assert_eq!(told, [r#"CRASH misread: container "agent" exited with code 5 [demo]"#]);

    let untag = json!({"resourceArn": arn("quiet"), "tagKeys": ["watchkeeper:silence"]});
    scene.stage.ecs("UntagResource", untag).await.unwrap();
    let untag = json!({"resourceArn": arn("ignored"), "tagKeys": ["watchkeeper:ignore"]});
    scene.stage.ecs("UntagResource", untag).await.unwrap();
    scene.minute().await;
    let quiet = scene.hears("quiet", 1).await;
    assert_eq!(quiet.subject, r#"CRASH quiet: container "agent" exited with code 5 [demo]"#);
    assert!(quiet.text.contains("It began in a time in which it was silenced."), "{}", quiet.text);
    assert_eq!((quiet.json["owner"].as_str(), &*quiet.attributes["owner"]), (Some("team-q"), "team-q"));

    // What happened while it was ignored is not told later; what happens from now on is.
    assert_eq!(scene.subjects("ignored").await, Vec::<String>::new());
    scene.steady("ignored", 1).await;
    scene.exit("ignored", 6).await;
    let heard = scene.hears("ignored", 1).await;
    assert_eq!((heard.json["count"].as_u64(), heard.text.contains("code 6")), (Some(1), true));
    assert_eq!(scene.subjects("batch-night").await, Vec::<String>::new());
    scene.ends_well();
}
