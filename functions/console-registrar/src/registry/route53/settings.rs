//! What a template says of a name in Route 53.

use watchkeeper_custom_resources::Properties;

/// How the agents of a name become records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Records {
    /// A record set for each task, of the multivalue routing policy.
    PerTask,
    /// One record set with all addresses.
    OneName,
}

/// Which name the agents are found under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The hosted zone's id, `Z…`.
    pub zone: String,
    /// The name, in small letters and without the dot at its end.
    pub name: String,
    /// How many seconds an answer may be kept by who asked.
    pub ttl: u32,
    /// In which form.
    pub records: Records,
}

/// What the name of the TXT record with the owners begins with.
pub(super) const OWNERS: &str = "_watchkeeper.";
/// The longest name that DNS has, so that the TXT record's fits too (RFC 1035: 255 bytes with the lengths of its labels).
const LONGEST: usize = 253 - OWNERS.len();
const FORMS: [(&str, Records); 2] = [("per-task", Records::PerTask), ("one-name", Records::OneName)];
const ZONE: &str = "the id (Z…) of a hosted zone in this account";
const NAME: &str = "a full domain name in that zone, such as agents.example.com";

impl Settings {
    /// Reads the members of `Route53`.
    pub fn read(properties: &mut Properties<'_>) -> Option<Self> {
        let zone = properties.text("HostedZoneId", ZONE).and_then(|given| {
            let id = given.strip_prefix("/hostedzone/").unwrap_or(given);
            let signs = id.bytes().all(|sign| sign.is_ascii_uppercase() || sign.is_ascii_digit());
            let fits = id.starts_with('Z') && (2..=32).contains(&id.len()) && signs;
            if !fits {
                properties.fault("HostedZoneId", format!("must be {ZONE}"));
            }
            fits.then(|| id.to_owned())
        });
        let name = properties.text("Name", NAME).and_then(|given| {
            let name = given.strip_suffix('.').unwrap_or(given).to_ascii_lowercase();
            let fault = name_fault(&name);
            if let Some(fault) = &fault {
                properties.fault("Name", format!("must be {NAME}: {fault}"));
            }
            fault.is_none().then_some(name)
        });
        let ttl = properties.optional_number("Ttl", 1..=86_400).and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or(60);
        let records = properties.one_of("Records", &FORMS, Records::PerTask);
        Some(Self { zone: zone?, name: name?, ttl, records })
    }

    /// Names the registry. The form is part of it: what was registered in one form is not found in the other.
    pub fn identity(&self) -> String {
        let form = FORMS.iter().find(|(_, records)| *records == self.records).map_or("", |(form, _)| form);
        format!("route53/{}/{}/{form}", self.zone, self.name)
    }
}

/// What is wrong with a name. Underscores are common in private zones, and Route 53 takes them.
fn name_fault(name: &str) -> Option<String> {
    let label_fits = |label: &str| {
        let signs = label.bytes().all(|sign| sign.is_ascii_alphanumeric() || sign == b'-' || sign == b'_');
        (1..=63).contains(&label.len()) && signs && !label.starts_with('-') && !label.ends_with('-')
    };
    if name.len() > LONGEST {
        return Some(format!("it is longer than {LONGEST} characters"));
    }
    if name.starts_with("*.") {
        return Some("a wildcard answers for every name, not for agents".to_owned());
    }
    let fits = name.split('.').all(label_fits);
    (!fits).then(|| "between dots stand 1 to 63 letters, digits, - and _".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use watchkeeper_custom_resources::Faults;

    use super::*;

    fn read(value: &Value) -> Result<Settings, Faults> {
        Properties::read(value, Settings::read)
    }

    #[test]
    fn defaults_and_spellings() {
        let settings = read(&json!({ "HostedZoneId": "/hostedzone/Z1D", "Name": "Agents.Example.com." })).unwrap();
        let expected =
            Settings { zone: "Z1D".into(), name: "agents.example.com".into(), ttl: 60, records: Records::PerTask };
        assert_eq!(settings, expected);
        assert_eq!(settings.identity(), "route53/Z1D/agents.example.com/per-task");
        let all = json!({ "HostedZoneId": "Z1D", "Name": "a.b", "Ttl": "5", "Records": "one-name" });
        let settings = read(&all).unwrap();
        assert_eq!((settings.ttl, settings.identity().as_str()), (5, "route53/Z1D/a.b/one-name"));
        let longest = format!("{}.{}", ["a".repeat(63), "b".repeat(63), "c".repeat(63)].join("."), "d".repeat(47));
        let settings = read(&json!({ "HostedZoneId": "Z".repeat(32), "Name": longest })).unwrap();
        assert!(settings.identity().len() <= 600);
        assert!(read(&json!({ "HostedZoneId": "Z1", "Name": format!("{longest}dd") })).is_err());
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let faults =
            read(&json!({ "HostedZoneId": "example.com", "Name": "*.x", "Ttl": "0", "Records": "many", "Port": 1 }));
        assert_eq!(
            faults.unwrap_err().to_string(),
            "#/HostedZoneId must be the id (Z…) of a hosted zone in this account; #/Name must be a full domain name in that \
             zone, such as agents.example.com: a wildcard answers for every name, not for agents; #/Ttl must be a whole \
             number from 1 to 86400; #/Records must be one of: per-task, one-name; #/Port is not known; known are \
             HostedZoneId, Name, Ttl, Records"
        );
        for name in ["a b.c", "a..b", "-a.b", ".", "a.b\n", "[exec].x", &"a".repeat(64)] {
            assert!(read(&json!({ "HostedZoneId": "Z1", "Name": name })).is_err(), "{name:?}");
        }
        assert!(read(&json!({})).is_err());
    }
}
