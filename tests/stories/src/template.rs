//! infra/watchkeeper.yaml, and templates like it, as data.

use std::path::Path;

use anyhow::Context;
use serde_json::{Map, Value};
use serde_yaml_ng as yaml;

/// The resources of Watchkeeper's template by logical id.
pub fn resources() -> anyhow::Result<Map<String, Value>> {
    resources_of(&sandbox::stack::root().join("infra/watchkeeper.yaml"))
}

/// What a parameter of Watchkeeper's template is where nobody says otherwise; none where that is nothing.
pub fn default_of(parameter: &str) -> anyhow::Result<Option<String>> {
    let template = read(&sandbox::stack::root().join("infra/watchkeeper.yaml"))?;
    let default = &template["Parameters"][parameter]["Default"];
    Ok(Some(about(default)).filter(|default| !default.is_empty() && default != "null"))
}

/// A template's resources by logical id.
pub fn resources_of(path: &Path) -> anyhow::Result<Map<String, Value>> {
    read(path)?["Resources"].as_object().cloned().context("the template has no resources")
}

fn read(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(json(yaml::from_str(&text).context("the template is not YAML")?))
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

/// What a `!Ref`, `!GetAtt` or `!Sub` is about: the logical id, or the text; of an `!If`, where its condition holds.
pub fn about(value: &Value) -> String {
    if let Some(branches) = value.get("If") {
        return about(&branches[1]);
    }
    let text = value.get("Ref").or(value.get("GetAtt")).or(value.get("Sub")).unwrap_or(value);
    let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
    match value.get("GetAtt") {
        Some(_) => text.split('.').next().unwrap_or_default().to_owned(),
        None => text,
    }
}

/// One value or a list of them.
pub fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

/// All that is said about what a role may do: in it, under a condition or not, and in policies of their own.
pub fn statements(resources: &Map<String, Value>, role: &str) -> Vec<Value> {
    let inline = list(&resources[role]["Properties"]["Policies"]).into_iter();
    let inline = inline.flat_map(|policy| if policy["If"].is_null() { vec![policy] } else { list(&policy["If"]) });
    let attached = resources.values().filter(|resource| resource["Type"] == "AWS::IAM::Policy");
    let attached = attached.map(|policy| policy["Properties"].clone());
    let attached = attached.filter(|policy| list(&policy["Roles"]).iter().any(|of| about(of) == role));
    inline
        .chain(attached)
        .filter(|policy| !policy["PolicyDocument"].is_null())
        .flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]))
        .collect()
}

/// Whether a role may do that with a resource of the template.
pub fn may(resources: &Map<String, Value>, role: &str, action: &str, resource: &str) -> bool {
    statements(resources, role).iter().any(|statement| {
        statement["Effect"] == "Allow"
            && list(&statement["Action"]).contains(&action.into())
            && list(&statement["Resource"]).iter().any(|of| about(of) == resource)
    })
}
