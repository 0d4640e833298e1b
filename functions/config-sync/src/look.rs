//! What is looked at before anything is decided: the sources, the database, the services.

use std::collections::{BTreeMap, BTreeSet};

use watchkeeper_events::ServiceArn;
use watchkeeper_secrets::Thing;

use crate::declared::{Declared, Restart, Route};
use crate::document::{Place, Readings};
use crate::expression::Expression;
use crate::plan::Fault;
use crate::service::Service;
use crate::trouble::Trouble;
use crate::world::{Databases, Documents, Ecs, LogIn};

/// What the sources say at one moment; nothing if they changed meanwhile.
pub(crate) async fn readings(world: &impl Documents, declared: &Declared) -> Result<Option<Readings>, Trouble> {
    let mut readings = Readings::new();
    for (name, source) in &declared.sources {
        let reading = world.reading(source).await?;
        let thing = Thing { kind: "source", name };
        reading.allow.allows(&declared.stack, thing).map_err(Trouble::Refused)?;
        readings.insert(name.clone(), reading);
    }
    // The last one read was current when all others are found unchanged after it.
    let all_but_last = declared.sources.len().saturating_sub(1);
    for (name, source) in declared.sources.iter().take(all_but_last) {
        if world.version(source).await? != readings[name].version {
            return Ok(None);
        }
    }
    Ok(Some(readings))
}

/// Tries the new credential, where the declaration says how.
pub(crate) async fn log_in(world: &impl Databases, declared: &Declared, sources: &Readings) -> Result<(), Trouble> {
    let Some(Route { host, port, database, user, password, ca }) = &declared.route else { return Ok(()) };
    let value = |expression: &Expression| {
        let fault = |why| Fault::Source { address: "the database's login".to_owned(), why };
        expression.value(sources).map_err(fault)
    };
    let plain = |expression| Ok::<_, Fault>(value(expression)?.reveal().to_owned());
    let to = LogIn {
        host: plain(host)?,
        port: plain(port)?,
        database: plain(database)?,
        user: value(user)?,
        password: value(password)?,
        ca: ca.clone(),
    };
    world.log_in(&to).await
}

/// The services that may read one of these documents, or are to be restarted in any case, as ECS shows them.
pub(crate) async fn services(
    world: &impl Ecs,
    declared: &Declared,
    watched: &BTreeSet<Place>,
) -> Result<Vec<(ServiceArn, Option<Service>)>, Trouble> {
    let mut readers: BTreeMap<String, ServiceArn> = BTreeMap::new();
    let named = match &declared.restart {
        Restart::These(these) => these.iter().filter_map(|arn| ServiceArn::parse(arn).ok()).collect(),
        Restart::Readers | Restart::None => Vec::new(),
    };
    for reader in world.readers(watched).await?.into_iter().chain(named) {
        readers.insert(reader.as_str().to_owned(), reader);
    }
    let mut services = Vec::new();
    for reader in readers.into_values() {
        let service = world.service(&reader).await?;
        services.push((reader, service));
    }
    Ok(services)
}
