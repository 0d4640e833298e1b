//! What stacks do to declarations: declare, take over under another name, take back, let go.

use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use serde_json::Value;
use time::OffsetDateTime;
use watchkeeper_aws_errors::Failed;
use watchkeeper_custom_resources::Owner;

use crate::declaration::{DeclarationId, Phase, Taken};
use crate::declarations::{Declarations, MEMORY};
use crate::item::{
    Item, SCHEMA, is_gone, is_refused, keys_of, keys_value, number, owner_of, refused, string, text, version_of,
};
use crate::trouble::Trouble;

/// Keeps what was declared under the old name. On the right are the values before the update.
const KEEP_BEFORE: &str = ", before_logical_id = logical_id, before_properties = properties, #before_keys = #keys, \
                           before_at = :now";
/// The old name has it again.
const GIVE_BACK: &str = "SET logical_id = before_logical_id, properties = before_properties, #keys = #before_keys, \
                         #version = #version + :one REMOVE before_logical_id, before_properties, #before_keys, before_at";
/// The old name is gone.
const SETTLE: &str =
    "SET #version = #version + :one REMOVE before_logical_id, before_properties, #before_keys, before_at";

impl Declarations {
    /// Stores what a stack declares, unless another stack has declared the same; from now on the keys lead to it, and no others
    /// that were declared.
    ///
    /// `renamed` is the owner that it has now if that is the same stack's under another logical id: the name in the template
    /// was changed. What that one declared is kept until the old name is deleted, or the new one is because the update fails.
    pub async fn declare(
        &self,
        id: &DeclarationId,
        owner: &Owner,
        properties: &Value,
        keys: &[&str],
        renamed: Option<&Owner>,
        now: OffsetDateTime,
    ) -> Result<Result<(), Taken>, Trouble> {
        let (keep, condition) = match renamed {
            Some(_) => (KEEP_BEFORE, "stack = :stack AND logical_id = :expected AND phase = :kept"),
            None => ("", "attribute_not_exists(pk) OR phase = :gone OR (stack = :stack AND logical_id = :expected)"),
        };
        let update = self
            .update(self.kind.partition, id)
            .update_expression(format!(
                "SET #schema = :schema, stack = :stack, logical_id = :logical_id, #keys = :keys, \
                 properties = :properties, phase = :kept, declared_at = :now, #state = if_not_exists(#state, :nothing), \
                 #version = if_not_exists(#version, :zero) + :one{keep} REMOVE expires_at"
            ))
            .condition_expression(condition)
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#version", "version")
            .expression_attribute_names("#keys", self.kind.keys)
            .expression_attribute_values(":schema", number(&SCHEMA))
            .expression_attribute_values(":stack", text(&owner.stack_id))
            .expression_attribute_values(":logical_id", text(&owner.logical_id))
            .expression_attribute_values(":expected", text(&renamed.unwrap_or(owner).logical_id))
            .expression_attribute_values(":keys", keys_value(keys))
            .expression_attribute_values(":properties", text(&properties.to_string()))
            .expression_attribute_values(":kept", text(Phase::Kept.name()))
            .expression_attribute_values(":now", number(&now.unix_timestamp()))
            .expression_attribute_values(":nothing", text(self.kind.nothing))
            .expression_attribute_values(":zero", number(&0))
            .expression_attribute_values(":one", number(&1))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        // DynamoDB refuses a name or a value that no expression uses.
        let update = match renamed {
            Some(_) => update.expression_attribute_names("#before_keys", self.before_keys()),
            None => update.expression_attribute_values(":gone", text(Phase::Gone.name())),
        };
        let before = match update.send().await {
            Ok(answer) => answer.attributes.unwrap_or_default(),
            Err(error) => match refused(&error) {
                Some(item) => return Ok(Err(Taken(owner_of(&item)))),
                None => return Err(Failed::of("storing the declaration", &error).into()),
            },
        };
        let version = version_of(&before);
        for key in keys {
            self.lead(key, id, version + 1).await?;
        }
        for key in keys_of(&before, self.kind.keys).into_iter().filter(|key| !keys.contains(key)) {
            self.forget_way(key, id, version).await?;
        }
        Ok(Ok(()))
    }

    /// Notes that a declaration is not wanted any more; says whether that is so.
    ///
    /// It is not where the declaration is somebody else's; where the owner took it over from the same stack's other name,
    /// which then has it again; and where that other name is deleted, which settles it.
    pub async fn leave(&self, id: &DeclarationId, owner: &Owner, now: OffsetDateTime) -> Result<bool, Trouble> {
        let doing = "noting that the declaration goes";
        let update = self
            .update(self.kind.partition, id)
            .update_expression("SET phase = :leaving, #version = #version + :one")
            .condition_expression(
                "stack = :stack AND logical_id = :logical_id AND phase <> :gone AND \
                 (attribute_not_exists(before_at) OR before_at < :long_ago)",
            )
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":leaving", text(Phase::Leaving.name()))
            .expression_attribute_values(":gone", text(Phase::Gone.name()))
            .expression_attribute_values(":one", number(&1))
            .expression_attribute_values(":stack", text(&owner.stack_id))
            .expression_attribute_values(":logical_id", text(&owner.logical_id))
            .expression_attribute_values(":long_ago", number(&(now - MEMORY).unix_timestamp()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let found: Item = match update.send().await {
            Ok(_) => return Ok(true),
            Err(error) => refused(&error).ok_or_else(|| Failed::of(doing, &error))?,
        };
        let is_named = |attribute| string(&found, attribute) == Some(&*owner.logical_id);
        if string(&found, "stack") != Some(&*owner.stack_id) || is_gone(&found) {
            return Ok(false);
        }
        let version = version_of(&found);
        let update = self.update(self.kind.partition, id);
        let update = if is_named("logical_id") {
            for key in keys_of(&found, &self.before_keys()) {
                self.lead(key, id, version + 1).await?;
            }
            update.update_expression(GIVE_BACK).expression_attribute_names("#keys", self.kind.keys)
        } else if is_named("before_logical_id") {
            update.update_expression(SETTLE)
        } else {
            return Ok(false);
        };
        let update = update
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_names("#before_keys", self.before_keys())
            .expression_attribute_values(":version", number(&version))
            .expression_attribute_values(":one", number(&1));
        update.send().await.map_err(|error| Failed::of(doing, &error))?;
        Ok(false)
    }

    /// Forgets a declaration and leaves what it asked for as it is; what is known of that stays, for who declares it next.
    pub async fn release(&self, id: &DeclarationId, owner: &Owner) -> Result<(), Trouble> {
        let update = self
            .update(self.kind.partition, id)
            .update_expression("SET phase = :gone, #version = #version + :one REMOVE before_at")
            .condition_expression("stack = :stack AND logical_id = :logical_id")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":gone", text(Phase::Gone.name()))
            .expression_attribute_values(":one", number(&1))
            .expression_attribute_values(":stack", text(&owner.stack_id))
            .expression_attribute_values(":logical_id", text(&owner.logical_id));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_refused(&error) => Ok(()),
            Err(error) => Err(Failed::of("letting go of the declaration", &error).into()),
        }
    }

    /// The attribute with the keys of the old name.
    fn before_keys(&self) -> String {
        format!("before_{}", self.kind.keys)
    }
}
