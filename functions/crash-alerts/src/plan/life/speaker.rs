//! Which incident speaks for which: who is spoken for says nothing itself.
//!
//! Nobody is silent behind something lesser. A speaker is at least as urgent as what it speaks for, and once it is not any more that
//! has its own voice again.

use time::Duration;
use watchkeeper_alerts::Kind;

use super::Scene;
use crate::plan::incident::{Incident, Phase, Voice};

/// What is seen from outside comes of what happened shortly before. ECS waits up to 27 minutes before it starts a task again that keeps
/// failing (ECS Developer Guide, "Amazon ECS service throttle logic"): a crash that is longer ago says nothing of why tasks are missing.
const SHORTLY: Duration = Duration::minutes(30);

/// Whether the first incident, being live, says all there is to say of the second.
pub(super) fn speaks_for(speaker: &Incident, of: &Incident) -> bool {
    is_heard(speaker) && covers(speaker, of)
}

/// Whether the first, which begins, speaks for the second from now on. A failed deployment becomes as urgent as the crashes that it
/// takes over.
pub(super) fn takes_over(new: &Incident, of: &Incident) -> bool {
    let is_cause = matches!((rank(new), rank(of)), (3, 2)) && is_of(new, of);
    is_heard(new) && (is_cause || covers(new, of))
}

/// False of one whose speaker is gone or says too little by now, or of which the rollout is over that explains it.
pub(super) fn has_speaker(incident: &Incident, scene: Scene<'_>) -> bool {
    let mut voice = &incident.voice;
    // Who speaks may have been taken over itself.
    for _ in 0..=scene.siblings.len() {
        let id = match voice {
            Voice::Speaker(id) => id,
            Voice::Rollout { until } => return scene.now <= *until,
            Voice::Own | Voice::Digest => return true,
        };
        let is_it = |sibling: &&Incident| sibling.id == *id && sibling.phase != Phase::Closed;
        let Some(speaker) = scene.siblings.iter().find(is_it) else { return false };
        if is_heard(speaker) {
            return covers(speaker, incident);
        }
        voice = &speaker.voice;
    }
    false
}

fn is_heard(speaker: &Incident) -> bool {
    speaker.phase != Phase::Closed && !matches!(speaker.voice, Voice::Rollout { .. } | Voice::Speaker(_))
}

fn covers(speaker: &Incident, of: &Incident) -> bool {
    speaker.severity >= of.severity
        && match (rank(speaker), rank(of)) {
            (3, 2) => is_of(speaker, of),
            (higher, 1) => higher > 1 && of.touched_at - speaker.last_at <= SHORTLY,
            _ => false,
        }
}

/// Whether all crashes are of tasks of the deployment that failed.
fn is_of(failed: &Incident, crashes: &Incident) -> bool {
    !crashes.deployments.is_empty() && failed.deployments.iter().any(|deployment| crashes.is_only_of(deployment))
}

/// A failed deployment says more than its tasks' crashes, and these more than what ECS or we see from outside.
fn rank(incident: &Incident) -> u8 {
    match incident.alert.kind {
        Kind::DeploymentFailed => 3,
        Kind::Crash => 2,
        Kind::Rollback | Kind::Service | Kind::TasksMissing | Kind::DeploymentStuck => 1,
        Kind::Alarm | Kind::Trouble | Kind::Resolved | Kind::Done => 0,
    }
}
