//! What CloudFormation sends (CloudFormation User Guide, "Custom resource request objects"), read without trusting it:
//! first what an answer takes, then the rest, so that a request that cannot be understood is still answered.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;

use crate::fault::{Fault, Faults};
use crate::name::{Owner, PhysicalId};
use crate::properties::kind;
use crate::response_url::{AllowedUrls, ResponseUrl};

/// How long CloudFormation waits for an answer if the template does not say (`ServiceTimeout`).
const SERVICE_TIMEOUT: Duration = Duration::from_hours(1);

/// A URL says when it was signed in whole seconds.
const SIGNED_WITHIN: Duration = Duration::from_secs(1);

/// What is to be done with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestType {
    /// It is new in the template.
    Create,
    /// Its properties are other ones than before; also the way back after a failed update.
    Update,
    /// It is no longer in the template, was replaced, or its creation failed.
    Delete,
}

/// What an answer takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Where to.
    pub url: ResponseUrl,
    /// CloudFormation's id of the request; the same for every try of Lambda.
    pub request_id: String,
    /// Whom the request is about.
    pub owner: Owner,
    /// What CloudFormation calls the thing, where it exists for CloudFormation.
    pub physical_id: Option<PhysicalId>,
    /// After which time CloudFormation gives up.
    pub service_timeout: Duration,
}

impl Reply {
    /// How much longer CloudFormation waits for the answer to a request that was first worked on then. Lambda may have
    /// delivered it late: where the URL says when it was signed, that counts.
    #[must_use]
    pub fn time_left(&self, first: OffsetDateTime, now: OffsetDateTime) -> Duration {
        let sent = self.url.signed_at().map_or(first, |signed| first.min(signed + SIGNED_WITHIN));
        // Clocks differ: what was signed in the future was signed now.
        self.service_timeout.saturating_sub((now - sent).try_into().unwrap_or_default())
    }
}

/// A request that was understood, but for its properties.
#[derive(Clone, PartialEq)]
pub struct Request {
    /// What is to be done.
    pub kind: RequestType,
    /// `Custom::…`
    pub resource_type: String,
    /// Whom it is about.
    pub owner: Owner,
    /// What CloudFormation calls the thing; it makes up a name for one whose creation was never answered.
    pub physical_id: Option<PhysicalId>,
    /// What is wanted. May hold secrets.
    pub properties: Value,
    /// What was wanted before, for an update. May be of any shape: an older version took it, or it was refused.
    pub old_properties: Option<Value>,
}

impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Request")
            .field("kind", &self.kind)
            .field("resource_type", &self.resource_type)
            .field("owner", &self.owner)
            .field("physical_id", &self.physical_id)
            .finish_non_exhaustive()
    }
}

/// A request that can be answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// What an answer takes.
    pub reply: Reply,
    /// What is asked for, or what is wrong with it.
    pub request: Result<Request, Faults>,
}

/// A request that cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("nobody can be answered: {0}")]
pub struct Unanswerable(Faults);

impl Envelope {
    /// Reads an event.
    pub fn read(event: &Value, urls: &AllowedUrls) -> Result<Self, Unanswerable> {
        let mut faults = Vec::new();
        let url = text(event, "ResponseURL", &mut faults);
        let url = url.and_then(|url| match urls.check(url) {
            Ok(url) => Some(url),
            Err(why) => {
                faults.push(Fault { path: "ResponseURL".to_owned(), what: why.to_owned() });
                None
            }
        });
        let request_id = text(event, "RequestId", &mut faults);
        let stack_id = text(event, "StackId", &mut faults);
        let logical_id = text(event, "LogicalResourceId", &mut faults);
        let (Some(url), Some(request_id), Some(stack_id), Some(logical_id)) = (url, request_id, stack_id, logical_id)
        else {
            return Err(Unanswerable(Faults(faults)));
        };
        let owner = Owner { stack_id: stack_id.to_owned(), logical_id: logical_id.to_owned() };
        let physical_id = event["PhysicalResourceId"].as_str().filter(|id| !id.is_empty()).map(PhysicalId::new);
        let timeout = &event["ResourceProperties"]["ServiceTimeout"];
        let seconds = timeout.as_u64().or_else(|| timeout.as_str()?.parse().ok()).filter(|seconds| *seconds > 0);
        let reply = Reply {
            url,
            request_id: request_id.to_owned(),
            owner: owner.clone(),
            physical_id: physical_id.clone(),
            service_timeout: seconds.map_or(SERVICE_TIMEOUT, Duration::from_secs).min(SERVICE_TIMEOUT),
        };
        Ok(Self { reply, request: request(event, owner, physical_id) })
    }
}

fn request(event: &Value, owner: Owner, physical_id: Option<PhysicalId>) -> Result<Request, Faults> {
    let mut faults = Vec::new();
    let kind = match text(event, "RequestType", &mut faults) {
        Some("Create") => Some(RequestType::Create),
        Some("Update") => Some(RequestType::Update),
        Some("Delete") => Some(RequestType::Delete),
        Some(_) => {
            faults.push(Fault { path: "RequestType".to_owned(), what: "must be Create, Update or Delete".to_owned() });
            None
        }
        None => None,
    };
    let resource_type = text(event, "ResourceType", &mut faults).unwrap_or_default().to_owned();
    let properties = event.get("ResourceProperties").cloned().unwrap_or_default();
    // A deletion works without: what is to go is known by its name.
    if !properties.is_object() && kind != Some(RequestType::Delete) {
        let what = format!("must be an object, not {}", kind_of(&properties));
        faults.push(Fault { path: "ResourceProperties".to_owned(), what });
    }
    if physical_id.is_none() && kind.is_some_and(|kind| kind != RequestType::Create) {
        let what = "is missing or no text; an update or a deletion names what it is about".to_owned();
        faults.push(Fault { path: "PhysicalResourceId".to_owned(), what });
    }
    match kind {
        Some(kind) if faults.is_empty() => {
            let old_properties = event.get("OldResourceProperties").cloned();
            Ok(Request { kind, resource_type, owner, physical_id, properties, old_properties })
        }
        _ => Err(Faults(faults)),
    }
}

