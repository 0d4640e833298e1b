//! A member of a secret's JSON, with the words and forms of Go's `encoding/json` and `fmt`, in which the ECS agent is written.

use serde_json::Value;
use serde_json::error::Category;

/// The member `key` of a secret.
pub(super) fn member(secret: &str, key: &str) -> Result<String, String> {
    let value: Value = serde_json::from_str(secret).map_err(|error| invalid(secret, &error))?;
    let Value::Object(members) = &value else {
        return match kind(&value) {
            None => Err(missing(key)),
            Some(kind) => Err(format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")),
        };
    };
    members.get(key).map(text).ok_or_else(|| missing(key))
}

fn missing(key: &str) -> String {
    format!("retrieved secret from Secrets Manager did not contain json key {key}")
}

/// Go's name of what is no object; `null` is one without members.
fn kind(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null | Value::Object(_) => None,
        Value::Bool(_) => Some("bool"),
        Value::Number(_) => Some("number"),
        Value::String(_) => Some("string"),
        Value::Array(_) => Some("array"),
    }
}

/// The character that does not belong is in ECS's own text too.
fn invalid(secret: &str, error: &serde_json::Error) -> String {
    if error.classify() == Category::Eof {
        return "unexpected end of JSON input".to_owned();
    }
    let line = secret.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let character = match line.as_bytes().get(error.column().saturating_sub(1)) {
        Some(b'\'') => "'\\''".to_owned(),
        Some(byte) => format!("'{}'", char::from(*byte).escape_debug()).replace("\\\"", "\""),
        None => "'\\n'".to_owned(),
    };
    let place = if error.to_string().starts_with("trailing") {
        "after top-level value"
    } else {
        "looking for beginning of value"
    };
    format!("invalid character {character} {place}")
}

/// The agent writes a member with `%v`: what is no string takes Go's form and not JSON's.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.as_f64().map_or_else(|| value.to_string(), number),
        Value::String(value) => value.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(" ")),
        Value::Object(members) => {
            let members: Vec<_> = members.iter().map(|(key, value)| format!("{key}:{}", text(value))).collect();
            format!("map[{}]", members.join(" "))
        }
    }
}

/// All numbers are float64 there, and an exponent of at least two digits begins with the seventh digit.
fn number(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_written_as_go_writes_it() {
        let secret = r#"{ "s": "a \"b\"", "port": 5432, "t": true, "big": 1234567, "account": 123456789012, "small": 0.00001,
            "half": 0.5, "none": null, "list": [1, "x"], "map": { "b": 2, "a": "y" } }"#;
        for (key, expected) in [
            ("s", "a \"b\""),
            ("port", "5432"),
            ("t", "true"),
            ("big", "1.234567e+06"),
            ("account", "1.23456789012e+11"),
            ("small", "1e-05"),
            ("half", "0.5"),
            ("none", "<nil>"),
            ("list", "[1 x]"),
            ("map", "map[a:y b:2]"),
        ] {
            assert_eq!(member(secret, key).as_deref(), Ok(expected), "{key}");
        }
    }

    #[test]
    fn what_has_no_such_member_is_refused_in_gos_words() {
        for (secret, expected) in [
            ("{}", "retrieved secret from Secrets Manager did not contain json key k"),
            ("null", "retrieved secret from Secrets Manager did not contain json key k"),
            ("[1]", "json: cannot unmarshal array into Go value of type map[string]interface {}"),
            ("12", "json: cannot unmarshal number into Go value of type map[string]interface {}"),
            ("", "unexpected end of JSON input"),
            ("{\"k\":", "unexpected end of JSON input"),
            ("password", "invalid character 'p' looking for beginning of value"),
            ("  'a'", "invalid character '\\'' looking for beginning of value"),
            ("12a", "invalid character 'a' after top-level value"),
        ] {
            assert_eq!(member(secret, "k"), Err(expected.to_owned()), "{secret:?}");
        }
    }
}
