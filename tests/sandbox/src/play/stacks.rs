//! Stacks of the play's agents.

use super::Play;
use crate::cloudformation;
use crate::stage::PATIENCE;

impl Play<'_> {
    pub(super) async fn cloudformation(
        &self,
        stack: &str,
        action: &str,
        more: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        Ok(cloudformation::call(self.stage.sandbox.aws(), stack, action, more).await?)
    }

    /// Waits until CloudFormation is done with the stack; returns its status.
    pub(super) async fn settled(&self, stack: &str) -> anyhow::Result<String> {
        cloudformation::settled(self.stage.sandbox.aws(), stack, PATIENCE).await
    }

    /// Waits until the stack is no more.
    pub(super) async fn gone(&self, stack: &str) -> anyhow::Result<()> {
        cloudformation::gone(self.stage.sandbox.aws(), stack, PATIENCE).await
    }

    /// What CloudFormation says about the resource that came to this status.
    pub(super) async fn reason(&self, stack: &str, status: &str) -> anyhow::Result<String> {
        cloudformation::reason(self.stage.sandbox.aws(), stack, status).await
    }
}
