//! Secret Label Updated of one secret, as a queue gets it.

use serde_json::{Value, json};

use super::{queue_of, received};
use crate::local::Local;

/// The events about one secret's labels, as a deployed rule brings them to a queue.
pub(crate) struct LabelEvents {
    queue: String,
}

impl LabelEvents {
    /// From now on; `name` is that of a queue and a rule of its own.
    pub(crate) async fn begin(local: &Local, name: &str, secret: &str) -> Self {
        let kind = json!(["Secret Label Updated"]);
        let pattern = json!({ "source": ["aws.secretsmanager"], "detail-type": kind, "resources": [secret] });
        Self { queue: queue_of(local, name, pattern).await }
    }

    /// All that were told since then, or since this was asked before.
    pub(crate) async fn until_now(&self, local: &Local) -> Vec<Value> {
        local.sandbox.bus().delivered().await;
        received(local, &self.queue).await
    }
}
