//! Calls that failed: what was being done with what, what AWS said, and what a person can do about it.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use watchkeeper_aws_errors::{Failed, words};

use crate::trouble::Trouble;

/// Codes of AWS that stay until a person does something, beside all that begin with `AccessDenied`.
const FOR_GOOD: [&str; 15] = [
    "DBClusterNotFoundFault",
    "DBInstanceNotFound",
    "DBInstanceNotFoundFault",
    "DecryptionFailure",
    "EncryptionFailure",
    "InvalidKeyId",
    "InvalidParameterCombination",
    "InvalidParameterValue",
    "NoSuchBucket",
    "ParameterNotFound",
    "ParameterPatternMismatchException",
    "PermanentRedirect",
    "ResourceExistsException",
    "ResourceNotFoundException",
    "ValidationException",
];

/// What a call is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// Its kind and name, for people.
    pub(super) name: &'a str,
    /// What has to be so that Watchkeeper may do it.
    pub(super) grant: &'static str,
}

impl About<'_> {
    /// A call that failed.
    pub(super) fn failed<E>(self, doing: &'static str, error: &SdkError<E, HttpResponse>) -> Trouble
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        self.told(doing, error.code(), &words(error))
    }

    /// A call that failed, and had a document with it. AWS's words are only told where they cannot quote it.
    pub(super) fn failed_with_document<E>(self, doing: &'static str, error: &SdkError<E, HttpResponse>) -> Trouble
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        match error.code() {
            Some(code) if !quotes_nothing(code) => {
                self.told(doing, Some(code), &format!("{code} (its words are left out: they may quote the document)"))
            }
            code => self.told(doing, code, &words(error)),
        }
    }

    /// What is not as it should be, and may be so later.
    pub(super) fn not_yet(self, doing: &'static str, why: &str) -> Trouble {
        Failed { doing, why: format!("{}: {why}", self.name), for_good: false }.into()
    }

    fn told(self, doing: &'static str, code: Option<&str>, words: &str) -> Trouble {
        let is_denied = code.is_some_and(|code| code.starts_with("AccessDenied"));
        let for_good = is_denied || code.is_some_and(|code| FOR_GOOD.contains(&code));
        let Self { name, grant } = self;
        let why = if is_denied { format!("{name}: {words}. {grant}") } else { format!("{name}: {words}") };
        Failed { doing, why, for_good }.into()
    }
}

/// Whether what AWS says beside this code is about who called, how often, or a key, and not about what was sent.
fn quotes_nothing(code: &str) -> bool {
    code.starts_with("AccessDenied")
        || code.starts_with("Internal")
        || ["Throttling", "LimitExceeded", "TooMany"].iter().any(|part| code.contains(part))
        || ["EncryptionFailure", "InvalidKeyId", "ParameterNotFound", "ResourceNotFoundException"].contains(&code)
}

#[cfg(test)]
mod tests {
    use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    const ABOUT: About<'_> = About { name: "secret a", grant: "Allow it." };

    fn refused(code: &str, message: &str) -> SdkError<PutSecretValueError, HttpResponse> {
        let error = PutSecretValueError::generic(ErrorMetadata::builder().code(code).message(message).build());
        SdkError::service_error(error, HttpResponse::new(StatusCode::try_from(400).unwrap(), SdkBody::empty()))
    }

    #[test]
    fn who_is_denied_reads_what_to_grant() {
        let error = refused("AccessDeniedException", "Access to KMS is not allowed");
        for trouble in [ABOUT.failed("writing", &error), ABOUT.failed_with_document("writing", &error)] {
            assert!(!trouble.may_pass());
            let expected = "writing: secret a: AccessDeniedException: Access to KMS is not allowed. Allow it.";
            assert_eq!(trouble.to_string(), expected);
        }
    }

    #[test]
    fn what_a_document_was_sent_with_does_not_come_back() {
        for code in ["ValidationException", "InvalidParameterException", "SomethingNew"] {
            let trouble = ABOUT.failed_with_document("writing", &refused(code, "Value 'hunter2' at 'secretString'"));
            assert_eq!(trouble.may_pass(), code != "ValidationException");
            assert!(trouble.to_string().contains(code) && !trouble.to_string().contains("hunter2"), "{trouble}");
        }
    }
}
