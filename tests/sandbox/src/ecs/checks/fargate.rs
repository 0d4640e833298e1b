//! What Fargate asks of a task definition and of those who run it.

use serde_json::Value;

use crate::ecs::refusal::Refusal;

/// CPU units, and the smallest and largest memory in MiB with its step ("Task size" in the developer guide).
const SIZES: [(u32, u32, u32, u32); 7] = [
    (256, 512, 2048, 512),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16384, 1024),
    (4096, 8192, 30720, 1024),
    (8192, 16384, 61440, 4096),
    (16384, 32768, 122_880, 8192),
];

/// The longest `startTimeout` and `stopTimeout` on Fargate (API reference of `ContainerDefinition`). It gives 2 as the
/// smallest; the sandbox takes less of a `stopTimeout`, so that tests need not wait.
const LONGEST_TIMEOUT: i64 = 120;

/// Whether a definition says that it is for Fargate.
pub(crate) fn is_required(definition: &Value) -> bool {
    definition["requiresCompatibilities"].as_array().is_some_and(|all| all.iter().any(|one| one == "FARGATE"))
}

/// Checks a definition, whether it says that it is for Fargate or not.
pub(crate) fn fits(definition: &Value) -> Result<(), Refusal> {
    if definition["networkMode"] != "awsvpc" {
        return Err(Refusal::client("Fargate only supports network mode ‘awsvpc’."));
    }
    size(definition)?;
    let has_role = definition["executionRoleArn"].as_str().is_some_and(|role| !role.is_empty());
    for container in definition["containerDefinitions"].as_array().into_iter().flatten() {
        for (name, smallest) in [("startTimeout", 2), ("stopTimeout", 0)] {
            if container[name].as_i64().is_some_and(|seconds| !(smallest..=LONGEST_TIMEOUT).contains(&seconds)) {
                let text = format!("{name} is from {smallest} to {LONGEST_TIMEOUT} seconds on Fargate.");
                return Err(Refusal::client(text));
            }
        }
        if !has_role && container["image"].as_str().is_some_and(|image| image.contains(".dkr.ecr.")) {
            let text = "Fargate requires task definition to have execution role ARN to support ECR images.";
            return Err(Refusal::client(text));
        }
        let logs = &container["logConfiguration"];
        if logs["logDriver"] != "awslogs" {
            continue;
        }
        if !has_role {
            let text = "Fargate requires task definition to have execution role ARN to support log driver awslogs.";
            return Err(Refusal::client(text));
        }
        if logs["options"]["awslogs-stream-prefix"].is_null() {
            let text = "Fargate requires log configuration options to include awslogs-stream-prefix \
                        to support log driver awslogs.";
            return Err(Refusal::client(text));
        }
    }
    Ok(())
}

/// Refuses to run a registered definition that is not for Fargate.
pub(crate) fn is_supported(definition: &Value) -> Result<(), Refusal> {
    fits(definition).map_err(|_| Refusal::invalid("Task definition does not support launch_type FARGATE."))
}

/// Checks a request to run a definition somewhere.
pub(crate) fn can_be_placed(request: &Value, definition: &Value) -> Result<(), Refusal> {
    let provider = request["capacityProviderStrategy"][0]["capacityProvider"].as_str().unwrap_or_default();
    if request["launchType"] == "FARGATE" || provider.starts_with("FARGATE") {
        is_supported(definition)?;
    }
    if definition["networkMode"] == "awsvpc" {
        has_network(request)?;
    }
    Ok(())
}

/// Checks that a request names a subnet.
pub(crate) fn has_network(request: &Value) -> Result<(), Refusal> {
    match request["networkConfiguration"]["awsvpcConfiguration"]["subnets"].as_array() {
        None => {
            let text = "Network Configuration must be provided when networkMode 'awsvpc' is specified.";
            Err(Refusal::invalid(text))
        }
        Some(subnets) if subnets.is_empty() => Err(Refusal::invalid("subnets can not be empty.")),
        Some(_) => Ok(()),
    }
}

fn size(definition: &Value) -> Result<(), Refusal> {
    let mut given = [("cpu", "vcpu"), ("memory", "gb")].map(|(name, unit)| (name, unit, definition[name].as_str()));
    for (name, _, text) in &given {
        if text.is_none_or(str::is_empty) {
            return Err(Refusal::client(format!("Fargate requires that '{name}' be defined at the task level.")));
        }
    }
    let mut numbers = [0; 2];
    for ((name, unit, text), number) in given.iter_mut().zip(&mut numbers) {
        let amount = text.and_then(|text| amount(text, unit));
        *number = amount.ok_or_else(|| Refusal::client(format!("Invalid '{name}' setting for task.")))?;
    }
    let [cpu, memory] = numbers;
    let fits = SIZES.iter().any(|&(units, smallest, largest, step)| {
        // 256 units go with 512, 1024 and 2048, not with 1536.
        cpu == units
            && (smallest..=largest).contains(&memory)
            && memory.is_multiple_of(step)
            && (cpu, memory) != (256, 1536)
    });
    if !fits {
        return Err(Refusal::client(format!(
            "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. \
             See the Amazon ECS documentation for the valid values."
        )));
    }
    Ok(())
}

