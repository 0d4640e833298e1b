//! Secrets Manager: which stack may use a secret, and what is said when it cannot be read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_secretsmanager::primitives::Blob;
use aws_sdk_secretsmanager::types::Tag;
use console_registrar::registry::Trouble;
use console_registrar::secrets::{Secrets, SecretsManager};
use sandbox::{Options, Sandbox};
use watchkeeper_secrets::ALLOW;

fn client(endpoint: &str) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(endpoint)
        .region(Region::new("eu-west-1"))
        .retry_config(RetryConfig::disabled())
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"));
    Client::from_conf(config.build())
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, Trouble>) -> String {
    let Err(Trouble::Refused(text)) = outcome else { panic!("not Refused: {outcome:?}") };
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_used_by_whom_its_owner_allows() {
    let sandbox = Sandbox::start(Options::default(), |_| {}).await.unwrap();
    let client = client(sandbox.endpoint());
    let secrets = SecretsManager::new(client.clone());
    for (name, tag, allowed) in [
        (
            "none",
            None,
            Err(
                "it has no tag watchkeeper:allow; the secret's owner allows it with the tag watchkeeper:allow = agents",
            ),
        ),
        ("other", Some("agent"), Err("its tag watchkeeper:allow is \"agent\"")),
        ("ours", Some("agents"), Ok(())),
        ("all", Some("*"), Ok(())),
    ] {
        let tag = tag.map(|value| Tag::builder().key(ALLOW).value(value).build());
        let secret = client.create_secret().name(name).secret_string("hunter2").set_tags(tag.map(|tag| vec![tag]));
        let arn = secret.send().await.unwrap().arn.unwrap();
        match (secrets.allowed(&arn, "agents").await, allowed) {
            (Ok(()), Ok(())) => {}
            (outcome, Err(why)) => {
                let said = refused(outcome);
                assert!(said.contains(why) && said.contains(&arn), "{said}");
            }
            other => panic!("{name}: {other:?}"),
        }
        let secret = secrets.current(&arn).await.unwrap();
        assert_eq!((secret.value.reveal(), secrets.newer(&secret).await), ("hunter2", Ok(None)));
    }
    let gone = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:gone-AbCdEf";
    assert!(refused(secrets.current(gone).await).contains("ResourceNotFoundException"));
    assert!(refused(secrets.allowed(gone, "agents").await).starts_with("looking at the tags of the secret arn:"));
    let binary =
        client.create_secret().name("binary").secret_binary(Blob::new(*b"\x00")).send().await.unwrap().arn.unwrap();
    assert!(refused(secrets.current(&binary).await).contains("is not text"));
    sandbox.stop().await.unwrap();
    let outcome = secrets.current(gone).await;
    assert!(matches!(&outcome, Err(Trouble::Unavailable(_))), "{outcome:?}");
}
