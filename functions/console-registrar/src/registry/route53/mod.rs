//! Route 53: agents are addresses of a name. DNS has no ports; the declared one is said back.
//!
//! Every change is a compare-and-swap on what was just read, and only what bears a mark of ours is ever read as an entry,
//! changed or deleted.

mod book;
mod mark;
mod one_name;
mod per_task;
mod settings;
mod zone;

use aws_sdk_route53::types::{ResourceRecord, ResourceRecordSet, RrType};

pub use settings::{Records, Settings};
pub use zone::PacedClient;

use super::{Address, AgentId, Entry, Put, Registry, Trouble, Version};
use mark::{Mark, Owner};
use settings::OWNERS;
use zone::{Zone, is_name};

/// A name in a hosted zone.
#[derive(Debug, Clone)]
pub struct Route53 {
    zone: Zone,
    settings: Settings,
    port: u16,
    owner: String,
}

impl Route53 {
    /// The name that `settings` name, for agents at this port and of this owner ([`Put::owner`]).
    pub fn new(client: PacedClient, settings: Settings, port: u16, owner: impl Into<String>) -> Self {
        Self { zone: Zone::new(client, &settings.zone), settings, port, owner: owner.into() }
    }

    /// Refuses a zone that is not there or is a service's own, a name outside of it, and a name with records of others that
    /// ours cannot stand beside. To be called when a declaration is made.
    pub async fn check(&self) -> Result<(), Trouble> {
        let zone = self.zone.describe().await?;
        let name = &self.settings.name;
        let domain = zone.name.strip_suffix('.').unwrap_or(&zone.name).to_ascii_lowercase();
        let kind = if zone.config.is_some_and(|config| config.private_zone) { "private" } else { "public" };
        let id = &self.settings.zone;
        if let Some(service) = zone.linked_service.and_then(|service| service.service_principal) {
            return Err(Trouble::Refused(format!(
                "the hosted zone {id} ({domain}, {kind}) is kept by {service}, and only it may change records there. For a \
                 zone of Cloud Map, declare CloudMap instead of Route53"
            )));
        }
        if *name != domain && !name.ends_with(&format!(".{domain}")) {
            return Err(Trouble::Refused(format!(
                "{name} is not in the hosted zone {id} ({domain}, {kind}): a Name there ends in .{domain}"
            )));
        }
        let sets = self.zone.sets(name).await?;
        if let Some(set) = sets.iter().find(|set| *set.r#type() == RrType::Cname) {
            return Err(self.taken(&format!("a {} record", set.r#type())));
        }
        match self.settings.records {
            Records::PerTask => match sets.iter().find(|set| is_address(set) && set.multi_value_answer != Some(true)) {
                Some(_) => {
                    Err(self.taken("A records of another kind, which one record for each task cannot stand beside"))
                }
                None => Ok(()),
            },
            Records::OneName => self.read_book(sets).await.map(drop),
        }
    }

    fn taken(&self, by: &str) -> Trouble {
        let Settings { name, zone, .. } = &self.settings;
        Trouble::Refused(format!(
            "{name} in the hosted zone {zone} has {by}. Watchkeeper does not touch what it did not make: take a Name of its own"
        ))
    }

    fn doing(&self, what: &str) -> String {
        format!("{what} at {} in the hosted zone {}", self.settings.name, self.settings.zone)
    }

    /// An entry as the registrar sees it. Of another owner only the digest is known.
    fn entry(&self, mark: Mark, address: Option<String>, version: String) -> Entry {
        let is_own = mark.owner == Owner::of(&self.owner);
        let owner = if is_own { self.owner.clone() } else { mark.owner.to_string() };
        let address = address.map(|host| Address { host, port: self.port });
        Entry { id: mark.id, address, owner: Some(owner), version: Some(Version(version)) }
    }

    fn own(&self, entry: &Entry) -> Result<Mark, Trouble> {
        if entry.owner.as_deref() == Some(self.owner.as_str()) {
            return Ok(Mark::new(&self.owner, &entry.id));
        }
        Err(Trouble::Refused(format!(
            "{}: it belongs to another owner",
            self.doing(&format!("taking {} out", entry.id))
        )))
    }
}

impl Registry for Route53 {
    async fn list(&self, _: &AgentId) -> Result<Vec<Entry>, Trouble> {
        match self.settings.records {
            Records::PerTask => self.list_tasks().await,
            Records::OneName => self.list_name().await,
        }
    }

    async fn put(&self, put: &Put) -> Result<(), Trouble> {
        // There is one outcome for each put.
        self.put_all(std::slice::from_ref(put)).await.into_iter().collect()
    }

    async fn put_all(&self, puts: &[Put]) -> Vec<Result<(), Trouble>> {
        match self.settings.records {
            Records::PerTask => self.put_tasks(puts).await,
            Records::OneName => self.put_addresses(puts).await,
        }
    }

    async fn remove(&self, entry: &Entry) -> Result<(), Trouble> {
        let mark = self.own(entry)?;
        match self.settings.records {
            Records::PerTask => self.remove_task(&mark, entry).await,
            Records::OneName => self.remove_address(&mark, entry).await,
        }
    }
}

fn is_address(set: &ResourceRecordSet) -> bool {
    *set.r#type() == RrType::A
}

fn values(set: &ResourceRecordSet) -> impl Iterator<Item = &str> {
    set.resource_records().iter().map(ResourceRecord::value)
}

fn overtaken(doing: &str, why: &str) -> Trouble {
    Trouble::Overtaken(format!("{doing}: {why}"))
}
