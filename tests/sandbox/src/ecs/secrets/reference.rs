//! What a `valueFrom` names.

/// The parts of a secret's ARN: `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME`.
const ARN: usize = 7;

/// With `:json-key:version-stage:version-id` behind it, each of which may be empty.
const ARN_AND_PARAMETERS: usize = 10;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum ValueFrom<'a> {
    /// A secret of Secrets Manager.
    Secret(Secret<'a>),
    /// The name or the ARN of a parameter of Systems Manager.
    Parameter(&'a str),
    /// A secret's ARN with some of the three parameters but not all.
    Malformed,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Secret<'a> {
    pub(super) arn: String,
    pub(super) json_key: Option<&'a str>,
    pub(super) version_stage: Option<&'a str>,
    pub(super) version_id: Option<&'a str>,
}

impl<'a> ValueFrom<'a> {
    pub(super) fn read(text: &'a str) -> Self {
        let parts: Vec<&str> = text.split(':').collect();
        if parts[0] != "arn" || parts.get(2) != Some(&"secretsmanager") {
            return Self::Parameter(text);
        }
        if parts.len() != ARN && parts.len() != ARN_AND_PARAMETERS {
            return Self::Malformed;
        }
        let parameter = |index: usize| parts.get(ARN + index).copied().filter(|text| !text.is_empty());
        Self::Secret(Secret {
            arn: parts[..ARN].join(":"),
            json_key: parameter(0),
            version_stage: parameter(1),
            version_id: parameter(2),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:team/db-AbCdEf";

    #[test]
    fn each_part_of_a_secrets_parameters_may_be_empty() {
        let expect = |behind: &str, json_key, version_stage, version_id| {
            let text = format!("{SECRET}{behind}");
            let secret = Secret { arn: SECRET.to_owned(), json_key, version_stage, version_id };
            assert_eq!(ValueFrom::read(&text), ValueFrom::Secret(secret), "{text}");
        };
        expect("", None, None, None);
        expect(":::", None, None, None);
        expect(":password::", Some("password"), None, None);
        expect("::AWSPREVIOUS:", None, Some("AWSPREVIOUS"), None);
        expect(":password:AWSCURRENT:0f1e", Some("password"), Some("AWSCURRENT"), Some("0f1e"));
        for behind in [":password", ":password:", ":a:b:c:d"] {
            assert_eq!(ValueFrom::read(&format!("{SECRET}{behind}")), ValueFrom::Malformed, "{behind}");
        }
    }

    #[test]
    fn all_else_is_a_parameter() {
        for text in ["/team/token", "token", "arn:aws:ssm:eu-west-1:123456789012:parameter/team/token"] {
            assert_eq!(ValueFrom::read(text), ValueFrom::Parameter(text));
        }
    }
}
