//! As much of JSON Schema as custom-notification.schema.json is written in; any other word of it is an error.

use serde_json::{Map, Value};

/// Everything in which `value` does not fit `schema`.
pub(crate) fn misfits(schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let mut misfits = Vec::new();
    let mut holds = |holds: bool, what: String| {
        if !holds {
            misfits.push(format!("{place}: {what}"));
        }
    };
    let mut deeper = Vec::new();
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    for (word, wanted) in schema.as_object().unwrap() {
        let number = || usize::try_from(wanted.as_u64().unwrap()).unwrap();
        let characters = || value.as_str().unwrap_or_default().chars().count();
        match word.as_str() {
            "title" | "description" if wanted.is_string() => {}
            "properties" => {}
            "type" => holds(kind(value) == wanted, format!("is no {wanted}")),
            "const" => holds(value == wanted, format!("is not {wanted}")),
            "minLength" => holds(characters() >= number(), format!("is shorter than {wanted}")),
            "maxLength" => holds(characters() <= number(), format!("is longer than {wanted}")),
            "maxItems" => holds(value.as_array().is_none_or(|items| items.len() <= number()), "too many".to_owned()),
            "required" => {
                for name in wanted.as_array().unwrap() {
                    holds(value.get(name.as_str().unwrap()).is_some(), format!("has no {name}"));
                }
            }
            "items" => {
                for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                    deeper.push((wanted, item, format!("{place}/{n}")));
                }
            }
            "additionalProperties" => {
                for (name, member) in value.as_object().into_iter().flatten() {
                    if !properties.contains_key(name) {
                        holds(wanted.is_object(), format!("has a member {name}"));
                        deeper.extend(wanted.is_object().then(|| (wanted, member, format!("{place}/{name}"))));
                    }
                }
            }
            other => panic!("the schema says {other}, which is not understood here"),
        }
    }
    for (name, wanted) in properties {
        deeper.extend(value.get(name).map(|member| (wanted, member, format!("{place}/{name}"))));
    }
    misfits.extend(deeper.into_iter().flat_map(|(schema, value, place)| self::misfits(schema, value, &place)));
    misfits
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        _ => "other",
    }
}
