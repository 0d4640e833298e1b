//! The inbox of ops, and what the front door refuses to publish.

use crate::local::{Local, SOON, with_sandbox};
use sandbox::inbox::Inbox;
use serde_json::{Value, json};

async fn topic(local: &Local, parameters: &[(&str, &str)]) -> String {
    let made = local.sandbox.aws().query("sns", "CreateTopic", parameters).await.unwrap();
    made.split_once("<TopicArn>").unwrap().1.split_once("</TopicArn>").unwrap().0.to_owned()
}

fn message(state: &str) -> String {
    let json = json!({ "state": state }).to_string();
    json!({ "default": "short", "email": "long", "sms": "tiny", "https": r#"{"version":"1.0"}"#, "sqs": json })
        .to_string()
}

async fn publish(local: &Local, parameters: &[(&str, &str)]) -> Result<String, String> {
    let answer = local.sandbox.aws().query("sns", "Publish", parameters).await;
    answer.map_err(|error| format!("{}: {}", error.code, error.message))
}

#[test]
fn a_mail_has_the_text_of_each_protocol() {
    with_sandbox(async |local| {
        let topic = topic(local, &[("Name", "channels")]).await;
        let inbox = Inbox::subscribe(&local.sandbox, &topic).await.unwrap();
        let entry = "MessageAttributes.entry.1";
        let (name, kind, value) =
            (format!("{entry}.Name"), format!("{entry}.Value.DataType"), format!("{entry}.Value.StringValue"));
        let (message, mut structured) =
            (message("opened"), vec![("TopicArn", topic.as_str()), ("Subject", "CRASH agent")]);
        structured.extend([("Message", message.as_str()), ("MessageStructure", "json")]);
        structured.extend([(name.as_str(), "state"), (kind.as_str(), "String"), (value.as_str(), "opened")]);
        publish(local, &structured).await.unwrap();
        let mail = inbox.wait_for(0, SOON, |_| true).await.unwrap();
        assert_eq!((mail.subject.as_str(), mail.text.as_str(), mail.sms.as_str()), ("CRASH agent", "long", "tiny"));
        assert_eq!((&mail.https, &mail.json), (&json!({ "version": "1.0" }), &json!({ "state": "opened" })));
        assert_eq!(mail.attributes["state"], "opened");

        publish(local, &[("TopicArn", &topic), ("Message", "plain")]).await.unwrap();
        let mail = inbox.wait_for(1, SOON, |_| true).await.unwrap();
        assert_eq!((mail.text.as_str(), mail.sms.as_str(), &mail.json), ("plain", "plain", &Value::Null));

        let long = "x".repeat(100);
        for (parameters, why) in [
            (vec![("Message", "x"), ("Subject", long.as_str())], "Subject"),
            (vec![("Message", "{}"), ("MessageStructure", "json")], "No default entry"),
            (vec![("Message", "x"), (name.as_str(), "state"), (kind.as_str(), "String")], "non-empty value"),
            (vec![("Message", "x"), ("MessageDeduplicationId", "x")], "not valid for this topic type"),
        ] {
            let error =
                publish(local, &[&[("TopicArn", topic.as_str())], parameters.as_slice()].concat()).await.unwrap_err();
            assert!(error.starts_with("InvalidParameter: ") && error.contains(why), "{error}");
        }
        assert_eq!(inbox.mails().len(), 2, "what is refused is not sent");
    });
}

#[test]
fn a_fifo_queue_gets_a_repeat_once_and_what_is_new_after_it() {
    with_sandbox(async |local| {
        let fifo =
            [("Name", "channels.fifo"), ("Attributes.entry.1.key", "FifoTopic"), ("Attributes.entry.1.value", "true")];
        let topic = topic(local, &fifo).await;
        let inbox = Inbox::subscribe(&local.sandbox, &topic).await.unwrap();
        let send = async |state: &str, deduplication: &str| {
            let message = message(state);
            let parameters = [
                ("TopicArn", topic.as_str()),
                ("Message", &message),
                ("MessageStructure", "json"),
                ("MessageGroupId", "incident"),
                ("MessageDeduplicationId", deduplication),
            ];
            publish(local, &parameters).await.unwrap();
        };
        send("opened", "incident-1-opened").await;
        send("opened", "incident-1-opened").await;
        send("resolved", "incident-2-resolved").await;
        inbox.wait_for(0, SOON, |mail| mail.json["state"] == "resolved").await.unwrap();
        let states: Vec<_> = inbox.mails().into_iter().map(|mail| mail.json["state"].clone()).collect();
        assert_eq!(states, ["opened", "resolved"]);
        let error = publish(local, &[("TopicArn", &topic), ("Message", "x")]).await.unwrap_err();
        assert!(error.contains("MessageGroupId"), "{error}");
    });
}
