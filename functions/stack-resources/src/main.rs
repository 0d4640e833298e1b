//! The Lambda function stack-resources: builds its clients once, before the first invocation.

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use lambda_runtime::{Error, LambdaEvent, service_fn, tracing};
use serde_json::Value;
use stack_resources::{Settings, frame};
use std::time::Duration;
use watchkeeper_custom_resources::{Invocation, quiet_panics};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    quiet_panics();
    let settings = Settings::from_env(|name| std::env::var(name).ok())?;
    // A call that hangs is tried again. How long an operation may take is the frame's to say: a copy can be large.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(30))
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(timeouts);
    // Given in Lambda; taking it from here saves the search for one.
    if let Ok(region) = std::env::var("AWS_REGION") {
        loader = loader.region(Region::new(region));
    }
    let frame = frame(&loader.load().await, &settings);
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let deadline = event.context.deadline();
        let invocation = Invocation { request_id: event.context.request_id, deadline };
        let frame = &frame;
        async move { frame.handle(&event.payload, &invocation).await.map_err(Error::from) }
    }))
    .await
}
