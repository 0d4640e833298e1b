//! The Lambda function config-sync: builds its clients once, before the first invocation.

use std::sync::Arc;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use config_sync::{Clients, ConfigSync, Function, Settings};
use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use serde_json::Value;
use watchkeeper_custom_resources::{Frame, Https, Invocation, Table, quiet_panics};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    quiet_panics();
    let settings = Settings::from_env(|name| std::env::var(name).ok())?;
    // Far below the function's time-out, so that a call that hangs is tried again and not cut off with it.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(3))
        .operation_timeout(Duration::from_secs(8))
        .build();
    // Given in Lambda; taking it from here saves the search for one.
    let region = std::env::var("AWS_REGION")?;
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(timeouts);
    let config = loader.region(Region::new(region)).load().await;
    let clients = Arc::new(Clients::new(&config, &settings));
    let requests = Table::new(aws_sdk_dynamodb::Client::new(&config), &settings.table, "config-sync");
    let frame = Frame::new(requests, Https::default(), settings.urls.clone())
        .in_mode(settings.mode)
        .serving(ConfigSync::new(Arc::clone(&clients)));
    let function = Function::new(clients, frame, settings);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let invocation = Invocation { deadline: event.context.deadline(), request_id: event.context.request_id };
        let function = &function;
        async move { function.handle(event.payload, &invocation).await }
    }))
    .await
}
