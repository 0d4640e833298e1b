//! Declarations in a real table: whose they are, through renames that succeed and that do not, and what leads to them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its own functions")]

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use console_registrar::declaration::Declaration;
use console_registrar::follow::Declarations;
use console_registrar::slot::State;
use console_registrar::trouble::Trouble;
use console_registrar::{Table, Wanted};
use sandbox::{Options, Sandbox};
use serde_json::json;
use stories::table::{TABLE, table};
use time::{Duration, OffsetDateTime};
use watchkeeper_custom_resources::{Owner, Properties};
use watchkeeper_declarations::{DeclarationId, Declarations as Stored, Kind, Phase, Taken};
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

/// The attributes of an item, as `TYPE VALUE`.
async fn item(client: &Client, pk: &str, id: &DeclarationId) -> BTreeMap<String, String> {
    let [pk, sk] = [pk, &id.0].map(|part| AttributeValue::S(part.to_owned()));
    let found = client.get_item().table_name(TABLE).key("pk", pk).key("sk", sk).send().await.unwrap().item;
    let shown = |value: AttributeValue| match value {
        AttributeValue::S(text) => format!("S {text}"),
        AttributeValue::N(number) => format!("N {number}"),
        other => panic!("{other:?}"),
    };
    found.unwrap_or_default().into_iter().map(|(name, value)| (name, shown(value))).collect()
}

#[tokio::test]
async fn a_registration_is_stored_as_earlier_versions_wrote_it() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let client = table(&sandbox).await;
    let desk = Desk { table: Table::new(client.clone(), TABLE), id: wanted("a").id() };
    let (old, new) = (owner("agent", "Old"), owner("agent", "New"));
    desk.declare(&old, "a", None).await.unwrap();
    desk.declare(&new, "b", Some(&old)).await.unwrap();
    desk.table.remember(&desk.id, &State::default(), Fence(7)).await.unwrap();
    let sk = format!("S {}", desk.id);
    let (properties, before) = (wanted("b").properties, wanted("a").properties);
    let expected = [
        ("pk", "S registrations".to_owned()),
        ("sk", sk.clone()),
        ("schema", "N 1".to_owned()),
        ("stack", format!("S {}", new.stack_id)),
        ("logical_id", "S New".to_owned()),
        ("service", format!("S {}", arn("b"))),
        ("properties", format!("S {properties}")),
        ("phase", "S kept".to_owned()),
        ("declared_at", format!("N {}", NOW.unix_timestamp())),
        ("state", r#"S {"slots":{}}"#.to_owned()),
        ("version", "N 2".to_owned()),
        ("fence", "N 7".to_owned()),
        ("before_logical_id", "S Old".to_owned()),
        ("before_properties", format!("S {before}")),
        ("before_service", format!("S {}", arn("a"))),
        ("before_at", format!("N {}", NOW.unix_timestamp())),
    ];
    let named = |(name, value): (&str, String)| (name.to_owned(), value);
    assert_eq!(item(&client, "registrations", &desk.id).await, expected.map(named).into());
    let partition = format!("registrations-of#{}", arn("b"));
    let way = [("pk", format!("S {partition}")), ("sk", sk), ("schema", "N 1".into()), ("version", "N 2".into())];
    assert_eq!(item(&client, &partition, &desk.id).await, way.map(named).into());
    sandbox.stop().await.unwrap();
}

const TESTS: Kind = Kind { partition: "tests", keys: "keys", nothing: "none" };

/// Declarations about several keys, and the one of this test.
struct Several {
    client: Client,
    stored: Stored,
    id: DeclarationId,
    owner: Owner,
}

impl Several {
    async fn new(sandbox: &Sandbox) -> Self {
        let client = table(sandbox).await;
        let stored = Stored::new(client.clone(), TABLE, TESTS);
        Self { client, stored, id: DeclarationId("target".to_owned()), owner: owner("agent", "Sync") }
    }

    async fn declare(&self, owner: &Owner, keys: &[&str], renamed: Option<&Owner>) {
        let properties = json!({"Keys": keys});
        self.stored.declare(&self.id, owner, &properties, keys, renamed, NOW).await.unwrap().unwrap();
        assert_eq!(self.stored.get(&self.id).await.unwrap().unwrap().properties, properties);
    }

    /// Has the way from this key be of a newer declaration than there is, as who is late finds it.
    async fn renew(&self, key: &str) {
        let [pk, sk] = [format!("tests-of#{key}"), self.id.0.clone()].map(AttributeValue::S);
        let update = self.client.update_item().table_name(TABLE).key("pk", pk).key("sk", sk);
        let update = update.update_expression("SET #version = :newer").condition_expression("attribute_exists(pk)");
        let update = update.expression_attribute_names("#version", "version");
        update.expression_attribute_values(":newer", AttributeValue::N("99".to_owned())).send().await.unwrap();
    }

