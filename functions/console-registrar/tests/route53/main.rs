//! Route 53: against the local one, and with answers that only the real one gives.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

mod answers;
mod local;
#[path = "../scripted/mod.rs"]
mod scripted;

use aws_sdk_route53::config::{BehaviorVersion, Builder, Config, Credentials, Region};
use console_registrar::registry::route53::{Records, Settings};
use console_registrar::registry::{Address, AgentId, IfStill, Put, Trouble};

const OWNER: &str = "arn:aws:cloudformation:eu-west-1:123456789012:stack/formae/0e0e/Registration";

fn config() -> Builder {
    Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"))
}

fn id(text: &str) -> AgentId {
    AgentId(text.to_owned())
}

fn put_of(owner: &str, agent: &str, host: &str, if_still: IfStill) -> Put {
    Put { id: id(agent), address: Address { host: host.to_owned(), port: 20001 }, owner: owner.to_owned(), if_still }
}

fn put(agent: &str, host: &str, if_still: IfStill) -> Put {
    put_of(OWNER, agent, host, if_still)
}

fn settings(zone: &str, records: Records) -> Settings {
    Settings { zone: zone.to_owned(), name: "agents.example.com".to_owned(), ttl: 60, records }
}

fn overtaken(outcome: &Result<(), Trouble>) -> bool {
    matches!(outcome, Err(Trouble::Overtaken(_)))
}
