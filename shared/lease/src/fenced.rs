//! Writes made under a lease, to whatever item the work is about.
//!
//! The item keeps the fence of its last writer, and the write's condition lets no older one through:
//!
//! - `PutItem`: `.item(FENCE, lease.fence.value())`, `.condition_expression(NOT_FENCED_OFF)` and
//!   `.expression_attribute_values(":fence", lease.fence.value())`;
//! - `UpdateItem`: the same without the first, and `SET fence = :fence` in the update expression.
//!
//! A condition of one's own is joined with `AND`. A deleted item has forgotten its fence: an old holder could make it anew,
//! so work that deletes leaves an item that says so.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::key::Fence;

/// The attribute that keeps the last writer's fence.
pub const FENCE: &str = "fence";

/// The condition that nobody with a newer fence wrote the item. Its value `:fence` is [`Fence::value`].
pub const NOT_FENCED_OFF: &str = "(attribute_not_exists(fence) OR fence <= :fence)";

impl Fence {
    /// As an attribute of an item.
    pub fn value(self) -> AttributeValue {
        AttributeValue::N(self.0.to_string())
    }
}
