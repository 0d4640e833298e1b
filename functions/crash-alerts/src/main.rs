//! The Lambda function crash-alerts: builds its clients once, before the first invocation.

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_lambda_events::sqs::SqsEvent;
use crash_alerts::{Clients, Function, Invocation, Settings};
use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let settings = Settings::from_env(|name| std::env::var(name).ok())?;
    // Far below the function's time-out, so that a call that hangs is tried again and not cut off with it.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(3))
        .operation_timeout(Duration::from_secs(8))
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(timeouts);
    // Given in Lambda; taking it from here saves the search for one.
    if let Ok(region) = std::env::var("AWS_REGION") {
        loader = loader.region(Region::new(region));
    }
    let clients = Clients::new(&loader.load().await, &settings);
    let function = Function::new(clients, settings);
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let deadline = event.context.deadline();
        let invocation = Invocation { request_id: event.context.request_id, deadline };
        let function = &function;
        async move { Ok::<_, Error>(function.batch(event.payload, &invocation).await) }
    }))
    .await
}
