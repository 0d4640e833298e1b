//! Declarations of registrations in a real table: whose they are, through renames that succeed and that do not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use console_registrar::declaration::{Declaration, DeclarationId, Phase};
use console_registrar::follow::Declarations;
use console_registrar::slot::State;
use console_registrar::trouble::Trouble;
use console_registrar::{Table, Taken, Wanted};
use sandbox::{Options, Sandbox};
use serde_json::json;
use stories::table::{TABLE, table};
use time::{Duration, OffsetDateTime};
use watchkeeper_custom_resources::{Owner, Properties};
use watchkeeper_events::ServiceArn;
use watchkeeper_lease::Fence;

const NOW: OffsetDateTime = time::macros::datetime!(2026-11-21 12:00 UTC);

fn owner(stack: &str, logical_id: &str) -> Owner {
    let stack_id = format!("arn:aws:cloudformation:eu-west-1:123456789012:stack/{stack}/1");
    Owner { stack_id, logical_id: logical_id.to_owned() }
}

fn arn(service: &str) -> ServiceArn {
    ServiceArn::parse(&format!("arn:aws:ecs:eu-west-1:123456789012:service/demo/{service}")).unwrap()
}

fn wanted(service: &str) -> Wanted {
    let properties = json!({
        "Service": arn(service).as_str(), "AgentId": "CAP", "Port": "20001",
        "Registry": {"CloudMap": {"ServiceId": "srv-1"}},
    });
    Properties::read(&properties, Wanted::read).unwrap()
}

/// The declarations, and whoever asks about the one of this test.
struct Desk {
    table: Table,
    id: DeclarationId,
}

impl Desk {
    async fn declare(&self, owner: &Owner, service: &str, renamed: Option<&Owner>) -> Result<(), Taken> {
        self.table.declare(&self.id, owner, &wanted(service), renamed, NOW).await.unwrap()
    }

    async fn leave(&self, owner: &Owner) -> bool {
        self.table.leave(&self.id, owner, NOW).await.unwrap()
    }

    async fn found(&self) -> Option<Declaration> {
        self.table.get(&self.id).await.unwrap()
    }

    /// Whose it is, about which service, and whether events of that service lead to it.
    async fn has(&self, owner: &Owner, service: &str) {
        let found = self.found().await.unwrap();
        assert_eq!((&found.owner, &found.service, found.phase), (owner, &arn(service), Phase::Kept));
        assert_eq!(self.table.of_service(&arn(service)).await.unwrap(), std::slice::from_ref(&self.id));
    }
}

#[tokio::test]
async fn a_declaration_is_one_owners_and_a_rename_that_fails_gives_it_back() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let desk = Desk { table: Table::new(table(&sandbox).await, TABLE), id: wanted("a").id() };
    let (old, new, other) = (owner("agent", "Old"), owner("agent", "New"), owner("another", "Old"));
    desk.declare(&old, "a", None).await.unwrap();
    assert_eq!(desk.declare(&other, "b", None).await, Err(Taken(old.clone())));
    assert!(!desk.leave(&other).await, "another stack's deletion is none of its business");
    desk.has(&old, "a").await;

    // Renamed, with another service; the stack's update fails, so only the new name is deleted, twice.
    desk.declare(&new, "b", Some(&old)).await.unwrap();
    desk.declare(&new, "b", None).await.unwrap();
    desk.has(&new, "b").await;
    assert!(!desk.leave(&new).await);
    assert!(!desk.leave(&new).await);
    desk.has(&old, "a").await;

    // Renamed, and the old name is deleted: then the new one is its only owner.
    desk.declare(&new, "b", Some(&old)).await.unwrap();
    assert!(!desk.leave(&old).await);
    desk.has(&new, "b").await;
    assert!(desk.leave(&new).await);
    assert_eq!(desk.found().await.unwrap().phase, Phase::Leaving);
    assert_eq!(desk.table.gone(&desk.id, Fence(7)).await, Ok(()));
    assert_eq!(desk.found().await, None);
    assert_eq!(desk.table.of_service(&arn("b")).await.unwrap(), []);

    // Who is late changes nothing; then anybody may have it.
    assert_eq!(desk.table.remember(&desk.id, &State::default(), Fence(7)).await, Err(Trouble::FencedOff));
    desk.declare(&other, "a", None).await.unwrap();
    assert_eq!(desk.table.remember(&desk.id, &State::default(), Fence(6)).await, Err(Trouble::FencedOff));
    desk.has(&other, "a").await;
    // A rename that nobody ever settled does not keep a deletion from being one.
    let renamed = owner("another", "New");
    desk.declare(&renamed, "a", Some(&other)).await.unwrap();
    assert!(desk.table.leave(&desk.id, &renamed, NOW + Duration::days(2)).await.unwrap());
    sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_let_go_is_free_and_what_the_frame_reads_is_not_stored() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let desk = Desk { table: Table::new(table(&sandbox).await, TABLE), id: wanted("a").id() };
    let (ours, other) = (owner("agent", "Registration"), owner("another", "Registration"));
    let mut properties = wanted("a").properties;
    properties["Mode"] = json!("act");
    properties["ServiceToken"] = json!("arn");
    let read = |properties: &mut Properties<'_>| {
        properties.one_of("Mode", &[("act", ())], ());
        Wanted::read(properties)
    };
    let with_mode = Properties::read(&properties, read).unwrap();
    desk.table.declare(&desk.id, &ours, &with_mode, None, NOW).await.unwrap().unwrap();
    desk.has(&ours, "a").await;
    desk.table.release(&desk.id, &other).await.unwrap();
    desk.has(&ours, "a").await;
    desk.table.release(&desk.id, &ours).await.unwrap();
    assert_eq!(desk.found().await, None);
    desk.declare(&other, "a", None).await.unwrap();
    desk.has(&other, "a").await;
    sandbox.stop().await.unwrap();
}
