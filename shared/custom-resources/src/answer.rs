//! An answer, as CloudFormation takes it (CloudFormation User Guide, "Custom resource response objects").

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::envelope::Reply;
use crate::name::PhysicalId;

/// How many bytes an answer may have.
pub const LIMIT: usize = 4096;

/// Said where the reason had to be cut.
const CUT: &str = " [cut]";

/// What `Fn::GetAtt` can ask for.
pub type Data = BTreeMap<String, String>;

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Success {
        /// What the thing is called.
        physical_id: PhysicalId,
        /// What the template may ask for.
        data: Data,
        /// Whether CloudFormation hides the data.
        no_echo: bool,
    },
    /// Not done, and undone as far as possible.
    Failed {
        /// What the thing is called, so that what is left of it can be deleted.
        physical_id: PhysicalId,
        /// Why, for whoever reads the stack's events.
        reason: String,
    },
}

impl Answer {
    /// What the thing is called.
    #[must_use]
    pub fn physical_id(&self) -> &PhysicalId {
        match self {
            Self::Success { physical_id, .. } | Self::Failed { physical_id, .. } => physical_id,
        }
    }

    /// The body, never longer than [`LIMIT`]: of a failure the reason is cut, a success too large is told as an error.
    pub fn body(&self, reply: &Reply) -> Result<String, String> {
        let body = self.whole(reply);
        if body.len() <= LIMIT {
            return Ok(body);
        }
        match self {
            Self::Success { .. } => Err(format!(
                "the answer would have {} bytes, but CloudFormation takes {LIMIT} at most; what the resource returns is \
                 too large",
                body.len()
            )),
            Self::Failed { physical_id, reason } => {
                let room = reason_room(reason, body.len() - LIMIT + CUT.len());
                let reason = format!("{}{CUT}", &reason[..room]);
                Ok(Self::Failed { physical_id: physical_id.clone(), reason }.whole(reply))
            }
        }
    }

    fn whole(&self, reply: &Reply) -> String {
        let mut body = json!({
            "PhysicalResourceId": self.physical_id().as_str(),
            "StackId": reply.owner.stack_id,
            "RequestId": reply.request_id,
            "LogicalResourceId": reply.owner.logical_id,
        });
        match self {
            Self::Success { data, no_echo, .. } => {
                body["Status"] = "SUCCESS".into();
                body["NoEcho"] = Value::Bool(*no_echo);
                body["Data"] = json!(data);
            }
            Self::Failed { reason, .. } => {
                body["Status"] = "FAILED".into();
                body["Reason"] = reason.as_str().into();
            }
        }
        body.to_string()
    }
}

/// Up to where a text must be cut, at a character, to make its JSON so many bytes shorter.
fn reason_room(reason: &str, shorter: usize) -> usize {
    let mut saved = 0;
    let mut end = reason.len();
    for (at, letter) in reason.char_indices().rev() {
        if saved >= shorter {
            break;
        }
        // As JSON, without the quotes: a control character has six bytes there.
        saved += json!(letter).to_string().len() - 2;
        end = at;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Owner;
    use crate::response_url::AllowedUrls;
    use proptest::prelude::*;
    use std::time::Duration;

    fn reply() -> Reply {
        let url = "https://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com/x";
        Reply {
            url: AllowedUrls::default().check(url).unwrap(),
            request_id: "r-1".to_owned(),
            owner: Owner { stack_id: "arn:aws:cloudformation:x".to_owned(), logical_id: "L".to_owned() },
            physical_id: None,
            service_timeout: Duration::from_hours(1),
        }
    }

    fn failed(reason: &str) -> Answer {
        Answer::Failed { physical_id: PhysicalId::new("p"), reason: reason.to_owned() }
    }

    #[test]
    fn data_that_is_too_large_is_an_error_and_what_fits_is_not() {
        let answer = |bytes: usize| Answer::Success {
            physical_id: PhysicalId::new("p"),
            data: [("Text".to_owned(), "x".repeat(bytes))].into(),
            no_echo: true,
        };
        let small = answer(0).body(&reply()).unwrap();
        assert_eq!(answer(LIMIT - small.len()).body(&reply()).unwrap().len(), LIMIT);
        assert!(answer(LIMIT - small.len() + 1).body(&reply()).unwrap_err().contains("4097 bytes"));
        let body: Value = serde_json::from_str(&small).unwrap();
        assert_eq!(
            body,
            json!({"Status": "SUCCESS", "PhysicalResourceId": "p", "StackId": "arn:aws:cloudformation:x",
                "RequestId": "r-1", "LogicalResourceId": "L", "NoEcho": true, "Data": {"Text": ""}})
        );
    }

    proptest! {
        #[test]
        fn a_reason_is_cut_at_a_character_and_only_if_it_must(reason in "[ -~\u{0}-\u{1f}äß€🔥\"\\\\]{0,3000}") {
            let body = failed(&reason).body(&reply()).unwrap();
            prop_assert!(body.len() <= LIMIT, "{}", body.len());
            let read: Value = serde_json::from_str(&body).unwrap();
            let said = read["Reason"].as_str().unwrap();
            if said != reason {
                prop_assert!(reason.starts_with(said.strip_suffix(CUT).unwrap()));
                prop_assert!(body.len() > LIMIT - CUT.len() - 8, "no more is cut than must be: {}", body.len());
            }
        }
    }
}