/// `1024`, or `1 vCPU` and `1 GB`, which are as much.
fn amount(text: &str, unit: &str) -> Option<u32> {
    let text = text.trim().to_ascii_lowercase();
    let Some(large) = text.strip_suffix(unit) else { return text.parse().ok() };
    let (whole, fraction) = large.trim().split_once('.').unwrap_or((large.trim(), ""));
    let number = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<u32>().ok() };
    // Thousandths are enough for 0.125 vCPU, the smallest there is.
    let thousandths = number(whole)?.checked_mul(1000)?.checked_add(number(&format!("{fraction:0<3}"))?)?;
    let units = thousandths.checked_mul(1024)?;
    units.is_multiple_of(1000).then_some(units / 1000)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A definition that Fargate runs, with changes.
    pub(in crate::ecs::checks) fn definition(more: Value) -> Value {
        let mut definition = json!({
            "family": "agent", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
            "memory": "512", "containerDefinitions": [{ "name": "agent", "image": "agent:1" }],
        });
        let Value::Object(more) = more else { unreachable!() };
        definition.as_object_mut().unwrap().extend(more);
        definition
    }

    fn with_container(more: Value) -> Value {
        let mut changed = definition(json!({}));
        let Value::Object(more) = more else { unreachable!() };
        changed["containerDefinitions"][0].as_object_mut().unwrap().extend(more);
        changed
    }

    #[test]
    fn sizes_are_the_documented_pairs() {
        let cases = [
            ("256", "512", true),
            ("256", "1536", false),
            ("256", "4096", false),
            ("1 vCPU", "2GB", true),
            (".5 vcpu", "1 GB", true),
            ("0.25vCPU", "0.5GB", true),
            ("1024", "1024", false),
            ("4096", "30720", true),
            ("8192", "20480", true),
            ("8192", "17408", false),
            ("16384", "122880", true),
            ("300", "512", false),
        ];
        for (cpu, memory, good) in cases {
            let checked = fits(&definition(json!({ "cpu": cpu, "memory": memory })));
            assert_eq!(checked.is_ok(), good, "{cpu} {memory}: {checked:?}");
        }
    }

    #[test]
    fn what_fargate_lacks_is_named() {
        let awslogs = |options: Value| json!({ "logConfiguration": { "logDriver": "awslogs", "options": options } });
        let mut with_role = with_container(awslogs(json!({ "awslogs-group": "g", "awslogs-region": "r" })));
        with_role["executionRoleArn"] = json!("arn:aws:iam::123456789012:role/r");
        let cases = [
            (definition(json!({ "networkMode": "bridge" })), "Fargate only supports network mode ‘awsvpc’."),
            (definition(json!({ "cpu": null })), "Fargate requires that 'cpu' be defined at the task level."),
            (definition(json!({ "memory": null })), "Fargate requires that 'memory' be defined at the task level."),
            (definition(json!({ "cpu": "much" })), "Invalid 'cpu' setting for task."),
            (
                definition(json!({ "cpu": "1024", "memory": "1 GB" })),
                "No Fargate configuration exists for given values: 1024 CPU, 1024 memory. \
                 See the Amazon ECS documentation for the valid values.",
            ),
            (with_container(json!({ "stopTimeout": 121 })), "stopTimeout is from 0 to 120 seconds on Fargate."),
            (with_container(json!({ "startTimeout": 1 })), "startTimeout is from 2 to 120 seconds on Fargate."),
            (
                with_container(json!({ "image": "1.dkr.ecr.eu-west-1.amazonaws.com/a:1" })),
                "Fargate requires task definition to have execution role ARN to support ECR images.",
            ),
            (
                with_container(awslogs(json!({}))),
                "Fargate requires task definition to have execution role ARN to support log driver awslogs.",
            ),
            (
                with_role,
                "Fargate requires log configuration options to include awslogs-stream-prefix \
                 to support log driver awslogs.",
            ),
        ];
        for (definition, text) in cases {
            assert_eq!(fits(&definition), Err(Refusal::client(text)));
        }
        assert_eq!(fits(&definition(json!({}))), Ok(()));
    }

    #[test]
    fn a_definition_of_another_kind_needs_no_network() {
        let other = definition(json!({ "networkMode": "bridge" }));
        assert_eq!(can_be_placed(&json!({ "launchType": "EC2" }), &other), Ok(()));
        assert!(can_be_placed(&json!({ "launchType": "EC2" }), &definition(json!({}))).is_err());
        let spot = json!({ "capacityProviderStrategy": [{ "capacityProvider": "FARGATE_SPOT" }] });
        assert!(can_be_placed(&spot, &other).unwrap_err().message.contains("FARGATE"));
        let empty = json!({ "networkConfiguration": { "awsvpcConfiguration": { "subnets": [] } } });
        assert_eq!(has_network(&empty), Err(Refusal::invalid("subnets can not be empty.")));
    }
}
