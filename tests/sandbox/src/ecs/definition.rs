//! A revision of a task definition, as far as the sandbox runs it.

use std::time::Duration;

use serde_json::Value;

use super::logs::Awslogs;

/// How long a container may take to end after SIGTERM ("stopTimeout" in the task definition parameters).
const DEFAULT_STOP_TIMEOUT: u64 = 30;

/// Parameters of a container that would change how it runs and that the sandbox does not act on.
const NOT_MODELLED: [&str; 6] = [
    "environmentFiles",
    "firelensConfiguration",
    "mountPoints",
    "repositoryCredentials",
    "restartPolicy",
    "volumesFrom",
];

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Definition {
    pub(crate) arn: String,
    pub(crate) family: String,
    pub(crate) cpu: String,
    pub(crate) memory: String,
    pub(crate) execution_role_arn: Option<String>,
    pub(crate) containers: Vec<ContainerDefinition>,
    /// Its tags, as the API writes them.
    pub(crate) tags: Vec<Value>,
    /// What it asks for beyond what is run, named for the reader.
    pub(crate) not_modelled: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ContainerDefinition {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) essential: bool,
    pub(crate) environment: Vec<(String, String)>,
    /// Name and `valueFrom`.
    pub(crate) secrets: Vec<(String, String)>,
    pub(crate) awslogs: Option<Awslogs>,
    pub(crate) entry_point: Vec<String>,
    pub(crate) command: Vec<String>,
    pub(crate) stop_timeout: Duration,
    pub(crate) cpu: String,
    pub(crate) depends_on: Vec<Dependency>,
    /// How long those that depend on it wait for it.
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) health_check: Option<HealthCheck>,
}

/// What a container waits for before it starts (API reference of `ContainerDependency`).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dependency {
    /// The other container.
    pub(crate) container: String,
    pub(crate) condition: Condition,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It was started.
    Start,
    /// It ended.
    Complete,
    /// It ended with exit code 0.
    Success,
    /// Its health check passed.
    Healthy,
}

/// How a container's health is found out (API reference of `HealthCheck`).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HealthCheck {
    /// `CMD` and words, or `CMD-SHELL` and a line of shell.
    pub(crate) command: Vec<String>,
    pub(crate) interval: u32,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) start_period: u32,
}

impl Definition {
    /// Reads the answer of `DescribeTaskDefinition`; `None` when there is none in it.
    pub(crate) fn read(answer: &Value) -> Option<Self> {
        let definition = &answer["taskDefinition"];
        let arn = definition["taskDefinitionArn"].as_str()?;
        let text = |name: &str, default: &str| definition[name].as_str().unwrap_or(default).to_owned();
        let containers = definition["containerDefinitions"].as_array()?;
        let not_modelled = containers.iter().flat_map(|container| {
            let asked = NOT_MODELLED.into_iter().filter(|name| match &container[name] {
                Value::Null => false,
                Value::Array(items) => !items.is_empty(),
                _ => true,
            });
            asked
                .map(move |name| format!("{arn}: container {}: {name}", container["name"].as_str().unwrap_or_default()))
        });
        let region = arn.split(':').nth(3).unwrap_or_default();
        let not_logged = containers.iter().filter_map(|container| {
            let what = Awslogs::read(&container["logConfiguration"], region).err()?;
            Some(format!("{arn}: container {}: {what}", container["name"].as_str().unwrap_or_default()))
        });
        Some(Self {
            arn: arn.to_owned(),
            family: text("family", ""),
            // Fargate's smallest size, for definitions without one.
            cpu: text("cpu", "256"),
            memory: text("memory", "512"),
            execution_role_arn: Some(text("executionRoleArn", "")).filter(|arn| !arn.is_empty()),
            containers: containers
                .iter()
                .map(|container| ContainerDefinition::read(container, region))
                .collect::<Option<_>>()?,
            tags: answer["tags"].as_array().cloned().unwrap_or_default(),
            not_modelled: not_modelled.chain(not_logged).collect(),
        })
    }
}

impl ContainerDefinition {
    pub(super) fn read(container: &Value, region: &str) -> Option<Self> {
        Some(Self {
            name: container["name"].as_str()?.to_owned(),
            image: container["image"].as_str()?.to_owned(),
            essential: container["essential"].as_bool().unwrap_or(true),
            environment: pairs(&container["environment"], "value"),
            secrets: pairs(&container["secrets"], "valueFrom"),
            // What is not modelled of it is listed by the definition.
            awslogs: Awslogs::read(&container["logConfiguration"], region).unwrap_or_default(),
            entry_point: words(&container["entryPoint"]),
            command: words(&container["command"]),
            stop_timeout: Duration::from_secs(container["stopTimeout"].as_u64().unwrap_or(DEFAULT_STOP_TIMEOUT)),
            cpu: container["cpu"].as_u64().unwrap_or(0).to_string(),
            depends_on: container["dependsOn"].as_array().into_iter().flatten().filter_map(Dependency::read).collect(),
            start_timeout: container["startTimeout"].as_u64().map(Duration::from_secs),
            health_check: HealthCheck::read(&container["healthCheck"]),
        })
    }

