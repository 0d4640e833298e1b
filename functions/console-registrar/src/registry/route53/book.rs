//! Which agent stands behind which address of a name that all share: the lines of the TXT record beside it. Pure.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::Mark;

/// A line of the TXT record.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Line {
    /// `"watchkeeper/OWNER/ID ADDRESS"`.
    Agent(Mark, Ipv4Addr),
    /// Somebody else's, kept as it is.
    Other(String),
}

/// The lines, and the addresses of the name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Book {
    lines: Vec<Line>,
    addresses: BTreeSet<String>,
}

impl Book {
    pub(super) fn read<'a>(addresses: impl Iterator<Item = &'a str>, lines: impl Iterator<Item = &'a str>) -> Self {
        let line = |text: &str| read_line(text).unwrap_or_else(|| Line::Other(text.to_owned()));
        Self { lines: lines.map(line).collect(), addresses: addresses.map(str::to_owned).collect() }
    }

    /// The agents, with their addresses.
    pub(super) fn agents(&self) -> impl Iterator<Item = (&Mark, Ipv4Addr)> {
        self.lines.iter().filter_map(|line| match line {
            Line::Agent(mark, ip) => Some((mark, *ip)),
            Line::Other(_) => None,
        })
    }

    /// Where an agent is, by its line.
    pub(super) fn find(&self, mark: &Mark) -> Option<Ipv4Addr> {
        self.agents().find(|(agent, _)| *agent == mark).map(|(_, ip)| ip)
    }

    /// Whether the name has this address.
    pub(super) fn answers(&self, ip: Ipv4Addr) -> bool {
        self.addresses.contains(&ip.to_string())
    }

    /// Gives an agent this address, or takes it out. An address that no agent is left behind goes; one that never had any,
    /// and so is somebody else's, stays.
    pub(super) fn set(&mut self, mark: &Mark, ip: Option<Ipv4Addr>) {
        let before = self.find(mark);
        self.lines.retain(|line| !matches!(line, Line::Agent(agent, _) if agent == mark));
        if let Some(before) = before.filter(|before| self.agents().all(|(_, other)| other != *before)) {
            self.addresses.remove(&before.to_string());
        }
        self.lines.extend(ip.map(|ip| Line::Agent(mark.clone(), ip)));
        self.addresses.extend(ip.map(|ip| ip.to_string()));
    }

    /// The values of the A record set.
    pub(super) fn address_values(&self) -> Vec<String> {
        self.addresses.iter().cloned().collect()
    }

    /// The values of the TXT record set.
    pub(super) fn line_values(&self) -> Vec<String> {
        let mut values: Vec<String> = self.lines.iter().map(write_line).collect();
        values.sort();
        values
    }
}

fn read_line(text: &str) -> Option<Line> {
    let (mark, ip) = text.strip_prefix('"')?.strip_suffix('"')?.split_once(' ')?;
    Some(Line::Agent(Mark::read(mark)?, ip.parse().ok()?))
}

fn write_line(line: &Line) -> String {
    match line {
        Line::Agent(mark, ip) => format!("\"{mark} {ip}\""),
        Line::Other(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::registry::AgentId;

    fn marks() -> impl Strategy<Value = Mark> {
        (0..2_u8, 0..4_u8).prop_map(|(owner, id)| Mark::new(&owner.to_string(), &AgentId(format!("a/b:{id}"))))
    }

    fn ips() -> impl Strategy<Value = Ipv4Addr> {
        (0..5_u8).prop_map(|last| Ipv4Addr::new(10, 0, 0, last))
    }

    proptest! {
        #[test]
        fn the_name_always_has_just_its_agents_addresses_and_those_of_others(
            edits in vec((marks(), proptest::option::of(ips())), 0..20),
        ) {
            let others = (["192.0.2.1"], ["\"v=spf1 -all\"", "\"watchkeeper/odd\""]);
            let mut book = Book::read(others.0.into_iter(), others.1.into_iter());
            let mut expected = BTreeMap::new();
            for (mark, ip) in edits {
                book.set(&mark, ip);
                match ip {
                    Some(ip) => expected.insert(mark, ip),
                    None => expected.remove(&mark),
                };
                // As Route 53 would give it back.
                let (addresses, lines) = (book.address_values(), book.line_values());
                book = Book::read(addresses.iter().map(String::as_str), lines.iter().map(String::as_str));

                let agents: BTreeMap<Mark, Ipv4Addr> = book.agents().map(|(mark, ip)| (mark.clone(), ip)).collect();
                prop_assert_eq!(&agents, &expected);
                let wanted: BTreeSet<String> =
                    expected.values().map(Ipv4Addr::to_string).chain(["192.0.2.1".to_owned()]).collect();
                prop_assert_eq!(addresses, wanted.into_iter().collect::<Vec<_>>());
                prop_assert!(others.1.iter().all(|other| lines.iter().any(|line| line == other)));
                prop_assert!(lines.iter().all(|line| line.len() <= 257), "a string of TXT holds 255 bytes");
            }
        }
    }
}
