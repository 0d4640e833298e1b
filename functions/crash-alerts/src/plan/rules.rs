//! The numbers that an incident's life is lived by.

use time::Duration;

use super::silence::{self, Silence};

/// As the stack's parameters give them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// How long what follows a first message is gathered.
    pub group_wait: Duration,
    /// After how long ops are told again of what is still so.
    pub repeat: Duration,
    /// How often at most.
    pub repeats: u32,
    /// At how many crashes ops are told again, rising. From the second of them on it is critical.
    pub escalate_at: Vec<u64>,
    /// So many new incidents …
    pub storm_incidents: usize,
    /// … within this time are a storm: one digest in each such time.
    pub storm_window: Duration,
    /// How long something must be over before ops hear so.
    pub hold: Duration,
    /// How long a service must run without another crash.
    pub crash_quiet: Duration,
    /// What happens again so long after it was over is the same incident, come back. Also the longest that it must be quiet then.
    pub returns_within: Duration,
    /// How many messages there are in a minute at most; more of them become one digest.
    pub messages_a_minute: usize,
    /// So many messages that are due at the same sweep become one.
    pub crowd: usize,
    /// When, and of what, ops want to hear nothing.
    pub silences: Vec<Silence>,
    /// What of these is not understood, for ops to know.
    pub misread: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            group_wait: Duration::seconds(10),
            repeat: Duration::hours(4),
            repeats: 6,
            escalate_at: vec![3, 10, 50],
            storm_incidents: 10,
            storm_window: Duration::minutes(5),
            hold: Duration::seconds(60),
            crash_quiet: Duration::minutes(10),
            // A night's loop is one incident, and a job that fails each day is none.
            returns_within: Duration::hours(6),
            messages_a_minute: 30,
            crowd: 4,
            silences: Vec::new(),
            misread: Vec::new(),
        }
    }
}

/// A setting that is no number of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} is {problem}; infra/watchkeeper.yaml sets it on the function")]
pub struct BadRule {
    name: &'static str,
    problem: String,
}

impl Rules {
    /// As the stack's parameters give them, through environment variables; what is missing is as by default.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, BadRule> {
        let number = |name: &'static str| -> Result<Option<u32>, BadRule> {
            let text = get(name).filter(|text| !text.trim().is_empty());
            let bad = |_| BadRule { name, problem: "not a whole number".to_owned() };
            text.map(|text| text.trim().parse().map_err(bad)).transpose()
        };
        let mut rules = Self::default();
        let seconds = |number: u32| Duration::seconds(i64::from(number));
        for (name, unit, place) in [
            ("GROUP_WAIT_SECONDS", 1, &mut rules.group_wait),
            ("REPEAT_HOURS", 3_600, &mut rules.repeat),
            ("STORM_MINUTES", 60, &mut rules.storm_window),
            ("RESOLVE_SECONDS", 1, &mut rules.hold),
            ("CRASH_QUIET_MINUTES", 60, &mut rules.crash_quiet),
        ] {
            if let Some(number) = number(name)? {
                *place = seconds(number) * unit;
            }
        }
        for (name, place) in
            [("STORM_INCIDENTS", &mut rules.storm_incidents), ("MESSAGES_A_MINUTE", &mut rules.messages_a_minute)]
        {
            if let Some(number) = number(name)? {
                *place = usize::try_from(number.max(1)).unwrap_or(usize::MAX);
            }
        }
        rules.repeats = number("REPEATS")?.unwrap_or(rules.repeats);
        if let Some(list) = get("ESCALATE_AT").filter(|list| !list.trim().is_empty()) {
            let numbers: Result<Vec<u64>, _> = list.split(',').map(|number| number.trim().parse()).collect();
            let problem = "not a list of whole numbers such as 3,10,50".to_owned();
            let mut numbers = numbers.map_err(|_| BadRule { name: "ESCALATE_AT", problem })?;
            numbers.sort_unstable();
            rules.escalate_at = numbers;
        }
        Ok(rules)
    }

    /// With the silences of the stack's parameter; what cannot be read of it silences nothing.
    #[must_use]
    pub fn with_silences(self, text: &str) -> Self {
        let (silences, faults) = silence::read(text);
        Self { silences, misread: faults.iter().map(ToString::to_string).collect(), ..self }
    }

    /// How long it must be quiet before ops hear that it is over: twice as long with each return, so that what comes back again and
    /// again is told as one thing that goes on.
    pub(super) fn quiet(&self, at_first: Duration, returns: u32) -> Duration {
        let most = self.returns_within.max(at_first);
        (at_first * 2_i32.pow(returns.min(16))).min(most)
    }

    /// How many of the thresholds a count has reached.
    pub(super) fn level(&self, count: u64) -> usize {
        self.escalate_at.iter().filter(|at| count >= **at).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_from_the_environment_and_bad_ones_are_named() {
        let rules = Rules::from_env(|name| match name {
            "GROUP_WAIT_SECONDS" => Some("3".to_owned()),
            "REPEAT_HOURS" => Some("1".to_owned()),
            "ESCALATE_AT" => Some("20, 5".to_owned()),
            "REPEATS" => Some("0".to_owned()),
            "STORM_INCIDENTS" => Some(String::new()),
            _ => None,
        });
        let rules = rules.unwrap();
        assert_eq!((rules.group_wait, rules.repeat), (Duration::seconds(3), Duration::hours(1)));
        assert_eq!((rules.escalate_at, rules.repeats, rules.storm_incidents), (vec![5, 20], 0, 10));
        for name in ["GROUP_WAIT_SECONDS", "ESCALATE_AT"] {
            let fault = Rules::from_env(|asked| (asked == name).then(|| "soon".to_owned())).unwrap_err().to_string();
            assert!(fault.contains(name) && !fault.contains("soon"), "{fault}");
        }
    }
}
