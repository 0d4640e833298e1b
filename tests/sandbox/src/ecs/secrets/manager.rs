//! Secrets of Secrets Manager, as ECS reads them.

use serde_json::json;

use super::reference::Secret;
use super::{SecretValue, go, refusal};
use crate::aws::AwsError;
use crate::ecs::execution_role::{ExecutionRole, access_denied};

const ACTION: &str = "secretsmanager:GetSecretValue";

/// The whole secret, or one member of it.
pub(super) async fn read(role: &ExecutionRole<'_>, secret: &Secret<'_>) -> Result<SecretValue, String> {
    let whole = fetch(role, secret).await.map_err(|error| {
        let why = refusal(&error);
        format!("failed to fetch secret {} from secrets manager: {why}", secret.arn)
    })?;
    match secret.json_key {
        Some(key) => go::member(&whole.0, key).map(SecretValue),
        None => Ok(whole),
    }
}

async fn fetch(role: &ExecutionRole<'_>, secret: &Secret<'_>) -> Result<SecretValue, AwsError> {
    let described =
        role.aws.json("secretsmanager", "secretsmanager.DescribeSecret", &json!({ "SecretId": secret.arn })).await;
    // Who may not read a secret does not learn either whether it exists.
    let described = described.unwrap_or_default();
    role.may(ACTION, described["ARN"].as_str().unwrap_or(&secret.arn)).await?;
    if let Some(key) = described["KmsKeyId"].as_str() {
        role.may_decrypt(key).await.map_err(|_| access_denied(ACTION, "Access to KMS is not allowed".to_owned()))?;
    }

    let mut request = json!({ "SecretId": secret.arn });
    if let Some(stage) = secret.version_stage {
        request["VersionStage"] = stage.into();
    }
    if let Some(id) = secret.version_id {
        request["VersionId"] = id.into();
    }
    let answer = role.aws.json("secretsmanager", "secretsmanager.GetSecretValue", &request).await?;
    // ministack takes the version and leaves the stage aside.
    let stages = answer["VersionStages"].as_array();
    let has_stage = |stage: &str| stages.is_some_and(|stages| stages.iter().any(|one| one == stage));
    if secret.version_stage.is_some_and(|stage| !has_stage(stage)) {
        return Err(AwsError {
            call: ACTION.to_owned(),
            code: "InvalidRequestException".to_owned(),
            message: "You provided a VersionStage that is not associated to the provided VersionId.".to_owned(),
            status: 400,
        });
    }
    // A binary secret has none: only SecretString is supported ("Pass Secrets Manager secrets through environment variables").
    Ok(SecretValue(answer["SecretString"].as_str().unwrap_or_default().to_owned()))
}
