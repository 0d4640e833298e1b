//! A Console: one that keeps owners and versions, or a plain one that keeps neither and takes what comes.

use std::collections::BTreeMap;

use console_registrar::registry::{Address, AgentId, Entry, IfStill, Put, Trouble, Version};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) address: Address,
    pub(crate) owner: Option<String>,
    pub(crate) version: u64,
    /// Somebody else's; the Console itself does not know.
    pub(crate) foreign: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Console {
    pub(crate) plain: bool,
    pub(crate) down: bool,
    pub(crate) entries: BTreeMap<AgentId, Kept>,
    pub(crate) versions: u64,
}

impl Console {
    pub(crate) fn list(&self) -> Vec<Entry> {
        let entry = |(id, kept): (&AgentId, &Kept)| Entry {
            id: id.clone(),
            address: Some(kept.address.clone()),
            owner: kept.owner.clone().filter(|_| !self.plain),
            version: (!self.plain).then(|| Version(kept.version.to_string())),
        };
        self.entries.iter().map(entry).collect()
    }

    pub(crate) fn put(&mut self, put: &Put) -> Result<(), Trouble> {
        let found = self.entries.get(&put.id);
        let as_expected = match (&put.if_still, found) {
            _ if self.plain => true,
            (IfStill::Absent, found) => found.is_none(),
            (IfStill::Present(Some(version)), Some(found)) => version.0 == found.version.to_string(),
            (IfStill::Present(None), found) => found.is_some(),
            (IfStill::Present(Some(_)), None) => false,
        };
        if !as_expected {
            return Err(Trouble::Overtaken(format!("{} is not as it was", put.id)));
        }
        self.keep(put.id.clone(), put.address.clone(), Some(put.owner.clone()), false);
        Ok(())
    }

    pub(crate) fn remove(&mut self, entry: &Entry) -> Result<(), Trouble> {
        if let (Some(found), Some(version)) = (self.entries.get(&entry.id), &entry.version)
            && version.0 != found.version.to_string()
        {
            return Err(Trouble::Overtaken(format!("{} is not as it was", entry.id)));
        }
        self.entries.remove(&entry.id);
        Ok(())
    }

    pub(crate) fn keep(&mut self, id: AgentId, address: Address, owner: Option<String>, foreign: bool) {
        self.versions += 1;
        self.entries.insert(id, Kept { address, owner, version: self.versions, foreign });
    }
}
