//! Secrets in containers' environments.

use super::{allow, define, file, reason, role, run};
use crate::local::{Local, SOON, agent, shell, with_sandbox};
use sandbox::ecs::{StopCode, Task};
use serde_json::{Value, json};

const PULL: &str = "ResourceInitializationError: unable to pull secrets or registry auth: ";
const FROM_ASM: &str = "execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): ";
const FROM_SSM: &str = "execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): ";

async fn manager(local: &Local, action: &str, request: Value) -> Value {
    local.sandbox.aws().json("secretsmanager", &format!("secretsmanager.{action}"), &request).await.unwrap()
}

async fn secret(local: &Local, name: &str, text: &str) -> String {
    let answer = manager(local, "CreateSecret", json!({ "Name": name, "SecretString": text })).await;
    answer["ARN"].as_str().unwrap().to_owned()
}

async fn parameter(local: &Local, request: Value) {
    local.sandbox.aws().json("ssm", "AmazonSSM.PutParameter", &request).await.unwrap();
}

async fn key(local: &Local) -> (String, String) {
    let answer = local.sandbox.aws().json("kms", "TrentService.CreateKey", &json!({})).await.unwrap();
    let member = |name: &str| answer["KeyMetadata"][name].as_str().unwrap().to_owned();
    (member("KeyId"), member("Arn"))
}

/// A container whose script sees these secrets.
fn container(script: &str, secrets: &[(&str, &str)]) -> Value {
    let mut container = shell("main", script, true);
    let secret = |(name, value_from): &(&str, &str)| json!({ "name": name, "valueFrom": value_from });
    container["secrets"] = secrets.iter().map(secret).collect();
    container
}

/// Defines a task with one secret, of which only the start is of interest.
async fn define_one(local: &Local, name: &str, role: Option<&str>, value_from: &str) {
    define(local, name, role, json!([container("exit 0", &[("SECRET", value_from)])])).await;
}

fn parameter_arn(local: &Local, name: &str) -> String {
    let options = local.sandbox.options();
    format!("arn:aws:ssm:{}:{}:parameter/{name}", options.region, options.account)
}

