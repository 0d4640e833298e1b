//! One record set with all addresses, and a TXT record set beside it, `_watchkeeper.NAME`, that says whose each is. Both
//! change in one batch, each as a compare-and-swap.

use std::net::Ipv4Addr;

use aws_sdk_route53::types::{ResourceRecordSet, RrType};

use super::book::Book;
use super::zone::{Unchanged, set, swap};
use super::{Mark, OWNERS, Route53, is_address, is_name, overtaken, values};
use crate::registry::{Entry, IfStill, Put, Trouble, Version, fitting};

/// All agents share the two sets, so a change of any other one gets in the way of ours.
const TRIES: usize = 5;

/// What is to become of one agent.
enum Edit<'a> {
    Put(&'a Put),
    Remove(&'a Mark, &'a Entry),
}

/// The two sets as they are.
#[derive(PartialEq)]
pub(super) struct Sets {
    addresses: Option<ResourceRecordSet>,
    owners: Option<ResourceRecordSet>,
}

impl Sets {
    fn book(&self) -> Book {
        Book::read(self.addresses.iter().flat_map(values), self.owners.iter().flat_map(values))
    }
}

impl Route53 {
    /// Both sets, given those of the name itself.
    pub(super) async fn read_book(&self, mut sets: Vec<ResourceRecordSet>) -> Result<Sets, Trouble> {
        sets.retain(is_address);
        let name = format!("{OWNERS}{}", self.settings.name);
        let mut owners = self.zone.sets(&name).await?;
        owners.retain(|set| *set.r#type() == RrType::Txt && is_name(set.name(), &name));
        let is_simple = |set: &ResourceRecordSet| set.set_identifier.is_none() && set.alias_target.is_none();
        if !sets.iter().chain(&owners).all(is_simple) {
            return Err(
                self.taken("records of a routing policy or an alias, which one record of all addresses cannot be")
            );
        }
        let sets = Sets { addresses: sets.pop(), owners: owners.pop() };
        if sets.addresses.is_some() && sets.book().agents().next().is_none() {
            return Err(self.taken("an A record"));
        }
        Ok(sets)
    }

    async fn sets_of_name(&self) -> Result<Sets, Trouble> {
        self.read_book(self.zone.sets(&self.settings.name).await?).await
    }

    pub(super) async fn list_name(&self) -> Result<Vec<Entry>, Trouble> {
        let book = self.sets_of_name().await?.book();
        let entries = book.agents().map(|(mark, ip)| {
            let address = book.answers(ip).then(|| ip.to_string());
            self.entry(mark.clone(), address, ip.to_string())
        });
        Ok(entries.collect())
    }

    pub(super) async fn put_addresses(&self, puts: &[Put]) -> Vec<Result<(), Trouble>> {
        let edits: Vec<Edit<'_>> = puts.iter().map(Edit::Put).collect();
        self.edit(&edits).await.unwrap_or_else(|trouble| vec![Err(trouble); puts.len()])
    }

    pub(super) async fn remove_address(&self, mark: &Mark, entry: &Entry) -> Result<(), Trouble> {
        self.edit(&[Edit::Remove(mark, entry)]).await?.into_iter().collect()
    }

    /// An outcome for each edit, or one trouble for all.
    async fn edit(&self, edits: &[Edit<'_>]) -> Result<Vec<Result<(), Trouble>>, Trouble> {
        let doing = self.doing(&match edits {
            [Edit::Put(put)] => format!("registering {}", put.id),
            [Edit::Remove(_, entry)] => format!("taking {} out", entry.id),
            _ => format!("registering {} agents", edits.len()),
        });
        let mut refused: Option<(Sets, String)> = None;
        for _ in 0..TRIES {
            let sets = self.sets_of_name().await?;
            match &refused {
                Some((before, words)) if *before == sets => return Err(Trouble::Refused(format!("{doing}: {words}"))),
                _ => {}
            }
            let mut book = sets.book();
            let mut is_changed = false;
            let mut outcomes = Vec::with_capacity(edits.len());
            for edit in edits {
                let applied = self.apply(edit, &mut book, &sets);
                is_changed |= matches!(applied, Ok(true));
                outcomes.push(applied.map(drop));
            }
            if !is_changed {
                return Ok(outcomes);
            }
            let mut changes = swap(sets.addresses.clone(), self.address_set(&book)?)?;
            changes.extend(swap(sets.owners.clone(), self.owner_set(&book)?)?);
            match self.zone.change(&doing, changes).await {
                Ok(()) => return Ok(outcomes),
                Err(Unchanged::Trouble(trouble)) => return Err(trouble),
                Err(Unchanged::Invalid(words)) => refused = Some((sets, words)),
            }
        }
        Err(overtaken(&doing, &format!("others changed the name each of {TRIES} times")))
    }

    /// Enters an edit into the book; says whether that changed anything.
    fn apply(&self, edit: &Edit<'_>, book: &mut Book, sets: &Sets) -> Result<bool, Trouble> {
        match edit {
            Edit::Put(put) => {
                let ip = fitting::ipv4(put)?;
                let mark = Mark::new(&put.owner, &put.id);
                if self.is_as_wanted(&mark, ip, book, sets) {
                    return Ok(false);
                }
                self.may(put, &mark, book)?;
                book.set(&mark, Some(ip));
                Ok(true)
            }
            Edit::Remove(mark, entry) => {
                let Some(found) = book.find(mark) else { return Ok(false) };
                if entry.version.as_ref().is_some_and(|Version(expected)| *expected != found.to_string()) {
                    let doing = self.doing(&format!("taking {} out", entry.id));
                    return Err(overtaken(&doing, "it is not as it was listed"));
                }
                book.set(mark, None);
                Ok(true)
            }
        }
    }

    fn is_as_wanted(&self, mark: &Mark, ip: Ipv4Addr, book: &Book, sets: &Sets) -> bool {
        let ttl = sets.addresses.as_ref().and_then(ResourceRecordSet::ttl);
        book.find(mark) == Some(ip) && book.answers(ip) && ttl == Some(self.settings.ttl.into())
    }

    fn may(&self, put: &Put, mark: &Mark, book: &Book) -> Result<(), Trouble> {
        let why = match (&put.if_still, book.find(mark)) {
            _ if book.agents().any(|(other, _)| other.id == mark.id && other.owner != mark.owner) => {
                "another owner has one of this id there"
            }
            (IfStill::Absent, Some(_)) => "it is there by now",
            (IfStill::Present(_), None) => "the old one is not there any more",
            (IfStill::Present(Some(Version(expected))), Some(found)) if *expected != found.to_string() => {
                "it is not as it was listed"
            }
            _ => return Ok(()),
        };
        Err(overtaken(&self.doing(&format!("registering {}", put.id)), why))
    }

    fn address_set(&self, book: &Book) -> Result<Option<ResourceRecordSet>, Trouble> {
        self.set_of(&self.settings.name, RrType::A, book.address_values())
    }

    fn owner_set(&self, book: &Book) -> Result<Option<ResourceRecordSet>, Trouble> {
        self.set_of(&format!("{OWNERS}{}", self.settings.name), RrType::Txt, book.line_values())
    }

    fn set_of(&self, name: &str, kind: RrType, values: Vec<String>) -> Result<Option<ResourceRecordSet>, Trouble> {
        if values.is_empty() {
            return Ok(None);
        }
        set(name, kind, self.settings.ttl, values).map(Some)
    }
}