    /// With what a `RunTask` overrides for it (`overrides.containerOverrides`).
    pub(crate) fn overridden(&self, overrides: &Value) -> Self {
        let mut container = self.clone();
        let all = overrides["containerOverrides"].as_array().into_iter().flatten();
        for over in all.filter(|over| over["name"] == self.name.as_str()) {
            for (name, value) in pairs(&over["environment"], "value") {
                container.environment.retain(|(other, _)| *other != name);
                container.environment.push((name, value));
            }
            if over["command"].is_array() {
                container.command = words(&over["command"]);
            }
        }
        container
    }
}

impl Dependency {
    fn read(dependency: &Value) -> Option<Self> {
        let condition = match dependency["condition"].as_str()? {
            "START" => Condition::Start,
            "COMPLETE" => Condition::Complete,
            "SUCCESS" => Condition::Success,
            "HEALTHY" => Condition::Healthy,
            _ => return None,
        };
        Some(Self { container: dependency["containerName"].as_str()?.to_owned(), condition })
    }
}

impl HealthCheck {
    /// `None` when there is no command, or just `NONE`, which switches an image's own check off.
    fn read(check: &Value) -> Option<Self> {
        let command = words(&check["command"]);
        if command.len() < 2 {
            return None;
        }
        let number = |name: &str, default: u32| {
            check[name].as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(default)
        };
        Some(Self {
            command,
            interval: number("interval", 30),
            timeout: Duration::from_secs(number("timeout", 5).into()),
            retries: number("retries", 3),
            start_period: number("startPeriod", 0),
        })
    }
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn pairs(list: &Value, value: &str) -> Vec<(String, String)> {
    let pair = |pair: &Value| Some((pair["name"].as_str()?.to_owned(), pair[value].as_str()?.to_owned()));
    list.as_array().into_iter().flatten().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_is_read_with_its_defaults() {
        let definition = Definition::read(&json!({ "taskDefinition": {
            "taskDefinitionArn": "arn:aws:ecs:eu-west-1:1:task-definition/agent:3", "family": "agent",
            "containerDefinitions": [
                { "name": "agent", "image": "agent:1", "environment": [{ "name": "PORT", "value": "1" }], "stopTimeout": 2 },
                { "name": "side", "image": "side:1", "essential": false, "secrets": [{ "name": "S", "valueFrom": "a" }],
                  "logConfiguration": { "logDriver": "splunk" }, "healthCheck": { "command": ["CMD", "true"] }, "dependsOn": [{ "containerName": "agent", "condition": "HEALTHY" }] },
            ],
        } }))
        .unwrap();
        assert_eq!((definition.cpu.as_str(), definition.memory.as_str()), ("256", "512"));
        let [agent, side] = &definition.containers[..] else { panic!("two containers") };
        assert_eq!(side.secrets, [("S".to_owned(), "a".to_owned())]);
        assert!(agent.essential && !side.essential);
        assert_eq!((agent.stop_timeout.as_secs(), side.stop_timeout.as_secs()), (2, 30));
        assert_eq!(side.depends_on, [Dependency { container: "agent".to_owned(), condition: Condition::Healthy }]);
        let check = side.health_check.as_ref().unwrap();
        assert_eq!((check.interval, check.timeout.as_secs(), check.retries, check.start_period), (30, 5, 3, 0));
        assert_eq!((&agent.health_check, agent.start_timeout), (&None, None));
        assert_eq!(
            definition.not_modelled,
            ["arn:aws:ecs:eu-west-1:1:task-definition/agent:3: container side: the log driver splunk"]
        );
    }

    #[test]
    fn overrides_replace_values_and_the_command() {
        let container = json!({
            "name": "agent", "image": "agent:1", "command": ["a"], "environment": [{ "name": "PORT", "value": "1" }],
        });
        let container = ContainerDefinition::read(&container, "eu-west-1").unwrap();
        let overridden = container.overridden(&json!({ "containerOverrides": [
            { "name": "agent", "command": ["b"], "environment": [{ "name": "PORT", "value": "2" }] },
            { "name": "other", "command": ["c"] },
        ] }));
        assert_eq!(overridden.command, ["b"]);
        assert_eq!(overridden.environment, [("PORT".to_owned(), "2".to_owned())]);
    }
}
