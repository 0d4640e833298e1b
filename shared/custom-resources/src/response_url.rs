//! Where CloudFormation awaits its answer: a presigned URL of S3, so a secret.

use std::fmt;

use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// The environment variable that allows more URLs than S3's: prefixes, separated by commas. Only the local AWS sets it;
/// infra/watchkeeper.yaml never does.
pub const ALLOWED_PREFIXES: &str = "RESPONSE_URL_PREFIXES";

/// How the buckets are named that answers go to; the region without hyphens follows (CloudFormation User Guide, "Set up
/// VPC endpoints": `cloudformation-custom-resource-response-uswest2`).
const BUCKET: &str = "cloudformation-custom-resource-response-";

/// A URL that an answer may be sent to. Whoever has it may answer, so it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseUrl(String);

impl ResponseUrl {
    /// The URL itself, byte for byte: its signature is over just these.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// When it was signed, where it says so: just before CloudFormation sent it (S3 API Reference, "Authenticating Requests:
    /// Using Query Parameters": `X-Amz-Date=20130524T000000Z`).
    #[must_use]
    pub fn signed_at(&self) -> Option<OffsetDateTime> {
        let (_, query) = self.0.split_once('?')?;
        let date = query.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Date="))?;
        let format = format_description!("[year][month][day]T[hour][minute][second]Z");
        PrimitiveDateTime::parse(date, format).ok().map(PrimitiveDateTime::assume_utc)
    }
}

impl fmt::Debug for ResponseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// Which URLs an answer may be sent to: those of CloudFormation's buckets. Anything else would let whoever can invoke
/// the function have it send requests to a place of their choice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedUrls {
    prefixes: Vec<String>,
}

impl AllowedUrls {
    /// Besides S3's, URLs with one of these prefixes (as [`ALLOWED_PREFIXES`] has them).
    #[must_use]
    pub fn and(prefixes: &str) -> Self {
        let prefixes = prefixes.split(',').map(str::trim).filter(|prefix| !prefix.is_empty());
        Self { prefixes: prefixes.map(str::to_owned).collect() }
    }

    /// Checks a URL; the reason against it does not quote it.
    pub fn check(&self, url: &str) -> Result<ResponseUrl, &'static str> {
        let usable = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        if !url.bytes().all(usable) {
            return Err("it has characters that no URL has");
        }
        if !self.prefixes.iter().any(|prefix| url.starts_with(prefix)) {
            let rest = url.strip_prefix("https://").ok_or("it does not begin with https://")?;
            let (host, path) = rest.split_once('/').ok_or("it has no path")?;
            if !is_cloudformations(host, path) {
                return Err("it is no bucket of CloudFormation in S3");
            }
        }
        Ok(ResponseUrl(url.to_owned()))
    }
}

/// Forms of S3's addresses: the bucket in the host or at the beginning of the path, endpoints with and without region,
/// with a dot or (as of old) a hyphen before it, dual-stack and FIPS (S3 User Guide, "Virtual hosting of buckets" and
/// "Amazon S3 endpoints").
fn is_cloudformations(host: &str, path: &str) -> bool {
    let endpoint = match host.strip_prefix(BUCKET) {
        Some(rest) => match rest.split_once('.') {
            Some((region, endpoint)) if is_region_without_hyphens(region) => endpoint,
            _ => return false,
        },
        None => match path.strip_prefix(BUCKET).and_then(|rest| rest.split_once('/')) {
            Some((region, _)) if is_region_without_hyphens(region) => host,
            _ => return false,
        },
    };
    // AWS's own partitions, China's and the European Sovereign Cloud's.
    let suffixes = [".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu"];
    let Some(service) = suffixes.into_iter().find_map(|suffix| endpoint.strip_suffix(suffix)) else { return false };
    let Some(rest) = service.strip_prefix("s3-fips").or_else(|| service.strip_prefix("s3")) else {
        return false;
    };
    let region = rest.strip_prefix(".dualstack.").or_else(|| rest.strip_prefix(['.', '-']));
    rest.is_empty() || region.is_some_and(is_region)
}

