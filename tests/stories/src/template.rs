//! infra/watchkeeper.yaml as data.

use anyhow::Context;
use serde_json::{Map, Value};
use serde_yaml_ng as yaml;

/// The template's resources by logical id.
pub fn resources() -> anyhow::Result<Map<String, Value>> {
    let path = sandbox::stack::root().join("infra/watchkeeper.yaml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let template = json(yaml::from_str(&text).context("the template is not YAML")?);
    template["Resources"].as_object().cloned().context("the template has no resources")
}

/// YAML as JSON; a tag such as `!Ref X` becomes `{"Ref": "X"}`, `!GetAtt X.Y` becomes `{"GetAtt": "X.Y"}`.
fn json(value: yaml::Value) -> Value {
    match value {
        yaml::Value::Null => Value::Null,
        yaml::Value::Bool(value) => Value::Bool(value),
        yaml::Value::Number(number) => {
            number.as_i64().map(Value::from).or(number.as_f64().map(Value::from)).unwrap_or_default()
        }
        yaml::Value::String(text) => Value::String(text),
        yaml::Value::Sequence(values) => values.into_iter().map(json).collect(),
        yaml::Value::Mapping(mapping) => {
            let name = |key: yaml::Value| key.as_str().map(str::to_owned).unwrap_or_default();
            Value::Object(mapping.into_iter().map(|(key, value)| (name(key), json(value))).collect())
        }
        yaml::Value::Tagged(tagged) => {
            let name = tagged.tag.to_string().trim_start_matches('!').to_owned();
            Value::Object([(name, json(tagged.value))].into_iter().collect())
        }
    }
}

/// What a `!Ref`, `!GetAtt` or `!Sub` is about: the logical id, or the text.
pub fn about(value: &Value) -> String {
    let text = value.get("Ref").or(value.get("GetAtt")).or(value.get("Sub")).unwrap_or(value);
    let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
    match value.get("GetAtt") {
        Some(_) => text.split('.').next().unwrap_or_default().to_owned(),
        None => text,
    }
}
