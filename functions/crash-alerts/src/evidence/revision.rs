//! What is kept of a revision of a task definition.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use aws_sdk_ecs::types::{ContainerDefinition, HealthCheck, LogConfiguration, PortMapping, TaskDefinition};

/// A revision, as far as alerts tell of it. The values of variables are not in it: a fingerprint shows that one changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revision {
    /// `family:revision`.
    pub name: String,
    /// Its containers, in their order.
    pub containers: Vec<ContainerSpec>,
    /// What is set for the task as a whole, by name: `cpu`, `memory`, `role`, …
    pub settings: BTreeMap<&'static str, String>,
    /// The names of its volumes.
    pub volumes: BTreeSet<String>,
}

/// One container of a revision. What it is set to does not show in a log: a command can hold a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ContainerSpec {
    /// Its name.
    pub name: String,
    /// Whether the task ends with it; ECS's default is that it does.
    pub essential: bool,
    /// What is set for it, by name: `image`, `command`, `cpu`, …
    pub settings: BTreeMap<&'static str, String>,
    /// The names of its variables, with fingerprints of their values.
    pub variables: BTreeMap<String, u64>,
    /// The names of its secrets, and where they come from.
    pub secrets: BTreeMap<String, String>,
    /// Where its output goes; none where the definition does not say.
    pub logs: Option<LogSpec>,
}

/// Where a container's output goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogSpec {
    /// `awslogs`, `awsfirelens`, …
    pub driver: String,
    /// Those options that say where, and hold no secret.
    pub options: BTreeMap<String, String>,
}

/// Options that name a place. Others can hold tokens and are not kept.
const PLACES: [&str; 18] = [
    "awslogs-group",
    "awslogs-region",
    "awslogs-stream-prefix",
    "fluentd-address",
    "gelf-address",
    "splunk-url",
    "syslog-address",
    "Name",
    "region",
    "log_group_name",
    "log_stream_prefix",
    "log_stream_name",
    "delivery_stream",
    "stream",
    "bucket",
    "Host",
    "host",
    "Topic",
];

impl Revision {
    pub(crate) fn of(definition: &TaskDefinition) -> Self {
        let platform = definition.runtime_platform();
        let settings = [
            ("cpu", definition.cpu.clone()),
            ("memory", definition.memory.clone()),
            ("role", definition.task_role_arn.clone()),
            ("execution role", definition.execution_role_arn.clone()),
            ("network mode", definition.network_mode().map(|mode| mode.as_str().to_owned())),
            ("architecture", platform.and_then(|p| p.cpu_architecture()).map(|a| a.as_str().to_owned())),
            ("operating system", platform.and_then(|p| p.operating_system_family()).map(|o| o.as_str().to_owned())),
        ];
        Self {
            name: format!("{}:{}", definition.family().unwrap_or_default(), definition.revision()),
            containers: definition.container_definitions().iter().map(ContainerSpec::of).collect(),
            settings: present(settings),
            volumes: definition.volumes().iter().filter_map(|volume| volume.name.clone()).collect(),
        }
    }

    /// Whether ECS checks the health of the container of this name.
    pub(crate) fn checks_health(&self, name: &str) -> bool {
        self.container(name).is_some_and(|container| container.settings.contains_key("health check"))
    }

    /// The container of this name.
    pub fn container(&self, name: &str) -> Option<&ContainerSpec> {
        self.containers.iter().find(|container| container.name == name)
    }
}

impl ContainerSpec {
    fn of(container: &ContainerDefinition) -> Self {
        let number = |n: Option<i32>| n.map(|n| n.to_string());
        let ports: Vec<String> = container.port_mappings().iter().map(port).collect();
        let settings = [
            ("image", container.image.clone()),
            ("command", words(container.command())),
            ("entry point", words(container.entry_point())),
            ("cpu", number(Some(container.cpu()).filter(|cpu| *cpu > 0))),
            ("memory", number(container.memory())),
            ("memory reservation", number(container.memory_reservation())),
            ("ports", Some(ports.join(", ")).filter(|ports| !ports.is_empty())),
            ("health check", container.health_check().map(health_check)),
            ("user", container.user.clone()),
            ("log driver", container.log_configuration().map(|logs| logs.log_driver().as_str().to_owned())),
        ];
        let variables = container.environment().iter();
        let secrets = container.secrets().iter();
        Self {
            name: container.name().unwrap_or_default().to_owned(),
            essential: container.essential().unwrap_or(true),
            settings: present(settings),
            variables: variables
                .map(|pair| (pair.name().unwrap_or_default().to_owned(), fingerprint(pair.value().unwrap_or_default())))
                .collect(),
            secrets: secrets.map(|secret| (secret.name().to_owned(), secret.value_from().to_owned())).collect(),
            logs: container.log_configuration().map(LogSpec::of),
        }
    }
}

impl fmt::Debug for ContainerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerSpec")
            .field("name", &self.name)
            .field("essential", &self.essential)
            .field("settings", &self.settings.keys())
            .field("variables", &self.variables.keys())
            .field("secrets", &self.secrets)
            .field("logs", &self.logs)
            .finish()
    }
}

impl LogSpec {
    fn of(logs: &LogConfiguration) -> Self {
        let options = logs.options().into_iter().flatten();
        Self {
            driver: logs.log_driver().as_str().to_owned(),
            options: options
                .filter(|(name, _)| PLACES.contains(&name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        }
    }
}

fn present<const N: usize>(settings: [(&'static str, Option<String>); N]) -> BTreeMap<&'static str, String> {
    settings.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn words(words: &[String]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(" "))
}

fn port(port: &PortMapping) -> String {
    let number = |n: Option<i32>| n.map_or_else(|| "any".to_owned(), |n| n.to_string());
    let container = number(port.container_port());
    match port.host_port() {
        Some(host) if Some(host) != port.container_port() => format!("{container} on {host}"),
        _ => container,
    }
}

fn health_check(check: &HealthCheck) -> String {
    let seconds = |name: &str, n: Option<i32>| n.map(|n| format!(", {name} {n} s")).unwrap_or_default();
    let retries = check.retries().map(|n| format!(", {n} retries")).unwrap_or_default();
    format!(
        "{}{}{}{}{retries}",
        check.command().join(" "),
        seconds("every", check.interval()),
        seconds("timeout", check.timeout()),
        seconds("start period", check.start_period()),
    )
}

/// The same for the same value within one process, which is as long as it is kept.
fn fingerprint(value: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::{KeyValuePair, LogDriver};

    #[test]
    fn values_that_may_be_secrets_are_not_kept_or_do_not_show() {
        let logs = LogConfiguration::builder()
            .log_driver(LogDriver::Splunk)
            .options("splunk-token", "s3cr3t")
            .options("splunk-url", "https://splunk.internal:8088")
            .options("awslogs-group", "/ecs/agent")
            .build()
            .unwrap();
        let container = ContainerDefinition::builder()
            .name("agent")
            .command("--token=s3cr3t")
            .environment(KeyValuePair::builder().name("DATABASE_URL").value("s3cr3t").build())
            .log_configuration(logs)
            .build();
        let revision =
            Revision::of(&TaskDefinition::builder().family("agent").container_definitions(container).build());
        let shown = format!("{revision:?}");
        assert!(!shown.contains("s3cr3t"), "{shown}");
        assert!(shown.contains("/ecs/agent") && shown.contains("DATABASE_URL"), "{shown}");
        assert!(shown.contains("https://splunk.internal:8088"), "{shown}");
        assert!(revision.containers[0].essential);
    }
}