fn is_region_without_hyphens(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn is_region(text: &str) -> bool {
    text.split('-').count() >= 2 && text.split('-').all(is_region_without_hyphens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAME: &str = "cloudformation-custom-resource-response-euwest1";

    #[test]
    fn the_buckets_of_cloudformation_are_allowed_in_every_form() {
        for host in [
            "s3.amazonaws.com",
            "s3-eu-west-1.amazonaws.com",
            "s3.eu-west-1.amazonaws.com",
            "s3.dualstack.eu-west-1.amazonaws.com",
            "s3-fips.us-gov-west-1.amazonaws.com",
            "s3.cn-north-1.amazonaws.com.cn",
        ] {
            for url in
                [format!("https://{NAME}.{host}/arn%3Aaws?X-Amz-Signature=1"), format!("https://{host}/{NAME}/a")]
            {
                assert!(AllowedUrls::default().check(&url).is_ok(), "{url}");
            }
        }
    }

    #[test]
    fn nothing_else_is() {
        for url in [
            "",
            "http://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com/x",
            "https://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com",
            "https://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com.example.com/x",
            "https://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com@example.com/x",
            "https://user@cloudformation-custom-resource-response-euwest1.s3.amazonaws.com/x",
            "https://cloudformation-custom-resource-response-euwest1.s3.amazonaws.com:8443/x",
            "https://cloudformation-custom-resource-response-euwest1.example.com/x",
            "https://cloudformation-custom-resource-response-euwest1.s3.evil-.amazonaws.com/x",
            "https://cloudformation-custom-resource-response-euwest1.x.s3.amazonaws.com/x",
            "https://cloudformation-custom-resource-response-.s3.amazonaws.com/x",
            "https://mine.s3.amazonaws.com/x",
            "https://mine.s3.amazonaws.com/cloudformation-custom-resource-response-euwest1/x",
            "https://s3.amazonaws.com/mine/cloudformation-custom-resource-response-euwest1/x",
            "https://example.com/cloudformation-custom-resource-response-euwest1/x",
            "https://169.254.169.254/latest",
            "https://s3.amazonaws.com\\@example.com/cloudformation-custom-resource-response-euwest1/x",
            "https://s3.amazonaws.com\n/cloudformation-custom-resource-response-euwest1/x",
        ] {
            assert!(AllowedUrls::default().check(url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_local_aws_is_allowed_by_its_prefix_only() {
        let urls = AllowedUrls::and("http://127.0.0.1:4566/_ministack/cfn-response/, ");
        assert!(urls.check("http://127.0.0.1:4566/_ministack/cfn-response/token").is_ok());
        assert!(urls.check("http://127.0.0.1:4567/_ministack/cfn-response/token").is_err());
        assert!(urls.check("http://127.0.0.1:4566@example.com/").is_err());
        assert!(AllowedUrls::and("").check("http://127.0.0.1/").is_err(), "an empty prefix allows nothing");
    }

    #[test]
    fn a_url_may_say_when_it_was_signed() {
        let signed_at =
            |query: &str| AllowedUrls::and("http://x/").check(&format!("http://x/{query}")).unwrap().signed_at();
        let known = time::macros::datetime!(2026-01-01 12:00:05 UTC);
        assert_eq!(signed_at("?X-Amz-Algorithm=a&X-Amz-Date=20260101T120005Z&X-Amz-Expires=7200"), Some(known));
        for query in [
            "",
            "?",
            "?X-Amz-Date=",
            "?X-Amz-Date=20261301T120000Z",
            "?Expires=1795170070",
            "?A=X-Amz-Date=20260101T120005Z",
        ] {
            assert_eq!(signed_at(query), None, "{query}");
        }
    }

    proptest! {
        #[test]
        fn no_host_but_amazons_passes(host in "[a-z0-9.@:-]{1,40}", path in "[a-z0-9/-]{0,40}") {
            let url = format!("https://{host}/{path}");
            if AllowedUrls::default().check(&url).is_ok() {
                prop_assert!(host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn"));
                prop_assert!(!host.contains(['@', ':']));
            }
        }

        #[test]
        fn a_url_is_never_printed(path in "[a-z]{12,20}") {
            let url = AllowedUrls::default().check(&format!("https://{NAME}.s3.amazonaws.com/{path}")).unwrap();
            prop_assert_eq!(format!("{:?}", url), "[redacted]");
        }
    }
}
