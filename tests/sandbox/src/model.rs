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

/// How something is not as the model has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// A required member is not there.
    Missing,
    /// A value of another type.
    Type,
    /// A text that is none of the enumeration's.
    Value,
    /// A member that the model does not know.
    Unknown,
}

/// A misfit and its place, in words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) misfit: Misfit,
    pub(crate) text: String,
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
        match self.shape_of(operation, "output") {
            Some(shape) => self.note(Walk::over(self, Instants::Epoch).faults_of(shape, answer, operation)),
            None => self
                .note(vec![Fault { misfit: Misfit::Unknown, text: format!("{operation}: ECS has no such operation") }]),
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
        self.note(Walk::over(self, Instants::Text).faults_of("Task", &detail, "task event"));
    }

    /// The first fault of a request. Members that the model does not know are ignored, as AWS does; absent and null are the
    /// same.
    pub(crate) fn request_fault(&self, operation: &str, request: &Value) -> Option<Fault> {
        let shape = self.shape_of(operation, "input")?;
        let mut walk = Walk::over(self, Instants::Epoch);
        walk.of_request = true;
        walk.faults_of(shape, request, operation).into_iter().find(|fault| fault.misfit != Misfit::Unknown)
    }

    /// Whether requests of `operation` have this member.
    pub(crate) fn takes(&self, operation: &str, member: &str) -> bool {
        let shape = self.shape_of(operation, "input").and_then(|shape| self.shapes.get(shape));
        shape.is_some_and(|shape| !shape["members"][member].is_null())
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn shape_of(&self, operation: &str, side: &str) -> Option<&str> {
        self.operations.get(operation)?[side]["shape"].as_str()
    }

    fn note(&self, found: Vec<Fault>) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        for fault in found {
            if !faults.contains(&fault.text) {
                faults.push(fault.text);
            }
        }
    }
}

/// One comparison of a value with the model.
struct Walk<'a> {
    model: &'a Model,
    instants: Instants,
    /// Then null is as good as absent, and what does not fit is not repeated: it may be a secret in the wrong place.
    of_request: bool,
    faults: Vec<Fault>,
}

impl<'a> Walk<'a> {
    fn over(model: &'a Model, instants: Instants) -> Self {
        Self { model, instants, of_request: false, faults: Vec::new() }
    }

    fn faults_of(mut self, shape: &str, value: &Value, at: &str) -> Vec<Fault> {
        self.check(shape, value, at);
        self.faults
    }

    fn fault(&mut self, misfit: Misfit, text: String) {
        self.faults.push(Fault { misfit, text });
    }

    fn check(&mut self, shape: &str, value: &Value, at: &str) {
        let Some(definition) = self.model.shapes.get(shape) else {
            return self.fault(Misfit::Unknown, format!("{at}: the model has no shape {shape}"));
        };
        if definition["document"] == true {
            return;
        }
        let kind = definition["type"].as_str().unwrap_or_default();
        let fits = match (kind, value) {
            ("structure", Value::Object(members)) => {
                self.check_structure(definition, members, at);
                true
            }
            ("list", Value::Array(items)) => {
                let member = definition["member"]["shape"].as_str().unwrap_or_default();
                for (index, item) in items.iter().enumerate() {
                    self.check(member, item, &format!("{at}[{index}]"));
                }
                true
            }
            ("map", Value::Object(members)) => {
                let member = definition["value"]["shape"].as_str().unwrap_or_default();
                for (name, item) in members {
                    self.check(member, item, &format!("{at}.{name}"));
                }
                true
            }
            ("string", Value::String(text)) => {
                if let Some(allowed) = definition["enum"].as_array()
                    && !allowed.iter().any(|value| value == text)
                {
                    self.fault(
                        Misfit::Value,
                        format!("{at}: {text:?} is none of {shape}'s values: {}", listed(allowed)),
                    );
                }
                true
            }
            ("integer" | "long", Value::Number(number)) => number.is_i64() || number.is_u64(),
            ("boolean", Value::Bool(_)) | ("double" | "float", Value::Number(_)) | ("blob", Value::String(_)) => true,
            ("timestamp", Value::Number(_)) => matches!(self.instants, Instants::Epoch),
            ("timestamp", Value::String(_)) => matches!(self.instants, Instants::Text),
            _ => false,
        };
        if !fits {
            let what = if self.of_request { "this".to_owned() } else { value.to_string() };
            self.fault(Misfit::Type, format!("{at}: {what} is not a {kind}"));
        }
    }

    fn check_structure(&mut self, definition: &Value, members: &Map<String, Value>, at: &str) {
        let absent = |value: &Value| self.of_request && value.is_null();
        let there: Vec<_> = members.iter().filter(|(_, value)| !absent(value)).collect();
        for name in definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !there.iter().any(|(member, _)| *member == name) {
                self.fault(Misfit::Missing, format!("{at}: the required member {name} is missing"));
            }
        }
        for (name, value) in there {
            match definition["members"][name]["shape"].as_str() {
                Some(shape) => self.check(shape, value, &format!("{at}.{name}")),
                None => self.fault(Misfit::Unknown, format!("{at}: there is no member {name}")),
            }
        }
    }
}

/// The values of an enumeration, for the reader of a refusal.
fn listed(values: &[Value]) -> String {
    values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
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
        let Value::Object(operations) =
            json!({ "DescribeTasks": { "input": { "shape": "Answer" }, "output": { "shape": "Answer" } } })
        else {
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

    #[test]
    fn a_request_may_have_unknown_and_null_members() {
        let model = model();
        let request = json!({ "tasks": [{ "version": null, "colour": 1 }], "more": {} });
        assert_eq!(model.request_fault("DescribeTasks", &request), None);
        assert!(model.takes("DescribeTasks", "tasks") && !model.takes("DescribeTasks", "cluster"));
    }

    #[test]
    fn the_kind_of_a_requests_fault_is_told_with_its_place() {
        let cases = [
            (json!({ "tasks": null }), Misfit::Missing, "DescribeTasks: the required member tasks is missing"),
            (json!([]), Misfit::Type, "DescribeTasks: this is not a structure"),
            (
                json!({ "tasks": [{ "version": true }] }),
                Misfit::Type,
                "DescribeTasks.tasks[0].version: this is not a long",
            ),
            (json!({ "tasks": [{ "launchType": "MOON" }] }), Misfit::Value, "is none of Launch's values"),
        ];
        for (request, misfit, text) in cases {
            let fault = model().request_fault("DescribeTasks", &request).unwrap();
            assert!(fault.misfit == misfit && fault.text.contains(text), "{fault:?} should say {text}");
        }
        assert_eq!(model().faults(), Vec::<String>::new(), "a request's faults are its caller's");
    }
}
