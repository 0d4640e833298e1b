//! What is said at the end.

use anyhow::ensure;

use super::Play;
use crate::Call;
use crate::stack::FUNCTIONS;

impl Play<'_> {
    pub(super) fn report(&self) -> anyhow::Result<()> {
        let sandbox = &self.stage.sandbox;
        self.timeline.heading("In the end");
        let denied = sandbox.door().calls_where(0, |call| is_ours(call) && was_denied(call));
        ensure!(denied.is_empty(), "a function's role lacks permissions: {denied:?}");
        self.timeline
            .saw(&format!("no call of a function was denied; crash-alerts' calls: {:?}", self.stage.function_calls(0)));
        let faults = sandbox.model_faults();
        ensure!(faults.is_empty(), "answers or events that botocore's ECS model refuses: {faults:#?}");
        let refused = sandbox.bus().refused();
        ensure!(refused.is_empty(), "events that were not delivered: {refused:#?}");
        let not_modelled = sandbox.ecs().not_modelled();
        ensure!(not_modelled.is_empty(), "the play used what the sandbox does not model: {not_modelled:#?}");
        let disorder = sandbox.disorder().report().unwrap_or_default();
        ensure!(disorder.faults.is_empty(), "disorder that could not be brought about: {:#?}", disorder.faults);
        let events = sandbox.bus().emitted().len();
        self.timeline.saw(&format!("{events} events were emitted; they and all answers fit botocore's ECS model"));
        self.timeline.saw(&format!("ops got {} alerts", self.stage.inbox.mails().len()));
        Ok(())
    }
}

/// Whether one of our functions made this call.
fn is_ours(call: &Call) -> bool {
    FUNCTIONS.contains(&call.caller.as_str())
}

fn was_denied(call: &Call) -> bool {
    let code = call.outcome.as_ref().and_then(|outcome| outcome.error.as_deref());
    code.is_some_and(|code| code.contains("AccessDenied") || code.contains("AuthorizationError"))
}
