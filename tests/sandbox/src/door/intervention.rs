//! How a test steps into calls: a service that throttles or denies, a function cut off at an exact point.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::call::Call;

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intervention {
    /// It passes.
    Pass,
    /// It is refused and never reaches ministack.
    Fail {
        /// The HTTP status.
        status: u16,
        /// AWS's error code, such as `ThrottlingException`.
        code: String,
        /// The text beside it.
        message: String,
    },
    /// It takes effect, but the caller learns nothing until [`super::Door::release_held`].
    Hold,
}

/// Asked about every call.
pub type Hook = Box<dyn Fn(&Call) -> Intervention + Send + Sync>;

pub(crate) struct Interventions {
    hook: Mutex<Option<Hook>>,
    releases: watch::Sender<u64>,
}

impl Default for Interventions {
    fn default() -> Self {
        Self { hook: Mutex::default(), releases: watch::Sender::new(0) }
    }
}

impl Interventions {
    pub(crate) fn set(&self, hook: Option<Hook>) {
        *self.hook() = hook;
    }

    pub(crate) fn ask(&self, call: &Call) -> Intervention {
        self.hook().as_ref().map_or(Intervention::Pass, |hook| hook(call))
    }

    pub(crate) fn release(&self) {
        self.releases.send_modify(|count| *count += 1);
    }

    /// The point in time from which a release counts; taken before the record shows the call as held.
    pub(crate) fn generation(&self) -> Generation {
        let mut releases = self.releases.subscribe();
        releases.mark_unchanged();
        Generation(releases)
    }

    fn hook(&self) -> MutexGuard<'_, Option<Hook>> {
        self.hook.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Generation(watch::Receiver<u64>);

impl Generation {
    pub(crate) async fn released(mut self) {
        // An error means that the front door is closing: the answer may go.
        let _ = self.0.changed().await;
    }
}
