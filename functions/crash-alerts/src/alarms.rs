//! Which alarms their owners tagged for alerts.

use aws_sdk_cloudwatch::operation::list_tags_for_resource::ListTagsForResourceError;
use watchkeeper_events::AlarmArn;

use crate::clients::Clients;
use crate::error::Trouble;

/// An alarm with this tag set to `true` alerts.
pub const ALERT_TAG: &str = "watchkeeper:alert";

/// CloudWatch's alarms.
pub trait Alarms {
    /// Whether the alarm is tagged for alerts.
    fn is_tagged(&self, alarm: &AlarmArn) -> impl Future<Output = Result<bool, Trouble>> + Send;
}

impl Alarms for Clients {
    async fn is_tagged(&self, alarm: &AlarmArn) -> Result<bool, Trouble> {
        let answer = self.cloudwatch.list_tags_for_resource().resource_arn(alarm.as_str()).send().await;
        match answer {
            Ok(answer) => Ok(answer.tags().iter().any(|tag| {
                tag.key() == Some(ALERT_TAG) && tag.value().is_some_and(|v| v.eq_ignore_ascii_case("true"))
            })),
            Err(error) => {
                // Deleted since: nobody waits for its news.
                let gone =
                    error.as_service_error().is_some_and(ListTagsForResourceError::is_resource_not_found_exception);
                if gone { Ok(false) } else { Err(Trouble::call("reading the alarm's tags", &error)) }
            }
        }
    }
}
