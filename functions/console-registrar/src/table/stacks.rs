//! What stacks do to declarations: declare, take over under another name, take back, let go.

use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use time::OffsetDateTime;
use watchkeeper_custom_resources::Owner;

use super::{ALL, Item, MEMORY, SCHEMA, Table, before, is_refused, name, number, owner_of, refused, string, text};
use crate::declaration::{DeclarationId, Phase};
use crate::trouble::Trouble;
use crate::wanted::Wanted;

/// Keeps what was declared under the old name. On the right are the values before the update.
const KEEP_BEFORE: &str = ", before_logical_id = logical_id, before_properties = properties, before_service = service, \
                           before_at = :now";
/// The old name has it again.
const GIVE_BACK: &str = "SET logical_id = before_logical_id, properties = before_properties, service = before_service, \
                         #version = #version + :one REMOVE before_logical_id, before_properties, before_service, before_at";
/// The old name is gone.
const SETTLE: &str =
    "SET #version = #version + :one REMOVE before_logical_id, before_properties, before_service, before_at";

/// Who has a declaration that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken(pub Owner);

impl Table {
    /// Stores what a stack declares, unless another stack has declared the same agent.
    ///
    /// `renamed` is the owner that it has now if that is the same stack's under another logical id: the name in the template
    /// was changed. What that one declared is kept until the old name is deleted, or the new one is because the update fails.
    pub async fn declare(
        &self,
        id: &DeclarationId,
        owner: &Owner,
        wanted: &Wanted,
        renamed: Option<&Owner>,
        now: OffsetDateTime,
    ) -> Result<Result<(), Taken>, Trouble> {
        let doing = "storing the declaration";
        let (keep, condition) = match renamed {
            Some(_) => (KEEP_BEFORE, "stack = :stack AND logical_id = :expected AND phase = :kept"),
            None => ("", "attribute_not_exists(pk) OR phase = :gone OR (stack = :stack AND logical_id = :expected)"),
        };
        let update = self
            .update(ALL, &id.0)
            .update_expression(format!(
                "SET #schema = :schema, stack = :stack, logical_id = :logical_id, service = :service, \
                 properties = :properties, phase = :kept, declared_at = :now, #state = if_not_exists(#state, :nothing), \
                 #version = if_not_exists(#version, :zero) + :one{keep} REMOVE expires_at"
            ))
            .condition_expression(condition)
            .expression_attribute_names("#schema", "schema")
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":schema", number(&SCHEMA))
            .expression_attribute_values(":stack", text(&owner.stack_id))
            .expression_attribute_values(":logical_id", text(&owner.logical_id))
            .expression_attribute_values(":expected", text(&renamed.unwrap_or(owner).logical_id))
            .expression_attribute_values(":service", text(wanted.service.as_str()))
            .expression_attribute_values(":properties", text(&wanted.properties.to_string()))
            .expression_attribute_values(":kept", text(name(Phase::Kept)))
            .expression_attribute_values(":now", number(&now.unix_timestamp()))
            .expression_attribute_values(":nothing", text("{\"slots\":{}}"))
            .expression_attribute_values(":zero", number(&0))
            .expression_attribute_values(":one", number(&1))
            .return_values(ReturnValue::AllOld)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        // DynamoDB refuses a value that no expression uses.
        let update = match renamed {
            Some(_) => update,
            None => update.expression_attribute_values(":gone", text(name(Phase::Gone))),
        };
        let before = match update.send().await {
            Ok(answer) => before(answer.attributes().unwrap_or(&Item::new())),
            Err(error) => match refused(&error) {
                Some(item) => return Ok(Err(Taken(owner_of(&item)))),
                None => return Err(Trouble::call(doing, &error)),
            },
        };
        self.lead(wanted.service.as_str(), id, before.version + 1).await?;
        if let Some(service) = before.service.filter(|service| service != wanted.service.as_str()) {
            self.forget_way(&service, id, before.version).await?;
        }
        Ok(Ok(()))
    }

    /// Notes that a declaration's entries are not wanted any more; says whether that is so.
    ///
    /// It is not where the declaration is somebody else's; where the owner took it over from the same stack's other name,
    /// which then has it again; and where that other name is deleted, which settles it.
    pub async fn leave(&self, id: &DeclarationId, owner: &Owner, now: OffsetDateTime) -> Result<bool, Trouble> {
        let doing = "noting that the declaration goes";
        let update = self
            .update(ALL, &id.0)
            .update_expression("SET phase = :leaving, #version = #version + :one")
            .condition_expression(
                "stack = :stack AND logical_id = :logical_id AND phase <> :gone AND \
                 (attribute_not_exists(before_at) OR before_at < :long_ago)",
            )
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":leaving", text(name(Phase::Leaving)))
            .expression_attribute_values(":gone", text(name(Phase::Gone)))
            .expression_attribute_values(":one", number(&1))
            .expression_attribute_values(":stack", text(&owner.stack_id))
            .expression_attribute_values(":logical_id", text(&owner.logical_id))
            .expression_attribute_values(":long_ago", number(&(now - MEMORY).unix_timestamp()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let found = match update.send().await {
            Ok(_) => return Ok(true),
            Err(error) => refused(&error).ok_or_else(|| Trouble::call(doing, &error))?,
        };
        let is_named = |attribute| string(&found, attribute) == Some(&*owner.logical_id);
        if string(&found, "stack") != Some(&*owner.stack_id) || string(&found, "phase") == Some(name(Phase::Gone)) {
            return Ok(false);
        }
        let update = if is_named("logical_id") {
            let service = string(&found, "before_service").unwrap_or_default();
            self.lead(service, id, before(&found).version + 1).await?;
            GIVE_BACK
        } else if is_named("before_logical_id") {
            SETTLE
        } else {
            return Ok(false);
        };
        let update = self
            .update(ALL, &id.0)
            .update_expression(update)
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", number(&before(&found).version))
            .expression_attribute_values(":one", number(&1));
        update.send().await.map_err(|error| Trouble::call(doing, &error))?;
        Ok(false)
    }

    /// Forgets a declaration and leaves its entries as they are; what is known of them stays, for who declares it next.
    pub async fn release(&self, id: &DeclarationId, owner: &Owner) -> Result<(), Trouble> {
        let update = self
            .update(ALL, &id.0)
            .update_expression("SET phase = :gone, #version = #version + :one REMOVE before_at")
            .condition_expression("stack = :stack AND logical_id = :logical_id")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":gone", text(name(Phase::Gone)))
            .expression_attribute_values(":one", number(&1))
            .expression_attribute_values(":stack", text(&owner.stack_id))
            .expression_attribute_values(":logical_id", text(&owner.logical_id));
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_refused(&error) => Ok(()),
            Err(error) => Err(Trouble::call("letting go of the declaration", &error)),
        }
    }
}
