//! What of a run ops are told.

use time::OffsetDateTime;
use watchkeeper_declarations::DeclarationId;
use watchkeeper_ops::{About, Desk};

use crate::declaration::registry_of;
use crate::follow::Done;
use crate::ops::{DECLARATION, REGISTRY};
use crate::plan::Blocked;
use crate::registry;
use crate::trouble::Trouble;

/// Notes how a run ended: what is in trouble, and what is well again.
pub(crate) async fn report(
    desk: &Desk,
    id: &DeclarationId,
    ended: Result<&Done, &Trouble>,
    now: OffsetDateTime,
) -> Result<(), Trouble> {
    let registry = About { subject: registry_of(id), cause: &REGISTRY };
    let declaration = About { subject: &id.0, cause: &DECLARATION };
    match ended {
        Ok(done) => {
            if done.reached {
                desk.well(registry, now).await?;
            }
            match lasting(done) {
                Some(why) => desk.trouble(declaration, &why, now).await?,
                None if done.reached => desk.well(declaration, now).await?,
                None => {}
            }
        }
        Err(Trouble::Registry(trouble @ registry::Trouble::Unavailable(_))) => {
            desk.trouble(registry, &trouble.to_string(), now).await?;
        }
        // It is somebody else's run now.
        Err(Trouble::FencedOff) => {}
        Err(trouble) => {
            if matches!(trouble, Trouble::Registry(_)) {
                desk.well(registry, now).await?;
            }
            desk.trouble(declaration, &trouble.to_string(), now).await?;
        }
    }
    Ok(())
}

/// What stays so until a person does something, though the run went well.
fn lasting(done: &Done) -> Option<String> {
    match (&done.blocked, done.without_address) {
        (Some(blocked), _) => Some(blocked.words()),
        (None, 0) => None,
        (None, tasks) => Some(format!(
            "{tasks} of the service's tasks have no IPv4 address of their own, which takes the network mode awsvpc and subnets \
             with IPv4"
        )),
    }
}

impl Blocked {
    /// For people.
    pub(crate) fn words(&self) -> String {
        let Self { agent, owner } = self;
        match owner {
            Some(owner) => format!(
                "there is an entry {agent} already, and it belongs to {owner}: remove it, or declare another AgentId"
            ),
            None => format!(
                "there is an entry {agent} already that Watchkeeper did not make: remove it, or set Adopt to true to take it over"
            ),
        }
    }
}
