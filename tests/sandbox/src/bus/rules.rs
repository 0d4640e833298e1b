//! The deployed rules of the default bus and which of them match an event.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use crate::aws::Aws;

/// A rule deployed a moment ago must not be missed: what was read longer ago than this is read again, and so is all when
/// nothing matched.
const FRESH_FOR: Duration = Duration::from_secs(1);

pub(crate) struct Rules {
    aws: Aws,
    read: Mutex<Option<(Instant, Arc<Vec<Rule>>)>>,
}

struct Rule {
    pattern: String,
    targets: Vec<Target>,
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
        Self { aws, read: Mutex::default() }
    }

    /// The targets of the enabled rules that match `event`.
    pub(crate) async fn targets_for(&self, event: &Value) -> anyhow::Result<Vec<Target>> {
        let cached = {
            let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            read.as_ref().filter(|(at, _)| at.elapsed() < FRESH_FOR).map(|(_, rules)| Arc::clone(rules))
        };
        if let Some(rules) = cached {
            let targets = self.matching(&rules, event).await?;
            if !targets.is_empty() {
                return Ok(targets);
            }
        }
        let rules = Arc::new(self.read_all().await?);
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::clone(&rules)));
        self.matching(&rules, event).await
    }

    async fn matching(&self, rules: &[Rule], event: &Value) -> anyhow::Result<Vec<Target>> {
        let mut targets = Vec::new();
        let event = event.to_string();
        for rule in rules {
            let question = json!({ "EventPattern": rule.pattern, "Event": event });
            let answer = self.aws.json("events", "AWSEvents.TestEventPattern", &question).await?;
            if answer["Result"] == json!(true) {
                targets.extend(rule.targets.iter().cloned());
            }
        }
        Ok(targets)
    }

    async fn read_all(&self) -> anyhow::Result<Vec<Rule>> {
        let mut rules = Vec::new();
        for rule in self.pages("ListRules", &json!({}), "Rules").await? {
            // A rule without a pattern is a schedule.
            let (Some(pattern), Some("ENABLED")) = (rule["EventPattern"].as_str(), rule["State"].as_str()) else {
                continue;
            };
            let rule_arn = rule["Arn"].as_str().context("ListRules gave a rule without an Arn")?;
            let targets = self.pages("ListTargetsByRule", &json!({ "Rule": rule["Name"] }), "Targets").await?;
            rules.push(Rule {
                pattern: pattern.to_owned(),
                targets: targets.iter().map(|target| Target::read(rule_arn, target)).collect(),
            });
        }
        Ok(rules)
    }

    async fn pages(&self, action: &str, request: &Value, member: &str) -> anyhow::Result<Vec<Value>> {
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
    fn only_plain_queues_are_modelled() {
        let read = |target: Value| Target::read("rule", &target).not_modelled;
        assert_eq!(read(json!({ "Arn": "arn:aws:sqs:eu-west-1:1:q" })), None);
        assert!(read(json!({ "Arn": "arn:aws:lambda:eu-west-1:1:function:f" })).is_some());
        assert!(read(json!({ "Arn": "arn:aws:sqs:eu-west-1:1:q", "InputPath": "$.detail" })).is_some());
    }
}
