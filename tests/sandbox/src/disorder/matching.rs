//! What a rule is about.

use serde_json::Value;

use super::OWN_CALLERS;
use super::plan::{CallMatch, EventMatch};
use crate::door::Call;

/// What can be matched by a `T`.
pub(crate) trait Matches<T> {
    fn matches(&self, thing: &T) -> bool;
}

impl Matches<Value> for EventMatch {
    fn matches(&self, event: &Value) -> bool {
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        let resources = event["resources"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let member = |name: &str| match &event["detail"][name] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        self.source.allow(text("source"))
            && self.detail_type.allow(text("detail-type"))
            && self.detail.iter().all(|(name, texts)| member(name).is_some_and(|member| texts.allow(&member)))
            && self.resources.allow_part(resources)
    }
}

impl Matches<Call> for CallMatch {
    fn matches(&self, call: &Call) -> bool {
        let caller = if OWN_CALLERS.contains(&call.caller.as_str()) {
            self.caller.name(&call.caller)
        } else {
            self.caller.allow(&call.caller)
        };
        caller
            && self.service.allow(&call.service)
            && self.action.allow(&call.action)
            && self.resource.allow_part(call.resource.as_deref().into_iter())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_matches_by_all_that_is_named() {
        let event = json!({
            "source": "aws.ecs", "detail-type": "ECS Task State Change", "resources": ["arn:a:task/demo/1", "arn:b"],
            "detail": { "lastStatus": "RUNNING", "version": 3 },
        });
        let one = |name: &str, texts: &[&str]| match <[&str; 2]>::try_from(texts) {
            Ok(two) => (name.to_owned(), two.into()),
            Err(_) => (name.to_owned(), texts[0].into()),
        };
        let all = EventMatch {
            source: "aws.ecs".into(),
            detail_type: ["other", "ECS Task State Change"].into(),
            detail: [one("lastStatus", &["PENDING", "RUNNING"]), one("version", &["3"])].into(),
            resources: "task/demo/".into(),
        };
        assert!(
            all.matches(&event) && EventMatch::default().matches(&event) && EventMatch::default().matches(&json!({}))
        );
        for wrong in [
            EventMatch { source: "aws.s3".into(), ..all.clone() },
            EventMatch { detail_type: "other".into(), ..all.clone() },
            EventMatch { detail: [one("lastStatus", &["STOPPED"])].into(), ..all.clone() },
            EventMatch { detail: [one("stopCode", &["x"])].into(), ..all.clone() },
            EventMatch { resources: "task/demos/".into(), ..all },
        ] {
            assert!(!wrong.matches(&event), "{wrong:?}");
        }
    }

    #[test]
    fn a_call_matches_by_all_that_is_named_and_the_sandbox_is_left_alone() {
        let call = |caller: &str| Call {
            index: 0,
            at: crate::clock::now(),
            caller: caller.to_owned(),
            service: "sns".to_owned(),
            action: "Publish".to_owned(),
            resource: Some("arn:aws:sns:eu-west-1:1:alerts".to_owned()),
            outcome: None,
        };
        let publish = CallMatch {
            service: ["sqs", "sns"].into(),
            action: "Publish".into(),
            resource: ":alerts".into(),
            ..CallMatch::default()
        };
        for caller in ["crash-alerts", "cli", "root"] {
            assert!(publish.matches(&call(caller)) && CallMatch::default().matches(&call(caller)), "{caller}");
        }
        for own in OWN_CALLERS {
            assert!(!publish.matches(&call(own)), "{own}");
            assert!(CallMatch { caller: own.into(), ..publish.clone() }.matches(&call(own)), "{own}");
        }
        let call = call("crash-alerts");
        for wrong in [
            CallMatch { caller: "cli".into(), ..publish.clone() },
            CallMatch { service: "sqs".into(), ..publish.clone() },
            CallMatch { action: "Subscribe".into(), ..publish.clone() },
            CallMatch { resource: "other".into(), ..publish.clone() },
        ] {
            assert!(!wrong.matches(&call), "{wrong:?}");
        }
        assert!(!publish.matches(&Call { resource: None, ..call }));
    }
}
