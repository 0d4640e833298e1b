//! Secrets that RDS owns: what AWS refuses to others about them, and says of them, and ministack does not.

use serde_json::{Value, json};

/// RDS's secrets are called so, and an ARN has the name in it.
const OWNED: &str = "rds!";

/// Changes of a value, of its labels or of the secret's life. Rotation is asked of RDS's cluster, not here.
const CHANGES: [&str; 8] = [
    "CancelRotateSecret",
    "DeleteSecret",
    "PutSecretValue",
    "RemoveRegionsFromReplication",
    "RestoreSecret",
    "RotateSecret",
    "UpdateSecret",
    "UpdateSecretVersionStage",
];

/// Why a call that others make is refused, if it is.
pub(super) fn refusal(service: &str, action: &str, secret: &str) -> Option<String> {
    let name = secret.rsplit_once(":secret:").map_or(secret, |(_, name)| name);
    (service == "secretsmanager" && CHANGES.contains(&action) && name.starts_with(OWNED))
        .then(|| format!("You can't perform {action} on this secret: it is managed by rds."))
}

/// A description or a list with what AWS says of RDS's secrets; nothing if there are none in it.
pub(super) fn with_owner(action: &str, answer: &Value) -> Option<Value> {
    let mut answer = answer.clone();
    let secrets: Vec<&mut Value> = match action {
        "DescribeSecret" => vec![&mut answer],
        "ListSecrets" => answer["SecretList"].as_array_mut()?.iter_mut().collect(),
        _ => return None,
    };
    let mut any = false;
    for secret in secrets {
        if secret["Name"].as_str().is_some_and(|name| name.starts_with(OWNED)) {
            any = true;
            secret["OwningService"] = json!("rds");
            secret["RotationEnabled"] = json!(true);
            secret["RotationRules"] = json!({ "AutomaticallyAfterDays": 7 });
        }
    }
    any.then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:";

    #[test]
    fn what_rds_owns_nobody_else_changes() {
        for secret in ["rds!cluster-1".to_owned(), format!("{ARN}rds!cluster-1-abcdef")] {
            let why = refusal("secretsmanager", "PutSecretValue", &secret).unwrap();
            assert!(why.ends_with("it is managed by rds."), "{why}");
            assert_eq!(refusal("secretsmanager", "GetSecretValue", &secret), None);
            assert_eq!(refusal("secretsmanager", "TagResource", &secret), None);
            assert_eq!(refusal("sqs", "PutSecretValue", &secret), None);
        }
        assert_eq!(refusal("secretsmanager", "PutSecretValue", "team/rds!x"), None);
        assert_eq!(refusal("secretsmanager", "PutSecretValue", &format!("{ARN}team/rds!x-abcdef")), None);
    }

    #[test]
    fn what_rds_owns_is_marked() {
        let marked =
            with_owner("DescribeSecret", &json!({ "Name": "rds!cluster-1", "RotationEnabled": false })).unwrap();
        assert_eq!((&marked["OwningService"], &marked["RotationEnabled"]), (&json!("rds"), &json!(true)));
        let list = json!({ "SecretList": [{ "Name": "a" }, { "Name": "rds!db-1" }] });
        let marked = with_owner("ListSecrets", &list).unwrap();
        assert_eq!(marked["SecretList"][0], json!({ "Name": "a" }));
        assert_eq!(marked["SecretList"][1]["OwningService"], "rds");
        assert_eq!(with_owner("DescribeSecret", &json!({ "Name": "a" })), None);
        assert_eq!(with_owner("GetSecretValue", &json!({ "Name": "rds!db-1" })), None);
    }
}
