//! Identifiers of the shapes AWS gives out.

use rustix::rand::{GetRandomFlags, getrandom};

/// `N` random bytes from the kernel.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Requests of up to 256 bytes are never cut short once the kernel's pool is ready (getrandom(2)),
    // and by the time user processes run it is; a failure leaves zeros, which a duplicate check would show.
    let _ = getrandom(&mut bytes, GetRandomFlags::empty());
    bytes
}

/// 32 hexadecimal digits: a task's id.
pub(crate) fn hex32() -> String {
    hex(&random::<16>())
}

/// A version 4 UUID: events, attachments, containers, service events.
pub(crate) fn uuid() -> String {
    let mut bytes = random::<16>();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let digits = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

/// `eni-` and 17 hexadecimal digits.
pub(crate) fn network_interface() -> String {
    format!("eni-0{}", hex(&random::<8>()))
}

/// A locally administered MAC address, as elastic network interfaces have.
pub(crate) fn mac_address() -> String {
    let bytes = random::<5>().map(|byte| format!("{byte:02x}"));
    format!("0a:{}", bytes.join(":"))
}

/// A number in `0..below`.
pub(crate) fn number(below: u32) -> u32 {
    u32::from_le_bytes(random::<4>()) % below
}

/// Two digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn identifiers_have_their_shapes_and_differ() {
        let (one, two) = (super::hex32(), super::hex32());
        assert_ne!(one, two);
        assert_eq!(one.len(), 32);
        let uuid = super::uuid();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
        assert_eq!(super::network_interface().len(), "eni-0f1e2d3c4b5a69788".len());
        assert_eq!(super::mac_address().len(), "0a:98:eb:a7:29:ba".len());
        assert!(super::number(3) < 3);
    }
}
