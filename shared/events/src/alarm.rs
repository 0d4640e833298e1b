//! CloudWatch Alarm State Change (CloudWatch User Guide, "Alarm events and EventBridge").

use time::OffsetDateTime;

use crate::arn::AlarmArn;
use crate::event::{EventError, Origin};
use crate::fields::Fields;

/// An alarm's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlarmState {
    /// The threshold is not crossed.
    Ok,
    /// It is.
    Alarm,
    /// CloudWatch cannot tell.
    InsufficientData,
    /// One that came later, by its name.
    Other(String),
}

/// An alarm changed state.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmStateChange {
    /// Where and when.
    pub origin: Origin,
    /// The alarm.
    pub alarm: AlarmArn,
    /// Its name.
    pub name: String,
    /// What it is for, in its owner's words.
    pub description: Option<String>,
    /// Its state now.
    pub state: AlarmState,
    /// Its state before.
    pub previous: Option<AlarmState>,
    /// Why, in CloudWatch's words.
    pub reason: Option<String>,
    /// Since when.
    pub since: Option<OffsetDateTime>,
}

impl AlarmStateChange {
    pub(crate) fn read(
        origin: Origin,
        envelope: &Fields<'_>,
        resources: &[String],
        detail: &Fields<'_>,
    ) -> Result<Self, EventError> {
        let first =
            resources.first().ok_or_else(|| envelope.fault("resources", "is empty; the alarm's ARN belongs there"))?;
        let alarm = AlarmArn::parse(first).map_err(|error| envelope.fault("resources[0]", error.to_string()))?;
        let state = detail.required_object("state")?;
        let previous = detail.object("previousState")?;
        let description = match detail.object("configuration")? {
            Some(configuration) => configuration.text("description")?,
            None => None,
        };
        Ok(Self {
            name: detail.text("alarmName")?.unwrap_or_else(|| alarm.name().to_owned()),
            alarm,
            description: description.filter(|text| !text.trim().is_empty()),
            state: AlarmState::from_text(&state.required_text("value")?),
            previous: match &previous {
                Some(previous) => previous.text("value")?.as_deref().map(AlarmState::from_text),
                None => None,
            },
            reason: state.text("reason")?,
            since: state.instant("timestamp")?,
            origin,
        })
    }
}

impl AlarmState {
    fn from_text(text: &str) -> Self {
        match text {
            "OK" => Self::Ok,
            "ALARM" => Self::Alarm,
            "INSUFFICIENT_DATA" => Self::InsufficientData,
            other => Self::Other(other.to_owned()),
        }
    }
}
