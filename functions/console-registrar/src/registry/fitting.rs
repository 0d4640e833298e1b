//! What Cloud Map and Route 53 can take of an agent.

use std::net::Ipv4Addr;

use super::{AgentId, Put, Trouble};

/// The longest id that Cloud Map takes.
const LONGEST_ID: usize = 64;

/// Why neither can take an agent of this id, and what would be right. It is the rule of Cloud Map's `InstanceId`
/// (`RegisterInstance`: `^[0-9a-zA-Z_/:.@-]+$`, at most 64 characters). For Route 53 it is ours: nothing in such an id needs
/// escaping in a TXT record.
pub fn misfit(id: &AgentId) -> Option<String> {
    let allowed = |sign: char| sign.is_ascii_alphanumeric() || "_/:.@-".contains(sign);
    if !id.0.is_empty() && id.0.len() <= LONGEST_ID && id.0.chars().all(allowed) {
        return None;
    }
    Some(format!(
        "{:?} cannot be the id of an agent here: at most {LONGEST_ID} letters, digits and _ / : . @ - (with the number that several tasks get)",
        id.0
    ))
}

/// The address to be put, if all of `put` fits.
pub(super) fn ipv4(put: &Put) -> Result<Ipv4Addr, Trouble> {
    if let Some(misfit) = misfit(&put.id) {
        return Err(Trouble::Refused(misfit));
    }
    put.address.host.parse().map_err(|_| {
        Trouble::Refused(format!(
            "{:?}, where the agent {} is, is no IPv4 address; others are not registered here",
            put.address.host, put.id
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_cloud_map_would_refuse_are_told_beforehand() {
        let fits = |id: &str| misfit(&AgentId(id.to_owned())).is_none();
        for id in ["Agent-1", "a", "team/agent:1.x@y_z", &"a".repeat(64)] {
            assert!(fits(id), "{id}");
        }
        for id in ["", "a b", "a\nb", "[exec x]", "\"", "\\", "ä", "$x", &"a".repeat(65)] {
            assert!(!fits(id), "{id}");
        }
        assert!(!misfit(&AgentId("a\nb".to_owned())).unwrap().contains('\n'), "it stays one line");
    }
}
