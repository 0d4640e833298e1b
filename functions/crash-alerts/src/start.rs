//! What the function needs before its first invocation, and no more of it: a cold start pays for all that is searched and built.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, InvalidAppName, Region, SdkConfig};
use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use lambda_runtime::tracing::subscriber;
use lambda_runtime::tracing::subscriber::filter::LevelFilter;

use crate::https;

/// What Lambda gives its functions, and the endpoint that a local AWS is at. The SDK's own search finds the same, and brings along all
/// other places where credentials may be (files, roles, instances, web identities), which no function has.
pub fn in_lambda() -> Result<SdkConfig, InvalidAppName> {
    // Far below the function's time-out, so that a call that hangs is tried again and not cut off with it.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(3))
        .operation_timeout(Duration::from_secs(8))
        .build();
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(https::client())
        .credentials_provider(SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new()))
        .retry_config(RetryConfig::standard())
        .timeout_config(timeouts)
        .region(set("AWS_REGION").map(Region::new))
        .app_name(AppName::new(set("AWS_SDK_UA_APP_ID").unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned()))?);
    config.set_endpoint_url(set("AWS_ENDPOINT_URL"));
    Ok(config.build())
}

/// As the runtime's own `init_default_subscriber`, but for levels by module: their filter brings an engine for regular expressions,
/// which would be the heaviest thing in the zip after the SDK, and is built at each start.
pub fn write_logs() {
    let set = |name: &str| std::env::var(name).ok();
    let level = set("AWS_LAMBDA_LOG_LEVEL").or_else(|| set("RUST_LOG")).and_then(|level| level.parse().ok());
    let lines = subscriber::fmt().with_target(false).without_time().with_max_level(level.unwrap_or(LevelFilter::INFO));
    if set("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json")) {
        lines.json().init();
    } else {
        lines.init();
    }
}
