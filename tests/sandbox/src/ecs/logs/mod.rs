//! What containers write, sent to CloudWatch Logs ("Send Amazon ECS logs to CloudWatch").

mod delivery;
mod lines;
mod stream;

use serde_json::Value;

use super::definition::ContainerDefinition;
use super::execution_role::ExecutionRole;
pub(crate) use delivery::Tap;
pub(crate) use stream::LogStream;

/// A `logConfiguration` with the log driver `awslogs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Awslogs {
    group: String,
    stream_prefix: String,
    create_group: bool,
}

impl Awslogs {
    /// Reads a container's `logConfiguration`; `Err` names what the sandbox does not model of it.
    pub(crate) fn read(configuration: &Value, region: &str) -> Result<Option<Self>, String> {
        if configuration.is_null() {
            return Ok(None);
        }
        let driver = configuration["logDriver"].as_str().unwrap_or_default();
        if driver != "awslogs" {
            return Err(format!("the log driver {driver}"));
        }
        if configuration["secretOptions"].as_array().is_some_and(|options| !options.is_empty()) {
            return Err("secretOptions".to_owned());
        }
        let options = configuration["options"].as_object();
        for (name, value) in options.into_iter().flatten() {
            let known = match name.as_str() {
                // The last two say what to do when output is faster than its delivery, which here always waits.
                "awslogs-group" | "awslogs-stream-prefix" | "awslogs-create-group" | "mode" | "max-buffer-size" => true,
                "awslogs-region" => value == region,
                _ => false,
            };
            if !known {
                return Err(format!("{name} {value}"));
            }
        }
        let option = |name: &str| configuration["options"][name].as_str();
        // Fargate needs both; AWS does not let a definition without them be registered.
        let needed = |name: &str| option(name).map(str::to_owned).ok_or_else(|| format!("awslogs without {name}"));
        Ok(Some(Self {
            group: needed("awslogs-group")?,
            stream_prefix: needed("awslogs-stream-prefix")?,
            create_group: option("awslogs-create-group") == Some("true"),
        }))
    }
}

/// Makes a log stream for each container that asks for one, in the order of `containers`; `Err` is the task's `stoppedReason`.
pub(crate) async fn open(
    role: &ExecutionRole<'_>,
    containers: &[ContainerDefinition],
) -> Result<Vec<Option<LogStream>>, String> {
    let mut streams = Vec::new();
    for container in containers {
        let stream = match &container.awslogs {
            Some(awslogs) => Some(LogStream::create(role, awslogs, &container.name).await?),
            None => None,
        };
        streams.push(stream);
    }
    Ok(streams)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(driver: &str, more: &Value) -> Result<Option<Awslogs>, String> {
        let mut options = json!({ "awslogs-group": "g", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "p" });
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Awslogs::read(&json!({ "logDriver": driver, "options": options }), "eu-west-1")
    }

    #[test]
    fn awslogs_is_read_with_the_options_that_change_nothing_here() {
        let plain = Awslogs { group: "g".to_owned(), stream_prefix: "p".to_owned(), create_group: false };
        assert_eq!(
            read("awslogs", &json!({ "mode": "non-blocking", "max-buffer-size": "25m" })),
            Ok(Some(plain.clone()))
        );
        let creating = Awslogs { create_group: true, ..plain };
        assert_eq!(read("awslogs", &json!({ "awslogs-create-group": "true" })), Ok(Some(creating)));
        assert_eq!(Awslogs::read(&Value::Null, "eu-west-1"), Ok(None));
    }

    #[test]
    fn what_it_cannot_do_is_named() {
        for (driver, more, expected) in [
            ("awsfirelens", json!({}), "the log driver awsfirelens"),
            ("awslogs", json!({ "awslogs-region": "us-east-1" }), "awslogs-region \"us-east-1\""),
            ("awslogs", json!({ "awslogs-multiline-pattern": "^a" }), "awslogs-multiline-pattern \"^a\""),
            ("awslogs", json!({ "awslogs-stream-prefix": null }), "awslogs without awslogs-stream-prefix"),
        ] {
            assert_eq!(read(driver, &more), Err(expected.to_owned()));
        }
    }
}
