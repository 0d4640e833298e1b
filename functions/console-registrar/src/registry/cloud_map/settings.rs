//! What a template says of a Cloud Map service.

use watchkeeper_custom_resources::Properties;

/// Which service the agents become instances of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Its id, `srv-…`.
    pub service: String,
}

const WANTED: &str = "the id (srv-…) or the ARN of a Cloud Map service in this account and region";

impl Settings {
    /// Reads the members of `CloudMap`.
    pub fn read(properties: &mut Properties<'_>) -> Option<Self> {
        let given = properties.text("ServiceId", WANTED)?;
        let service = service(given);
        if service.is_none() {
            properties.fault("ServiceId", format!("must be {WANTED}"));
        }
        Some(Self { service: service?.to_owned() })
    }

    /// Names the registry.
    pub fn identity(&self) -> String {
        format!("cloud-map/{}", self.service)
    }
}

/// The id in an id or an ARN.
fn service(given: &str) -> Option<&str> {
    let id = match given.strip_prefix("arn:") {
        // PARTITION:servicediscovery:REGION:ACCOUNT:service/ID
        Some(arn) => match arn.split(':').collect::<Vec<_>>()[..] {
            [_, "servicediscovery", _, _, resource] => resource.strip_prefix("service/")?,
            _ => return None,
        },
        None => given,
    };
    let signs = id.strip_prefix("srv-")?;
    let fits = (1..=60).contains(&signs.len()) && signs.bytes().all(|sign| sign.is_ascii_alphanumeric());
    fits.then_some(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_is_named_by_id_or_arn() {
        let read = |id: &str| Properties::read(&json!({ "ServiceId": id }), Settings::read);
        let arn = "arn:aws-cn:servicediscovery:cn-north-1:123456789012:service/srv-utcrh6wavdkggqtk";
        for given in ["srv-utcrh6wavdkggqtk", arn] {
            let settings = read(given).unwrap();
            assert_eq!(settings.identity(), "cloud-map/srv-utcrh6wavdkggqtk", "{given}");
        }
        let namespace = "arn:aws:servicediscovery:eu-west-1:123456789012:namespace/ns-1";
        for given in ["agents", "srv-", "srv-a/b", "ns-1", namespace, "arn:aws:ecs:eu-west-1:1:service/srv-1"] {
            let faults = read(given).unwrap_err().to_string();
            assert!(faults.starts_with("#/ServiceId must be the id (srv-…) or the ARN"), "{given}: {faults}");
        }
        let faults = Properties::read(&json!({ "ServiceID": "srv-1" }), Settings::read).unwrap_err().to_string();
        assert!(faults.contains("did you mean ServiceId?"), "{faults}");
    }
}
