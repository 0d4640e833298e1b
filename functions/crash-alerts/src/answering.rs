//! An AWS for tests: a server on loopback that answers what each test wants.

use std::sync::{Arc, Mutex};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_ecs::config::{Credentials, Region, SharedCredentialsProvider};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::Function;
use crate::clients::Clients;
use crate::settings::Settings;

/// What was asked: the region it was signed for, and the body.
pub(crate) type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// A server on loopback that gives these answers, one after the other, and the configuration to reach it.
pub(crate) async fn answering(answers: Vec<(u16, Value)>) -> (SdkConfig, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Asked::default();
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        for (status, answer) in answers {
            let (mut connection, _) = listener.accept().await.unwrap();
            let (reader, mut writer) = connection.split();
            let mut reader = BufReader::new(reader);
            let (mut length, mut region) = (0, String::new());
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).await.unwrap();
                let line = line.trim_end();
                let Some((name, value)) = line.split_once(": ") else {
                    if line.is_empty() {
                        break;
                    }
                    continue;
                };
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.parse().unwrap(),
                    // Credential=<id>/<day>/<region>/<service>/aws4_request
                    "authorization" => region = value.split('/').nth(2).unwrap().to_owned(),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).await.unwrap();
            kept.lock().unwrap().push((region, serde_json::from_slice(&body).unwrap()));
            let answer = answer.to_string();
            let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", answer.len());
            writer.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
        }
    });
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(url)
        .retry_config(RetryConfig::disabled())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "tests")));
    (config.build(), asked)
}

/// All clients of the function, which ask that server.
pub(crate) fn clients(config: &SdkConfig) -> Clients {
    Clients::new(config, &settings())
}

/// The function itself, with those.
pub(crate) fn function(config: &SdkConfig) -> Function<Clients> {
    Function::new(clients(config), settings())
}

fn settings() -> Settings {
    let setting = |name: &str| match name {
        "TABLE_NAME" | "TOPIC_ARN" | "DEAD_LETTER_QUEUE_URL" | "STACK_NAME" | "QUEUE_URL" | "OWN_ALARM_PREFIX" => {
            Some("test".to_owned())
        }
        "BELOW_DESIRED_MINUTES" | "DEPLOYMENT_STUCK_MINUTES" => Some("10".to_owned()),
        _ => None,
    };
    Settings::from_env(setting).unwrap()
}