#[test]
fn a_container_sees_what_each_kind_of_reference_names() {
    with_sandbox(async |local| {
        let arn = secret(local, "kinds", r#"{"user":"old","port":1}"#).await;
        let first = manager(local, "DescribeSecret", json!({ "SecretId": arn })).await;
        let first = first["VersionIdsToStages"].as_object().unwrap().keys().next().unwrap().clone();
        let newer = r#"{"user":"n w","port":5432}"#;
        manager(local, "PutSecretValue", json!({ "SecretId": arn, "SecretString": newer })).await;
        parameter(local, json!({ "Name": "/kinds/plain", "Value": "plain value", "Type": "String" })).await;
        parameter(local, json!({ "Name": "/kinds/secure", "Value": "secure value", "Type": "SecureString" })).await;
        // More than GetParameters takes at once.
        let many: Vec<_> = (0..11).map(|n| format!("/kinds/many/{n}")).collect();
        for name in &many {
            parameter(local, json!({ "Name": name, "Value": format!("value of {name}"), "Type": "String" })).await;
        }
        let role = role(local, "kinds").await;
        let anything = parameter_arn(local, "kinds/*");
        allow(local, &role, &[("secretsmanager:GetSecretValue", &arn), ("ssm:GetParameters", &anything)]).await;

        let (user, port) = (format!("{arn}:user::"), format!("{arn}:port::"));
        let (previous, by_id) = (format!("{arn}:user:AWSPREVIOUS:"), format!("{arn}:::{first}"));
        let secure = parameter_arn(local, "kinds/secure");
        let mut secrets = vec![
            ("WHOLE", arn.as_str()),
            ("USER", &user),
            ("PORT", &port),
            ("PREVIOUS", &previous),
            ("BY_ID", &by_id),
            ("PLAIN", "/kinds/plain"),
            ("SECURE", &secure),
        ];
        let names: Vec<_> = (0..many.len()).map(|n| format!("MANY_{n}")).collect();
        secrets.extend(names.iter().zip(&many).map(|(name, parameter)| (name.as_str(), parameter.as_str())));
        let script = "umask 077; for name in WHOLE USER PORT PREVIOUS BY_ID PLAIN SECURE MANY_0 MANY_10; do \
                      eval printf '\"$name %s\\n\"' \"\\\"\\$$name\\\"\"; done > seen";
        define(local, "kinds", Some(&role), json!([container(script, &secrets)])).await;
        let task = run(local, "kinds").await;
        assert_eq!(task.stop.as_ref().unwrap().code, StopCode::EssentialContainerExited, "{:?}", task.stop);
        let expected = [
            &format!("WHOLE {newer}"),
            "USER n w",
            "PORT 5432",
            "PREVIOUS old",
            r#"BY_ID {"user":"old","port":1}"#,
            "PLAIN plain value",
            "SECURE secure value",
            "MANY_0 value of /kinds/many/0",
            "MANY_10 value of /kinds/many/10",
        ];
        assert_eq!(file(local, &task, "seen").lines().collect::<Vec<_>>(), expected);

        let told = format!("{:?} {task:?}", local.events_about(&format!("/{}", task.id)));
        assert!(!told.contains("n w") && !told.contains("secure value"), "{told}");
        assert!(!local.sandbox.ecs().not_modelled().iter().any(|what| what.contains("kinds")));
        local.check_model();
    });
}

/// A variable of a running container's process.
fn variable(local: &Local, task: &Task, name: &str) -> Option<String> {
    let pid = local.sandbox.ecs().pid(&task.id, "agent").unwrap();
    let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
    environment.split('\0').find_map(|one| one.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
}

#[test]
fn a_changed_secret_reaches_the_replacement_and_not_the_running_task() {
    with_sandbox(async |local| {
        let arn = secret(local, "rotated", "before").await;
        let role = role(local, "rotated").await;
        allow(local, &role, &[("secretsmanager:GetSecretValue", &arn)]).await;
        let mut agent = agent(&json!([]));
        agent["secrets"] = json!([{ "name": "SECRET", "valueFrom": arn }]);
        define(local, "rotated", Some(&role), json!([agent])).await;
        local.service("rotated", 1, json!({})).await;
        let old = local.steady("rotated").await.remove(0);
        assert_eq!(variable(local, &old, "SECRET").as_deref(), Some("before"));

        manager(local, "PutSecretValue", json!({ "SecretId": arn, "SecretString": "after" })).await;
        assert_eq!(variable(local, &old, "SECRET").as_deref(), Some("before"));
        local.ecs("StopTask", json!({ "cluster": "rotated", "task": old.id })).await;
        let ecs = local.sandbox.ecs();
        ecs.wait_for_task(&old.id, SOON, |task| !task.is_running()).await.unwrap();
        ecs.wait_for_service("rotated", "agent", SOON, |service| service.running == 1).await.unwrap();
        let new = local.steady("rotated").await.remove(0);
        assert_ne!(old.id, new.id);
        assert_eq!(variable(local, &new, "SECRET").as_deref(), Some("after"));

        manager(local, "PutSecretValue", json!({ "SecretId": arn, "SecretString": "later" })).await;
        let request = json!({ "cluster": "rotated", "service": "agent", "forceNewDeployment": true });
        local.ecs("UpdateService", request).await;
        ecs.wait_for_task(&new.id, SOON, |task| !task.is_running()).await.unwrap();
        let forced = local.steady("rotated").await.remove(0);
        assert_eq!(variable(local, &forced, "SECRET").as_deref(), Some("later"));
        local.check_model();
    });
}

#[test]
fn a_secret_that_cannot_be_had_stops_the_task_in_ecs_words() {
    with_sandbox(async |local| {
        let options = local.sandbox.options();
        let json_secret = secret(local, "failing/json", r#"{"user":"hidden"}"#).await;
        let text_secret = secret(local, "failing/text", "hidden").await;
        let gone = format!("arn:aws:secretsmanager:{}:{}:secret:failing/gone-AbCdEf", options.region, options.account);
        let role = role(local, "failing").await;
        allow(local, &role, &[("secretsmanager:GetSecretValue", "*"), ("ssm:GetParameters", "*")]).await;

        let fetch = |arn: &str| format!("{PULL}{FROM_ASM}failed to fetch secret {arn} from secrets manager: ");
        let missing = "ResourceNotFoundException: Secrets Manager can't find the specified secret";
        let cases = [
            (gone.clone(), format!("{}{missing}. status code: 400", fetch(&gone))),
            (
                format!("{json_secret}::NOSUCH:"),
                format!("{}{missing} value for staging label: NOSUCH. status code: 400", fetch(&json_secret)),
            ),
            (
                format!("{json_secret}:password::"),
                format!("{PULL}{FROM_ASM}retrieved secret from Secrets Manager did not contain json key password"),
            ),
            (
                format!("{text_secret}:user::"),
                format!("{PULL}{FROM_ASM}invalid character 'h' looking for beginning of value"),
            ),
            (
                format!("{json_secret}:user"),
                format!("{PULL}{FROM_ASM}unexpected ARN format with parameters when trying to retrieve ASM secret"),
            ),
            ("/failing/gone".to_owned(), format!("{PULL}{FROM_SSM}invalid ssm parameters: /failing/gone")),
        ];
        for (value_from, expected) in cases {
            define_one(local, "failing", Some(&role), &value_from).await;
            let reason = reason(local, "failing").await;
            assert_eq!(reason, expected);
            assert!(!reason.contains("hidden"));
        }
        local.check_model();
    });
}

#[test]
fn a_version_must_carry_the_stage_it_is_asked_for_by() {
    with_sandbox(async |local| {
        let arn = secret(local, "stages", "one").await;
        let put = manager(local, "PutSecretValue", json!({ "SecretId": arn, "SecretString": "two" })).await;
        let id = put["VersionId"].as_str().unwrap();
        let role = role(local, "stages").await;
        allow(local, &role, &[("secretsmanager:GetSecretValue", &arn)]).await;
        define_one(local, "stages", Some(&role), &format!("{arn}::AWSPREVIOUS:{id}")).await;
        let reason = reason(local, "stages").await;
        assert!(
            reason.contains("InvalidRequestException: You provided a VersionStage that is not associated"),
            "{reason}"
        );
        define_one(local, "stages", Some(&role), &format!("{arn}::AWSCURRENT:{id}")).await;
        assert_eq!(run(local, "stages").await.stop.unwrap().code, StopCode::EssentialContainerExited);
    });
}

#[test]
fn the_execution_role_must_be_allowed_to_read() {
    with_sandbox(async |local| {
        let options = local.sandbox.options();
        let (key_id, key_arn) = key(local).await;
        let request = json!({ "Name": "guarded", "SecretString": "hidden", "KmsKeyId": key_id });
        let arn = manager(local, "CreateSecret", request).await["ARN"].as_str().unwrap().to_owned();
        parameter(local, json!({ "Name": "/guarded/p", "Value": "hidden", "Type": "SecureString", "KeyId": key_arn }))
            .await;
        let parameter_arn = parameter_arn(local, "guarded/p");
        let role = role(local, "guarded-start").await;
        let ended = async |value_from: &str| {
            define_one(local, "guarded-start", Some(&role), value_from).await;
            run(local, "guarded-start").await
        };

        for (value_from, resource, action, kms) in [
            (
                arn.as_str(),
                &arn,
                "secretsmanager:GetSecretValue",
                "AccessDeniedException: Access to KMS is not allowed",
            ),
            ("/guarded/p", &parameter_arn, "ssm:GetParameters", "AccessDeniedException: The ciphertext refers to"),
        ] {
            allow(local, &role, &[("ssm:Describe*", "*")]).await;
            let task = ended(value_from).await;
            let stop = task.stop.unwrap();
            let user = format!("arn:aws:sts::{}:assumed-role/guarded-start/{}", options.account, task.id);
            let denied = format!(
                "AccessDeniedException: User: {user} is not authorized to perform: {action} on resource: {resource} because no \
                 identity-based policy allows the {action} action status code: 400, request id: "
            );
            assert_eq!(stop.code, StopCode::TaskFailedToStart);
            assert!(stop.reason.starts_with(PULL) && stop.reason.contains(&denied), "{}", stop.reason);

            allow(local, &role, &[(action, resource)]).await;
            let reason = ended(value_from).await.stop.unwrap().reason;
            assert!(reason.contains(kms), "{reason}");

            allow(local, &role, &[(action, resource), ("kms:Decrypt", &key_arn)]).await;
            let stop = ended(value_from).await.stop.unwrap();
            assert_eq!(stop.code, StopCode::EssentialContainerExited, "{}", stop.reason);
        }
        local.check_model();
    });
}

#[test]
fn ecs_must_be_able_to_take_the_role_on() {
    with_sandbox(async |local| {
        let options = local.sandbox.options();
        let arn = secret(local, "unassumable", "hidden").await;
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole",
        }] });
        let parameters = [("RoleName", "for-lambda"), ("AssumeRolePolicyDocument", &trust.to_string())];
        local.sandbox.aws().query("iam", "CreateRole", &parameters).await.unwrap();
        let deleted = role(local, "deleted").await;
        for role in [deleted, format!("arn:aws:iam::{}:role/for-lambda", options.account)] {
            define_one(local, "unassumable", Some(&role), &arn).await;
            // Only now: a definition whose role does not exist is not registered.
            if role.ends_with("/deleted") {
                local.sandbox.aws().query("iam", "DeleteRole", &[("RoleName", "deleted")]).await.unwrap();
            }
            let reason = reason(local, "unassumable").await;
            let expected =
                format!("{PULL}ECS was unable to assume the role '{role}' that was provided for this task. ");
            assert!(reason.starts_with(&expected), "{reason}");
        }
        local.check_model();
    });
}
