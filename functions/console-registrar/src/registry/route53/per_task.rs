//! One record set for each task: multivalue answers, told apart by set identifiers that say whose they are.

use std::net::Ipv4Addr;

use aws_sdk_route53::types::{Change, ResourceRecordSet, RrType};

use super::zone::{Unchanged, set, swap};
use super::{Mark, Route53, is_address, overtaken, values};
use crate::registry::{Entry, IfStill, Put, Trouble, fitting};

/// A batch holds 1000 records (developer guide, "Maximums on API requests"), and a put changes two.
const AT_ONCE: usize = 100;

/// What a put comes to, given what there is.
enum Step {
    Nothing,
    Changes(Vec<Change>),
}

impl Route53 {
    async fn task_sets(&self) -> Result<Vec<ResourceRecordSet>, Trouble> {
        let mut sets = self.zone.sets(&self.settings.name).await?;
        sets.retain(is_address);
        Ok(sets)
    }

    pub(super) async fn list_tasks(&self) -> Result<Vec<Entry>, Trouble> {
        let sets = self.task_sets().await?;
        let entries = sets.iter().filter_map(|set| {
            let mark = Mark::read(set.set_identifier()?)?;
            let mut values = values(set);
            let address = values.next().filter(|_| values.next().is_none());
            Some(self.entry(mark, address.map(str::to_owned), version(set)))
        });
        Ok(entries.collect())
    }

    /// Puts as many as can be in one batch. Where Route 53 refuses it, each half is tried on its own, until what it does not
    /// take is alone.
    pub(super) async fn put_tasks(&self, puts: &[Put]) -> Vec<Result<(), Trouble>> {
        let mut outcomes: Vec<Result<(), Trouble>> = vec![Ok(()); puts.len()];
        let all: Vec<usize> = (0..puts.len()).collect();
        let mut parts: Vec<Vec<usize>> = all.chunks(AT_ONCE).map(<[usize]>::to_vec).collect();
        while let Some(part) = parts.pop() {
            let sets = match self.task_sets().await {
                Ok(sets) => sets,
                Err(trouble) => {
                    for &index in &part {
                        outcomes[index] = Err(trouble.clone());
                    }
                    continue;
                }
            };
            let (mut changing, mut changes) = (Vec::new(), Vec::new());
            for index in part {
                match self.step(&puts[index], &sets) {
                    Ok(Step::Nothing) => {}
                    Ok(Step::Changes(step)) => {
                        changing.push(index);
                        changes.extend(step);
                    }
                    Err(trouble) => outcomes[index] = Err(trouble),
                }
            }
            if changing.is_empty() {
                continue;
            }
            let doing = self.doing(&format!("registering {}", names(&changing, puts)));
            match (self.zone.change(&doing, changes).await, &changing[..]) {
                (Ok(()), _) => {}
                (Err(Unchanged::Invalid(words)), &[alone]) => {
                    outcomes[alone] = self.judge(&doing, &puts[alone], &sets, &words).await;
                }
                (Err(Unchanged::Invalid(_)), _) => {
                    let (first, second) = changing.split_at(changing.len() / 2);
                    parts.extend([second.to_vec(), first.to_vec()]);
                }
                (Err(Unchanged::Trouble(trouble)), _) => {
                    for &index in &changing {
                        outcomes[index] = Err(trouble.clone());
                    }
                }
            }
        }
        outcomes
    }

    fn step(&self, put: &Put, sets: &[ResourceRecordSet]) -> Result<Step, Trouble> {
        let ip = fitting::ipv4(put)?;
        let doing = self.doing(&format!("registering {}", put.id));
        let mark = Mark::new(&put.owner, &put.id);
        let others = |other: Mark| other.id == mark.id && other.owner != mark.owner;
        if sets.iter().filter_map(ResourceRecordSet::set_identifier).filter_map(Mark::read).any(others) {
            return Err(overtaken(&doing, "another owner has one of this id there"));
        }
        let before = find(sets, &mark);
        let after = self.task_set(&mark, ip)?;
        match (&put.if_still, before) {
            (_, Some(before)) if *before == after => return Ok(Step::Nothing),
            (IfStill::Absent, Some(_)) => return Err(overtaken(&doing, "it is there by now")),
            (IfStill::Present(_), None) => return Err(overtaken(&doing, "the old one is not there any more")),
            (IfStill::Present(Some(expected)), Some(before)) if expected.0 != version(before) => {
                return Err(overtaken(&doing, "it is not as it was listed"));
            }
            _ => {}
        }
        swap(before.cloned(), Some(after)).map(Step::Changes)
    }

    fn task_set(&self, mark: &Mark, ip: Ipv4Addr) -> Result<ResourceRecordSet, Trouble> {
        let mut set = set(&self.settings.name, RrType::A, self.settings.ttl, [ip.to_string()])?;
        set.set_identifier = Some(mark.to_string());
        set.multi_value_answer = Some(true);
        Ok(set)
    }

    /// Why a batch of one put was refused: its set was changed in between (also by ourselves, when an answer was lost), or
    /// Route 53 does not want it.
    async fn judge(&self, doing: &str, put: &Put, seen: &[ResourceRecordSet], words: &str) -> Result<(), Trouble> {
        let now = self.task_sets().await?;
        let mark = Mark::new(&put.owner, &put.id);
        if find(seen, &mark) == find(&now, &mark) {
            return Err(Trouble::Refused(format!("{doing}: {words}")));
        }
        match self.step(put, &now)? {
            Step::Nothing => Ok(()),
            Step::Changes(_) => Err(overtaken(doing, "it was changed at the same time")),
        }
    }

    pub(super) async fn remove_task(&self, mark: &Mark, entry: &Entry) -> Result<(), Trouble> {
        let doing = self.doing(&format!("taking {} out", entry.id));
        let sets = self.task_sets().await?;
        let Some(before) = find(&sets, mark) else { return Ok(()) };
        if entry.version.as_ref().is_some_and(|expected| expected.0 != version(before)) {
            return Err(overtaken(&doing, "it is not as it was listed"));
        }
        match self.zone.change(&doing, swap(Some(before.clone()), None)?).await {
            Ok(()) => Ok(()),
            Err(Unchanged::Trouble(trouble)) => Err(trouble),
            Err(Unchanged::Invalid(words)) => match find(&self.task_sets().await?, mark) {
                None => Ok(()),
                Some(now) if now == before => Err(Trouble::Refused(format!("{doing}: {words}"))),
                Some(_) => Err(overtaken(&doing, "it was changed at the same time")),
            },
        }
    }
}

fn find<'a>(sets: &'a [ResourceRecordSet], mark: &Mark) -> Option<&'a ResourceRecordSet> {
    let identifier = mark.to_string();
    sets.iter().find(|set| set.set_identifier() == Some(identifier.as_str()))
}

/// What can change of a set: its addresses and how long they may be kept.
fn version(set: &ResourceRecordSet) -> String {
    let addresses: Vec<&str> = values(set).collect();
    format!("{} {}", addresses.join(","), set.ttl().unwrap_or_default())
}

fn names(changing: &[usize], puts: &[Put]) -> String {
    match changing {
        [alone] => puts[*alone].id.to_string(),
        [first, others @ ..] => format!("{} and {} more", puts[*first].id, others.len()),
        [] => String::new(),
    }
}