    /// Exactly these of the keys lead to it.
    async fn led_from(&self, keys: &[&str]) {
        let mut leading = BTreeSet::new();
        for key in ["a", "b", "c", "d"] {
            let found = self.stored.of(key).await.unwrap();
            assert!(found.is_empty() || found == [self.id.clone()], "{key}: {found:?}");
            leading.extend((!found.is_empty()).then_some(key));
        }
        assert_eq!(leading, keys.iter().copied().collect());
    }
}

#[tokio::test]
async fn each_key_that_a_declaration_is_about_leads_to_it_and_no_other() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let all = Several::new(&sandbox).await;
    let (old, new) = (all.owner.clone(), owner("agent", "New"));
    all.declare(&old, &["a", "b"], None).await;
    let found = all.stored.get(&all.id).await.unwrap().unwrap();
    assert_eq!((&found.owner, found.phase, &*found.state, found.version), (&old, Phase::Kept, "none", 1));
    all.led_from(&["a", "b"]).await;
    all.declare(&old, &["b", "c", "d"], None).await;
    all.led_from(&["b", "c", "d"]).await;
    assert_eq!(all.stored.all().await.unwrap(), [Ok(all.stored.get(&all.id).await.unwrap().unwrap())]);

    // About nothing, and about something again.
    all.declare(&old, &[], None).await;
    all.led_from(&[]).await;
    all.declare(&old, &["a", "b"], None).await;

    // Renamed, and the update fails: what the old name declared leads to it again.
    all.declare(&new, &["b", "c"], Some(&old)).await;
    all.led_from(&["b", "c"]).await;
    assert!(!all.stored.leave(&all.id, &new, NOW).await.unwrap());
    let found = all.stored.get(&all.id).await.unwrap().unwrap();
    assert_eq!((found.owner, found.properties), (old.clone(), json!({"Keys": ["a", "b"]})));
    for key in ["a", "b"] {
        assert_eq!(all.stored.of(key).await.unwrap(), std::slice::from_ref(&all.id), "{key}");
    }

    // The next declaration, and its end.
    all.declare(&old, &["a", "b", "c"], None).await;
    all.stored.remember(&all.id, "some", Fence(7)).await.unwrap();
    assert!(all.stored.leave(&all.id, &old, NOW).await.unwrap());
    all.led_from(&["a", "b", "c"]).await;
    assert_eq!(all.stored.get(&all.id).await.unwrap().unwrap().state, "some");
    all.stored.gone(&all.id, Fence(7)).await.unwrap();
    all.led_from(&[]).await;
    assert_eq!(all.stored.all().await.unwrap(), []);
    sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn who_forgets_late_leaves_what_was_declared_since() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let all = Several::new(&sandbox).await;
    all.declare(&all.owner, &["a", "b", "c"], None).await;
    all.renew("a").await;
    all.declare(&all.owner, &["c"], None).await;
    all.led_from(&["a", "c"]).await;
    all.renew("c").await;
    assert!(all.stored.leave(&all.id, &all.owner, NOW).await.unwrap());
    all.stored.gone(&all.id, Fence(7)).await.unwrap();
    all.led_from(&["a", "c"]).await;
    sandbox.stop().await.unwrap();
}

#[tokio::test]
async fn a_key_leads_to_a_declaration_while_there_is_work_on_it() {
    let sandbox = Sandbox::start(Options::default(), |_| ()).await.unwrap();
    let all = Several::new(&sandbox).await;
    all.declare(&all.owner, &["a"], None).await;
    all.stored.link(&all.id, "b", Fence(5)).await.unwrap();
    all.led_from(&["a", "b"]).await;
    let way = item(&all.client, "tests-of#b", &all.id).await;
    assert!(way.contains_key("expires_at") && way["schema"] == "N 1", "{way:?}");
    // Newer work does the same; the older, which is late, changes nothing.
    all.stored.link(&all.id, "b", Fence(6)).await.unwrap();
    all.stored.link(&all.id, "b", Fence(5)).await.unwrap();
    all.stored.unlink(&all.id, "b", Fence(5)).await.unwrap();
    all.led_from(&["a", "b"]).await;
    all.stored.unlink(&all.id, "b", Fence(6)).await.unwrap();
    all.stored.unlink(&all.id, "b", Fence(6)).await.unwrap();
    all.led_from(&["a"]).await;

    // What is declared, before or after, is not work's to forget, nor does it go with time.
    all.stored.link(&all.id, "a", Fence(7)).await.unwrap();
    all.stored.link(&all.id, "b", Fence(7)).await.unwrap();
    all.declare(&all.owner, &["a", "b"], None).await;
    for key in ["a", "b"] {
        all.stored.unlink(&all.id, key, Fence(8)).await.unwrap();
        let way = item(&all.client, &format!("tests-of#{key}"), &all.id).await;
        assert_eq!(way.keys().collect::<Vec<_>>(), ["pk", "schema", "sk", "version"]);
    }
    all.led_from(&["a", "b"]).await;
    sandbox.stop().await.unwrap();
}
