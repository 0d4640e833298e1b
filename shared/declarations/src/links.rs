//! What leads from a key to the declarations that an event about it concerns.
//!
//! A way that was declared has the declaration's version; one that came with work has the work's fence, and is not touched
//! where there is a declared one. So whatever is late leaves what is newer. A way that leads nowhere costs a look.

use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use time::OffsetDateTime;
use watchkeeper_aws_errors::Failed;
use watchkeeper_lease::{Fence, NOT_FENCED_OFF};

use crate::declaration::DeclarationId;
use crate::declarations::{Declarations, MEMORY};
use crate::item::{SCHEMA, is_refused, number, text};
use crate::trouble::Trouble;

const STORING: &str = "storing the way to the declaration";
const FORGETTING: &str = "forgetting the way to the declaration";

impl Declarations {
    /// Has a key lead to a declaration while there is work on it: a service that is being restarted. It is forgotten after a
    /// day if nobody does; longer work says it again.
    pub async fn link(&self, id: &DeclarationId, key: &str, fence: Fence) -> Result<(), Trouble> {
        let update = self
            .update(&self.partition_of(key), id)
            .update_expression("SET #schema = :schema, fence = :fence, expires_at = :expires")
            .condition_expression(format!("attribute_not_exists(#version) AND {NOT_FENCED_OFF}"))
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":schema", number(&SCHEMA))
            .expression_attribute_values(":fence", fence.value())
            .expression_attribute_values(":expires", number(&(OffsetDateTime::now_utc() + MEMORY).unix_timestamp()));
        match update.send().await {
            Ok(_) => Ok(()),
            // It leads there already.
            Err(error) if is_refused(&error) => Ok(()),
            Err(error) => Err(Failed::of(STORING, &error).into()),
        }
    }

    /// Forgets what [`Self::link`] stored, unless newer work did, or it is declared by now.
    pub async fn unlink(&self, id: &DeclarationId, key: &str, fence: Fence) -> Result<(), Trouble> {
        let delete = self
            .delete_way(key, id)
            .condition_expression(format!("attribute_not_exists(#version) AND {NOT_FENCED_OFF}"))
            .expression_attribute_values(":fence", fence.value());
        unless_newer(delete).await
    }

    /// The way from a declared key; with the declaration's version, so that a deletion which is late leaves it.
    pub(crate) async fn lead(&self, key: &str, id: &DeclarationId, version: u64) -> Result<(), Trouble> {
        let update = self
            .update(&self.partition_of(key), id)
            .update_expression("SET #schema = :schema, #version = :version REMOVE fence, expires_at")
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":schema", number(&SCHEMA))
            .expression_attribute_values(":version", number(&version));
        update.send().await.map_err(|error| Failed::of(STORING, &error))?;
        Ok(())
    }

    pub(crate) async fn forget_way(&self, key: &str, id: &DeclarationId, version: u64) -> Result<(), Trouble> {
        let delete = self
            .delete_way(key, id)
            .condition_expression("attribute_not_exists(pk) OR #version <= :version")
            .expression_attribute_values(":version", number(&version));
        unless_newer(delete).await
    }

    fn delete_way(&self, key: &str, id: &DeclarationId) -> DeleteItemFluentBuilder {
        let delete = self.client.delete_item().table_name(&self.table);
        let delete = delete.key("pk", text(&self.partition_of(key))).key("sk", text(&id.0));
        delete.expression_attribute_names("#version", "version")
    }
}

async fn unless_newer(delete: DeleteItemFluentBuilder) -> Result<(), Trouble> {
    match delete.send().await {
        Ok(_) => Ok(()),
        // It was stored anew.
        Err(error) if is_refused(&error) => Ok(()),
        Err(error) => Err(Failed::of(FORGETTING, &error).into()),
    }
}
