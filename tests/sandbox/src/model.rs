//! botocore's model of ECS, against which every answer and event of ours is checked.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use serde_json::{Map, Value};

/// Members that a task event's detail has beyond the API's `Task` (EventBridge events reference for ECS).
const EVENT_ONLY: [&str; 1] = ["updatedAt"];

/// How instants are written.
#[derive(Clone, Copy)]
enum Instants {
    /// Seconds since 1970: the API.
    Epoch,
    /// ISO 8601 text: events.
    Text,
}

pub(crate) struct Model {
    shapes: Map<String, Value>,
    operations: Map<String, Value>,
    faults: Mutex<Vec<String>>,
}

impl Model {
    pub(crate) fn load(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let mut model: Value = serde_json::from_str(&text).with_context(|| format!("reading {}", file.display()))?;
        let mut part = |name: &str| match model.get_mut(name).map(Value::take) {
            Some(Value::Object(part)) => Ok(part),
            _ => anyhow::bail!("{} has no `{name}`: it is not a botocore service model", file.display()),
        };
        Ok(Self { shapes: part("shapes")?, operations: part("operations")?, faults: Mutex::default() })
    }

    /// Checks the answer to `operation`.
    pub(crate) fn check_answer(&self, operation: &str, answer: &Value) {
        match self.operations.get(operation).and_then(|operation| operation["output"]["shape"].as_str()) {
            Some(shape) => self.check(shape, answer, operation, Instants::Epoch),
            None => self.fault(format!("{operation}: ECS has no such operation")),
        }
    }

    /// Checks the detail of an "ECS Task State Change" event.
    pub(crate) fn check_task_event(&self, detail: &Value) {
        let mut detail = detail.clone();
        if let Some(members) = detail.as_object_mut() {
            for name in EVENT_ONLY {
                members.remove(name);
            }
        }
        self.check("Task", &detail, "task event", Instants::Text);
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fault(&self, fault: String) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }

    fn check(&self, shape: &str, value: &Value, at: &str, instants: Instants) {
        let Some(definition) = self.shapes.get(shape) else {
            return self.fault(format!("{at}: the model has no shape {shape}"));
        };
        let kind = definition["type"].as_str().unwrap_or_default();
        let fits = match (kind, value) {
            ("structure", Value::Object(members)) => {
                self.check_structure(definition, members, at, instants);
                true
            }
            ("list", Value::Array(items)) => {
                let member = definition["member"]["shape"].as_str().unwrap_or_default();
                for (index, item) in items.iter().enumerate() {
                    self.check(member, item, &format!("{at}[{index}]"), instants);
                }
                true
            }
            ("map", Value::Object(members)) => {
                let member = definition["value"]["shape"].as_str().unwrap_or_default();
                for (name, item) in members {
                    self.check(member, item, &format!("{at}.{name}"), instants);
                }
                true
            }
            ("string", Value::String(text)) => {
                if let Some(allowed) = definition["enum"].as_array()
                    && !allowed.iter().any(|value| value == text)
                {
                    self.fault(format!("{at}: {text:?} is none of {shape}'s values"));
                }
                true
            }
            ("integer" | "long", Value::Number(number)) => number.is_i64() || number.is_u64(),
            ("boolean", Value::Bool(_)) | ("double" | "float", Value::Number(_)) | ("blob", Value::String(_)) => true,
            ("timestamp", Value::Number(_)) => matches!(instants, Instants::Epoch),
            ("timestamp", Value::String(_)) => matches!(instants, Instants::Text),
            _ => false,
        };
        if !fits {
            self.fault(format!("{at}: {value} is not a {kind}"));
        }
    }

    fn check_structure(&self, definition: &Value, members: &Map<String, Value>, at: &str, instants: Instants) {
        for name in definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                self.fault(format!("{at}: the required member {name} is missing"));
            }
        }
        for (name, value) in members {
            match definition["members"][name]["shape"].as_str() {
                Some(shape) => self.check(shape, value, &format!("{at}.{name}"), instants),
                None => self.fault(format!("{at}: there is no member {name}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn model() -> Model {
        let Value::Object(shapes) = json!({
            "Answer": { "type": "structure", "required": ["tasks"], "members": { "tasks": { "shape": "Tasks" } } },
            "Tasks": { "type": "list", "member": { "shape": "Task" } },
            "Task": { "type": "structure", "members": {
                "version": { "shape": "Long" }, "createdAt": { "shape": "When" }, "launchType": { "shape": "Launch" } } },
            "Long": { "type": "long" }, "When": { "type": "timestamp" },
            "Launch": { "type": "string", "enum": ["FARGATE", "EC2"] },
        }) else {
            unreachable!()
        };
        let Value::Object(operations) = json!({ "DescribeTasks": { "output": { "shape": "Answer" } } }) else {
            unreachable!()
        };
        Model { shapes, operations, faults: Mutex::default() }
    }

    #[test]
    fn a_good_answer_has_no_fault() {
        let model = model();
        model.check_answer(
            "DescribeTasks",
            &json!({ "tasks": [{ "version": 2, "createdAt": 1.5, "launchType": "EC2" }] }),
        );
        model.check_task_event(&json!({ "createdAt": "2026-11-20T10:04:31Z", "updatedAt": "2026-11-20T10:04:31Z" }));
        assert_eq!(model.faults(), Vec::<String>::new());
    }

    #[test]
    fn every_kind_of_fault_is_named_with_its_place() {
        let cases = [
            (json!({}), "the required member tasks is missing"),
            (json!({ "tasks": [{ "colour": 1 }] }), "DescribeTasks.tasks[0]: there is no member colour"),
            (json!({ "tasks": [{ "version": "2" }] }), r#"DescribeTasks.tasks[0].version: "2" is not a long"#),
            (json!({ "tasks": [{ "createdAt": "2026" }] }), "is not a timestamp"),
            (json!({ "tasks": [{ "launchType": "MOON" }] }), r#""MOON" is none of Launch's values"#),
        ];
        for (answer, fault) in cases {
            let model = model();
            model.check_answer("DescribeTasks", &answer);
            let faults = model.faults();
            assert!(faults.len() == 1 && faults[0].contains(fault), "{faults:?} should say {fault}");
        }
    }
}
