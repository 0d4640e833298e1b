//! A table as the stack has it, in a sandbox without the stack.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "only tests make it, and they fail by panicking")]

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use sandbox::Sandbox;

/// Its name.
pub const TABLE: &str = "state";

/// Makes it; returns a client that may do all.
pub async fn table(sandbox: &Sandbox) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(sandbox.endpoint())
        .region(Region::new(sandbox.options().region.clone()))
        .credentials_provider(Credentials::new("test", "test", None, None, "tests"));
    let dynamodb = Client::from_conf(config.build());
    let mut table = dynamodb.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    for (name, role) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name(name).key_type(role);
        table = table.attribute_definitions(attribute.build().unwrap()).key_schema(key.build().unwrap());
    }
    table.send().await.unwrap();
    dynamodb
}
