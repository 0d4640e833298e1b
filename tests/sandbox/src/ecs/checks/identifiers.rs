//! Names and ARNs as requests give them.

use serde_json::Value;

use crate::ecs::refusal::Refusal;

/// What a name may be: "Up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed".
pub(crate) fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The name of the cluster that a request is about; `default` when it names none.
pub(crate) fn cluster(request: &Value) -> Result<&str, Refusal> {
    let given = request["cluster"].as_str().unwrap_or("default");
    let name = match resource(given) {
        Some(("cluster", name)) => name,
        Some((kind, _)) => return Err(Refusal::invalid(format!("Unsupported resource type: {kind}"))),
        None => given,
    };
    if !is_name(name) {
        return Err(Refusal::invalid(format!("Cluster must match ^[a-zA-Z0-9\\-_]{{1,255}}$, but was {name}")));
    }
    Ok(name)
}

/// The name or id of a `kind` (service, task) of the cluster, given by itself or as an ARN.
pub(crate) fn of_cluster<'a>(given: &'a str, kind: &str, cluster: &str) -> Result<&'a str, Refusal> {
    let Some((given_kind, rest)) = resource(given) else { return Ok(given) };
    if given_kind != kind {
        return Err(Refusal::invalid(format!("Unsupported resource type: {given_kind}")));
    }
    match rest.split_once('/') {
        Some((other, _)) if other != cluster => {
            let text = format!("Invalid identifier: Identifier is for cluster {other}. Your cluster is {cluster}");
            Err(Refusal::invalid(text))
        }
        Some((_, name)) => Ok(name),
        // The ARNs of before 2018 had no cluster.
        None => Ok(rest),
    }
}

/// The id of a task of the cluster.
pub(crate) fn task<'a>(given: &'a str, cluster: &str) -> Result<&'a str, Refusal> {
    let id = of_cluster(given, "task", cluster)?;
    if ![32, 36].contains(&id.len()) {
        return Err(Refusal::invalid("taskId length should be one of [32,36]"));
    }
    Ok(id)
}

/// Kind and rest of an ARN: `arn:aws:ecs:REGION:ACCOUNT:KIND/REST`.
fn resource(given: &str) -> Option<(&str, &str)> {
    given.strip_prefix("arn:")?.splitn(5, ':').nth(4)?.split_once('/')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:ecs:eu-west-1:123456789012:";

    #[test]
    fn a_cluster_is_named_by_itself_by_arn_or_not_at_all() {
        for (given, name) in
            [(json!("one"), "one"), (json!(format!("{ARN}cluster/two")), "two"), (Value::Null, "default")]
        {
            assert_eq!(cluster(&json!({ "cluster": given })).unwrap(), name);
        }
        for given in ["", "a b", "a/b", &format!("{ARN}service/one/agent")] {
            assert_eq!(cluster(&json!({ "cluster": given })).unwrap_err().code, "InvalidParameterException");
        }
    }

    #[test]
    fn a_task_is_named_by_id_or_arn_and_belongs_to_the_cluster() {
        let id = "0123456789abcdef0123456789abcdef";
        for given in [id.to_owned(), format!("{ARN}task/one/{id}"), format!("{ARN}task/{id}")] {
            assert_eq!(task(&given, "one").unwrap(), id);
        }
        let refused = [
            (format!("{ARN}task/two/{id}"), "Invalid identifier: Identifier is for cluster two. Your cluster is one"),
            ("f00d".to_owned(), "taskId length should be one of [32,36]"),
            (format!("{ARN}cluster/one"), "Unsupported resource type: cluster"),
        ];
        for (given, text) in refused {
            assert_eq!(task(&given, "one"), Err(Refusal::invalid(text)));
        }
    }
}
