//! A key that a caller may not use: what Secrets Manager and Parameter Store say then is a rule of disorder.

use sandbox::disorder::{CallEffect, CallMatch, CallRule, Plan};
use serde_json::json;

use super::{manager, ssm};
use crate::local::with_sandbox;

const DENIED: &str = "Access to KMS is not allowed";

/// Values of one resource cannot be read or written; what needs no key still answers.
fn denied(resource: &str) -> CallRule {
    let with_key = ["GetSecretValue", "PutSecretValue", "GetParameter", "GetParameters", "PutParameter"];
    let about = CallMatch { action: with_key.into(), resource: resource.into(), ..CallMatch::default() };
    let fail = CallEffect::Fail { status: 400, code: "AccessDeniedException".into(), message: DENIED.into() };
    CallRule::new(about, fail)
}

#[test]
fn the_key_of_one_secret_and_one_parameter_is_denied() {
    with_sandbox(async |local| {
        for name in ["locked", "open"] {
            let secret = json!({ "Name": format!("kms/{name}"), "SecretString": "x" });
            manager(local, "CreateSecret", secret).await.unwrap();
            let parameter = json!({ "Name": format!("/kms/{name}"), "Value": "x", "Type": "SecureString" });
            ssm(local, "PutParameter", parameter).await.unwrap();
        }
        let secret =
            async |name: &str| manager(local, "GetSecretValue", json!({ "SecretId": format!("kms/{name}") })).await;
        let parameter = async |name: &str| {
            let request = json!({ "Names": [format!("/kms/{name}")], "WithDecryption": true });
            ssm(local, "GetParameters", request).await
        };
        let plan = Plan { calls: vec![denied("kms/locked")], ..Plan::default() };
        let added = local.sandbox.disorder().add(plan).unwrap();
        for refused in [secret("locked").await.unwrap_err(), parameter("locked").await.unwrap_err()] {
            assert_eq!((refused.code.as_str(), refused.message.as_str()), ("AccessDeniedException", DENIED));
        }
        manager(local, "DescribeSecret", json!({ "SecretId": "kms/locked" })).await.unwrap();
        secret("open").await.unwrap();
        parameter("open").await.unwrap();
        drop(added);
        secret("locked").await.unwrap();
        parameter("locked").await.unwrap();
    });
}
