//! Tags in requests. The limits are those of the API reference of `Tag`; the texts are not ECS's.

use std::collections::HashSet;

use serde_json::Value;

use crate::ecs::refusal::Refusal;

const TAGS: usize = 50;
const KEY: usize = 128;
const VALUE: usize = 256;

/// Checks the request's `tags`.
pub(crate) fn given(request: &Value) -> Result<(), Refusal> {
    let tags = request["tags"].as_array().map(Vec::as_slice).unwrap_or_default();
    if tags.len() > TAGS {
        return Err(Refusal::invalid(format!("A resource has at most {TAGS} tags.")));
    }
    let mut keys = HashSet::new();
    for tag in tags {
        let key = tag["key"].as_str().unwrap_or_default();
        if !(1..=KEY).contains(&key.chars().count()) {
            return Err(Refusal::invalid(format!("A tag's key has 1 to {KEY} characters.")));
        }
        if tag["value"].as_str().is_some_and(|value| value.chars().count() > VALUE) {
            return Err(Refusal::invalid(format!("The value of the tag {key} has more than {VALUE} characters.")));
        }
        // "Do not use aws:, AWS:, or any upper or lowercase combination of such as a prefix for either keys or values".
        let reserved = |text: &str| text.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"));
        if reserved(key) || tag["value"].as_str().is_some_and(reserved) {
            return Err(Refusal::invalid(format!("The tag {key} begins with aws:, which is reserved.")));
        }
        if !keys.insert(key) {
            return Err(Refusal::invalid(format!("The tag {key} is given twice.")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tags_have_limits() {
        let many = |count: usize| (0..count).map(|n| json!({ "key": n.to_string() })).collect::<Vec<_>>();
        let good = [json!([]), json!([{ "key": "owner", "value": "ops" }]), json!(many(50)), Value::Null];
        for tags in good {
            assert_eq!(given(&json!({ "tags": tags })), Ok(()), "{tags}");
        }
        let bad = [
            json!(many(51)),
            json!([{ "value": "no key" }]),
            json!([{ "key": "k".repeat(129) }]),
            json!([{ "key": "k", "value": "v".repeat(257) }]),
            json!([{ "key": "AWS:k", "value": "v" }]),
            json!([{ "key": "k", "value": "aws:v" }]),
            json!([{ "key": "k" }, { "key": "k" }]),
        ];
        for tags in bad {
            assert_eq!(given(&json!({ "tags": tags })).unwrap_err().code, "InvalidParameterException", "{tags}");
        }
    }
}
