//! How a Console is broken on purpose.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is wrong with a Console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// It does not listen: connections are refused.
    Down,
    /// It answers 503.
    Unavailable,
    /// Each answer takes that long.
    Slow {
        /// In milliseconds.
        #[serde(rename = "milliseconds", with = "milliseconds")]
        by: Duration,
    },
    /// It answers 200 with this text, and does nothing.
    Says {
        /// The whole body.
        text: String,
    },
    /// Password and token were changed: no caller's is right.
    WrongPassword,
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_written_as_the_page_writes_them() {
        for (fault, text) in [
            (Fault::Down, r#"{"fault":"down"}"#),
            (Fault::Slow { by: Duration::from_secs(2) }, r#"{"fault":"slow","milliseconds":2000}"#),
            (Fault::Says { text: "no".into() }, r#"{"fault":"says","text":"no"}"#),
            (Fault::WrongPassword, r#"{"fault":"wrong-password"}"#),
        ] {
            assert_eq!(serde_json::to_string(&fault).unwrap(), text);
            assert_eq!(serde_json::from_str::<Fault>(text).unwrap(), fault);
        }
    }
}
