//! The Lambda function crash-alerts: builds its clients once, before the first invocation.

use aws_lambda_events::sqs::SqsEvent;
use crash_alerts::{Clients, Function, Invocation, Settings, start};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    start::write_logs();
    let settings = Settings::from_env(|name| std::env::var(name).ok())?;
    let clients = Clients::new(&start::in_lambda()?, &settings);
    let function = Function::new(clients, settings);
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let deadline = event.context.deadline().into();
        let invocation = Invocation { request_id: event.context.request_id, deadline };
        let function = &function;
        // On the heap: it is some 30 KB, more than the runtime wants to move about.
        async move { Ok::<_, Error>(Box::pin(function.batch(event.payload, &invocation)).await) }
    }))
    .await
}