fn text<'a>(event: &'a Value, name: &str, faults: &mut Vec<Fault>) -> Option<&'a str> {
    let value = event.get(name).unwrap_or(&Value::Null);
    let found = value.as_str().filter(|text| !text.is_empty());
    if found.is_none() {
        let what = match value {
            Value::String(_) => "is empty".to_owned(),
            value => format!("must be text, but is {}", kind_of(value)),
        };
        faults.push(Fault { path: name.to_owned(), what });
    }
    found
}

fn kind_of(value: &Value) -> &'static str {
    if value.is_null() { "missing" } else { kind(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn whole() -> Value {
        json!({
            "RequestType": "Update", "RequestId": "r-1", "ResponseURL":
            "https://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com/secret-path?sig=1",
            "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/agent/1", "LogicalResourceId": "Script",
            "ResourceType": "Custom::X", "PhysicalResourceId": "p-1",
            "ResourceProperties": {"ServiceToken": "t", "ServiceTimeout": "60", "Password": "hunter2"},
            "OldResourceProperties": {"Password": "hunter1"}
        })
    }

    fn without(name: &str) -> Value {
        let mut event = whole();
        event.as_object_mut().unwrap().remove(name);
        event
    }

    fn read(event: &Value) -> Result<Envelope, Unanswerable> {
        Envelope::read(event, &AllowedUrls::default())
    }

    #[test]
    fn a_whole_request_is_understood_and_keeps_its_secrets() {
        let envelope = read(&whole()).unwrap();
        assert_eq!(envelope.reply.service_timeout, Duration::from_mins(1));
        let request = envelope.request.clone().unwrap();
        assert_eq!((request.kind, request.resource_type.as_str()), (RequestType::Update, "Custom::X"));
        let printed = format!("{envelope:?}");
        assert!(!printed.contains("hunter") && !printed.contains("secret-path"), "{printed}");
    }

    #[test]
    fn what_an_answer_takes_must_be_there_and_is_named_if_it_is_not() {
        for name in ["ResponseURL", "RequestId", "StackId", "LogicalResourceId"] {
            let error = read(&without(name)).unwrap_err().to_string();
            assert!(error.starts_with("nobody can be answered: ") && error.contains(name), "{error}");
        }
        let mut elsewhere = whole();
        elsewhere["ResponseURL"] = json!("https://example.com/secret-path");
        let error = read(&elsewhere).unwrap_err().to_string();
        assert!(error.contains("no bucket of CloudFormation") && !error.contains("example.com"), "{error}");
        assert!(read(&Value::Null).is_err() && read(&json!([1])).is_err());
    }

    #[test]
    fn a_request_that_is_cut_off_or_of_wrong_types_is_answered_all_faults_at_once() {
        for name in ["RequestType", "ResourceType", "ResourceProperties", "PhysicalResourceId"] {
            let faults = read(&without(name)).unwrap().request.unwrap_err().to_string();
            assert!(faults.contains(name), "{faults}");
        }
        let mut event = whole();
        event["RequestType"] = json!(5);
        event["ResourceProperties"] = json!("text");
        event["PhysicalResourceId"] = json!({});
        event["ResourceType"] = json!("");
        assert_eq!(
            read(&event).unwrap().request.unwrap_err().to_string(),
            "RequestType must be text, but is a number; ResourceType is empty; ResourceProperties must be an object, not \
             text"
        );
    }

    #[test]
    fn time_counts_from_the_first_try_or_from_the_signature() {
        use time::macros::datetime;
        let reply = |query: &str| {
            let mut event = whole();
            event["ResponseURL"] = json!(format!("{}{query}", event["ResponseURL"].as_str().unwrap()));
            read(&event).unwrap().reply
        };
        let (first, now) = (datetime!(2026-01-01 12:00:30 UTC), datetime!(2026-01-01 12:00:40 UTC));
        for (query, left) in [
            ("", 50),
            ("&X-Amz-Date=20260101T120020Z", 41),
            ("&X-Amz-Date=20260101T110000Z", 0),
            ("&X-Amz-Date=20260101T130000Z", 50),
        ] {
            assert_eq!(reply(query).time_left(first, now), Duration::from_secs(left), "{query}");
        }
        assert_eq!(reply("").time_left(now, first), Duration::from_mins(1), "clocks that differ");
    }

    #[test]
    fn a_deletion_takes_no_properties() {
        let mut event = without("ResourceProperties");
        event["RequestType"] = json!("Delete");
        assert!(read(&event).unwrap().request.is_ok());
    }

    proptest! {
        #[test]
        fn any_member_may_be_anything(name in 0usize..9, value in prop_oneof![
            Just(Value::Null), any::<bool>().prop_map(Value::from), any::<i32>().prop_map(Value::from),
            ".{0,20}".prop_map(Value::from), Just(json!([1, {}])), Just(json!({"a": []})),
        ]) {
            let mut event = whole();
            let name = event.as_object().unwrap().keys().nth(name).unwrap().clone();
            event[&name] = value;
            let answerable = !["ResponseURL", "RequestId", "StackId", "LogicalResourceId"].contains(&name.as_str());
            prop_assert!(read(&event).is_ok() || !answerable);
        }
    }
}
