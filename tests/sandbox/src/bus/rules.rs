//! The deployed rules of the default bus and which of them match an event.

use anyhow::Context;
use serde_json::{Value, json};

use crate::aws::{Aws, AwsError};

/// Read anew for every event: a rule deployed a moment ago must not be missed.
pub(crate) struct Rules {
    aws: Aws,
}

/// A target of a rule.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) rule_arn: String,
    pub(crate) arn: String,
    pub(crate) dead_letter_arn: Option<String>,
    pub(crate) message_group: Option<String>,
    /// What it asks for that the sandbox cannot do.
    pub(crate) not_modelled: Option<String>,
}

impl Rules {
    pub(crate) fn new(aws: Aws) -> Self {
        Self { aws }
    }

    /// The targets of the enabled rules that match `event`.
    pub(crate) async fn targets_for(&self, event: &Value) -> anyhow::Result<Vec<Target>> {
        let text = event.to_string();
        let mut targets = Vec::new();
        for rule in self.pages("ListRules", &json!({}), "Rules").await? {
            // A rule without a pattern is a schedule.
            let (Some(pattern), Some("ENABLED")) = (rule["EventPattern"].as_str(), rule["State"].as_str()) else {
                continue;
            };
            if is_about_others(pattern, event) {
                continue;
            }
            let question = json!({ "EventPattern": pattern, "Event": text });
            let answer = self.aws.json("events", "AWSEvents.TestEventPattern", &question).await?;
            if answer["Result"] == json!(true) {
                let arn = rule["Arn"].as_str().context("ListRules gave a rule without an Arn")?;
                let read = match self.pages("ListTargetsByRule", &json!({ "Rule": rule["Name"] }), "Targets").await {
                    Ok(read) => read,
                    // It was deleted a moment ago.
                    Err(error) if error.code == "ResourceNotFoundException" => continue,
                    Err(error) => return Err(error.into()),
                };
                targets.extend(read.iter().map(|target| Target::read(arn, target)));
            }
        }
        Ok(targets)
    }

    async fn pages(&self, action: &str, request: &Value, member: &str) -> Result<Vec<Value>, AwsError> {
        let (mut request, mut items) = (request.clone(), Vec::new());
        loop {
            let mut answer = self.aws.json("events", &format!("AWSEvents.{action}"), &request).await?;
            if let Value::Array(page) = answer[member].take() {
                items.extend(page);
            }
            match answer["NextToken"].take() {
                Value::Null => return Ok(items),
                token => request["NextToken"] = token,
            }
        }
    }
}

/// Whether a pattern lists plain sources or detail-types, and that of the event is none of them: most rules are about
/// other services, and need no question.
fn is_about_others(pattern: &str, event: &Value) -> bool {
    let pattern: Value = serde_json::from_str(pattern).unwrap_or_default();
    ["source", "detail-type"].into_iter().any(|name| {
        let listed = pattern[name].as_array();
        listed.is_some_and(|listed| listed.iter().all(Value::is_string) && !listed.contains(&event[name]))
    })
}

impl Target {
    fn read(rule_arn: &str, target: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let arn = text(&target["Arn"]).unwrap_or_default();
        let transformed = ["Input", "InputPath", "InputTransformer"].into_iter().find(|name| !target[name].is_null());
        let not_modelled = match transformed {
            Some(name) => Some(format!("a target's {name}")),
            None if arn.split(':').nth(2) != Some("sqs") => Some("targets other than SQS queues".to_owned()),
            None => None,
        };
        Self {
            rule_arn: rule_arn.to_owned(),
            dead_letter_arn: text(&target["DeadLetterConfig"]["Arn"]),
            message_group: text(&target["SqsParameters"]["MessageGroupId"]),
            arn,
            not_modelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_about_other_services_needs_no_question() {
        let event = json!({ "source": "aws.ssm", "detail-type": "Parameter Store Change" });
        for (pattern, about_others) in [
            (json!({ "source": ["aws.ecs"] }), true),
            (json!({ "source": ["aws.ecs", "aws.ssm"] }), false),
            (json!({ "source": ["aws.ssm"], "detail-type": ["Other"] }), true),
            (json!({ "source": [{ "prefix": "aws." }], "detail-type": ["Parameter Store Change"] }), false),
            (json!({ "source": ["aws.ecs", { "suffix": "ssm" }] }), false),
            (json!({ "detail": { "name": ["a"] } }), false),
        ] {
            assert_eq!(is_about_others(&pattern.to_string(), &event), about_others, "{pattern}");
        }
        assert!(!is_about_others("no pattern", &event));
    }

    #[test]
    fn only_plain_queues_are_modelled() {
        let read = |target: Value| Target::read("rule", &target).not_modelled;
        assert_eq!(read(json!({ "Arn": "arn:aws:sqs:eu-west-1:1:q" })), None);
        assert!(read(json!({ "Arn": "arn:aws:lambda:eu-west-1:1:function:f" })).is_some());
        assert!(read(json!({ "Arn": "arn:aws:sqs:eu-west-1:1:q", "InputPath": "$.detail" })).is_some());
    }
}
