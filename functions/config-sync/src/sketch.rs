//! What would be done, for who asks before it is.

use time::OffsetDateTime;

use crate::declared::{Declared, Mode};
use crate::look::{log_in, readings, services};
use crate::plan::{self, Content, content};
use crate::state::{Since, State};
use crate::trouble::Trouble;
use crate::world::{Databases, Documents, Ecs};

/// What would be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sketch {
    /// The addresses in the target that would be written.
    pub changed: Vec<String>,
    /// How far each service would be on its way then.
    pub plan: plan::Plan,
    /// What AWS itself says is wrong with the sources.
    pub troubles: Vec<String>,
}

/// Looks along the whole chain, from the sources to the services, and changes nothing.
pub async fn sketch<W: Documents + Databases + Ecs>(
    world: &W,
    declared: &Declared,
    state: &State,
    now: OffsetDateTime,
) -> Result<Sketch, Trouble> {
    let target = world.document(&declared.target).await?;
    let sources = readings(world, declared).await?.ok_or(Trouble::Restless)?;
    let changed = match content(declared, state, &sources, &target)? {
        Content::Write { changed, .. } => changed,
        Content::InStep | Content::Drifted { .. } => Vec::new(),
    };
    log_in(world, declared, &sources).await?;
    let mut watched = declared.watched();
    watched.extend(sources.values().filter_map(|source| source.kept_in.clone()));
    let mut since = state.since.clone();
    if !changed.is_empty() || !since.contains_key(&declared.target) {
        let at = if changed.is_empty() { target.made_at } else { now };
        since.insert(declared.target.clone(), Since { version: target.version, at });
    }
    let services = services(world, declared, &watched).await?;
    // Who only observes is told what would be done.
    let acting = Declared { mode: Mode::Act, ..declared.clone() };
    let plan = plan::restarts(&acting, &since, &state.rollouts, &services, now);
    let troubles = sources.values().filter_map(|source| source.trouble.clone()).collect();
    Ok(Sketch { changed, plan, troubles })
}
