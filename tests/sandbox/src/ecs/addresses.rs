//! Addresses for tasks: a block of loopback addresses that this sandbox alone uses.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;

/// The port that marks a block as taken, on the block's first address; below the range of ports that Linux gives out.
const CLAIM_PORT: u16 = 20_999;
const FIRST: u8 = 2;
const LAST: u8 = 254;

/// 127.0.X.2 to 127.0.X.254.
pub(crate) struct Addresses {
    block: u8,
    used: Mutex<BTreeSet<u8>>,
    /// Held for as long as the block is: another sandbox cannot bind the same.
    _claim: TcpListener,
}

impl Addresses {
    /// Claims a block that no other sandbox on this machine holds.
    pub(crate) fn claim() -> anyhow::Result<Self> {
        let from = u8::try_from(crate::ids::number(254)).unwrap_or(0);
        // 127.0.0.x is left to the rest of the machine.
        (0..254)
            .map(|step| 1 + from.wrapping_add(step) % 254)
            .find_map(|block| {
                let claim = TcpListener::bind((Ipv4Addr::new(127, 0, block, 1), CLAIM_PORT)).ok()?;
                Some(Self { block, used: Mutex::default(), _claim: claim })
            })
            .with_context(|| {
                format!("no block of loopback addresses 127.0.1.x to 127.0.254.x is free (each is marked by port {CLAIM_PORT})")
            })
    }

    /// The lowest free address, as a fresh network interface would get one; a stopped task's is given out again.
    pub(crate) fn take(&self) -> Option<Ipv4Addr> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let free = (FIRST..=LAST).find(|number| !used.contains(number))?;
        used.insert(free);
        Some(Ipv4Addr::new(127, 0, self.block, free))
    }

    pub(crate) fn give_back(&self, address: Ipv4Addr) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).remove(&address.octets()[3]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sandboxes_never_share_a_block() {
        let (one, two) = (Addresses::claim().unwrap(), Addresses::claim().unwrap());
        assert_ne!(one.block, two.block);
    }

    #[test]
    fn an_address_is_given_out_again_only_after_it_came_back() {
        let addresses = Addresses::claim().unwrap();
        let (one, two) = (addresses.take().unwrap(), addresses.take().unwrap());
        assert_ne!(one, two);
        addresses.give_back(one);
        assert_eq!(addresses.take(), Some(one));
        let rest = std::iter::from_fn(|| addresses.take()).count();
        assert_eq!(rest, usize::from(LAST - FIRST) + 1 - 2);
    }
}
