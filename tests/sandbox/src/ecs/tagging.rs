//! Tags of tasks, which ministack does not know.

use serde_json::{Value, json};

use super::engine::Engine;
use super::refusal::Refusal;
use super::task::Status;

/// Whether a request of `TagResource`, `UntagResource` or `ListTagsForResource` is about a task.
pub(crate) fn is_about_a_task(request: &Value) -> bool {
    request["resourceArn"].as_str().is_some_and(|arn| arn.contains(":task/"))
}

/// Answers such a request.
pub(crate) fn answer(engine: &Engine, action: &str, request: &Value) -> Result<Value, Refusal> {
    let mut world = engine.world();
    let arn = request["resourceArn"].as_str().unwrap_or_default();
    let found = world.tasks.iter().find(|task| task.arn == arn);
    let task = found.ok_or_else(|| Refusal::invalid("The specified task was not found."))?;
    if action == "ListTagsForResource" {
        return Ok(json!({ "tags": task.tags }));
    }
    if task.status == Status::Stopped {
        return Err(Refusal::invalid("A stopped task keeps the tags it has."));
    }
    let id = task.id.clone();
    // No event tells of a tag.
    world.quietly(&id, |task| {
        if action == "TagResource" {
            add(&mut task.tags, request["tags"].as_array().map(Vec::as_slice).unwrap_or_default());
        } else {
            remove(&mut task.tags, request["tagKeys"].as_array().map(Vec::as_slice).unwrap_or_default());
        }
    });
    Ok(json!({}))
}

fn add(tags: &mut Vec<Value>, more: &[Value]) {
    for tag in more {
        remove(tags, &[tag["key"].clone()]);
        tags.push(tag.clone());
    }
}

fn remove(tags: &mut Vec<Value>, keys: &[Value]) {
    tags.retain(|tag| !keys.contains(&tag["key"]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_replaces_that_of_its_key() {
        let mut tags = vec![json!({ "key": "a", "value": "1" }), json!({ "key": "b", "value": "2" })];
        add(&mut tags, &[json!({ "key": "a", "value": "3" }), json!({ "key": "c" })]);
        remove(&mut tags, &[json!("b"), json!("unknown")]);
        assert_eq!(tags, [json!({ "key": "a", "value": "3" }), json!({ "key": "c" })]);
    }
}
