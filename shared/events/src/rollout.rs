//! Watchkeeper's own rollouts, as crash-alerts hears of them: what comes of one is no incident.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::arn::ServiceArn;
use crate::event::EventError;
use crate::fields::Fields;

/// A function began to roll out a service, as it tells crash-alerts' queue:
/// `{"watchkeeper":"rollout","service":…,"deployment":…,"began":…,"until":…}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutBegun {
    /// The service.
    pub service: ServiceArn,
    /// The deployment that was made, `ecs-svc/…`; none where its tasks are replaced one by one.
    pub deployment: Option<String>,
    /// When it began.
    pub began: OffsetDateTime,
    /// When it is over, or the function itself tells ops that it is not.
    pub until: OffsetDateTime,
}

impl RolloutBegun {
    /// The message, for crash-alerts' queue.
    #[must_use]
    pub fn message(&self) -> Value {
        json!({
            "watchkeeper": "rollout",
            "service": self.service.as_str(),
            "deployment": self.deployment,
            "began": self.began.format(&Rfc3339).ok(),
            "until": self.until.format(&Rfc3339).ok(),
        })
    }

    pub(crate) fn read(message: &Value) -> Result<Self, EventError> {
        let fields = Fields::new("without an id", "", message)?;
        let instant = |name: &str| -> Result<OffsetDateTime, EventError> {
            fields.required_text(name)?;
            fields.instant(name)?.ok_or_else(|| fields.fault(name, "is no time"))
        };
        let service = fields.required_text("service")?;
        Ok(Self {
            service: ServiceArn::parse(&service).map_err(|error| fields.fault("service", error.to_string()))?,
            deployment: fields.text("deployment")?,
            began: instant("began")?,
            until: instant("until")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::QueueMessage;

    #[test]
    fn what_is_written_is_read() {
        let rollout = RolloutBegun {
            service: ServiceArn::parse("arn:aws:ecs:eu-west-1:123456789012:service/dbward/agent").unwrap(),
            deployment: Some("ecs-svc/1".to_owned()),
            began: time::macros::datetime!(2026-11-21 12:00:01.5 UTC),
            until: time::macros::datetime!(2026-11-21 12:15:00 UTC),
        };
        let read = QueueMessage::parse(&rollout.message().to_string()).unwrap();
        assert_eq!(read, QueueMessage::Rollout(Box::new(rollout)));
        let fault =
            QueueMessage::parse(r#"{"watchkeeper":"rollout","service":"arn:aws:ecs:r:a:service/c/s"}"#).unwrap_err();
        assert!(fault.to_string().contains("began"), "{fault}");
    }
}
