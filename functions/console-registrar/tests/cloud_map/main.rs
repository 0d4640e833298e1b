//! Cloud Map: against the local one, and with answers that only the real one gives.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

mod answers;
mod local;
#[path = "../scripted/mod.rs"]
mod scripted;

use aws_sdk_servicediscovery::config::{BehaviorVersion, Builder, Config, Credentials, Region};
use console_registrar::registry::cloud_map::CloudMap;
use console_registrar::registry::{Address, AgentId, Entry, IfStill, Put, Registry};

fn config() -> Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
}

fn id(text: &str) -> AgentId {
    AgentId(text.to_owned())
}

fn put(agent: &str, host: &str, if_still: IfStill) -> Put {
    Put {
        id: id(agent),
        address: Address { host: host.to_owned(), port: 20001 },
        owner: "stack/agent".to_owned(),
        if_still,
    }
}

fn entry(agent: &str, host: &str) -> Entry {
    let address = Some(Address { host: host.to_owned(), port: 20001 });
    Entry { id: id(agent), address, owner: Some("stack/agent".to_owned()), version: None }
}

async fn listed(registry: &CloudMap) -> Vec<Entry> {
    let mut entries = registry.list(&id("Agent")).await.unwrap();
    entries.sort_by(|one, other| one.id.cmp(&other.id));
    entries
}
